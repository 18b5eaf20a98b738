import datetime as dt
import hashlib

import numpy as np
import polars as pl
import pytest
from feature_conformance import FeatureConformance
from hypothesis import strategies as st

from shortlist.errors import SettingsError
from shortlist.features import Hash, Lookup
from shortlist.features.vocabulary import FEW_VALUES

TEXTS = st.one_of(st.none(), st.sampled_from(["red", "blue", ""]), st.text(max_size=3))
NO_CATEGORIES = (
    pl.Series([1.5]),
    pl.Series([dt.date(2026, 1, 31)]),
    pl.Series([dt.datetime(2026, 1, 31)]),
    pl.Series([["red"]]),
    pl.Series([b"red"]),
    pl.Series([{"a": 1}]),
    pl.Series([[1, 2]], dtype=pl.Array(pl.Int64, 2)),
)


class TestLookupOfTexts(FeatureConformance):
    choice = Lookup("x", width=4)
    training = pl.Series("x", ["red", "blue", None, "red"])
    unseen, missing = "green", 0
    values, wrong = TEXTS, NO_CATEGORIES


class TestLookupOfIntegers(FeatureConformance):
    choice = Lookup("x", width=4, min_count=2)
    training = pl.Series("x", [7, -3, 7, 2**62, None, -3])
    unseen, missing = 8, 0
    values = st.one_of(st.none(), st.integers(-4, 8), st.integers(-(2**63), 2**63 - 1))
    wrong = NO_CATEGORIES


class TestLookupOfBooleans(FeatureConformance):
    choice = Lookup("x", width=4)
    training = pl.Series("x", [True, None, True])
    unseen, missing = False, 0
    values, wrong = st.one_of(st.none(), st.booleans()), NO_CATEGORIES


class TestLookup:
    def test_the_unknown_row_stands_first_and_the_vocabulary_in_order(self) -> None:
        fitted = Lookup("x").fit(pl.Series(["tea", "jam", "tea"]))
        assert fitted.num_rows == 3
        assert fitted.state() == {"vocabulary": ["jam", "tea"]}
        assert fitted.encode(pl.Series(["tea", "jam", "ham"])).rows.tolist() == [2, 1, 0]

    def test_the_order_of_training_rows_does_not_matter(self) -> None:
        one, other = (Lookup("x").fit(pl.Series(values)) for values in (["b", "a", "c"], ["c", "b", "a"]))
        assert one.state() == other.state()

    def test_values_seen_too_seldom_are_unknown(self) -> None:
        fitted = Lookup("x", min_count=2).fit(pl.Series(["a", "b", "b", "c", "c", "c"]))
        assert fitted.state() == {"vocabulary": ["b", "c"]}
        assert fitted.encode(pl.Series(["a", "b", "c"])).rows.tolist() == [0, 1, 2]

    def test_an_unseen_value_is_not_known(self) -> None:
        fitted = Lookup("x").fit(pl.Series(["a"]))
        assert fitted.known(pl.Series(["a", "b"])).tolist() == [True, False]

    def test_an_integer_and_its_text_are_the_same_value(self) -> None:
        fitted = Lookup("x").fit(pl.Series([10, 9]))
        assert fitted.encode(pl.Series(["9", "10", "09"])).rows.tolist() == [2, 1, 0]

    @pytest.mark.parametrize("dtype", [pl.String, pl.Categorical, pl.Enum(["a", "b"])], ids=str)
    def test_texts_of_every_type_are_the_same_values(self, dtype: pl.DataType) -> None:
        fitted = Lookup("x").fit(pl.Series(["a"]))
        assert fitted.encode(pl.Series(["b", "a", None], dtype=dtype)).rows.tolist() == [0, 1, 0]

    def test_integers_beyond_64_bits_are_values(self) -> None:
        fitted = Lookup("x").fit(pl.Series([2**64 - 1], dtype=pl.UInt64))
        assert fitted.encode(pl.Series([2**64 - 1, 2**63], dtype=pl.UInt64)).rows.tolist() == [1, 0]

    def test_a_column_without_any_value_knows_nothing(self) -> None:
        fitted = Lookup("x").fit(pl.Series([None, None]))
        assert fitted.num_rows == 1
        assert fitted.encode(pl.Series(["a"])).rows.tolist() == [0]


class TestHashOfTexts(FeatureConformance):
    choice = Hash("x", num_rows=7, width=4, seed=3)
    training = pl.Series("x", ["red", "blue", None])
    unseen, missing = "green", 0
    values, wrong = TEXTS, NO_CATEGORIES


class TestHash:
    # 1 + the first eight bytes of BLAKE2b, little-endian, modulo 999. Saved models depend on these.
    PINNED = (("a", 825), ("b", 526), ("", 566), ("42", 208), ("é", 143))
    PINNED_SEED_1 = (("a", 648), ("b", 23), ("", 881), ("42", 451), ("é", 930))

    @pytest.mark.parametrize(("seed", "pinned"), [(0, PINNED), (1, PINNED_SEED_1)])
    def test_its_rows_never_change(self, seed: int, pinned: tuple[tuple[str, int], ...]) -> None:
        fitted = Hash("x", num_rows=1000, seed=seed).fit(pl.Series(["any"]))
        assert fitted.encode(pl.Series([text for text, _ in pinned])).rows.tolist() == [row for _, row in pinned]

    @pytest.mark.parametrize(("text", "row"), PINNED)
    def test_the_pinned_rows_are_those_of_the_standard_library(self, text: str, row: int) -> None:
        digest = hashlib.blake2b(text.encode("utf-8"), digest_size=8, key=bytes(8)).digest()
        assert 1 + int.from_bytes(digest, "little") % 999 == row

    def test_many_values_fall_where_each_alone_does(self) -> None:
        fitted = Hash("x", num_rows=50).fit(pl.Series(["a"]))
        values = pl.Series([None if n % 7 == 0 else f"v{n % 300}" for n in range(FEW_VALUES + 1)])
        alone = [fitted.encode(pl.Series([value], dtype=pl.String)).rows[0] for value in values]
        assert fitted.encode(values).rows.tolist() == alone

    def test_row_zero_is_for_missing_values_alone(self) -> None:
        rows = Hash("x", num_rows=3).fit(pl.Series(["a"])).encode(pl.Series([str(n) for n in range(100)])).rows
        assert set(rows.tolist()) == {1, 2}

    def test_values_fall_evenly_on_the_rows(self) -> None:
        rows = Hash("x", num_rows=11).fit(pl.Series(["a"])).encode(pl.Series(range(10_000))).rows
        counts = np.bincount(rows, minlength=11)[1:]
        # 1,000 expected in each of 10 rows, with a standard deviation of √(10,000 · 0.1 · 0.9) = 30.
        assert counts.min() > 880
        assert counts.max() < 1120

    def test_an_integer_and_its_text_fall_together(self) -> None:
        fitted = Hash("x", num_rows=1000).fit(pl.Series(["a"]))
        assert fitted.encode(pl.Series([42])).rows.tolist() == fitted.encode(pl.Series(["42"])).rows.tolist()

    def test_every_value_that_is_there_is_known(self) -> None:
        fitted = Hash("x", num_rows=5).fit(pl.Series(["a"]))
        assert fitted.known(pl.Series(["never seen", None])).tolist() == [True, False]

    def test_a_table_without_room_for_two_rows_is_refused(self) -> None:
        with pytest.raises(SettingsError, match="Hash: num_rows should be greater than or equal to 2, but it is 1"):
            Hash("x", num_rows=1)

    def test_the_number_of_rows_has_no_default(self) -> None:
        with pytest.raises(SettingsError, match="Hash: num_rows is missing"):
            Hash("x")  # type: ignore[call-arg]

    @pytest.mark.parametrize("seed", [-1, 2**63])
    def test_a_seed_that_does_not_fit_its_key_is_refused(self, seed: int) -> None:
        with pytest.raises(SettingsError, match=f"Hash: seed should be .* but it is {seed}"):
            Hash("x", num_rows=5, seed=seed)

    def test_the_largest_seed_works(self) -> None:
        assert len(Hash("x", num_rows=5, seed=2**63 - 1).fit(pl.Series(["a"])).encode(pl.Series(["a"]))) == 1
