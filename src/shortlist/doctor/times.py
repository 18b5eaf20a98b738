"""Findings about when events happened: ties, crowded moments, units, and a split that its own times contradict."""

import datetime as dt
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.data import LeaveLastOut, Split, TimeSplit
from shortlist.doctor.case import Case
from shortlist.doctor.finding import Finding, percent

__all__ = ["find_in_times"]

# A share of tied events below which their order hardly matters.
MANY_TIES = 0.05
# What a split by time would test where none was asked for: its own default.
TEST_SHARE = TimeSplit().test
# A test larger than asked by this factor is no longer the one that was asked for.
LARGER_TEST = 1.1
# The web begins about here: earlier times of events are mostly a unit taken for another, or a zero.
EARLIEST = dt.datetime(1990, 1, 1, tzinfo=dt.UTC)
LATEST_GUESS = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
# Clocks and zones differ; a day ahead is no error.
TOLERANCE = dt.timedelta(days=1)
PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}

Times = npt.NDArray[np.int64]


def find_in_times(case: Case) -> Iterator[Finding]:
    """All that the times say; nothing where no column is the time."""
    if case.data.roles.time is None:
        return
    times = case.data.times
    yield from _ties(case, times)
    yield from _crowded(case, times)
    if case.split is not None and isinstance(case.split.choice, TimeSplit):
        yield from _against_time(case.split)
    yield from _range(case, times)


def _ties(case: Case, times: Times) -> Iterator[Finding]:
    """Events of one user at one moment: nobody knows which came first."""
    data = case.data
    moments = pl.DataFrame({"user": data.user_rows, "time": times})
    tied = int(moments.is_duplicated().sum())
    if tied > MANY_TIES * data.num_events:
        last_out = case.split is not None and isinstance(case.split.choice, LeaveLastOut)
        yield Finding(
            "warning" if last_out else "note",
            "time-ties",
            f"{tied:,} events ({percent(tied, data.num_events)}) share the moment of another event of their user, so "
            "that their order is not known.",
            "The last event of a user is then partly chance: cut by time instead of leaving the last out, and do not "
            "read the order of a history as certain." if last_out else
            "Do not read the order of a history as certain, and prefer a split by time to leaving the last event out.",
        )  # fmt: skip


def _crowded(case: Case, times: Times) -> Iterator[Finding]:
    """One moment with more events than the test should have, or a cut that a crowd has moved."""
    _, counts = np.unique(times, return_counts=True)
    most, choice = int(counts.max()), None if case.split is None else case.split.choice
    wanted = choice.test if isinstance(choice, TimeSplit) else TEST_SHARE
    moved = ""
    if isinstance(choice, TimeSplit) and case.split is not None:
        got = case.split.test.num_events / len(times)
        if got > LARGER_TEST * wanted:
            moved = f" The test has {percent(got, 1)} of the events where {percent(wanted, 1)} were asked for."
    if most > wanted * len(times) or moved:
        yield Finding(
            "warning",
            "crowded-moment",
            f"The most crowded moment holds {most:,} of {len(times):,} events ({percent(most, len(times))}), and a "
            f"split by time never cuts one in two.{moved}",
            "Give finer times where there are any (a date is often a time cut short), or another share for the test.",
        )


def _against_time(split: Split) -> Iterator[Finding]:
    """Training events at or after the first test moment, in what calls itself a split by time."""
    known = [split.train.times, *([] if split.validation is None else [split.validation.times])]
    earlier, first = np.concatenate(known), split.test.times.min()
    tied, later = int((earlier == first).sum()), int((earlier > first).sum())
    remedy = "Cut between two moments: split_by_time does, and TimeSplit in an experiment file."
    if tied:
        yield Finding(
            "problem",
            "split-through-moment",
            f"The split by time cuts through one moment: {tied:,} training events have the very time of the first test "
            "event.",
            remedy,
        )
    if later:
        yield Finding(
            "problem",
            "train-after-test",
            f"{later:,} training events ({percent(later, len(earlier))}) happened after the first test event, so that "
            "training knew the future.",
            remedy,
        )


def _range(case: Case, times: Times) -> Iterator[Finding]:
    """Times in two units, before the web or in the future."""
    dtype = case.data.events[case.data.roles.time or ""].dtype
    if dtype.is_integer():
        units = {unit: _within(times, scale) for unit, scale in PER_SECOND.items()}
        found = {unit: int(inside.sum()) for unit, inside in units.items() if inside.any()}
        if len(found) > 1:
            listed = " and ".join(f"{count:,} look like {unit}" for unit, count in found.items())
            yield Finding(
                "problem",
                "mixed-time-units",
                f"Whole numbers of the time column come in several units since 1970: {listed}.",
                "Bring them to one unit before anything sorts by them.",
            )
        if len(found) != 1 or sum(found.values()) * 2 < len(times):
            return  # they only order events
        scale = PER_SECOND[next(iter(found))]
    elif dtype == pl.Date:
        scale = None
    else:
        scale = PER_SECOND[dtype.time_unit]  # type: ignore[attr-defined]
    yield from _outside(case, times, scale)


def _within(times: Times, scale: int) -> npt.NDArray[np.bool_]:
    inside: npt.NDArray[np.bool_] = (times >= EARLIEST.timestamp() * scale) & (times < LATEST_GUESS.timestamp() * scale)
    return inside


def _outside(case: Case, times: Times, scale: int | None) -> Iterator[Finding]:
    seconds = times * 86_400.0 if scale is None else times / scale
    early = int((seconds < EARLIEST.timestamp()).sum())
    future = int((seconds > (case.now + TOLERANCE).timestamp()).sum())
    if early or future:
        parts = [f"{early:,} before {EARLIEST.year}"] * bool(early) + [f"{future:,} in the future"] * bool(future)
        yield Finding(
            "warning",
            "times-out-of-range",
            f"{early + future:,} of {len(times):,} events ({percent(early + future, len(times))}) lie out of range: "
            f"{' and '.join(parts)}; they reach from {_moment(seconds.min())} to {_moment(seconds.max())}.",
            "Check the unit (--time-unit) and whether a 0 or a far date stands for a missing time; a split by time "
            "sorts these first or last.",
        )


def _moment(seconds: float) -> str:
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.3g} seconds since 1970"
