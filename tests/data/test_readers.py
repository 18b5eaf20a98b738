import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pytest

from shortlist.data import Query, read_table
from shortlist.errors import DataError

FRAME = pl.DataFrame({"user": ["a", "b", "c"], "sku": [7, 8, 9], "price": [1.5, None, 2.0]})


def as_csv(path: Path, text: str) -> str:
    path.write_bytes(text.encode("latin-1"))
    return str(path)


class TestFiles:
    @pytest.mark.parametrize("name", ["x.parquet", "x.pq", "x.csv", "x.tsv", "x.jsonl", "x.ndjson", "X.CSV"])
    def test_every_kind_gives_the_same_table(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        write: dict[str, Callable[[Path], object]] = {
            ".parquet": FRAME.write_parquet,
            ".pq": FRAME.write_parquet,
            ".csv": FRAME.write_csv,
            ".tsv": lambda target: FRAME.write_csv(target, separator="\t"),
            ".jsonl": FRAME.write_ndjson,
            ".ndjson": FRAME.write_ndjson,
        }
        write[path.suffix.lower()](path)
        assert read_table(str(path)).equals(FRAME)

    def test_a_folder_and_a_glob_are_one_table_in_the_order_of_names(self, tmp_path: Path) -> None:
        (tmp_path / "day").mkdir()
        FRAME.slice(2, 1).write_parquet(tmp_path / "day" / "2.parquet")
        FRAME.slice(0, 2).write_parquet(tmp_path / "day" / "1.parquet")
        (tmp_path / "day" / "_SUCCESS").touch()
        assert read_table(str(tmp_path / "day")).equals(FRAME)
        assert read_table(str(tmp_path / "d*" / "*.parquet")).equals(FRAME)

    def test_types_are_told_over_all_files_together(self, tmp_path: Path) -> None:
        as_csv(tmp_path / "1.csv", "id\n1\n")
        as_csv(tmp_path / "2.csv", "id\n02\n")
        assert read_table(str(tmp_path / "*.csv"))["id"].to_list() == ["1", "02"]

    def test_texts_of_json_stay_texts_but_times_are_read(self, tmp_path: Path) -> None:
        (tmp_path / "x.jsonl").write_text('{"id": "1", "at": "2026-01-31T12:00:00Z"}\n\n{"id": "2", "at": null}\n')
        read = read_table(str(tmp_path / "x.jsonl"))
        assert read["id"].to_list() == ["1", "2"]
        assert read["at"].dtype == pl.Datetime("us", "UTC")

    def test_a_byte_order_mark_is_no_part_of_a_name(self, tmp_path: Path) -> None:
        (tmp_path / "x.csv").write_bytes(b"\xef\xbb\xbfid\n1\n")
        assert read_table(str(tmp_path / "x.csv")).columns == ["id"]

    def test_a_quoted_line_break_is_no_row(self, tmp_path: Path) -> None:
        assert read_table(as_csv(tmp_path / "x.csv", 'id,t\n1,"two\nlines"\n2,\n')).height == 2


class TestRefused:
    @pytest.mark.parametrize(
        ("name", "content", "text"),
        [
            ("x.csv", "", "x.csv is empty; expected a line of column names, then rows."),
            ("x.csv", "a,b,a\n1,2,3\n", "x.csv has the column 'a' twice in its first line; rename or drop one."),
            ("x.csv", "a,b\n1,2,3\n", "line 2 has 3 values, but the first line names 2 columns"),
            ("x.csv", "a,b\n1,2\n3\n", "line 3 has 1 values, but the first line names 2 columns"),
            ("x.csv", 'a,b\n"1,2\n', "cannot be read as CSV"),
            ("x.csv", "a\nb\n\xff\n", "x.csv, line 3: byte 4 is 0xff, which is no UTF-8. Save the file as UTF-8."),
            ("x.jsonl", "", "x.jsonl is empty; expected a JSON object in each line."),
            ("x.jsonl", '{"a": 1}\n{"a":\n', "as JSON lines: line 2, column 6: Expecting value. Write one"),
            ("x.jsonl", "[1]\n", 'line 1 should be an object such as {"user": 1}, but it is list'),
            ("x.jsonl", '{"a": 1}\n{"a": "x"}\n', "line 2: column 'a' holds 'x' (str), but the lines before hold int"),
            ("x.jsonl", '{"a": "x"}\n{"a": 1}\n', "line 2: column 'a' holds 1 (int), but the lines before hold str"),
            ("x.parquet", "no parquet", "x.parquet cannot be read as Parquet: "),
            ("x.txt", "a\n1\n", "x.txt should end in one of .parquet, .pq, .csv, .tsv, .jsonl, .ndjson"),
        ],
        ids=str,
    )  # fmt: skip
    def test_a_broken_file_is_named_with_the_place(self, tmp_path: Path, name: str, content: str, text: str) -> None:
        with pytest.raises(DataError) as caught:
            read_table(as_csv(tmp_path / name, content))
        assert text in str(caught.value)
        assert str(tmp_path) in str(caught.value)

    def test_a_truncated_parquet_file(self, tmp_path: Path) -> None:
        FRAME.write_parquet(tmp_path / "x.parquet")
        whole = (tmp_path / "x.parquet").read_bytes()
        (tmp_path / "x.parquet").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(DataError, match=r"x\.parquet cannot be read as Parquet: .* Is it whole\? Copy it again\."):
            read_table(str(tmp_path / "x.parquet"))

    def test_a_path_where_nothing_is(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"clicks\.parquet is not there: expected \.parquet, .* Check the path\."):
            read_table(str(tmp_path / "clicks.parquet"))

    def test_a_folder_without_tables(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="holds no file that can be read"):
            read_table(str(tmp_path))

    def test_files_of_several_kinds(self, tmp_path: Path) -> None:
        FRAME.write_parquet(tmp_path / "x.parquet")
        FRAME.write_csv(tmp_path / "y.csv")
        with pytest.raises(DataError, match="holds files of several kinds: 'csv', 'parquet'"):
            read_table(str(tmp_path))

    def test_files_with_other_columns(self, tmp_path: Path) -> None:
        FRAME.write_parquet(tmp_path / "1.parquet")
        FRAME.drop("price").write_parquet(tmp_path / "2.parquet")
        with pytest.raises(DataError, match=r"2\.parquet has the columns 'user', 'sku', but .*1\.parquet has"):
            read_table(str(tmp_path))

    def test_files_with_other_types(self, tmp_path: Path) -> None:
        FRAME.write_parquet(tmp_path / "1.parquet")
        FRAME.with_columns(pl.col("sku").cast(pl.String)).write_parquet(tmp_path / "2.parquet")
        with pytest.raises(DataError, match="do not have the same types"):
            read_table(str(tmp_path))


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
