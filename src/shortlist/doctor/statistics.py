"""Findings about columns of items and users that sum up events, those of the test among them."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.data import Dataset
from shortlist.doctor.case import Case
from shortlist.doctor.correlation import spearman
from shortlist.doctor.finding import Finding

__all__ = ["find_summaries"]

# A column in the very order of a figure over the events is that figure, on whatever scale.
SAME_ORDER = 0.999
# Near the order of popularity: popularity of another day, or of another shop.
NEAR_ORDER = 0.95
# With fewer items or users an order may agree by chance.
FEW_ENTITIES = 20

Floats = npt.NDArray[np.float64]


def find_summaries(case: Case) -> Iterator[Finding]:
    """Columns in the order of how many events an item or user has, of a mean over them, or of the last time."""
    for table in ("items", "users"):
        frame = case.data.items if table == "items" else case.data.users
        figures = _figures(case.data, table)
        known = {} if case.split is None else _figures(case.split.train, table)
        for column in frame.columns:
            if column in (case.data.roles.item_id, case.data.roles.query_id):
                continue
            values = _numbers(frame[column])
            if values is not None:
                yield from _compare(case, table, (column, values), figures, known)


def _compare(
    case: Case, table: str, column: tuple[str, Floats], figures: dict[str, Floats], known: dict[str, Floats]
) -> Iterator[Finding]:
    where = f"{table}.{column[0]}"
    for name, figure in figures.items():
        of_all = _order(column[1], figure)
        of_train = _order(column[1], known[name]) if name in known else 0.0
        if of_all > SAME_ORDER and of_train < of_all - (1 - SAME_ORDER) / 10:
            says = f"{where} has the very order of {name} of each of the {table} over all events"
            says += (
                ", test events too (rank correlation " + f"{of_all:.4f}; with training events alone {of_train:.4f})."
            )
            if not known:
                says = f"{where} has the very order of {name} of each of the {table} over all events."
            yield Finding(
                case.grave(table, column[0]),
                "column-knows-test-events",
                says,
                "Compute it from training events alone, or from those before each event.",
            )
            return
    order = _order(column[1], figures["the number of events"])
    if order > NEAR_ORDER and _order(column[1], known.get("the number of events", np.zeros(0))) < SAME_ORDER:
        yield Finding(
            "warning" if case.is_read(table, column[0]) is not False else "note",
            "column-follows-popularity",
            f"{where} nearly has the order of the number of events of each of the {table} (rank correlation "
            f"{order:.2f}).",
            "Make sure that it stands there as it was known when training ends, not as of today.",
        )


def _order(values: Floats, figure: Floats) -> float:
    """The size of the rank correlation where both are known; 0 for fewer than enough or constant ones."""
    if len(values) != len(figure):
        return 0.0
    both = np.isfinite(values) & np.isfinite(figure)
    found = spearman(values[both], figure[both]) if both.sum() >= FEW_ENTITIES else None
    return abs(found or 0.0)


def _figures(data: Dataset, table: str) -> dict[str, Floats]:
    """Figures over the events of each item or user [N], NaN where there are no events but for their number."""
    rows, num_rows = (data.item_rows, data.num_items) if table == "items" else (data.user_rows, data.num_users)
    held = rows >= 0
    counts = np.bincount(rows[held], minlength=num_rows).astype(np.float64)
    figures = {"the number of events": counts}
    roles = data.roles
    if roles.time is not None:
        last = np.full(num_rows, -np.inf)
        np.maximum.at(last, rows[held], data.times[held].astype(np.float64))
        figures["the last time"] = last
    for column in data.events.columns:
        if column not in (roles.query_id, roles.item_id, roles.time):
            values = _numbers(data.events[column])
            if values is not None:
                use = held & np.isfinite(values)
                sums = np.bincount(rows[use], values[use], minlength=num_rows)
                with np.errstate(invalid="ignore", divide="ignore"):
                    figures[f"the mean {column!r}"] = sums / np.bincount(rows[use], minlength=num_rows)
    return figures


def _numbers(values: pl.Series) -> Floats | None:
    """Numbers and times as float64 with NaN for what is missing; None for any other type."""
    if values.dtype.is_temporal() and values.dtype != pl.Time:
        values = values.to_physical()
    if not values.dtype.is_numeric():
        return None
    return values.cast(pl.Float64).fill_null(np.nan).to_numpy()
