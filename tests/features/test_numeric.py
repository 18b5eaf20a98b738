import datetime as dt
import math
from decimal import Decimal
from typing import Literal

import numpy as np
import polars as pl
import pytest
from feature_conformance import FeatureConformance
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.errors import DataError, SettingsError
from shortlist.features import Bucketize, Normalize

NUMBERS = st.one_of(
    st.none(),
    st.sampled_from([0.0, -0.0, 18.0, 65.0, float("nan")]),
    st.floats(-1e30, 1e30),
)
MOMENTS = st.one_of(st.none(), st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1)))
NO_NUMBERS = (
    pl.Series(["1"]),
    pl.Series([[1.0]]),
    pl.Series([dt.time(1)]),
    pl.Series([dt.timedelta(1)]),
    pl.Series(["1"], dtype=pl.Categorical),
)
PRECISIONS: tuple[Literal["float64", "float32"], ...] = ("float64", "float32")
NO_NUMBERS_TEXT = "Column 'x' should hold numbers or times, but its type is"


class TestBucketizeGiven(FeatureConformance):
    choice = Bucketize("x", boundaries=(18.0, 65.0), width=4)
    training = pl.Series("x", [20.0, 70.0, None])
    unseen, missing = -5.0, 1  # the mean, 45
    values, wrong, wrong_text = NUMBERS, NO_NUMBERS, NO_NUMBERS_TEXT


class TestBucketizeQuantiles(FeatureConformance):
    choice = Bucketize("x", boundaries=3, method="quantiles", width=4)
    training = pl.Series("x", [4, 1, 2, 3, 100, None])
    unseen, missing = 50, 3  # the mean, 22
    values = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.integers(0, 5))
    wrong, wrong_text = NO_NUMBERS, NO_NUMBERS_TEXT


class TestBucketizeTimes(FeatureConformance):
    choice = Bucketize("x", boundaries=5, width=4)
    training = pl.Series("x", [dt.datetime(2026, 1, 1), dt.datetime(2026, 1, 5)])
    unseen, missing = dt.datetime(2030, 1, 1), 3  # the mean, January 3, is the third of five boundaries
    values, wrong, wrong_text = MOMENTS, NO_NUMBERS, NO_NUMBERS_TEXT


class TestNormalizeNumbers(FeatureConformance):
    choice = Normalize("x")
    training = pl.Series("x", [1.0, 3.0, None])
    unseen, missing = 100.0, [0.0]
    values, wrong, wrong_text = NUMBERS, NO_NUMBERS, NO_NUMBERS_TEXT
    no_width_text = "Normalize: width is not a known key"


class TestNormalizeTimes(FeatureConformance):
    choice = Normalize("x")
    training = pl.Series("x", [dt.datetime(2026, 1, 1), dt.datetime(2026, 1, 5)])
    unseen, missing = dt.datetime(2030, 1, 1), [0.0]
    values, wrong, wrong_text = MOMENTS, NO_NUMBERS, NO_NUMBERS_TEXT
    no_width_text = "Normalize: width is not a known key"


class TestBucketize:
    def test_a_value_equal_to_a_boundary_falls_in_the_bucket_above_it(self) -> None:
        fitted = Bucketize("x", boundaries=(1.0, 2.0, 3.0)).fit(pl.Series([1.0]))
        values = pl.Series([0.9, 1.0, 1.5, 2.0, 3.0, 9.0])
        assert fitted.encode(values).rows.tolist() == [0, 1, 1, 2, 3, 3]

    @settings(deadline=None, max_examples=100)
    @given(
        boundaries=st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=20, unique=True),
        values=st.lists(st.floats(-1e6, 1e6), max_size=20),
    )
    def test_it_agrees_with_numpys_digitize(self, boundaries: list[float], values: list[float]) -> None:
        edges = tuple(sorted(boundaries))
        values = [*values, *edges, *(math.nextafter(edge, way) for edge in edges for way in (-math.inf, math.inf))]
        for precision in PRECISIONS:
            fitted = Bucketize("x", boundaries=edges, precision=precision).fit(pl.Series([0.0]))
            wanted = np.digitize(np.array(values, precision), np.array(edges, precision))
            assert fitted.encode(pl.Series(values)).rows.tolist() == wanted.tolist()

    def test_values_are_compared_in_float64(self) -> None:
        fitted = Bucketize("x", boundaries=(2.0**30,)).fit(pl.Series([0]))
        assert fitted.encode(pl.Series([2**30 - 100, 2**30 - 20, 2**30])).rows.tolist() == [0, 0, 1]

    def test_values_are_compared_in_float32_where_that_is_asked_for(self) -> None:
        # Floats below 2^30 lie 64 apart in float32, so that 2^30 - 20 rounds up to the boundary.
        fitted = Bucketize("x", boundaries=(2.0**30,), precision="float32").fit(pl.Series([0]))
        assert fitted.encode(pl.Series([2**30 - 100, 2**30 - 20, 2**30])).rows.tolist() == [0, 1, 1]

    def test_times_of_one_second_apart_are_told_apart(self) -> None:
        noon = dt.datetime(2026, 1, 1, 12)
        moments = pl.Series([noon, noon + dt.timedelta(seconds=1)])
        assert Bucketize("x", boundaries=2).fit(moments).encode(moments).rows.tolist() == [1, 2]
        assert Bucketize("x", boundaries=2, precision="float32").fit(moments).encode(moments).rows.tolist() == [1, 1]

    def test_zero_is_zero_whatever_its_sign(self) -> None:
        fitted = Bucketize("x", boundaries=(0.0,)).fit(pl.Series([1.0]))
        assert fitted.encode(pl.Series([0.0, -0.0, -1e-30])).rows.tolist() == [1, 1, 0]

    def test_boundaries_stand_at_equal_distances_with_both_ends_included(self) -> None:
        fitted = Bucketize("x", boundaries=3).fit(pl.Series([10, 4, 0]))
        assert fitted.state()["boundaries"] == [0.0, 5.0, 10.0]
        assert fitted.encode(pl.Series([-1, 0, 4, 5, 9, 10])).rows.tolist() == [0, 1, 1, 2, 2, 3]

    def test_a_thousand_boundaries_make_a_thousand_and_one_buckets(self) -> None:
        seconds = pl.Series(range(874_724_710, 893_286_638, 10_000))  # the span of MovieLens 100K
        assert Bucketize("x", boundaries=1000).fit(seconds).num_rows == 1001

    def test_boundaries_that_float32_cannot_tell_apart_are_one(self) -> None:
        # Ten boundaries over four units near 2^30, where float32 goes in steps of 64 below and 128 above.
        moments = pl.Series([2**30, 2**30 + 4])
        assert Bucketize("x", boundaries=10, precision="float32").fit(moments).num_rows == 2
        assert Bucketize("x", boundaries=10).fit(moments).num_rows == 11

    def test_a_constant_column_has_one_boundary(self) -> None:
        fitted = Bucketize("x", boundaries=10).fit(pl.Series([3, 3]))
        assert fitted.state()["boundaries"] == [3.0]

    def test_quantiles_part_the_values_evenly(self) -> None:
        # Three boundaries at the quartiles of 0, 1, …, 8: 2, 4 and 6.
        fitted = Bucketize("x", boundaries=3, method="quantiles").fit(pl.Series(range(9)))
        assert fitted.state()["boundaries"] == [2.0, 4.0, 6.0]
        assert np.bincount(fitted.encode(pl.Series(range(8))).rows).tolist() == [2, 2, 2, 2]

    def test_quantiles_that_fall_together_are_one_boundary(self) -> None:
        fitted = Bucketize("x", boundaries=3, method="quantiles").fit(pl.Series([1, 1, 1, 1, 1, 9]))
        assert fitted.state()["boundaries"] == [1.0]

    def test_missing_training_values_move_nothing(self) -> None:
        whole, gaps = pl.Series([0.0, 10.0]), pl.Series([0.0, None, float("nan"), 10.0])
        assert Bucketize("x", boundaries=3).fit(gaps).state() == Bucketize("x", boundaries=3).fit(whole).state()

    def test_a_missing_value_may_be_a_number_of_your_own(self) -> None:
        fitted = Bucketize("x", boundaries=(1.0, 2.0), missing=1.5).fit(pl.Series([100.0]))
        assert fitted.encode(pl.Series([None, float("nan"), 5.0])).rows.tolist() == [1, 1, 2]

    def test_times_are_seconds_whatever_their_unit_and_zone(self) -> None:
        fitted = Bucketize("x", boundaries=(0.0, 86_400.0)).fit(pl.Series([0]))
        noon = dt.datetime(1970, 1, 1, 12)
        for unit in ("ms", "us", "ns"):
            moments = pl.Series([noon, noon + dt.timedelta(1)], dtype=pl.Datetime(unit))
            assert fitted.encode(moments).rows.tolist() == [1, 2]
        tokyo = pl.Series([dt.datetime(1970, 1, 1, 8)]).dt.replace_time_zone("Asia/Tokyo")  # an hour before 1970
        assert fitted.encode(tokyo).rows.tolist() == [0]
        assert fitted.encode(pl.Series([dt.date(1969, 12, 31), dt.date(1970, 1, 1)])).rows.tolist() == [0, 1]

    @pytest.mark.parametrize(
        ("boundaries", "shown"),
        [
            ((), "none at all"),
            ((2.0, 1.0), r"2\.0, 1\.0"),
            ((1.0, 1.0), r"1\.0, 1\.0"),
        ],
    )
    def test_boundaries_that_do_not_ascend_are_refused(self, boundaries: tuple[float, ...], shown: str) -> None:
        for precision in PRECISIONS:
            text = (
                "Bucketize: boundaries should be ascending numbers that are finite and differ in "
                rf"{precision}, but they are {shown}\."
            )
            with pytest.raises(SettingsError, match=text):
                Bucketize("x", boundaries=boundaries, precision=precision)

    @pytest.mark.parametrize(
        ("boundaries", "shown"),
        [((2.0**30, 2.0**30 + 1), r"1073741824\.0, 1073741825\.0"), ((0.0, 1e39), r"0\.0, 1e\+39")],
    )
    def test_boundaries_that_ascend_in_float64_alone_need_float64(
        self, boundaries: tuple[float, ...], shown: str
    ) -> None:
        assert Bucketize("x", boundaries=boundaries).fit(pl.Series([0])).state()["boundaries"] == list(boundaries)
        with pytest.raises(SettingsError, match=rf"finite and differ in float32, but they are {shown}\."):
            Bucketize("x", boundaries=boundaries, precision="float32")

    def test_boundaries_that_are_not_finite_are_refused(self) -> None:
        with pytest.raises(SettingsError, match="should be a finite number, but it is nan"):
            Bucketize("x", boundaries=(0.0, float("nan")))

    @pytest.mark.parametrize("number", [1, 0, -3])
    def test_fewer_than_two_boundaries_of_its_own_are_refused(self, number: int) -> None:
        with pytest.raises(
            SettingsError,
            match=rf"should be greater than or equal to 2, or should be a valid list, but it is {number}\.",
        ):
            Bucketize("x", boundaries=number)

    def test_a_list_of_boundaries_is_as_good_as_a_tuple(self) -> None:
        assert Bucketize("x", boundaries=[1, 2]) == Bucketize("x", boundaries=(1.0, 2.0))  # type: ignore[arg-type]


class TestNormalize:
    def test_it_subtracts_the_mean_and_divides_by_the_populations_deviation(self) -> None:
        # Mean (2 + 4 + 4 + 4 + 5 + 5 + 7 + 9) / 8 = 5; squares 9 1 1 1 0 0 4 16, their mean 4, its root 2.
        fitted = Normalize("x").fit(pl.Series([2, 4, 4, 4, 5, 5, 7, 9]))
        assert fitted.state() == {"mean": 5.0, "deviation": 2.0, "stand_in": 5.0}
        assert fitted.encode(pl.Series([9, 5, 2])).values.tolist() == [[2.0], [0.0], [-1.5]]

    def test_it_counts_in_float64(self) -> None:
        # float32 knows no number between 2^30 and 2^30 + 128.
        fitted = Normalize("x").fit(pl.Series([2**30, 2**30 + 2]))
        assert fitted.encode(pl.Series([2**30, 2**30 + 2])).values.tolist() == [[-1.0], [1.0]]

    def test_a_constant_column_gives_zeros(self) -> None:
        assert Normalize("x").fit(pl.Series([5, 5])).encode(pl.Series([5])).values.tolist() == [[0.0]]

    def test_what_was_constant_gives_zero_for_whatever_comes_later(self) -> None:
        # Keras would divide by 1e-7 and give 10,000,000 for the 6.
        fitted = Normalize("x", missing=7).fit(pl.Series([5, 5]))
        assert fitted.encode(pl.Series([5.0, 6.0, -1e30, None])).values.tolist() == [[0.0], [0.0], [0.0], [0.0]]

    def test_a_deviation_up_to_a_ten_millionth_is_the_rounding_of_a_constant(self) -> None:
        # Half the distance of two values is their deviation: here 2^-24 = 6e-8, and 2^-23 = 1.2e-7.
        rounded, apart = pl.Series([0.0, 2.0**-23]), pl.Series([0.0, 2.0**-22])
        assert Normalize("x").fit(rounded).encode(rounded).values.tolist() == [[0.0], [0.0]]
        assert Normalize("x").fit(apart).encode(apart).values.tolist() == [[-1.0], [1.0]]

    def test_a_missing_value_may_be_a_number_of_your_own(self) -> None:
        fitted = Normalize("x", missing=5).fit(pl.Series([1.0, 3.0, None, float("nan")]))
        assert fitted.encode(pl.Series([None, float("nan")])).values.tolist() == [[3.0], [3.0]]

    @pytest.mark.parametrize(
        "column",
        [
            pl.Series([1, 3], dtype=pl.UInt64),
            pl.Series([1, 3], dtype=pl.Int128),
            pl.Series([1, 3], dtype=pl.Float32),
            pl.Series([Decimal(1), Decimal(3)]),
        ],
        ids=lambda column: str(column.dtype),
    )
    def test_numbers_of_every_type_are_read(self, column: pl.Series) -> None:
        assert Normalize("x").fit(column).encode(column).values.tolist() == [[-1.0], [1.0]]

    def test_booleans_are_zero_and_one(self) -> None:
        assert Normalize("x").fit(pl.Series([True, False])).state() == {"mean": 0.5, "deviation": 0.5, "stand_in": 0.5}

    def test_times_are_the_nearest_number_of_seconds(self) -> None:
        # Polars' own division gives -16761599.999995999, another float than the one that a query writes.
        moment = pl.Series([dt.datetime(1969, 6, 21, 0, 0, 0, 4)])
        assert Normalize("x").fit(moment).state()["mean"] == -16_761_599.999996

    def test_times_are_seconds(self) -> None:
        days = pl.Series([dt.date(1970, 1, 1), dt.date(1970, 1, 3)])
        assert Normalize("x").fit(days).state() == {"mean": 86_400.0, "deviation": 86_400.0, "stand_in": 86_400.0}


@pytest.mark.parametrize("choice", [Normalize("x"), Bucketize("x")], ids=lambda choice: str(choice.kind))
class TestBoth:
    @pytest.mark.parametrize("bad", [float("inf"), -float("inf"), 1e39])
    def test_what_float32_cannot_hold_is_refused_with_its_row(self, choice: Bucketize | Normalize, bad: float) -> None:
        text = r"Column 'x' holds \S+ in row 1, which is infinite in float32; correct it or leave it missing"
        with pytest.raises(DataError, match=text):
            choice.fit(pl.Series([0.0, bad]))
        with pytest.raises(DataError, match=text):
            choice.fit(pl.Series([0.0, 1.0])).encode(pl.Series([0.0, bad]))

    @pytest.mark.parametrize("empty", [pl.Series([None, None]), pl.Series([float("nan")])], ids=["null", "nan"])
    def test_a_column_without_any_number_is_refused(self, choice: Bucketize | Normalize, empty: pl.Series) -> None:
        with pytest.raises(DataError, match="Column 'x' holds no number at all in the rows that features are fitted"):
            choice.fit(empty)

    def test_nan_is_missing_and_so_not_known(self, choice: Bucketize | Normalize) -> None:
        fitted = choice.fit(pl.Series([0.0, 1.0]))
        assert fitted.known(pl.Series([float("nan"), 7.0])).tolist() == [False, True]

    def test_nan_is_refused_where_the_policy_says_so(self, choice: Bucketize | Normalize) -> None:
        with pytest.raises(DataError, match="Column 'x' has 1 missing values, the first in row 1"):
            type(choice)("x", missing="error").fit(pl.Series([1.0, float("nan")]))

    def test_a_stand_in_that_is_not_finite_is_refused(self, choice: Bucketize | Normalize) -> None:
        with pytest.raises(SettingsError, match=r"missing should be .*, or should be a finite number, but it is inf"):
            type(choice)("x", missing=float("inf"))
