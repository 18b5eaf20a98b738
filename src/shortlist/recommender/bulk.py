"""Lists for a whole file of queries, streamed from Parquet to Parquet."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from shortlist.atomic import made_folder, new_file
from shortlist.data.readers import Source, read_table
from shortlist.errors import DataError, SettingsError
from shortlist.recommender.recommender import Recommender
from shortlist.recommender.rules import Rules

__all__ = ["recommend_file"]

# Queries answered at once.
BATCH_ROWS = 4_096
PARQUET = (".parquet", ".pq")


def recommend_file(
    recommender: Recommender,
    queries: Source,
    out: Path,
    k: int = 10,
    *,
    rules: Rules | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> int:
    """Write the k best items for each query of a table as Parquet; how many queries there were comes back.

    `queries` is what `read_table` takes; a single Parquet file is read batch by batch, so that neither it nor the
    answers need fit in memory. The columns are those of `Recommender.recommend_table`; the `rules` say what may come
    back. `on_batch` hears how many queries were answered each time. The file stands at `out` once it is whole.

    Raises `SettingsError` where something stands at `out` already, and where it does not end in .parquet or cannot be
    written; `DataError` for queries that cannot be read, naming the first row of the batch.
    """
    if out.suffix.lower() not in PARQUET:
        raise SettingsError(f"{out} should end in .parquet, for that is what the lists are written as. Rename it.")
    if out.exists():
        raise SettingsError(f"{out} is there already, and lists are never written over. Name a new file.")
    batches = _batches(queries, recommender.query_id)
    first = next(batches, None)
    if first is None or first.height == 0:
        raise DataError(f"{queries} has no rows; at least one query is needed.")
    count = 0

    def answer(batch: pl.DataFrame) -> pl.DataFrame:
        try:
            answers = recommender.recommend_table(batch, k, **vars(rules or Rules()))
        except DataError as error:
            raise type(error)(f"{queries}, in the {batch.height} rows from row {count} on: {error}") from error
        return answers.with_columns(pl.col("query_row") + count)

    def answer_all(*_: Any) -> Iterator[pl.DataFrame]:
        nonlocal count
        for batch in itertools.chain([first], batches):
            yield answer(batch)
            count += batch.height
            if on_batch is not None:
                on_batch(batch.height)

    schema = answer(first.head(1)).schema
    try:
        with made_folder(out.parent), new_file(out) as draft:
            register_io_source(answer_all, schema=schema).sink_parquet(draft, maintain_order=True)
    except (OSError, pl.exceptions.ComputeError) as error:  # Polars' own word for a full disk is the latter
        raise SettingsError(f"{out} cannot be written: {error}. Name another file.") from error
    return count


def _batches(queries: Source, query_id: str) -> Iterator[pl.DataFrame]:
    path = Path(queries) if isinstance(queries, str) else None
    if path is not None and path.is_file() and path.suffix.lower() in PARQUET:
        try:
            yield from pl.scan_parquet(path).collect_batches(chunk_size=BATCH_ROWS, maintain_order=True)
        except pl.exceptions.PolarsError as error:
            raise DataError(f"{path} cannot be read as Parquet: {error}. Is it whole? Copy it again.") from error
    else:
        yield from read_table(queries, ids=(query_id,)).iter_slices(BATCH_ROWS)
