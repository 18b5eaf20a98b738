import subprocess
import sys
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
    assert moved.items == Query("select 1", "/data/shop.duckdb", "/data")
    assert moved.relative_to(Path("/other")) == moved
    assert moved.users is None


def test_ids_of_csv_are_texts_unless_they_are_whole_numbers(tmp_path: Path) -> None:
    data = tables(tmp_path, "user,sku\n1,1.10\n2,1.1\n", "sku,price\n1.10,1.50\n1.1,2.00\n12e5,3.00\n").load()
    assert data.items["sku"].to_list() == ["1.10", "1.1", "12e5"]
    assert data.items["price"].to_list() == [1.5, 2.0, 3.0]
    assert data.item_rows.tolist() == [0, 1]


def test_a_table_may_call_its_own_key_id(tmp_path: Path) -> None:
    (tmp_path / "clicks.csv").write_text("id,user_id,film_id\n1,5,007\n2,6,8\n")
    (tmp_path / "films.csv").write_text("id,title\n8,Jam\n007,Tea\n")
    (tmp_path / "users.csv").write_text("ID,age\n5,20\n6,30\n")
    clicks, films, users = (str(tmp_path / f"{name}.csv") for name in ("clicks", "films", "users"))
    data = DataSource(interactions=clicks, items=films, users=users, roles=Roles("user_id", "film_id", "title")).load()
    assert data.items.columns == ["film_id", "title"]
    assert data.item_rows.tolist() == [1, 0]  # "007" stands second; the clicks' own id is none of these
    assert data.users.rows() == [(5, 20), (6, 30)]


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


def test_the_same_values_have_one_fingerprint_from_every_library() -> None:
    import duckdb

    moments = pl.Series([1_700_000_000_000_000, 1_700_000_060_000_000]).cast(pl.Datetime("us", "UTC"))
    clicks = pl.DataFrame({"user": [1, 2], "sku": ["a", "b"], "at": moments}).with_columns(
        day=pl.col("at").dt.date(),
        naive=pl.col("at").dt.replace_time_zone(None),
        wait=pl.duration(seconds=pl.col("user")),
        small=pl.col("user").cast(pl.Int8),
        kind=pl.col("sku").cast(pl.Categorical),
        tags=pl.concat_list("sku"),
    )
    arrow = clicks.drop("wait").to_arrow()
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'Asia/Tokyo'")
        tokyo = connection.sql("from arrow").pl()
    assert tokyo.schema["at"] == pl.Datetime("us", "Asia/Tokyo")

    def fingerprint(frame: Any) -> str:
        return Dataset(frame, query_id="user", item_id="sku", time="at").fingerprint()

    frames: list[Any] = [arrow, arrow.to_pandas(), duckdb.sql("from arrow"), tokyo]
    assert {fingerprint(frame) for frame in frames} == {fingerprint(clicks.drop("wait"))}
    units: list[Any] = ["ms", "ns"]
    times = pl.col("at", "naive")
    for unit in units:
        other = clicks.with_columns(times.dt.cast_time_unit(unit), pl.col("wait").dt.cast_time_unit(unit))
        assert fingerprint(other.cast({"small": pl.UInt64, "kind": pl.Enum(["a", "b"])})) == fingerprint(clicks)
    nanosecond = clicks.with_columns(pl.col("naive").dt.cast_time_unit("ns") + pl.duration(nanoseconds=1))
    assert fingerprint(nanosecond) != fingerprint(clicks)


def test_a_duckdb_relation_leaves_no_complaint_when_the_process_ends() -> None:
    program = (
        "import duckdb, shortlist as sl; "
        "data = sl.Dataset(duckdb.sql(\"select 1 as u, 'a' as i\"), query_id='u', item_id='i'); print(data)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("Dataset(1 events, 1 users, 1 items)\n", "")
