"""Tables as they come, with faults that a Dataset would refuse; and the examination of a whole experiment."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from doctor_worlds import WORLD, names, only

import shortlist as sl
from shortlist.data import Roles
from shortlist.doctor import Finding, examine_experiment, examine_tables

ROLES = Roles("user", "item", time="time", weight="weight")


def _tables(**changed: pl.DataFrame) -> dict[str, pl.DataFrame]:
    events = pl.DataFrame(
        {"user": ["a", "a", "b"], "item": ["x", "y", "x"], "time": [1, 2, 3], "weight": [1.0, 2.0, 1.0]}
    )
    items = pl.DataFrame({"item": ["x", "y"], "price": [1.0, 2.0]})
    return {"interactions": events, "items": items, "users": pl.DataFrame({"user": ["a", "b"]}), **changed}


def _found(**changed: pl.DataFrame) -> tuple[Finding, dict[str, pl.DataFrame]]:
    findings, repaired = examine_tables(_tables(**changed), ROLES)
    roles: dict[str, Any] = {"query_id": "user", "item_id": "item", "time": "time", "weight": "weight"}
    sl.Dataset(repaired["interactions"], items=repaired["items"], users=repaired["users"], **roles)  # takes it
    assert only(findings).severity == "problem"
    return findings[0], repaired


def test_clean_tables_come_back_as_they_were() -> None:
    findings, repaired = examine_tables(_tables(), ROLES)
    assert findings == []
    assert all(repaired[name].equals(frame) for name, frame in _tables().items())


def test_a_duplicated_key_is_found_and_its_first_row_stays() -> None:
    finding, repaired = _found(items=pl.DataFrame({"item": ["x", "y", "x"], "price": [1.0, 2.0, 3.0]}))
    assert finding.name == "duplicate-keys"
    assert finding.says == "items.item should name each row once, but 1 ids stand in 2 rows: 'x'."
    assert repaired["items"].rows() == [("x", 1.0), ("y", 2.0)]
    finding, _ = _found(users=pl.DataFrame({"user": ["a", "b", "b", "a"]}))
    assert finding.says.startswith("users.user should name each row once, but 2 ids stand in 4 rows: 'a', 'b'")


def test_events_with_unknown_items_are_found() -> None:
    items = pl.DataFrame({"item": ["y"], "price": [2.0]})
    finding, repaired = _found(items=items)
    assert finding.name == "unknown-items"
    assert finding.says == "2 of 3 events (67 %) name 1 items that the items table does not hold: 'x'."
    assert repaired["interactions"]["item"].to_list() == ["y"]
    findings, _ = examine_tables(_tables(items=items), ROLES, drop_unknown=True)
    assert [(f.severity, f.name) for f in findings] == [("note", "unknown-items")]


@pytest.mark.parametrize(("written", "held"), [("7", "007"), ("X1", "x1 "), (" x", "x"), ("0", "00")])
def test_ids_that_are_only_written_differently_are_found(written: str, held: str) -> None:
    events = _tables()["interactions"].with_columns(item=pl.Series([written, "y", "y"]))
    findings, _ = examine_tables(_tables(interactions=events, items=pl.DataFrame({"item": [held, "y"]})), ROLES)
    assert names(findings) == ["unknown-items", "ids-written-differently"]
    assert f"{written!r} is {held!r} in the items table" in findings[1].says


@pytest.mark.parametrize(
    ("column", "values", "name", "says"),
    [
        ("item", ["x", None, "y"], "missing-ids", "interactions.item lacks 1 of 3 values (33 %), the first in row 1."),
        ("time", [None, 2, 3], "missing-times", "interactions.time lacks 1 of 3 values (33 %), the first in row 0."),
        (
            "weight", [1.0, -2.0, float("nan")], "bad-weights",
            "interactions.weight holds 2 weights that are missing, negative or not finite, such as -2.0 in row 1.",
        ),
    ],
)  # fmt: skip
def test_rows_without_an_id_a_time_or_a_weight_are_found(column: str, values: list[Any], name: str, says: str) -> None:
    finding, repaired = _found(interactions=_tables()["interactions"].with_columns(pl.Series(column, values)))
    assert (finding.name, finding.says) == (name, says)
    assert repaired["interactions"].height == 3 - (2 if name == "bad-weights" else 1)


def test_decimal_ids_become_whole_and_ids_of_two_types_text() -> None:
    events = _tables()["interactions"].with_columns(item=pl.Series([1.0, 2.0, 1.0]))
    finding, repaired = _found(interactions=events, items=pl.DataFrame({"item": [1, 2]}))
    assert finding.name == "decimal-ids"
    assert finding.says.startswith("interactions.item holds ids as decimal numbers (1.0)")
    assert repaired["interactions"]["item"].to_list() == [1, 2, 1]
    finding, repaired = _found(
        interactions=events.with_columns(item=pl.Series([1, 2, 1])), items=pl.DataFrame({"item": ["1", "2"]})
    )
    assert finding.name == "ids-of-two-types"
    assert finding.says == "The ids 'item' are of two types: interactions Int64 and items String."


def _experiment(folder: Path, **sections: Any) -> sl.Experiment:
    data = {
        "interactions": str(folder / "events.parquet"),
        "roles": {"query_id": "user_id", "item_id": "item_id", "time": "time"},
    }
    if (folder / "items.parquet").exists():
        data["items"] = str(folder / "items.parquet")
    tables = {
        "data": data,
        "split": {"time": {"test": 1 / 3}},
        "features": {"query": [{"lookup": "user_id"}], "item": [{"lookup": "item_id"}]},
        "model": {"two_tower": {"layers": [8]}},
        **sections,
    }
    return sl.Experiment.read(tables, "test")


def test_an_experiment_on_clean_tables_has_no_findings(tmp_path: Path) -> None:
    WORLD.data().interactions.write_parquet(tmp_path / "events.parquet")
    assert examine_experiment(_experiment(tmp_path)) == []


def test_the_examination_goes_on_where_training_would_refuse_the_tables(tmp_path: Path) -> None:
    data = WORLD.data()
    events = data.interactions.with_columns(name=pl.format("film number {}", "item_id"))
    events.write_parquet(tmp_path / "events.parquet")
    pl.concat([data.items, data.items.head(1)]).write_parquet(tmp_path / "items.parquet")
    features = {"query": [{"lookup": "user_id"}, {"lookup": "name"}], "item": [{"lookup": "item_id"}]}
    found = examine_experiment(_experiment(tmp_path, features=features))
    assert [(f.severity, f.name) for f in found] == [("problem", "duplicate-keys"), ("problem", "column-names-item")]


def test_tables_beyond_repair_are_a_finding_beside_what_their_columns_say(tmp_path: Path) -> None:
    data = WORLD.data()
    days = pl.Series("time", [f"2026-01-{time + 1:02}" if time % 2 else f"{time + 1}.1.2026" for time in data.times])
    data.interactions.with_columns(days).write_parquet(tmp_path / "events.parquet")
    found = examine_experiment(_experiment(tmp_path))
    assert [(f.severity, f.name) for f in found] == [("problem", "refused-tables"), ("warning", "mixed-dates")]
    assert "interactions.time should hold datetimes, dates or integers" in found[0].says


def test_a_split_that_cannot_be_made_is_a_finding(tmp_path: Path) -> None:
    WORLD.data().interactions.with_columns(time=pl.lit(1)).write_parquet(tmp_path / "events.parquet")
    found = examine_experiment(_experiment(tmp_path))
    assert names(found) == ["split-impossible", "crowded-moment", "time-ties"]
    assert found[0].says.startswith("The split cannot be made: The times leave no cut with test=0.33")
