import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.data.tables import (
    MAX_ID_BYTES,
    check_columns,
    clean_ids,
    clean_times,
    clean_weights,
    rows_of_ids,
    to_frame,
)
from shortlist.errors import DataError


class TestToFrame:
    def test_a_frame_is_taken_as_it_is(self) -> None:
        frame = pl.DataFrame({"a": [1]})
        assert to_frame(frame, "items") is frame

    @pytest.mark.parametrize(
        "table",
        [None, "clicks.parquet", 5, Path("clicks.parquet"), object()],
        ids=["nothing", "text", "number", "path", "object"],
    )
    def test_what_is_no_table_is_refused_by_the_name_of_its_type(self, table: object) -> None:
        text = f"The interactions table should be a frame .* but it is a {type(table).__name__} that could not be read"
        with pytest.raises(DataError, match=text):
            to_frame(table, "interactions")

    def test_columns_of_unequal_length_are_refused(self) -> None:
        with pytest.raises(DataError, match=r"items table should be .* but it is a dict that could not be read"):
            to_frame({"a": [1, 2], "b": [1, 2, 3]}, "items")

    def test_a_column_of_mixed_types_is_refused(self) -> None:
        with pytest.raises(DataError, match="it is a dict that could not be read: unexpected value"):
            to_frame({"a": [1, "x"]}, "items")

    def test_integers_that_no_column_holds_are_refused(self) -> None:
        with pytest.raises(DataError, match="it is a dict that could not be read: int value too large"):
            to_frame({"a": [2**130]}, "items")

    def test_a_lazy_frame_that_fails_says_which_table_it_was(self) -> None:
        with pytest.raises(DataError, match=r'items table .* LazyFrame that could not be read: unable to find .*"b"'):
            to_frame(pl.LazyFrame({"a": [1]}).select("b"), "items")


class TestCheckColumns:
    def test_an_absent_column_is_named_beside_those_that_are_there(self) -> None:
        frame = pl.DataFrame({"user": [1], "sku": [2]})
        with pytest.raises(DataError, match=r"items table has no column 'item'; its columns are 'user', 'sku'\."):
            check_columns(frame, ["item"], "items")

    def test_a_table_without_rows_is_refused(self) -> None:
        with pytest.raises(DataError, match="The items table has no rows; at least one is needed"):
            check_columns(pl.DataFrame({"a": []}), ["a"], "items")


class TestCleanIds:
    @pytest.mark.parametrize("dtype", [pl.Int8, pl.UInt8, pl.Int32, pl.UInt32, pl.Int64, pl.UInt64, pl.Int128])
    def test_integers_of_every_width_become_int64(self, dtype: type[pl.DataType]) -> None:
        ids = clean_ids(pl.Series([3, 1], dtype=dtype), "items.sku")
        assert ids.dtype == pl.Int64
        assert ids.to_list() == [3, 1]

    @pytest.mark.parametrize("dtype", [pl.String, pl.Categorical, pl.Enum(["jam", "tea"])], ids=str)
    def test_texts_of_every_type_become_strings(self, dtype: pl.DataType) -> None:
        ids = clean_ids(pl.Series(["tea", "jam"], dtype=dtype), "items.sku")
        assert ids.dtype == pl.String
        assert ids.to_list() == ["tea", "jam"]

    @pytest.mark.parametrize(
        "ids",
        [
            pl.Series([2**63], dtype=pl.UInt64),
            pl.Series([2**70], dtype=pl.Int128),
            pl.Series([-(2**70)], dtype=pl.Int128),
        ],
        ids=["unsigned", "wide", "negative"],
    )
    def test_integers_beyond_64_bits_are_refused(self, ids: pl.Series) -> None:
        with pytest.raises(DataError, match=r"items\.sku holds integers beyond 2\^63; turn them into strings"):
            clean_ids(ids, "items.sku")

    @pytest.mark.parametrize(
        "ids",
        [
            pl.Series([1.0]),
            pl.Series([Decimal(1)]),
            pl.Series([True]),
            pl.Series([b"x"]),
            pl.Series([None]),
            pl.Series([dt.date(2026, 1, 31)]),
            pl.Series([["a"]]),
            pl.Series([1, "a"], dtype=pl.Object),
        ],
        ids=lambda ids: str(ids.dtype),
    )
    def test_other_types_make_no_ids(self, ids: pl.Series) -> None:
        with pytest.raises(DataError, match=r"items\.sku should hold ids as strings or integers, but its type is"):
            clean_ids(ids, "items.sku")

    @pytest.mark.parametrize("values", [["a", None, "b", None], [1, None, 2, None]], ids=["texts", "integers"])
    def test_missing_ids_are_counted_and_the_first_one_located(self, values: list[object]) -> None:
        with pytest.raises(DataError, match=r"items\.sku has 2 missing ids, the first in row 1;"):
            clean_ids(pl.Series(values), "items.sku")

    def test_an_id_of_one_kibibyte_is_taken(self) -> None:
        assert clean_ids(pl.Series(["x" * MAX_ID_BYTES]), "items.sku").len() == 1

    def test_an_id_is_measured_in_bytes_of_utf8(self) -> None:
        long = "é" * (MAX_ID_BYTES // 2) + "x"  # 2 × 512 + 1
        with pytest.raises(DataError, match=r"items\.sku has an id of 1025 bytes in row 1; at most 1024 are taken"):
            clean_ids(pl.Series(["a", long]), "items.sku")

    def test_leading_zeros_make_an_id_of_their_own(self) -> None:
        assert clean_ids(pl.Series(["7", "07"]), "items.sku").to_list() == ["7", "07"]

    def test_empty_ids_are_counted_and_the_first_one_located(self) -> None:
        with pytest.raises(DataError, match=r"items\.sku has 2 empty ids, the first in row 1; fill or drop these rows"):
            clean_ids(pl.Series(["7", "", "8", ""]), "items.sku")


class TestCleanWeights:
    @pytest.mark.parametrize(
        "weights",
        [
            pl.Series([2, 0]),
            pl.Series([2, 0], dtype=pl.UInt8),
            pl.Series([2.0, -0.0]),
            pl.Series([Decimal(2), Decimal(0)]),
        ],
        ids=lambda weights: str(weights.dtype),
    )
    def test_numbers_of_every_type_become_float32(self, weights: pl.Series) -> None:
        cleaned = clean_weights(weights, "interactions.w")
        assert cleaned.dtype == np.float32
        assert cleaned.tolist() == [2.0, 0.0]

    @pytest.mark.parametrize(
        ("bad", "shown"),
        [(float("nan"), "nan"), (-0.5, "-0.5"), (float("inf"), "inf"), (None, "nan"), (1e300, r"1e\+300")],
    )
    def test_a_bad_weight_is_shown_with_its_row(self, bad: float | None, shown: str) -> None:
        text = rf"interactions\.w should hold weights .* but row 1 holds {shown} \(2 such rows\)"
        with pytest.raises(DataError, match=text):
            clean_weights(pl.Series([1.0, bad, bad]), "interactions.w")

    def test_weights_whose_sum_float32_cannot_hold_are_refused(self) -> None:
        # The largest float32 is 3.4028e38: one weight of 2e38 fits, two do not.
        assert (
            clean_weights(pl.Series([2e38, 1e38]), "interactions.w").tolist()
            == np.array([2e38, 1e38], np.float32).tolist()
        )
        text = (
            "interactions.w holds weights whose sum is beyond float32 (the highest is 2e+38); scale them down, "
            "only their ratios matter."
        )
        with pytest.raises(DataError) as caught:
            clean_weights(pl.Series([2e38, 2e38]), "interactions.w")
        assert str(caught.value) == text

    @pytest.mark.parametrize("weights", [pl.Series(["1"]), pl.Series([True]), pl.Series([None])], ids=str)
    def test_what_is_no_number_is_refused(self, weights: pl.Series) -> None:
        with pytest.raises(DataError, match=r"interactions\.w should hold numbers, but its type is"):
            clean_weights(weights, "interactions.w")


class TestCleanTimes:
    # 2020-01-01 00:00 UTC is 18,262 days of 86,400 seconds after 1970.
    NEW_YEAR = 18_262 * 86_400

    @pytest.mark.parametrize(("unit", "per_second"), [("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
    @pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
    def test_datetimes_count_in_their_own_unit_whatever_their_zone(
        self, unit: Literal["ms", "us", "ns"], per_second: int, zone: str | None
    ) -> None:
        moments = pl.Series([dt.datetime(2020, 1, 1, 0, 0, 1, 500_000)], dtype=pl.Datetime(unit))
        if zone is not None:
            moments = moments.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
        times = clean_times(moments, "t")
        assert times.dtype == pl.Int64
        assert times.to_list() == [self.NEW_YEAR * per_second + 3 * per_second // 2]

    def test_nanoseconds_are_told_apart(self) -> None:
        # As float seconds they would stand 2^-22 s = 238 ns apart.
        moments = pl.Series([self.NEW_YEAR * 10**9 + nanosecond for nanosecond in (2, 0, 1)]).cast(pl.Datetime("ns"))
        assert (clean_times(moments, "t") - self.NEW_YEAR * 10**9).to_list() == [2, 0, 1]

    def test_a_clock_in_another_zone_is_read_there(self) -> None:
        tokyo = pl.Series([dt.datetime(2020, 1, 1, 9)], dtype=pl.Datetime("ms"))  # nine hours ahead
        assert clean_times(tokyo.dt.replace_time_zone("Asia/Tokyo"), "t").to_list() == [self.NEW_YEAR * 1_000]

    def test_the_hour_that_comes_twice_in_autumn_counts_twice(self) -> None:
        utc = pl.Series([dt.datetime(2020, 10, 25, hour) for hour in (0, 1)], dtype=pl.Datetime("ms", "UTC"))
        early, late = clean_times(utc.dt.convert_time_zone("Europe/Berlin"), "t").to_list()
        assert late - early == 3_600_000

    def test_dates_count_in_days(self) -> None:
        days = clean_times(pl.Series([dt.date(2020, 1, 1), dt.date(1969, 12, 31)]), "t")
        assert days.dtype == pl.Int64
        assert days.to_list() == [18_262, -1]

    def test_times_before_1970_are_negative(self) -> None:
        moments = pl.Series([dt.datetime(1969, 12, 31, 23, 59, 58)], dtype=pl.Datetime("ms"))
        assert clean_times(moments, "t").to_list() == [-2_000]

    @pytest.mark.parametrize("dtype", [pl.Int8, pl.UInt32, pl.UInt64, pl.Int64, pl.Int128])
    def test_integers_stay_as_they_are(self, dtype: type[pl.DataType]) -> None:
        times = clean_times(pl.Series([5, 3], dtype=dtype), "t")
        assert times.dtype == pl.Int64
        assert times.to_list() == [5, 3]

    @pytest.mark.parametrize("dtype", [pl.UInt64, pl.Int128])
    def test_integers_beyond_64_bits_are_refused(self, dtype: type[pl.DataType]) -> None:
        with pytest.raises(DataError, match=r"clicks\.t holds integers beyond 2\^63; give the times in a larger unit"):
            clean_times(pl.Series([2**63], dtype=dtype), "clicks.t")

    @pytest.mark.parametrize(
        "times",
        [pl.Series([1.5]), pl.Series(["2020-01-01"]), pl.Series([dt.time(1)]), pl.Series([dt.timedelta(1)])],
        ids=lambda times: str(times.dtype),
    )
    def test_other_types_are_refused(self, times: pl.Series) -> None:
        with pytest.raises(DataError, match=r"clicks\.t should hold datetimes, dates or integers, but its type is"):
            clean_times(times, "clicks.t")

    @pytest.mark.parametrize("times", [pl.Series([1, None]), pl.Series([dt.date(2020, 1, 1), None])], ids=str)
    def test_a_missing_time_is_located(self, times: pl.Series) -> None:
        with pytest.raises(DataError, match=r"clicks\.t has 1 missing times, the first in row 1; drop these rows"):
            clean_times(times, "clicks.t")


@settings(deadline=None, max_examples=40)
@given(
    ids=st.lists(st.text(max_size=3), max_size=30), catalogue=st.lists(st.text(max_size=3), unique=True, max_size=30)
)
def test_rows_of_ids_are_the_places_in_the_catalogue(ids: list[str], catalogue: list[str]) -> None:
    rows = rows_of_ids(pl.Series(ids, dtype=pl.String), pl.Series(catalogue, dtype=pl.String))
    assert rows.dtype == np.int64
    assert rows.tolist() == [catalogue.index(one) if one in catalogue else -1 for one in ids]


def test_rows_are_found_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shortlist.data.tables.BLOCK_ROWS", 2)
    catalogue = pl.Series(["a", "b", "c"])
    ids = pl.Series(["c", None, "a", "x", "b", "c", "a", "b"])  # three blocks: none is smaller than the catalogue
    assert rows_of_ids(ids, catalogue).tolist() == [2, -1, 0, -1, 1, 2, 0, 1]
    assert rows_of_ids(ids[:0], catalogue).tolist() == []
