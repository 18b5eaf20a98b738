"""A query as the table of one row that it is read like."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from shortlist.recommender.query import series_of


def table_of(query: Mapping[str, Any]) -> pl.DataFrame:
    columns = [series_of(column, value) for column, value in query.items()]
    return pl.DataFrame(columns) if columns else pl.DataFrame(height=1)
