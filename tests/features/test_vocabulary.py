import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.features.vocabulary import FEW_VALUES, Vocabulary

WORDS = Vocabulary(["tea", "jam"], first_row=2, unknown_row=1)


@settings(deadline=None, max_examples=40)
@given(
    texts=st.lists(st.text(max_size=2), unique=True, max_size=20),
    asked=st.lists(st.one_of(st.none(), st.text(max_size=2)), min_size=1, max_size=20),
    first_row=st.integers(1, 5),
)
def test_many_values_get_the_same_rows_as_few(texts: list[str], asked: list[str | None], first_row: int) -> None:
    vocabulary = Vocabulary(texts, first_row=first_row, unknown_row=0)
    few = vocabulary.rows(pl.Series(asked, dtype=pl.String))
    wanted = [first_row + texts.index(text) if text in texts else 0 for text in asked]
    assert few.tolist() == wanted
    repeats = FEW_VALUES // len(asked) + 1
    many = vocabulary.rows(pl.Series(asked * repeats, dtype=pl.String))
    assert many.dtype == few.dtype == np.int32
    assert many.tolist() == wanted * repeats


def test_the_rows_can_be_written_to_on_both_roads() -> None:
    assert WORDS.rows(pl.Series(["tea"])).flags.writeable
    assert WORDS.rows(pl.Series(["tea"] * (FEW_VALUES + 1))).flags.writeable


def test_it_knows_its_size_and_its_texts() -> None:
    assert len(WORDS) == 2
    assert "tea" in WORDS
    assert "ham" not in WORDS
    assert None not in WORDS
