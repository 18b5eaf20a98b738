"""Findings about single columns: missing, constant, nearly unique, and texts that are numbers or dates."""

import re
from collections.abc import Iterator

import polars as pl

from shortlist.doctor.case import Case
from shortlist.doctor.finding import Finding, Severity, percent
from shortlist.errors import shorten

__all__ = ["find_in_column", "find_in_columns"]

# Missing values: below the first share not worth a word, above the second the column is mostly a hole.
SOME_MISSING, MOSTLY_MISSING = 0.05, 0.5
# One value in all rows but a hundredth: what the others say is learnt from few.
ALMOST_CONSTANT = 0.99
# Nearly as many values as rows: each is met once, and a lookup of it learns nothing that comes again.
ALMOST_UNIQUE = 0.95
# In fewer rows a column may be constant or unique by chance.
FEW_ROWS = 100
# Texts of more words than this on average are read word by word, so that they may be unique (as `propose` takes it).
WORDS_OF_TEXT = 2.0
# Up to so many distinct numbers are codes, fit for a lookup (as `propose` takes it).
FEW_NUMBERS = 20
# A text column holds numbers or dates where all but a twentieth of it does; the rest are words for "none".
MOSTLY = 0.95
NUMBER = r"^\s*[+-]?(\d+([.,]\d+)?|\.\d+)([eE][+-]?\d+)?\s*$"
PADDED = r"^0\d"
DATES = {
    "2026-01-31": r"^\d{4}-\d{1,2}-\d{1,2}([T ].*)?$",
    "2026/01/31": r"^\d{4}/\d{1,2}/\d{1,2}([T ].*)?$",
    "31/01/2026": r"^\d{1,2}/\d{1,2}/\d{2,4}( .*)?$",
    "31.01.2026": r"^\d{1,2}\.\d{1,2}\.\d{2,4}( .*)?$",
    "31-01-2026": r"^\d{1,2}-\d{1,2}-\d{2,4}( .*)?$",
    "31 Jan 2026": r"^\d{1,2} [A-Za-z]{3,9}\.? \d{2,4}$",
    "Jan 31, 2026": r"^[A-Za-z]{3,9}\.? \d{1,2}, \d{4}$",
    "20260131": r"^(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$",
}
# Names of codes that are written with digits, leading zeros among them.
CODES = r"(?i)(^|[^a-z])(zip|zipcode|zip_code|postal|postcode|postal_code|plz|isbn|ean|gtin|upc|barcode)([^a-z]|$)"


def find_in_columns(case: Case) -> Iterator[Finding]:
    """What each column of the dataset looks like, ids and the time apart."""
    roles = case.data.roles
    for table, values in case.columns():
        is_role = values.name in (roles.label, roles.weight, roles.shown)
        for finding in find_in_column(table, values, read=case.is_read(table, values.name)):
            if not is_role or finding.name == "missing-values":
                yield finding
    for table, column in (("interactions", roles.query_id), ("interactions", roles.item_id)):
        yield from _lost_zeros(table, case.data.events[column], "warning")


def find_in_column(table: str, values: pl.Series, read: bool | None = None) -> Iterator[Finding]:
    """What a column looks like; `read` says whether a model reads it, None where that is not known."""
    severity: Severity = "warning" if read else "note"
    yield from _missing(table, values, severity)
    present = values.drop_nulls()
    if not len(present) or present.dtype.is_nested() or present.dtype == pl.Object:
        return
    yield from _variety(table, present, severity)
    yield from _lost_zeros(table, present, "warning" if read else "note")
    if present.dtype == pl.String:
        yield from _texts(table, present, severity)


def _missing(table: str, values: pl.Series, severity: Severity) -> Iterator[Finding]:
    missing = values.null_count()
    if values.dtype.is_float():
        missing += int(values.is_nan().sum())
    if missing > SOME_MISSING * len(values):
        yield Finding(
            "warning" if missing > MOSTLY_MISSING * len(values) else severity,
            "missing-values",
            f"{table}.{values.name} lacks {missing:,} of {len(values):,} values ({percent(missing, len(values))}).",
            "Find out whether missing means something; each feature has a policy for it (missing=…).",
        )


def _variety(table: str, present: pl.Series, severity: Severity) -> Iterator[Finding]:
    where, rows = f"{table}.{present.name}", len(present)
    distinct = present.n_unique()
    if distinct == 1 and rows > 1:
        yield Finding(
            severity,
            "constant-column",
            f"{where} holds one value only: {present[0]!r}.",
            "Leave it out of the features.",
        )
        return
    if rows < FEW_ROWS:
        return
    counts = present.alias("value").value_counts(sort=True)
    value, most = counts["value"][0], counts["count"][0]
    if most > ALMOST_CONSTANT * rows:
        yield Finding(
            severity,
            "almost-constant-column",
            f"{where} is {value!r} in {most:,} of {rows:,} rows ({percent(most, rows)}).",
            "Leave it out unless the few other rows matter.",
        )
    countable = present.dtype.is_integer() or (present.dtype == pl.String and _words(present) <= WORDS_OF_TEXT)
    if countable and distinct > ALMOST_UNIQUE * rows:
        yield Finding(
            severity,
            "unique-column",
            f"{where} has {distinct:,} distinct values in {rows:,} rows and is no id.",
            "A lookup of it learns nothing that comes again: leave it out, put numbers in buckets, or cut texts to "
            "what they share.",
        )


def _lost_zeros(table: str, values: pl.Series, severity: Severity) -> Iterator[Finding]:
    if values.dtype.is_integer() and re.search(CODES, values.name):
        lengths = values.cast(pl.String).str.len_chars().unique().sort().to_list()
        if len(lengths) > 1:
            yield Finding(
                severity,
                "lost-leading-zeros",
                f"{table}.{values.name} holds whole numbers of {lengths[0]} to {lengths[-1]} digits where its name "
                "speaks of codes of one length: leading zeros were lost on the way.",
                "Read the column as text where the table comes from (a CSV reader that guesses types drops zeros).",
            )


def _texts(table: str, texts: pl.Series, severity: Severity) -> Iterator[Finding]:
    """Numbers and dates that stand there as texts."""
    where = f"{table}.{texts.name}"
    counts = {form: int(texts.str.contains(pattern).sum()) for form, pattern in DATES.items()}
    forms = {form: count for form, count in counts.items() if count}
    dates = sum(forms.values())
    if dates > MOSTLY * len(texts):
        listed = shorten(forms)
        yield Finding(
            "warning" if len(forms) > 1 else severity,
            "mixed-dates" if len(forms) > 1 else "dates-as-text",
            f"{where} holds dates as text, written like {listed}.",
            "Turn them into dates where the table comes from; which is the day and which the month, only you know."
            if len(forms) > 1
            else "Turn them into dates where the table comes from, so that features read them as times.",
        )
        return
    is_number = texts.str.contains(NUMBER)
    if (
        is_number.sum() > MOSTLY * len(texts)
        and not texts.str.contains(PADDED).any()
        and texts.n_unique() > FEW_NUMBERS
    ):
        others = texts.filter(~is_number)
        but = f" but {len(others):,}, such as {shorten(others.unique(maintain_order=True).head(3).to_list())}"
        yield Finding(
            severity,
            "numbers-as-text",
            f"{where} holds numbers as text, all{but if len(others) else f' {len(texts):,} of them'}.",
            "Turn them into numbers, and what is none into missing values, so that near values are near to a model.",
        )


def _words(texts: pl.Series) -> float:
    return float(texts.str.split(" ").list.len().mean())  # type: ignore[arg-type]
