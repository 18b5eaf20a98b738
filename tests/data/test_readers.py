import csv
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from shortlist.data import read_table
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

    def test_values_in_quotes_keep_their_types_and_an_empty_one_is_missing(self, tmp_path: Path) -> None:
        rows = [("user", "n", "price", "new", "at", "note"),
                ("ann", "7", "1.50", "true", "2026-01-31", "tea"),
                ("bob", "", "", "", "", "")]  # fmt: skip
        with (tmp_path / "x.csv").open("w", newline="") as file:
            csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)
        read = read_table(str(tmp_path / "x.csv"))
        assert read.dtypes == [pl.String, pl.Int64, pl.Float64, pl.Boolean, pl.Date, pl.String]
        assert read.row(1) == ("bob", None, None, None, None, "")

    def test_columns_of_ids_stay_as_they_are_written(self, tmp_path: Path) -> None:
        path = as_csv(tmp_path / "x.csv", "a,b,c,d,price\n1.10,12e5,2026-01-31,7,1.10\n1.1,1e5,2026-02-01,8,1.1\n")
        read = read_table(path, ids=["a", "b", "c", "d"])
        assert read["a"].to_list() == ["1.10", "1.1"]
        assert read["b"].to_list() == ["12e5", "1e5"]
        assert read["c"].to_list() == ["2026-01-31", "2026-02-01"]
        assert read["d"].to_list() == [7, 8]
        assert read["price"].to_list() == [1.1, 1.1]

    def test_a_short_row_and_a_missing_last_value_are_told_apart(self, tmp_path: Path) -> None:
        # Two names, three separators of rows, two within quotes: each row is whole.
        assert read_table(as_csv(tmp_path / "x.csv", 'a,b\n"x,y",\n"z,",1\n2,\n'))["b"].to_list() == [None, 1, None]
        with pytest.raises(DataError, match="line 3 has 1 values, but the first line names 2 columns"):
            read_table(as_csv(tmp_path / "y.csv", 'a,b\n"x,y",\n"z,"\n'))

    @pytest.mark.parametrize("separator", ["\u2028", "\u0085"])
    def test_only_a_line_break_ends_a_line_of_json(self, tmp_path: Path, separator: str) -> None:
        line = '{"zip": "12345", "text": "one' + separator + 'two"}\r\n'
        (tmp_path / "x.jsonl").write_bytes((line * 2).encode())
        assert read_table(str(tmp_path / "x.jsonl"))["text"].to_list() == [f"one{separator}two"] * 2
        (tmp_path / "y.jsonl").write_bytes((line + '{"zip": 7, "text": "x"}\n').encode())
        with pytest.raises(DataError, match=r"line 2: column 'zip' holds 7 \(int\), but the lines before hold str"):
            read_table(str(tmp_path / "y.jsonl"))
        (tmp_path / "z.jsonl").write_bytes((line + "{").encode())
        with pytest.raises(DataError, match="line 2, column 2"):
            read_table(str(tmp_path / "z.jsonl"))

    def test_folders_named_by_a_key_and_a_value_are_a_column(self, tmp_path: Path) -> None:
        frame = pl.DataFrame(
            {"user": ["a", "b", "c"], "day": ["2026-01-31", "2026-02-01", None], "no": ["01", "2", "3"]}
        )
        for user, day, no in frame.rows():
            folder = tmp_path / "days" / f"day={day or '__HIVE_DEFAULT_PARTITION__'}" / f"no={no}"
            folder.mkdir(parents=True)
            pl.DataFrame({"user": [user]}).write_parquet(folder / "part 0.parquet")
        wanted = frame.with_columns(pl.col("day").str.to_date())
        assert read_table(str(tmp_path / "days")).sort("user").equals(wanted)
        assert read_table(str(tmp_path / "days" / "day=2026*" / "*" / "*.parquet")).equals(wanted.head(2))
        assert read_table(str(tmp_path / "days" / "**" / "*.parquet")).sort("user").equals(wanted)

    def test_a_column_of_the_files_wins_over_the_folders_name(self, tmp_path: Path) -> None:
        (tmp_path / "days" / "a%2Fb=x").mkdir(parents=True)
        pl.DataFrame({"a/b": ["y"]}).write_parquet(tmp_path / "days" / "a%2Fb=x" / "1.parquet")
        assert read_table(str(tmp_path / "days"))["a/b"].to_list() == ["y"]

    def test_what_begins_with_a_dot_or_an_underscore_is_no_part_of_a_table(self, tmp_path: Path) -> None:
        FRAME.write_parquet(tmp_path / "1.parquet")
        for hidden in ("_temporary/2.parquet", ".old/2.parquet", "_2.parquet", ".2.parquet"):
            (tmp_path / hidden).parent.mkdir(exist_ok=True)
            FRAME.write_parquet(tmp_path / hidden)
        assert read_table(str(tmp_path)).equals(FRAME)
        assert read_table(str(tmp_path / "**" / "*.parquet")).equals(FRAME)
        assert read_table(str(tmp_path / "_*.parquet")).equals(FRAME)

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
