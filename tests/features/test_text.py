import datetime as dt
import itertools

import polars as pl
import pytest
from feature_conformance import FeatureConformance
from hypothesis import strategies as st

from shortlist.errors import SettingsError
from shortlist.features import RowLists, Text
from shortlist.features.lists import FittedLists

NO_TEXTS = (pl.Series([1.5]), pl.Series([dt.date(2026, 1, 31)]), pl.Series([["a"]]), pl.Series([b"a"]))
WORDS = st.lists(st.sampled_from(["tea", "Jam", "ham!", "don't", "É", "  "]), max_size=5).map(" ".join)


class TestTextOfTitles(FeatureConformance):
    choice = Text("x", width=4)
    training = pl.Series("x", ["Tea and Jam", None, "", "tea!"])
    unseen, missing = "Ham", []
    values, wrong = st.one_of(st.none(), WORDS, st.text(max_size=8)), NO_TEXTS


class TestTextOfFewTokens(FeatureConformance):
    choice = Text("x", width=4, max_tokens=3, lowercase="ascii")
    training = pl.Series("x", ["Tea and Jam", None, "", "tea!"])
    unseen, missing = "Ham", []
    values, wrong = st.one_of(st.none(), WORDS, st.text(max_size=8)), NO_TEXTS


def lists(encoded: RowLists) -> list[list[int]]:
    ends = encoded.offsets.tolist()
    return [encoded.rows[start:end].tolist() for start, end in itertools.pairwise(ends)]


def vocabulary(fitted: FittedLists) -> list[str]:
    return list(fitted.state()["vocabulary"])


class TestWords:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("Tea  and\tJAM\n", ["and", "jam", "tea"]),
            ("don't", ["dont"]),
            ("jam-tart", ["jamtart"]),
            ("!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'", []),
            ("tea – jam…", ["jam…", "tea", "–"]),
            ("M*A*S*H (1970)", ["1970", "mash"]),
            ("  ", []),
            ("", []),
        ],
    )
    def test_they_are_lower_cased_rid_of_punctuation_and_split_on_white_space(
        self, text: str, words: list[str]
    ) -> None:
        assert vocabulary(Text("x").fit(pl.Series([text]))) == words

    def test_other_alphabets_are_lower_cased(self) -> None:
        assert vocabulary(Text("x").fit(pl.Series(["ÉLÉGIE ΣΑΣ"]))) == ["élégie", "σας"]

    def test_other_alphabets_are_left_alone_on_request(self) -> None:
        assert vocabulary(Text("x", lowercase="ascii").fit(pl.Series(["ÉLÉGIE, DON'T!"]))) == ["dont", "ÉlÉgie"]

    def test_integers_are_words_of_their_digits(self) -> None:
        assert vocabulary(Text("x").fit(pl.Series([7, 12]))) == ["12", "7"]


class TestVocabulary:
    def test_the_most_frequent_words_come_first_and_ties_by_the_alphabet(self) -> None:
        assert vocabulary(Text("x").fit(pl.Series(["c b a", "c d d"]))) == ["c", "d", "a", "b"]

    def test_max_tokens_counts_the_padding_and_the_unknown_word(self) -> None:
        # Of c c, a a, b only 4 - 2 words stay, the tie of a and c going by the alphabet.
        fitted = Text("x", max_tokens=4).fit(pl.Series(["c b a", "c a"]))
        assert vocabulary(fitted) == ["a", "c"]
        assert fitted.num_rows == 4

    def test_a_tie_at_the_cut_goes_by_the_alphabet(self) -> None:
        assert vocabulary(Text("x", max_tokens=4).fit(pl.Series(["d c b a"]))) == ["a", "b"]

    def test_a_word_counts_each_time_it_stands_in_a_text(self) -> None:
        assert vocabulary(Text("x", max_tokens=3).fit(pl.Series(["b b", "a"]))) == ["b"]

    def test_fewer_than_three_tokens_are_refused(self) -> None:
        with pytest.raises(SettingsError, match="Text: max_tokens should be greater than or equal to 3, but it is 2"):
            Text("x", max_tokens=2)


class TestEncode:
    def test_row_one_is_the_unknown_word_and_counts_in_the_mean(self) -> None:
        fitted = Text("x").fit(pl.Series(["tea jam"]))
        assert lists(fitted.encode(pl.Series(["jam ham tea ham"]))) == [[2, 1, 3, 1]]

    def test_a_repeated_word_counts_as_often_as_it_stands(self) -> None:
        fitted = Text("x").fit(pl.Series(["tea"]))
        assert lists(fitted.encode(pl.Series(["tea tea"]))) == [[2, 2]]

    def test_a_text_without_words_is_an_empty_list(self) -> None:
        fitted = Text("x").fit(pl.Series(["tea"]))
        assert lists(fitted.encode(pl.Series(["", "  ", "?!", None, "tea"]))) == [[], [], [], [], [2]]

    def test_a_text_is_known_by_any_known_word(self) -> None:
        fitted = Text("x").fit(pl.Series(["tea"]))
        assert fitted.known(pl.Series(["ham tea", "ham", "", None])).tolist() == [True, False, False, False]

    def test_a_column_without_words_leaves_padding_and_the_unknown_word(self) -> None:
        fitted = Text("x").fit(pl.Series([None, "!"]))
        assert fitted.num_rows == 2
        assert lists(fitted.encode(pl.Series(["tea"]))) == [[1]]
