"""Content-kNN: items are alike where the items table says the same of them."""

from typing import Any

import numpy as np
import polars as pl

from shortlist.baselines.history import touched
from shortlist.baselines.popularity import popularity
from shortlist.baselines.scorer import PersonalScorer, Rows
from shortlist.data import Dataset
from shortlist.errors import SettingsError, require_extra
from shortlist.features import Categories, Text

__all__ = ["content_columns", "content_knn_without_content", "fit_content_knn"]

SEPARATOR = "|"
# More words than any catalogue has: none is left out.
ALL_WORDS = 1 << 31


def fit_content_knn(train: Dataset, *, known: Dataset | None = None, rarity: float = 1.0) -> PersonalScorer:
    """How alike each item is to what the user touched, by the words and categories in the items table; a mean.

    Columns of strings give words, those with "|" and lists give categories, as the features `Text` and `Categories`
    take them; the id, numbers and times say nothing. A token that n of N items have weighs log(N / n) ** rarity: all
    weigh the same with 0, and rare ones most with 2. Two items are alike by the cosine of their tokens (Salton and
    Buckley 1988, https://doi.org/10.1016/0306-4573(88)90021-0), and an item's score is the mean over the distinct items
    of the user's history. Weights and repeats of events count for nothing. `known` are events of users whom training
    does not know: they are scored by them.

    Raises `SettingsError` for a negative rarity and for a catalogue that `content_knn_without_content` refuses.

    A good yardstick for new items, on which every other baseline is silent: it ranks what no training event touched.
    Differs from item-kNN by the source of likeness.

    >>> films = {"i": [7, 8, 9], "genres": [["war"], ["love"], ["war"]]}
    >>> data = Dataset({"u": [1, 2], "i": [7, 8]}, items=films, query_id="u", item_id="i")
    >>> fit_content_knn(data)(np.array([0])).tolist()  # item 9 is new
    [[1.0, 0.0, 1.0]]
    """
    if not rarity >= 0:
        raise SettingsError(f"rarity should not be negative, but it is {rarity}.")
    refusal = content_knn_without_content(train)
    if refusal:
        raise SettingsError(f"Content-kNN {refusal}.")
    histories = touched(train, known)
    lengths = np.diff(histories.indptr)
    tokens = _tokens(train, rarity)  # [N, T]
    by_token = tokens.T.tocsr()

    def score(user_rows: Rows) -> Any:
        # The sum of cosines is one product with the sum of vectors; no item meets another.
        return (histories[user_rows] @ tokens @ by_token).toarray() / lengths[user_rows, None]

    return PersonalScorer(score, lengths > 0, popularity(train))


def content_columns(train: Dataset) -> list[str]:
    """The columns of the items table that say something of items in words or categories.

    >>> films = {"i": [7, 8], "title": ["Up", "Alien"], "year": [2009, 1979]}
    >>> content_columns(Dataset({"u": [1], "i": [7]}, items=films, query_id="u", item_id="i"))
    ['title']
    """
    return [
        column.name
        for column in train.items
        if column.name != train.roles.item_id and column.null_count() < len(column) and _feature(column) is not None
    ]


def content_knn_without_content(train: Dataset) -> str | None:
    """Why there is nothing to tell items apart by, or None.

    >>> content_knn_without_content(Dataset({"u": [1], "i": [7]}, query_id="u", item_id="i"))
    'needs a column of texts, categories or lists in the items table; there is only i'
    """
    if content_columns(train):
        return None
    has = ", ".join(train.items.columns)
    return f"needs a column of texts, categories or lists in the items table; there is only {has}"


def _feature(column: pl.Series) -> Text | Categories | None:
    """How the column becomes tokens, None where it has none."""
    dtype = column.dtype
    inner = dtype.inner if isinstance(dtype, pl.List) else dtype
    texts = inner in (pl.String, pl.Boolean) or isinstance(inner, pl.Categorical | pl.Enum)
    if not texts and not (isinstance(dtype, pl.List) and inner.is_integer()):
        return None
    if dtype == pl.String and not column.str.contains(SEPARATOR, literal=True).any():
        return Text(column.name, max_tokens=ALL_WORDS)
    return Categories(column.name, separator=SEPARATOR)


def _tokens(train: Dataset, rarity: float) -> Any:
    """The tokens of each item, weighed and of length 1: a scipy CSR array [N, T]; all zeros where it has none."""
    require_extra("train", ["scipy"])
    from scipy import sparse

    blocks = []
    for name in content_columns(train):
        column = train.items[name]
        feature = _feature(column)
        if feature is not None:
            fitted = feature.fit(column)
            lists = fitted.encode(column)
            shape = (len(lists), fitted.num_rows)
            blocks.append(sparse.csr_array((np.ones(len(lists.rows)), lists.rows, lists.offsets), shape=shape))
    tokens = sparse.hstack(blocks, format="csr")
    tokens.sum_duplicates()
    tokens.data[:] = 1  # a word counts once
    having = np.bincount(tokens.indices, minlength=tokens.shape[1])
    tokens.data = np.log(tokens.shape[0] / having[tokens.indices]) ** rarity
    lengths = np.sqrt(tokens.power(2).sum(axis=1))
    tokens.data /= np.repeat(np.where(lengths > 0, lengths, 1), np.diff(tokens.indptr))
    return tokens
