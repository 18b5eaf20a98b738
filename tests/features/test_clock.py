import datetime as dt

import polars as pl
from feature_conformance import FeatureConformance
from hypothesis import given
from hypothesis import strategies as st

from shortlist.features import Hour, Weekday

SECONDS = st.one_of(st.none(), st.integers(-(2**40), 2**40))
MOMENTS = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1))
NO_TIMES = (pl.Series(["noon"]), pl.Series([[1]]))
WRONG = "Column 'x' should hold numbers or times, but its type is"


class TestHour(FeatureConformance):
    choice = Hour("x", width=4)
    training = pl.Series("x", [0, 3_600, 7_201])
    unseen, missing = -5, 0
    values = SECONDS
    wrong, wrong_text = NO_TIMES, WRONG


class TestWeekday(FeatureConformance):
    choice = Weekday("x", width=4)
    training = pl.Series("x", [0, 86_400])
    unseen, missing = -5, 0
    values = SECONDS
    wrong, wrong_text = NO_TIMES, WRONG


@given(moment=MOMENTS)
def test_they_say_what_the_calendar_says(moment: dt.datetime) -> None:
    assert Hour("x").fit(pl.Series([0])).encode(pl.Series([moment])).rows[0] == moment.hour + 1
    assert Weekday("x").fit(pl.Series([0])).encode(pl.Series([moment])).rows[0] == moment.isoweekday()


def test_hours_are_those_of_utc_whatever_the_zone() -> None:
    evening = pl.Series([dt.datetime(2026, 1, 31, 22, 30)]).dt.replace_time_zone("America/New_York")
    assert Hour("x").fit(evening).encode(evening).rows.tolist() == [4]
    assert Weekday("x").fit(evening).encode(evening).rows.tolist() == [7]


def test_a_date_is_its_midnight() -> None:
    assert Hour("x").fit(pl.Series([0])).encode(pl.Series([dt.date(2026, 1, 31)])).rows.tolist() == [1]
