"""Which moments of its user an event knows of: those that a `Since` counts from."""

from collections.abc import Sequence

import polars as pl

from shortlist.data import Dataset, Split
from shortlist.data.events import EventTable
from shortlist.data.histories import last_before
from shortlist.errors import DataError, SettingsError
from shortlist.features.feature import FeatureChoice, FittedFeature
from shortlist.features.since import FittedSince, Since, last_column

__all__ = ["check_since", "event_table", "moments_and_times"]


def check_since(query: Sequence[FeatureChoice], item: Sequence[FeatureChoice], on: Dataset) -> None:
    """Raise `SettingsError` for a `Since` that makes no sense with these roles and tables."""
    if any(isinstance(feature, Since) for feature in item):
        raise SettingsError("The item tower has a Since, which counts from a moment of the user; give it to the query.")
    time = on.roles.time
    for feature in query:
        if not isinstance(feature, Since):
            continue
        if time is None:
            raise SettingsError(
                f"Since({feature.column!r}) counts up to the time of the event, but no column has the role time; pass "
                'time="<column>".'
            )
        taken = [column for column in (time, last_column(time)) if column in on.users.columns]
        if taken:
            raise SettingsError(
                f"Since({feature.column!r}) reads {taken[0]!r} of each event, but the users table has a column of that "
                "name too. Rename it there."
            )
        if feature.gap and feature.column != time:
            raise SettingsError(
                f"gap is for the user's last event, which {feature.column!r} is not. Leave it out, or write "
                f"Since({time!r})."
            )


def moments_and_times(feature: Since, on: Dataset) -> pl.Series:
    """What a `Since` is fitted on: structs of the moment and of the time of each event [E].

    Raises `DataError` where one of both is a time and the other a number.
    """
    time = on.roles.time or ""
    if feature.column == time:
        moments = last_before(on, [on], feature.gap).alias(last_column(time))
    else:
        moments = _moments(feature.column, on)
    times = on.events[time]
    if moments.dtype.is_temporal() != times.dtype.is_temporal():
        raise DataError(
            f"Since({feature.column!r}) counts from {moments.dtype} to the {times.dtype} of {time!r}; give both as "
            "times. A time_unit in the roles makes times of whole numbers."
        )
    return pl.DataFrame([moments, times]).to_struct()


def event_table(features: Sequence[FittedFeature], data: Dataset, split: Split | None = None) -> EventTable:
    """The events as their features read them: with the moments beside them that a `Since` counts from.

    When a user was last active before an event says the split, and without one the users table; where it does not, as
    in a bundle that was saved without histories, nobody ever was.
    """
    since = [feature for feature in features if isinstance(feature, FittedSince)]
    if not since:
        return data.events
    columns = dict.fromkeys(column for feature in features for column in feature.columns)
    events = pl.DataFrame([data.events[column] for column in columns if column in data.events.columns])
    moments = [
        split.last_before(data, feature.choice.gap).alias(feature.columns[0])
        if feature.of_last_event and split is not None
        else _moments(feature.columns[0], data)
        for feature in since
    ]
    return EventTable(events.with_columns(moments))


def _moments(column: str, data: Dataset) -> pl.Series:
    """A column of the users for each event [E], or the events' own where users have none; missing where none has."""
    if column in data.users.columns:
        return data.users[column][data.user_rows]
    if column in data.events.columns:
        return data.events[column]
    return pl.Series(column, [None] * data.num_events)
