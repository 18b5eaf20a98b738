"""Findings about tables as they come, and the same tables with what a Dataset would refuse taken out."""

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl

from shortlist.data import Roles
from shortlist.doctor.finding import Finding, percent
from shortlist.errors import shorten

__all__ = ["examine_tables"]

Frames = dict[str, pl.DataFrame]
# Findings, and the tables without what was found.
Repair = tuple[list[Finding], Frames]


def examine_tables(frames: Mapping[str, pl.DataFrame], roles: Roles, *, drop_unknown: bool = False) -> Repair:
    """What a Dataset would refuse in these tables, and tables that it would take: the examination goes on with them.

    `frames` are `interactions`, perhaps `items` and `users`. Decimal ids become whole, ids of two types texts; rows
    without an id or a time, rows with a weight that is none, all but the first row of a doubled key and events with
    items that the items table lacks are left out. With `drop_unknown` the latter are a note. What else is wrong stays.

    >>> clicks, items = pl.DataFrame({"u": [1, 1], "i": [7, 8]}), pl.DataFrame({"i": [7, 7], "price": [1.0, 2.0]})
    >>> findings, tables = examine_tables({"interactions": clicks, "items": items}, Roles("u", "i"))
    >>> [finding.name for finding in findings], tables["interactions"].rows()
    (['duplicate-keys', 'unknown-items'], [(1, 7)])
    """
    findings: list[Finding] = []
    tables = dict(frames)
    steps: list[Callable[[Frames, Roles], Repair]] = [_types, _missing, _weights, _doubled]
    for step in steps:
        found, tables = step(tables, roles)
        findings += found
    if "items" in tables:
        found, tables = _unknown(tables, roles.item_id, drop_unknown)
        findings += found
    return findings, tables


def _ids(tables: Frames, roles: Roles) -> list[tuple[str, str]]:
    """Where ids stand: table and column."""
    places = [("interactions", roles.query_id), ("interactions", roles.item_id)]
    places += [("items", roles.item_id), ("users", roles.query_id)]
    return [(table, column) for table, column in places if table in tables and column in tables[table].columns]


def _types(tables: Frames, roles: Roles) -> Repair:
    """Decimal ids to whole ones, and ids of one column to one type."""
    findings, tables = [], dict(tables)
    for table, column in _ids(tables, roles):
        values = tables[table][column]
        if values.dtype.is_float() and (values.drop_nulls() == values.drop_nulls().round()).all():
            findings.append(
                Finding(
                    "problem",
                    "decimal-ids",
                    f"{table}.{column} holds ids as decimal numbers ({values.drop_nulls()[0]!r}), as some libraries "
                    "make of whole ones once a value is missing.",
                    "Read the column as text or as whole numbers.",
                )
            )
            tables[table] = tables[table].with_columns(pl.col(column).fill_nan(None).cast(pl.Int64, strict=False))
    for column in dict.fromkeys(column for _, column in _ids(tables, roles)):
        holding = [table for table, name in _ids(tables, roles) if name == column]
        kinds = {table: tables[table][column].dtype for table in holding}
        if pl.String in kinds.values() and any(kind.is_integer() for kind in kinds.values()):
            listed = " and ".join(f"{table} {kind}" for table, kind in kinds.items())
            findings.append(
                Finding(
                    "problem",
                    "ids-of-two-types",
                    f"The ids {column!r} are of two types: {listed}.",
                    "Read them as text in every table; whole numbers may have lost leading zeros.",
                )
            )
            for table in holding:
                tables[table] = tables[table].with_columns(pl.col(column).cast(pl.String))
    return findings, tables


def _missing(tables: Frames, roles: Roles) -> Repair:
    findings, tables = [], dict(tables)
    places = [(*place, "missing-ids") for place in _ids(tables, roles)]
    if roles.time is not None and roles.time in tables["interactions"].columns:
        places.append(("interactions", roles.time, "missing-times"))
    for table, column, name in places:
        missing = tables[table][column].is_null()
        if missing.any():
            count, rows = int(missing.sum()), len(missing)
            findings.append(
                Finding(
                    "problem",
                    name,
                    f"{table}.{column} lacks {count:,} of {rows:,} values ({percent(count, rows)}), the first in row "
                    f"{missing.arg_max()}.",
                    "Fill them where the table comes from, or drop these rows.",
                )
            )
            tables[table] = tables[table].filter(~missing)
    return findings, tables


def _weights(tables: Frames, roles: Roles) -> Repair:
    events = tables["interactions"]
    if roles.weight is None or roles.weight not in events.columns or not events[roles.weight].dtype.is_numeric():
        return [], tables
    weights = events[roles.weight].cast(pl.Float64).fill_null(np.nan).to_numpy()
    bad = ~((weights >= 0) & (weights <= np.finfo(np.float32).max))
    if not bad.any():
        return [], tables
    finding = Finding(
        "problem",
        "bad-weights",
        f"interactions.{roles.weight} holds {int(bad.sum()):,} weights that are missing, negative or not finite, such "
        f"as {weights[bad][0]} in row {int(bad.argmax())}.",
        "Correct or drop these rows; a weight says how much an event counts.",
    )
    return [finding], {**tables, "interactions": events.filter(~bad)}


def _doubled(tables: Frames, roles: Roles) -> Repair:
    findings, tables = [], dict(tables)
    for table, column in _ids(tables, roles):
        if table == "interactions":
            continue
        frame = tables[table]
        doubled = frame.filter(frame[column].is_duplicated())
        if doubled.height:
            ids = doubled[column].unique(maintain_order=True)
            first = frame[column].is_first_distinct()
            findings.append(
                Finding(
                    "problem",
                    "duplicate-keys",
                    f"{table}.{column} should name each row once, but {len(ids):,} ids stand in {doubled.height:,} "
                    f"rows: {shorten(ids.head(3).to_list())}.",
                    "Keep one row of each; find out which one is true where the rows differ.",
                )
            )
            tables[table] = frame.filter(first)
    return findings, tables


def _unknown(tables: Frames, column: str, drop_unknown: bool) -> Repair:
    events, items = tables["interactions"], tables["items"]
    if column not in events.columns or column not in items.columns or events[column].dtype != items[column].dtype:
        return [], tables
    held = events[column].is_in(items[column].implode())
    if held.all():
        return [], tables
    names = events[column].filter(~held).unique(maintain_order=True)
    count, rows = int((~held).sum()), len(held)
    findings = [
        Finding(
            "note" if drop_unknown else "problem",
            "unknown-items",
            f"{count:,} of {rows:,} events ({percent(count, rows)}) name {len(names):,} items that the items table "
            f"does not hold: {shorten(names.head(3).to_list())}.",
            "Training leaves these events out, as was asked for."
            if drop_unknown
            else "Add these items, or leave the events out with --drop-unknown-items.",
        )
    ]
    plain = _plain(items[column])
    alike = pl.DataFrame({"unknown": names, "plain": _plain(names)}).join(
        pl.DataFrame({"known": items[column], "plain": plain}).unique("plain"), on="plain", maintain_order="left"
    )
    if alike.height:
        unknown, known = alike.row(0)[0], alike.row(0)[2]
        findings.append(
            Finding(
                "problem",
                "ids-written-differently",
                f"{alike.height:,} of these {len(names):,} unknown ids differ from a known one by blanks, case or "
                f"leading zeros alone: {unknown!r} is {known!r} in the items table.",
                "Write ids in the same way in both tables: read them as text, so that zeros stay, and strip blanks.",
            )
        )
    return findings, {**tables, "interactions": events.filter(held)}


def _plain(ids: pl.Series) -> pl.Series:
    """Ids without what writing them differently changes."""
    return ids.cast(pl.String).str.strip_chars().str.to_lowercase().str.replace(r"^0+(.)", "$1")
