from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from shortlist.data import Dataset, DataSource, Query, Roles
from shortlist.errors import DataError, SettingsError

ROLES = Roles(query_id="user", item_id="sku")


def tables(folder: Path, clicks: str, items: str) -> DataSource:
    (folder / "clicks.csv").write_text(clicks)
    (folder / "items.csv").write_text(items)
    return DataSource(interactions=str(folder / "clicks.csv"), items=str(folder / "items.csv"), roles=ROLES)


def test_tables_are_read_with_their_roles_and_remember_where_from(tmp_path: Path) -> None:
    source = tables(tmp_path, "user,sku\n1,7\n2,8\n", "sku,title\n7,Tea\n8,Jam\n9,Ham\n")
    data = source.load()
    assert repr(data) == "Dataset(2 events, 2 users, 3 items)"
    assert data.source == source
    assert data.interactions["sku"].dtype == pl.Int64


def test_ids_that_csv_leaves_open_are_text_where_the_other_table_has_leading_zeros(tmp_path: Path) -> None:
    data = tables(tmp_path, "user,sku\n1,7\n", "sku\n7\n007\n").load()
    assert data.items["sku"].to_list() == ["7", "007"]
    assert data.item_rows.tolist() == [0]


def test_whole_numbers_of_a_typed_file_are_no_text(tmp_path: Path) -> None:
    pl.DataFrame({"user": [1], "sku": [7]}).write_parquet(tmp_path / "clicks.parquet")
    (tmp_path / "items.csv").write_text("sku\n007\n")
    source = DataSource(interactions=str(tmp_path / "clicks.parquet"), items=str(tmp_path / "items.csv"), roles=ROLES)
    with pytest.raises(
        DataError, match=r"Ids should have one type .*\(interactions: .*clicks\.parquet; items: .*csv\)"
    ):
        source.load()


def test_an_error_of_the_tables_names_the_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"1 events name 1 items .* 9\. .*\(interactions: .*clicks\.csv; items: "):
        tables(tmp_path, "user,sku\n1,9\n", "sku\n7\n").load()


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, 'data wants either source = "movielens-100k" or interactions = "clicks.parquet", but neither is given.'),
        ({"source": "movielens-100k", "interactions": "x.csv", "roles": ROLES}, "but both is given."),
        ({"source": "movielens-100k", "roles": ROLES}, "'movielens-100k' brings its own tables and roles"),
        ({"interactions": "x.csv"}, "Tables need roles, such as"),
        ({"interactions": "x.csv", "roles": {"query_id": "a", "item_id": "a"}}, "both name column 'a'"),
        ({"interactions": "x.csv", "roles": {"query_id": "a"}}, "roles.item_id is missing."),
        ({"interactions": "x.csv", "roles": {"query_id": "a", "item_id": "b", "time_unit": "s"}}, "no column has the"),
        ({"interactions": "x.csv", "roles": ROLES, "unknown_items": "keep"}, "unknown_items should be 'error' or"),
    ],
    ids=str,
)  # fmt: skip
def test_impossible_sources_are_refused(given: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        DataSource(**given)
    assert text in str(caught.value)


def test_relative_paths_are_taken_from_a_folder() -> None:
    source = DataSource(interactions="clicks.csv", items=Query("select 1", "shop.duckdb"), roles=ROLES)
    moved = source.relative_to(Path("/data"))
    assert moved.interactions == "/data/clicks.csv"
    assert moved.items == Query("select 1", "/data/shop.duckdb")
    assert moved.users is None


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_whole_numbers_with_a_unit_are_times(unit: Any) -> None:
    factor = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    clicks = {"user": [1, 2], "sku": [7, 8], "at": [1_700_000_000 * factor, 1_700_000_060 * factor]}
    data = Dataset(clicks, query_id="user", item_id="sku", time="at", time_unit=unit)
    assert data.interactions["at"].dt.epoch("s").to_list() == [1_700_000_000, 1_700_000_060]


def test_a_unit_that_leads_beyond_the_year_9999_is_refused() -> None:
    clicks = {"user": [1], "sku": [7], "at": [1_700_000_000_000]}
    with pytest.raises(DataError, match="which in s since 1970 lies beyond the year 9999"):
        Dataset(clicks, query_id="user", item_id="sku", time="at", time_unit="s")


def test_frames_that_speak_arrow_give_equal_datasets() -> None:
    clicks = pl.DataFrame({"user": ["007", "1"], "sku": [7, 8], "at": ["2026-01-31 12:00", "2026-02-01 12:00"]})
    clicks = clicks.with_columns(pl.col("at").str.to_datetime("%Y-%m-%d %H:%M", time_unit="us", time_zone="UTC"))
    import duckdb

    arrow = clicks.to_arrow()
    frames: list[Any] = [clicks, clicks.lazy(), arrow, arrow.to_pandas(), duckdb.sql("select * from arrow")]
    assert isinstance(frames[2], pa.Table)
    assert isinstance(frames[3], pd.DataFrame)
    read = [Dataset(frame, query_id="user", item_id="sku", time="at") for frame in frames]
    for data in read[1:]:
        assert data.times.tolist() == read[0].times.tolist()
        assert data.items.equals(read[0].items)
        assert data.users.equals(read[0].users)
