"""What init proposes for tables, and the doubts that it says."""

import datetime as dt
from typing import Any, Literal

import numpy as np
import polars as pl
import pytest

from shortlist.errors import SettingsError
from shortlist.settings import Experiment, load_preset, propose
from shortlist.settings.experiment import preset_tables

# 1,700,000,000 seconds are 2023-11-14 22:13:20 UTC.
START = 1_700_000_000


def proposed(
    clicks: dict[str, Any], roles: dict[str, str | None] | None = None, **tables: dict[str, Any]
) -> tuple[dict[str, Any], list[str], list[str]]:
    """The roles, the doubts about the data, and those about features."""
    frames = {"interactions": pl.DataFrame(clicks)} | {name: pl.DataFrame(table) for name, table in tables.items()}
    proposal = propose(frames, dict.fromkeys(frames, "x"), roles or {})
    return proposal.tables["data"]["roles"], proposal.doubts["data"], proposal.doubts["features"]


@pytest.mark.parametrize("time", ["timestamp", "clicked_at", "sekunden"])
def test_times_and_weights_are_no_users(time: str) -> None:
    # The times are the most varied (4 of 5), then the count (3), then the users (2).
    clicks = {"kunde": [1, 2, 1, 2, 1], "sku": list("ababa"), "count": [1, 2, 3, 3, 3],
              time: [START, START, START + 1, START + 2, START + 3]}  # fmt: skip
    roles, doubts, _ = proposed(clicks)
    assert (roles["query_id"], roles["item_id"]) == ("kunde", "sku")
    assert roles.get("time") == (None if time == "sekunden" else time)
    if time == "sekunden":
        assert doubts[1] == (
            "'sekunden' is not taken as the time: it holds whole numbers, such as 1700000000. If they count s since "
            '1970, add time = "sekunden", time_unit = "s" to roles.'
        )


def test_a_time_in_whole_numbers_wants_its_unit() -> None:
    clicks = {"user": [1, 2], "sku": ["a", "b"], "ts": [START * 1_000, START * 1_000 + 5]}
    note = (
        "'ts' holds whole numbers, which order events but are no times without a unit. "
        'Add time_unit = "ms" to roles if 1700000000000 means 2023-11-14.'
    )
    assert note in proposed(clicks)[1]
    roles, doubts, _ = proposed(clicks, {"time_unit": "ms"})
    assert roles["time_unit"] == "ms"
    assert doubts == []
    assert "no times without a unit. If they count since 1970, add" in proposed(clicks | {"ts": [1, 2]})[1][0]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([dt.datetime(2026, 1, 1), None], "1 of its values are missing, the first in row 1. Fill or drop these rows."),
        ([START, None], "1 of its values are missing, the first in row 1. Fill or drop these rows."),
        ([START + 0.5, 1.0], "it holds decimal numbers, such as 1700000000.5. Write whole numbers, and add their "
                             "time_unit to roles."),
        (["31/03/2024 10:00", "01/04/2024 11:00"], "it holds texts, such as '31/03/2024 10:00'. Write every value in "
                                                   "one form, as 2026-01-31T12:00:00 or as 2026-01-31."),
        (["2026-01-31", "2026-01-31 12:00"], "it holds texts, such as '2026-01-31', '2026-01-31 12:00'. Write every "
                                             "value in one form, as 2026-01-31T12:00:00 or as 2026-01-31."),
    ],
    ids=["missing", "missing numbers", "decimals", "another form", "two forms"],
)  # fmt: skip
def test_a_column_that_is_nearly_a_time_is_told(values: list[Any], why: str) -> None:
    for name in ("when",) if isinstance(values[0], float) else ("when", "gekauft"):
        roles, doubts, _ = proposed({"user": [1, 2], "sku": ["a", "b"], name: values})
        assert "time" not in roles
        assert f"{name!r} is not taken as the time: {why}" in doubts


def test_lengths_of_time_are_no_times() -> None:
    roles, doubts, _ = proposed({"user": [1], "sku": ["a"], "stay": [dt.timedelta(1)]})
    assert ("time" in roles, doubts) == (False, [])


def test_infinity_is_no_feature() -> None:
    items = {"sku": ["a", "b", "c"], "price": [1.0, float("inf"), 2.0], "size": [1.0, None, float("nan")]}
    frames = {"interactions": pl.DataFrame({"user": [1], "sku": ["a"]}), "items": pl.DataFrame(items)}
    proposal = propose(frames, {}, {})
    assert [next(iter(feature.values())) for feature in proposal.tables["features"]["item"]] == ["sku", "size"]
    assert (
        "'price' of the items is left out: it holds inf, which no feature reads. Correct it or leave it missing, and "
        "add the column to the features."
    ) in proposal.doubts["features"]


def test_lists_of_decimals_are_vectors_and_lists_of_whole_numbers_are_categories() -> None:
    items = pl.DataFrame(
        {
            "sku": ["a", "b", "c"],
            "picture": [[0.5, 1.0], None, [2.0, 3.0]],
            "sound": pl.Series([[1, 2], [3, 4], [5, 6]], dtype=pl.Array(pl.Int16, 2)),
            "shelves": [[1, 2], [1], []],
            "track": [[0.5], None, [2.0, 3.0]],
        }
    )
    frames = {"interactions": pl.DataFrame({"user": [1], "sku": ["a"]}), "items": items}
    proposal = propose(frames, {}, {})
    assert proposal.tables["features"]["item"][1:] == [
        {"vectors": "picture", "scaling": "unit"},
        {"vectors": "sound", "scaling": "unit"},
        {"categories": "shelves", "width": 16},
    ]
    assert (
        "'track' of the items is left out: Column 'track' should hold vectors of one length, at least 1, but row 2 has "
        "2 numbers and row 0 has 1. Give vectors of the same model, or leave the value missing."
    ) in proposal.doubts["features"]


def test_the_key_of_the_events_is_not_that_of_the_items() -> None:
    clicks = {"id": [1, 2, 3], "user_id": [5, 6, 5], "item_id": [1, 2, 2]}
    roles, _, _ = proposed(clicks, items={"id": [1, 2, 3], "title": ["Tea", "Jam", "Ham"]})
    assert roles == {"query_id": "user_id", "item_id": "item_id", "label": "title"}


def tables(num_users: int, num_items: int) -> dict[str, pl.DataFrame]:
    """As many events as the larger of both, a minute apart."""
    count = max(num_users, num_items)
    clicks = {"user": np.arange(count) % num_users, "sku": np.arange(count) % num_items, "at": 60 * np.arange(count)}
    return {"interactions": pl.DataFrame(clicks).with_columns(at=pl.from_epoch("at"))}


@pytest.mark.parametrize(
    ("hours", "gap"),
    [([0, 30, 60], {"gap": 86_400.0}), ([0, 2, 5], {"gap": 3_600.0}), ([0, 0, 0], {}), ([0] * 7 + [30] * 3, {})],
)
def test_the_recipe_reads_what_users_touched_up_to_a_while_before(hours: list[int], gap: dict[str, float]) -> None:
    moments = [dt.datetime(2026, 1, 1) + dt.timedelta(hours=hour) for hour in hours]
    items = [f"item {number}" for number in range(len(hours))]
    frames = {"interactions": pl.DataFrame({"user": [1] * len(hours), "sku": items, "at": moments})}
    found = propose(frames, {}, {}).tables
    history = {"history": "sku", "width": 128, "pooling": "sqrt", "dropout": 0.5, "forget": 0.3}
    assert found["features"] == {"query": [history | gap], "item": [{"lookup": "sku", "width": 128, "dropout": 0.1}]}
    assert {name: found[name] for name in ("model", "training", "evaluation")} == preset_tables("recommended")


@pytest.mark.parametrize(("unit", "gap"), [("s", 86_400.0), ("ms", 86_400_000.0)])
def test_a_gap_counts_as_the_numbers_do_that_are_no_times(unit: Literal["s", "ms"], gap: float) -> None:
    moments = [dt.datetime(2026, 1, 1) + dt.timedelta(days=day) for day in (0, 2, 4)]
    numbers = pl.Series(moments).dt.epoch(unit)
    frames = {"interactions": pl.DataFrame({"user": [1, 1, 1], "sku": ["a", "b", "c"], "at": numbers})}
    assert propose(frames, {}, {}).tables["features"]["query"][0]["gap"] == gap
    assert propose(frames, {}, {"time_unit": unit}).tables["features"]["query"][0]["gap"] == 86_400.0
    places = {"interactions": frames["interactions"].with_columns(at=pl.Series([1, 2, 3]))}
    unknown = propose(places, {}, {})
    assert "gap" not in unknown.tables["features"]["query"][0]
    assert (
        "The unit of 'at' is not known, so that a history ends right before its event" in unknown.doubts["features"][0]
    )


def test_events_that_come_back_to_an_item_are_a_doubt_about_the_evaluation() -> None:
    # Users 0 to 3 buy tea a day apart, user 0 once more: 1 of 5 events comes back. Twice at one moment is no return.
    days = [0, 1, 2, 3, 4, 4]
    clicks = {"user": [0, 1, 2, 3, 0, 0], "sku": ["tea"] * 6,
              "at": [dt.datetime(2026, 1, 1) + dt.timedelta(days=day) for day in days]}  # fmt: skip
    frames = {"interactions": pl.DataFrame(clicks)}
    doubts = propose({"interactions": frames["interactions"].head(5)}, {}, {}).doubts["evaluation"]
    assert len(doubts) == 1
    assert doubts[0].startswith("20 % of the events come back to an item of their user.")
    assert propose(frames, {}, {}).doubts["evaluation"][0].startswith("17 % of the events")
    assert propose({"interactions": frames["interactions"].head(4)}, {}, {}).doubts["evaluation"] == []


def test_a_column_that_may_be_a_weight_is_one_doubt_not_two() -> None:
    _, of_data, of_features = proposed(
        {"user": [1, 1, 2], "sku": list("abb"), "quantity": [1, 2, 1], "page": [3, 4, 5]}
    )
    assert sum("'quantity'" in doubt for doubt in of_data) == 1
    assert [doubt.partition(" of")[0] for doubt in of_features] == ["'page'"]


def test_an_empty_table_is_written_without_gaps() -> None:
    assert "loss = { full_softmax = {} }" in propose(tables(9, 3), {}, {}).to_toml()


def test_without_times_who_asks_is_read_too() -> None:
    frames = {name: frame.drop("at") for name, frame in tables(5, 3).items()}
    found = propose(frames, {}, {}).tables
    assert [next(iter(feature)) for feature in found["features"]["query"]] == ["lookup", "history"]
    assert found["features"]["query"][0] == {"lookup": "user", "width": 32, "dropout": 0.5}


def test_many_items_are_sampled_and_many_rows_updated_lazily() -> None:
    assert list(propose(tables(9, 50_000), {}, {}).tables["training"]["loss"]) == ["full_softmax"]
    sampled = propose(tables(9, 50_001), {}, {}).tables["training"]
    assert list(sampled["loss"]) == ["in_batch_softmax"]
    assert list(sampled["optimizer"]) == ["adamw"]
    lazy = propose(tables(199_998, 3), {}, {}).tables["training"]
    assert list(lazy["loss"]) == ["full_softmax"]
    assert lazy["optimizer"] == {"lazy_adam": {"learning_rate": 0.006, "weight_decay": 0.1}}


def test_what_is_proposed_is_an_experiment() -> None:
    frames = tables(9, 50_001)
    Experiment.read(propose(frames, {"interactions": "x.parquet"}, {}).tables, "the proposed experiment")


def test_the_recipe_alone_is_no_experiment() -> None:
    with pytest.raises(SettingsError, match="The preset recommended is no whole experiment, for it takes its features"):
        load_preset("recommended")
