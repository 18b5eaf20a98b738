"""Answers to many queries as one table."""

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.recommender.query import KINDS, Queries

__all__ = ["table_of_answers"]


def table_of_answers(
    read: Queries,
    ids: pl.Series | None,
    items: pl.DataFrame,
    rows: list[npt.NDArray[np.int64]],
    scores: list[npt.NDArray[np.float32]],
) -> pl.DataFrame:
    """A row for each answer to B queries, with the columns that `Recommender.recommend_table` tells of.

    `ids` [B] are those of the queries, where they have any; `rows` and `scores` [B] the items of each, the best first.
    """
    lengths = np.array([len(its_rows) for its_rows in rows], np.int64)
    query = np.repeat(np.arange(len(rows)), lengths)
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    found = items[np.concatenate([np.empty(0, np.int64), *rows])]
    named = {} if ids is None else {"query_id": ids[query]}
    answers = {
        "query_row": pl.Series(query, dtype=pl.Int64),
        **named,
        "kind": pl.Series(KINDS)[read.kinds[query]],
        "unknown": pl.Series(read.unknown_columns(), dtype=pl.List(pl.String))[query],
        "place": pl.Series(np.arange(len(query)) - starts + 1, dtype=pl.Int64),
        "item_id": found["id"],
        "label": found["label"],
        "score": pl.Series(np.concatenate([np.empty(0, np.float32), *scores])),
    }
    return pl.DataFrame(answers)
