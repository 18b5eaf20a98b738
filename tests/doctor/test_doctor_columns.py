"""Single columns: missing, constant, unique, and texts that are numbers or dates."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from doctor_worlds import EVENTS, ITEMS, WORLD, names, only, world

import shortlist as sl
from shortlist.doctor import Finding
from shortlist.doctor.columns import find_in_column


def _in_items(values: object, **read: Any) -> list[Finding]:
    return sl.doctor.examine(world(items={"x": values}), **read)


def test_missing_values_are_found_nan_too() -> None:
    values = [None] * 10 + [float("nan")] * 20 + [row % 30 * 1.5 for row in range(170)]
    finding = only(_in_items(values))
    assert (finding.severity, finding.name) == ("note", "missing-values")
    assert finding.says == "items.x lacks 30 of 200 values (15 %)."
    assert only(_in_items(values, item=["x", "item_id"])).severity == "warning"
    assert only(_in_items([None] * 150 + [row % 30 * 1.5 for row in range(50)])).severity == "warning"
    assert _in_items([None] * 10 + [row % 30 * 1.5 for row in range(190)]) == []  # a twentieth is no word worth


def test_constant_columns_are_found() -> None:
    finding = only(_in_items(["same"] * ITEMS))
    assert (finding.severity, finding.name) == ("note", "constant-column")
    assert finding.says == "items.x holds one value only: 'same'."


def test_almost_constant_columns_are_found() -> None:
    finding = only(_in_items(["a"] * 199 + ["b"]))
    assert finding.name == "almost-constant-column"
    assert finding.says == "items.x is 'a' in 199 of 200 rows (99.5 %)."
    assert _in_items(["a"] * 198 + ["b"] * 2) == []


def test_a_column_with_a_value_a_row_is_found() -> None:
    finding = only(_in_items([f"code{row}" for row in range(ITEMS)], item=["x", "item_id"], query=["user_id"]))
    assert (finding.severity, finding.name) == ("warning", "unique-column")
    assert finding.says == "items.x has 200 distinct values in 200 rows and is no id."
    assert _in_items([f"a long title number {row}" for row in range(ITEMS)]) == []  # read word by word
    assert _in_items([row * 1.5 for row in range(ITEMS)]) == []  # numbers come in buckets


def test_numbers_as_text_are_found_with_what_is_none() -> None:
    values = [str(row % 40 * 1.5) for row in range(ITEMS - 2)] + ["n/a", "-"]
    finding = only(_in_items(values))
    assert finding.name == "numbers-as-text"
    assert finding.says == "items.x holds numbers as text, all but 2, such as 'n/a', '-'."
    assert only(_in_items([str(row % 40) for row in range(ITEMS)])).says.endswith("all 200 of them.")


@pytest.mark.parametrize(
    "values",
    [
        [str(row % 20) for row in range(ITEMS)],  # few codes
        [f"{row % 40:05}" for row in range(ITEMS)],  # zeros in front mean something
        [f"{row % 40}" if row % 10 else "none" for row in range(ITEMS)],  # a tenth is none
    ],
)
def test_codes_are_no_numbers_as_text(values: list[str]) -> None:
    assert _in_items(values) == []


def test_dates_as_text_are_found_and_worse_in_several_forms() -> None:
    days = [f"2026-01-{row % 28 + 1:02}" for row in range(ITEMS)]
    finding = only(_in_items(days))
    assert (finding.severity, finding.name) == ("note", "dates-as-text")
    mixed = [day if row % 2 else f"{row % 28 + 1}/1/2026" for row, day in enumerate(days)]
    finding = only(_in_items(mixed))
    assert (finding.severity, finding.name) == ("warning", "mixed-dates")
    assert finding.says == "items.x holds dates as text, written like '2026-01-31', '31/01/2026'."


def test_codes_that_lost_their_zeros_are_found() -> None:
    zips = pl.Series("zip_code", [2139 if row % 4 else 90210 for row in range(50)])
    finding = only(list(find_in_column("users", zips)))
    assert finding.name == "lost-leading-zeros"
    assert finding.says.startswith("users.zip_code holds whole numbers of 4 to 5 digits")
    assert list(find_in_column("users", zips.cast(pl.String))) == []
    assert list(find_in_column("users", zips.alias("zipper"))) == []


def test_ids_by_code_that_lost_their_zeros_are_found() -> None:
    events = WORLD.data().interactions.rename({"item_id": "isbn"})
    data = sl.Dataset(events, query_id="user_id", item_id="isbn", time="time")
    finding = only(sl.doctor.examine(data))
    assert (finding.severity, finding.name) == ("warning", "lost-leading-zeros")
    assert finding.says.startswith("interactions.isbn holds whole numbers of 1 to 3 digits")


def test_lists_and_objects_are_only_asked_for_what_is_missing() -> None:
    assert _in_items([["a"]] * ITEMS) == []
    nothing = pl.Series("x", [None] * 4, dtype=pl.List(pl.String))
    assert names(list(find_in_column("items", nothing))) == ["missing-values"]
    assert list(find_in_column("items", pl.Series("x", [object()] * 4, dtype=pl.Object))) == []


def test_a_label_and_a_weight_are_looked_at_for_missing_values_only() -> None:
    data = world(events={"w": np.ones(EVENTS)}, items={"t": [f"t{row}" for row in range(ITEMS)]}, label="t", weight="w")
    assert sl.doctor.examine(data) == []
