import datetime as dt
import sqlite3
from pathlib import Path

import duckdb
import polars as pl
import pytest

from shortlist.data import Dataset, DataSource, Query, Roles, read_table
from shortlist.errors import DataError

FRAME = pl.DataFrame({"user": ["a", "b", "c"], "sku": [7, 8, 9], "price": [1.5, None, 2.0]})


class TestQueries:
    def test_duckdb_reads_files_by_itself(self, tmp_path: Path) -> None:
        FRAME.write_parquet(tmp_path / "x.parquet")
        query = Query(f"from '{tmp_path}/x.parquet' select user, sku where price > 1 order by user")
        assert read_table(query).to_dict(as_series=False) == {"user": ["a", "c"], "sku": [7, 9]}

    def test_a_duckdb_file_is_asked(self, tmp_path: Path) -> None:
        database = str(tmp_path / "shop.duckdb")
        with duckdb.connect(database) as connection:
            connection.sql("create table clicks as select 'a' as user, 7 as sku")
        assert read_table(Query("select * from clicks", database)).to_dict(as_series=False) == {
            "user": ["a"],
            "sku": [7],
        }

    def test_an_sqlite_file_is_asked(self, tmp_path: Path) -> None:
        database = str(tmp_path / "shop.sqlite")
        connection = sqlite3.connect(database)
        connection.execute("create table clicks (user text, sku integer)")
        connection.execute("insert into clicks values ('a', 7), ('b', 8)")
        connection.commit()
        connection.close()
        table = read_table(Query("select * from clicks where sku > 7", database))
        assert table.to_dict(as_series=False) == {"user": ["b"], "sku": [8]}

    def test_a_database_that_is_not_there_is_refused(self) -> None:
        with pytest.raises(DataError, match=r"The database nowhere\.duckdb is not there; check its path"):
            read_table(Query("select 1", "nowhere.duckdb"))

    @pytest.mark.parametrize("sql", ["selec 1", "select nothing from nowhere"])
    def test_a_query_that_fails_is_shown_with_what_the_database_said(self, tmp_path: Path, sql: str) -> None:
        with pytest.raises(DataError, match=rf"the query '{sql}' of DuckDB failed: .*Error"):
            read_table(Query(sql))
        database = tmp_path / "shop.sqlite"
        connection = sqlite3.connect(database)
        connection.execute("create table t (a)")
        connection.commit()
        connection.close()
        with pytest.raises(DataError, match=rf"the query '{sql}' of .*shop\.sqlite failed: "):
            read_table(Query(sql, str(database)))

    def test_rows_come_in_one_order_whatever_the_database_gives(self, tmp_path: Path) -> None:
        # By user, then by tags, missing ones first.
        wanted = [("a", ["x"]), ("b", None), ("b", []), ("b", ["y"])]
        for number, rows in enumerate((wanted, wanted[::-1])):
            pl.DataFrame(rows, schema={"user": pl.String, "tags": pl.List(pl.String)}, orient="row").write_parquet(
                tmp_path / f"{number}.parquet"
            )
            assert read_table(Query(f"from '{tmp_path}/{number}.parquet'")).rows() == wanted

    def test_a_table_in_another_order_is_the_same_data(self, tmp_path: Path) -> None:
        fingerprints = set()
        for order in ("asc", "desc"):
            database = str(tmp_path / f"{order}.duckdb")
            with duckdb.connect(database) as connection:
                rows = connection.sql("select i % 7 as u, i as s from range(50) r(i)")
                rows.order(f"s {order}").create("t")
            data = Dataset(read_table(Query("from t", database)), query_id="u", item_id="s")
            fingerprints.add(data.fingerprint())
        assert len(fingerprints) == 1

    def test_texts_of_sqlite_become_times_but_no_numbers_and_no_ids(self, tmp_path: Path) -> None:
        database = str(tmp_path / "shop.sqlite")
        connection = sqlite3.connect(database)
        connection.execute("create table clicks (user text, at text, zip text)")
        connection.execute("insert into clicks values ('2026-01-31', '2026-01-31 12:00:00', '07')")
        connection.commit()
        connection.close()
        table = read_table(Query("select * from clicks", database), ids=["user"])
        assert table.rows() == [("2026-01-31", dt.datetime(2026, 1, 31, 12), "07")]


class TestFolders:
    """SQL whose files lie beside the experiment, while the command runs elsewhere."""

    SOURCE = DataSource(interactions=Query("select user, sku from 'clicks.parquet'"), roles=Roles("user", "sku"))

    @pytest.fixture
    def beside(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        (tmp_path / "it's").mkdir()
        (tmp_path / "elsewhere").mkdir()
        FRAME.write_parquet(tmp_path / "it's" / "clicks.parquet")
        monkeypatch.chdir(tmp_path / "elsewhere")
        return tmp_path / "it's"

    def test_files_are_found_from_the_experiments_folder(self, beside: Path) -> None:
        assert self.SOURCE.relative_to(beside).load().num_events == 3

    def test_globs_are_too(self, beside: Path) -> None:
        FRAME.head(1).write_parquet("clicks2.parquet")
        query = Query("from 'clicks*.parquet'", folder=str(beside))
        assert read_table(query).height == 3

    @pytest.mark.parametrize("comment", ["", "-- it is'nt\n", "/* ' */ "], ids=["plain", "line", "block"])
    def test_a_file_of_the_same_name_in_the_working_folder_is_never_read(self, beside: Path, comment: str) -> None:
        FRAME.head(1).write_parquet("clicks.parquet")
        query = Query(f"{comment}from 'clicks.parquet'", folder=str(beside))
        text = (
            r"names 'clicks\.parquet', which should lie in .*it's, but DuckDB would read the file of that name in the "
        )
        with pytest.raises(DataError, match=text + r"working folder .*elsewhere\. Write its path whole\."):
            read_table(query)
        assert read_table(Query("from 'clicks.parquet'")).height == 1

    def test_the_working_folder_may_be_the_experiments(self, beside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(beside)
        assert self.SOURCE.relative_to(Path()).load().num_events == 3
