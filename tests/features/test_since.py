import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest
from feature_conformance import FeatureConformance
from hypothesis import strategies as st

from shortlist.data import Dataset, Split, split_by_time, split_random
from shortlist.errors import DataError, SettingsError
from shortlist.features import Features, Lookup, Rows, Since, encode, event_table, fit_features
from shortlist.features.since import FittedSince

MOMENTS = st.none() | st.integers(0, 10_000)
STRUCTS = st.none() | st.fixed_dictionaries({"x": MOMENTS, "at": st.none() | st.integers(0, 20_000)})
WRONG = (pl.Series([{"x": "noon", "at": 5}]), pl.Series([{"x": 5, "at": [5]}]))


def moments(*values: tuple[Any, Any]) -> pl.Series:
    return pl.Series("", [{"x": x, "at": at} for x, at in values])


class TestSince(FeatureConformance):
    choice = Since("x", boundaries=(60.0, 3_600.0), width=4)
    training = moments((0, 60), (0, 7_200), (100, 110))
    unseen, missing = {"x": 9_999, "at": 20_000}, 0
    values, wrong = STRUCTS, WRONG
    wrong_text = "Column '(x|at)' should hold numbers or times, but its type is"


class TestSinceInQuantiles(TestSince):
    choice = Since("x", boundaries=3, width=4)


def rows(feature: FittedSince, *values: tuple[Any, Any]) -> Any:
    return feature.encode(moments(*values)).rows.tolist()


def test_lengths_fall_into_buckets_and_no_moment_has_a_row_of_its_own() -> None:
    feature = Since("x", boundaries=(60.0, 3_600.0)).fit(moments((0, 10)))
    assert feature.num_rows == 4
    assert rows(feature, (0, 59), (0, 60), (41, 100), (0, 3_600), (None, 5)) == [1, 2, 1, 3, 0]


def test_boundaries_stand_at_the_quantiles_of_training() -> None:
    # The lengths are 0, 1, …, 8: quartiles 2, 4 and 6.
    feature = Since("x", boundaries=3).fit(moments(*((10, 10 + n) for n in range(9)), (None, 99)))
    assert feature.state() == {"columns": ["x", "at"], "boundaries": [2.0, 4.0, 6.0], "latest": 99.0}


def test_a_moment_after_the_query_counts_as_now() -> None:
    feature = Since("x", boundaries=(0.5,)).fit(moments((0, 10)))
    assert rows(feature, (10, 5), (10, 10), (9, 10)) == [1, 1, 2]


def test_a_query_without_a_time_is_asked_at_the_latest_moment_of_training() -> None:
    feature = Since("x", boundaries=(60.0,)).fit(moments((0, 10), (0, 100)))
    assert rows(feature, (41, None), (40, None), (None, None)) == [1, 2, 0]


def test_times_of_all_kinds_count_in_seconds() -> None:
    day, noon = dt.date(2026, 1, 1), dt.datetime(2026, 1, 1, 12)
    feature = Since("x", boundaries=(43_200.0,)).fit(moments((day, noon)))
    late, early = (noon + dt.timedelta(milliseconds=ms) for ms in (0, -1))
    assert rows(feature, (day, late)) == [2]
    assert rows(feature, (day, early)) == [1]
    assert rows(feature, (noon.replace(tzinfo=dt.UTC), noon.timestamp())) == [1]


def test_training_without_a_moment_is_refused() -> None:
    with pytest.raises(DataError, match="No training event has a moment of 'x' before it, so that Since says nothing"):
        Since("x").fit(moments((None, 5)))


def test_boundaries_in_no_order_are_refused() -> None:
    with pytest.raises(SettingsError, match="boundaries should be ascending numbers that are finite"):
        Since("x", boundaries=(2.0, 1.0))


# ann: at 0, 100 and 160; bob: at 130. They signed up at -50 and, nobody knows when.
CLICKS: dict[str, list[Any]] = {"user": ["ann", "ann", "bob", "ann"], "sku": list("abab"), "at": [0, 100, 130, 160]}


def shop(clicks: dict[str, Any] | None = None, users: dict[str, Any] | None = None, **roles: Any) -> Dataset:
    return Dataset(
        clicks or CLICKS,
        users=users or {"user": ["ann", "bob"], "signup": [-50, None]},
        query_id="user",
        item_id="sku",
        **({"time": "at"} | roles),
    )


def of_events(features: Features, part: Dataset, split: Split | None = None) -> Any:
    """The rows of the one event feature."""
    (encoded,) = encode(features.event, event_table(features.event, part, split)).values()
    assert isinstance(encoded, Rows)
    return encoded.rows.tolist()


def test_it_counts_from_a_column_of_the_users_table() -> None:
    # 50, 150, and 210 seconds; bob has no moment.
    features = fit_features([Since("signup", boundaries=(100.0, 200.0))], [Lookup("sku")], on=shop())
    assert of_events(features, shop()) == [1, 2, 0, 3]


def test_of_the_data_s_own_time_it_counts_from_the_last_event_before() -> None:
    data = shop()
    split = split_by_time(data, test=0.25)
    assert split.test.times.tolist() == [160]
    choice = Since("at", boundaries=(61.0, 90.0))
    features = fit_features([choice], [Lookup("sku")], on=split.train)
    (feature,) = features.event
    assert (feature.name, feature.columns) == ("since_at", ("last_at", "at"))
    assert of_events(features, split.train, split) == [0, 3, 0]
    assert of_events(features, split.test, split) == [1]


def test_a_gap_leaves_out_what_was_shortly_before_in_training_alone() -> None:
    clicks = {"user": ["ann"] * 5, "sku": list("ababa"), "at": [0, 90, 100, 200, 210]}
    split = split_by_time(shop(clicks), test=0.4)
    assert split.train.times.tolist() == [0, 90, 100]
    features = fit_features([Since("at", boundaries=(50.0, 95.0), gap=20.0)], [Lookup("sku")], on=split.train)
    # In training 90 and 100 after the first; in the test 100 and 110 after the last one of training.
    assert [of_events(features, part, split) for part in (split.train, split.test)] == [[0, 2, 3], [3, 3]]


def test_splits_that_mix_times_look_for_the_last_known_one_before() -> None:
    clicks = {"user": ["ann"] * 20, "sku": list("abcd") * 5, "at": list(range(0, 2_000, 100))}
    split = split_random(shop(clicks), test=0.3, seed=1)
    features = fit_features([Since("at", boundaries=(150.0,))], [Lookup("sku")], on=split.train)
    found = of_events(features, split.test, split)
    known = np.array(split.train.times)
    for row, at in zip(found, split.test.times.tolist(), strict=True):
        before = known[known < at]
        assert row == (0 if not len(before) else 1 if at - before.max() < 150 else 2)


def test_a_column_of_the_events_will_do_too() -> None:
    data = shop({**CLICKS, "session_start": [-10, 100, 100, 100]})
    features = fit_features([Since("session_start", boundaries=(20.0, 40.0))], [Lookup("sku")], on=data)
    assert of_events(features, data) == [1, 1, 2, 3]


@pytest.mark.parametrize(
    ("choice", "data", "text"),
    [
        (Since("signup"), shop(time=None), r"Since\('signup'\) counts up to the time of the event, but no column has"),
        (
            Since("at"),
            shop(users={"user": ["ann", "bob"], "last_at": [1, 2]}),
            r"Since\('at'\) reads 'last_at' of each event, but the users table has a column of that name too. Rename",
        ),
        (
            Since("signup", gap=9.0),
            shop(),
            r"gap is for the user's last event, which 'signup' is not. .* Since\('at'\)",
        ),
    ],
)
def test_what_the_roles_do_not_allow_is_refused(choice: Since, data: Dataset, text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        fit_features([choice], [Lookup("sku")], on=data)


def test_a_time_and_a_number_do_not_go_together() -> None:
    users = {"user": ["ann", "bob"], "signup": [dt.datetime(2026, 1, 1), None]}
    text = (
        r"Since\('signup'\) counts from Datetime.* to the Int64 of 'at'; give both as times. A time_unit in the roles"
    )
    with pytest.raises(DataError, match=text):
        fit_features([Since("signup")], [Lookup("sku")], on=shop(users=users))
    features = fit_features([Since("signup")], [Lookup("sku")], on=shop(users=users, time_unit="s"))
    assert features.event[0].columns == ("signup", "at")


def test_an_item_has_no_moment_of_a_user() -> None:
    with pytest.raises(SettingsError, match="The item tower has a Since, which counts from a moment of the user"):
        fit_features([Lookup("user")], [Since("at")], on=shop())


def test_a_column_that_no_table_holds_is_named() -> None:
    with pytest.raises(DataError, match="The query tower wants column 'birth', which its tables do not hold"):
        fit_features([Since("birth")], [Lookup("sku")], on=shop())
