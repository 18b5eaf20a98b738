"""Bad inputs through the command line: each ends in one sentence, an exit code, and folders as they were before."""

import hashlib
import http.server
import re
import resource
import shlex
import shutil
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import duckdb
import platformdirs
import polars as pl
import pytest
from typer.testing import CliRunner

from shortlist.cli.main import app, main
from shortlist.data import movielens
from shortlist.data.download import Archive, stream

Content = str | bytes | pl.DataFrame | Callable[[Path], object]


class Case(NamedTuple):
    """A command in the shop's folder, after some files were written or changed there, and how it must end.

    In `says`, which is all that comes after `shortlist: `, three dots stand for any text.
    """

    name: str
    command: str
    code: int
    says: str
    files: Mapping[str, Content] = {}


CLICKS = pl.DataFrame(
    [(f"u{n % 8}", f"i{(n * 3 + n // 8) % 6}", 1_700_000_000 + 3_600 * n) for n in range(40)],
    schema=["user", "item", "time"],
    orient="row",
)
ITEMS = pl.DataFrame({"item": [f"i{n}" for n in range(6)], "title": [f"Thing {n % 5}" for n in range(6)]})
KINDS = ".parquet, .pq, .csv, .tsv, .jsonl, .ndjson"
TRAIN = "train experiment.toml --quiet --out run"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good tables, a good experiment and a bundle trained on them; items i0 and i5 have the same label."""
    folder = tmp_path_factory.mktemp("shop")
    CLICKS.write_csv(folder / "clicks.csv")
    CLICKS.write_parquet(folder / "clicks.parquet")
    CLICKS.write_ndjson(folder / "clicks.jsonl")
    ITEMS.write_csv(folder / "items.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        printed = CliRunner().invoke(app, ["init", "clicks.csv", "--items", "items.csv"], catch_exceptions=False)
        Path("experiment.toml").write_text(printed.stdout)
        trained = ["train", "experiment.toml", "--epochs", "1", "--quiet", "--out", "trained"]
        CliRunner().invoke(app, trained, catch_exceptions=False)
    return folder


@pytest.fixture
def folder(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shop, in which the command runs."""
    copy = Path(shutil.copytree(shop, tmp_path / "shop"))
    monkeypatch.chdir(copy)
    return copy


def write(path: Path, content: Content) -> None:
    if callable(content):
        content(path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, pl.DataFrame):
        content.write_parquet(path)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def changed(old: str, new: str, encoding: str = "utf-8") -> Callable[[Path], None]:
    """Puts one text into a file in the place of another."""

    def change(path: Path) -> None:
        text = path.read_text("utf-8")
        assert old in text
        path.write_bytes(text.replace(old, new, 1).encode(encoding))

    return change


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def halve(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def resealed(old: str, new: str) -> Callable[[Path], None]:
    """Changes a bundle's manifest, and its hash with it."""

    def change(path: Path) -> None:
        changed(old, new)(path)
        path.with_suffix(".sha256").write_text(hashlib.sha256(path.read_bytes()).hexdigest() + "\n")

    return change


def sqlite(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("create table clicks (user text)")
    connection.commit()
    connection.close()


def duck(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.sql("create table clicks as select 'ann' as user, 'tea' as item")


def weighed(weight: str) -> dict[str, Content]:
    return {"w.csv": f"user,item,time,weight\nann,tea,1,1\nbob,jam,2,{weight}\n"}


def asked(sql: str, database: str = "") -> dict[str, Content]:
    """The experiment with a query in the place of the table of events."""
    entry = f'{{ sql = "{sql}", database = "{database}" }}' if database else f'{{ sql = "{sql}" }}'
    return {"experiment.toml": changed('"clicks.csv"', entry)}


def experiment(old: str, new: str) -> dict[str, Content]:
    return {"experiment.toml": changed(old, new)}


TABLES = [
    Case("no such column for a role", "describe clicks.csv --time when", 1,
         "The interactions table has no column 'when'; its columns are 'user', 'item', 'time'. Name the right one as "
         "the role. (interactions: clicks.csv)"),
    Case("no such label", "describe clicks.csv --items items.csv --label name", 1,
         "The items table has no column 'name'; its columns are 'item', 'title'. Name the right one ..."),
    Case("one column for two roles", "describe clicks.csv --query-id user --item-id user", 2,
         "Roles: query_id and item_id both name column 'user'; each needs one of its own."),
    Case("a column twice", "describe x.csv", 1,
         "x.csv has the column 'user' twice in its first line; rename or drop one.", {"x.csv": "user,item,user\n"}),
    Case("no column that may be an id", "describe x.csv", 1,
         "No column of the interactions table looks like the item_id; its columns are 'user', 'item'. Name it with "
         "--item-id.", {"x.csv": "user,item\nann,1.5\n"}),
    Case("decimal ids", "describe x.parquet --item-id item", 1,
         "interactions.item should hold ids as strings or integers, but its type is Float64; convert it first "
         "(decimal numbers and dates make no ids). (interactions: x.parquet)",
         {"x.parquet": pl.DataFrame({"user": ["ann"], "item": [1.5]})}),
    Case("whole ids that some library made decimal", "describe x.csv --item-id item", 1,
         "interactions.item should hold ids as strings or integers, but its type is Float64; convert it first "
         "(decimal numbers and dates make no ids). (interactions: x.csv)",
         {"x.csv": "user,item\nann,7.0\nbob,12.0\n"}),
    Case("empty ids in quotes", "describe x.csv", 1,
         "interactions.user has 1 empty ids, the first in row 1; fill or drop these rows. (interactions: x.csv)",
         {"x.csv": '"user","item"\n"ann","tea"\n"","jam"\n'}),
    Case("missing whole ids in quotes", "describe x.csv", 1,
         "interactions.user has 1 missing ids, the first in row 1; fill or drop these rows. (interactions: x.csv)",
         {"x.csv": '"user","item"\n"7","tea"\n"","jam"\n'}),
    Case("items with ids of another name", "describe x.csv --items y.csv", 1,
         "The items table has no column 'item'; its columns are 'id', 'title'. The ids of both tables are found by one "
         "name: rename a column of one of them, as in select id as item. (interactions: x.csv; items: y.csv)",
         {"x.csv": "user,item\nann,7\n", "y.csv": "id,title\n7,Tea\n"}),
    Case("infinity in a feature", "train experiment.toml --epochs 1 --quiet --out run", 1,
         "items.price holds inf in row 4, which is infinite in float32; correct it or leave it missing. "
         "(items: items.csv)",
         {"items.csv": "item,title,price\n" + "".join(f"i{n},T{n},{'inf' if n == 4 else n}\n" for n in range(6)),
          "experiment.toml": changed('{ lookup = "item",', '{ normalize = "price" }, { lookup = "item",')}),
    Case("a word among times", "describe clicks.csv --time time", 1,
         "interactions.time should hold datetimes, dates or integers, but its type is String; convert it first. "
         "(interactions: clicks.csv)", {"clicks.csv": changed("1700000000", "soon")}),
    Case("decimal times", "describe clicks.csv --time time", 1,
         "interactions.time should hold datetimes, dates or integers, but its type is Float64; convert it ...",
         {"clicks.csv": changed("1700000000", "1700000000.5")}),
    Case("a missing time", "describe clicks.csv --time time", 1,
         "interactions.time has 1 missing times, the first in row 0; drop these rows. (interactions: clicks.csv)",
         {"clicks.csv": changed("1700000000", "")}),
    Case("a unit for times that have one", "describe x.parquet --time-unit s", 1,
         "interactions.time holds Datetime(...), which has a unit of its own; leave time_unit='s' out. (...x.parquet)",
         {"x.parquet": CLICKS.with_columns(pl.from_epoch("time"))}),
    Case("a unit without times", "describe x.csv --time-unit s", 2,
         "... time_unit says how to read the time column, but no column has the role time. Name it, or leave time_unit "
         "out.", {"x.csv": "user,item\nann,tea\n"}),
    Case("years beyond 9999", "describe x.parquet --time-unit s", 1,
         "interactions.time holds 1700140400000, which in s since 1970 lies beyond the year 9999. Correct it, or give "
         "another time_unit. (interactions: x.parquet)", {"x.parquet": CLICKS.with_columns(pl.col("time") * 1_000)}),
    Case("times beyond 64 bits", "describe x.parquet", 1,
         "interactions.time holds integers beyond 2^63; give the times in a larger unit. (interactions: x.parquet)",
         {"x.parquet": CLICKS.with_columns(time=pl.lit(2**63, pl.UInt64))}),
    Case("ids beyond 64 bits", "describe x.jsonl", 1,
         "interactions.item holds integers beyond 2^63; turn them into strings. (interactions: x.jsonl)",
         {"x.jsonl": f'{{"user": "ann", "item": {2**64}}}\n'}),
    Case("a missing id", "describe clicks.csv", 1,
         "interactions.user has 1 missing ids, the first in row 3; fill or drop these rows. (interactions: clicks.csv)",
         {"clicks.csv": changed("u3,", ",")}),
    Case("an id over 1 KiB", "describe clicks.csv", 1,
         "interactions.user has an id of 1025 bytes in row 3; at most 1024 are taken. (interactions: clicks.csv)",
         {"clicks.csv": changed("u3", "u" * 1025)}),
    Case("ids of two types", "describe clicks.csv --items x.parquet", 1,
         "Ids should have one type over all tables, but interactions.item holds String and items.item holds Int64; "
         "convert one of them. (interactions: clicks.csv; items: x.parquet)",
         {"x.parquet": pl.DataFrame({"item": [0, 1]})}),
    Case("unknown items", "describe clicks.csv --items x.csv", 1,
         "24 events name 4 items that the items table does not hold: 'i3', 'i4', 'i2', 'i5'. Add these items, or drop "
         'the events with unknown_items="drop" (--drop-unknown-items). (interactions: clicks.csv; items: x.csv)',
         {"x.csv": "item,title\ni0,Tea\ni1,Jam\n"}),
    Case("nothing but unknown items", "describe clicks.csv --items x.csv --drop-unknown-items", 1,
         "No event names an item that the items table holds: 'i0', 'i3', ... Check that both tables write their ids in "
         "the same way. (...)", {"x.csv": "item,title\nj0,Tea\nj1,Jam\n"}),
    Case("an item twice", "describe clicks.csv --items x.csv --item-id item", 1,
         "items.item should name each row once, but 1 ids stand there more than once: 'i0'. Keep one row of ...",
         {"x.csv": "item,title\ni0,Tea\ni0,Jam\n"}),
    Case("a user twice", "describe clicks.csv --users x.csv --query-id user", 1,
         "users.user should name each row once, but 1 ids stand there more than once: 'u0'. Keep one row of ...",
         {"x.csv": "user,age\nu0,20\nu0,30\n"}),
    *(Case(f"a weight that is {word!r}", "describe w.csv --weight weight", 1,
           "interactions.weight should hold weights that are finite (in float32) and not negative, but row 1 holds "
           f"{shown} (1 such rows); correct or drop them. (interactions: w.csv)", weighed(word))
      for word, shown in [("nan", "nan"), ("", "nan"), ("-2", "-2.0"), ("inf", "inf"), ("1e39", "1e+39")]),
    Case("weights that are all zero", "describe w.csv --weight weight", 1,
         "Every weight in interactions.weight is zero; at least one must be positive. (interactions: w.csv)",
         {"w.csv": "user,item,weight\nann,tea,0\nbob,jam,0\n"}),
    Case("a word among weights", "describe w.csv --weight weight", 1,
         "interactions.weight should hold numbers, but its type is String; correct or convert it. (...: w.csv)",
         weighed("lots")),
]  # fmt: skip

FILES = [
    Case("no bytes of CSV", "describe x.csv", 1,
         "x.csv is empty; expected a line of column names, then rows.", {"x.csv": b""}),
    Case("no bytes of JSON lines", "describe x.jsonl", 1,
         "x.jsonl is empty; expected a JSON object in each line.", {"x.jsonl": b""}),
    Case("no bytes of Parquet", "describe x.parquet", 1,
         "x.parquet cannot be read as Parquet: .... Is it whole? Copy it again.", {"x.parquet": b""}),
    Case("half a Parquet file", "describe clicks.parquet", 1,
         "clicks.parquet cannot be read as Parquet: .... Is it whole? Copy it again.", {"clicks.parquet": halve}),
    Case("CSV called Parquet", "describe x.parquet", 1,
         "x.parquet cannot be read as Parquet: .... It does not begin like Parquet; give it the ending of what it is.",
         {"x.parquet": CLICKS.write_csv()}),
    Case("CSV without rows", "describe x.csv", 1,
         "The interactions table has no rows; at least one is needed. (interactions: x.csv)",
         {"x.csv": "user,item,time\n"}),
    Case("an empty line before the names", "describe x.csv", 1,
         "x.csv has an empty first line; expected the column names there. Take the line out.",
         {"x.csv": "\nuser,item\nann,tea\n"}),
    Case("a row too long", "describe clicks.csv", 1,
         "clicks.csv cannot be read as CSV: line 5 has 4 values, but the first line names 3 columns. Correct it there.",
         {"clicks.csv": changed("u3,", "u3,x,")}),
    Case("a row too short", "describe clicks.csv", 1,
         "clicks.csv cannot be read as CSV: line 5 has 2 values, but the first line names 3 columns. Correct it there.",
         {"clicks.csv": changed("u3,", "")}),
    Case("a quote that never ends", "describe clicks.csv", 1,
         "clicks.csv cannot be read as CSV: the row in lines 5 to 41 has 1 values, but the first line names 3 columns. "
         "Correct it there.", {"clicks.csv": changed("u3,", '"u3,')}),
    Case("a quote that never ends, and a long file", "describe x.csv", 1,
         "x.csv cannot be read as CSV: the row in lines 2 to 50002 has 2 values, but the first line names 3 columns. "
         "Correct it there.", {"x.csv": 'user,item,time\nann,"tea' + "\nbob,jam,1" * 50_000}),
    Case("Latin-1 in CSV", "describe clicks.csv", 1,
         "clicks.csv, line 5: byte ... is 0xfc, which is no UTF-8. Save the file as UTF-8.",
         {"clicks.csv": changed("u3,", "ü3,", "latin-1")}),
    Case("Latin-1 in JSON lines", "describe clicks.jsonl", 1,
         "clicks.jsonl, line 4: byte ... is 0xfc, which is no UTF-8. Save the file as UTF-8.",
         {"clicks.jsonl": changed("u3", "ü3", "latin-1")}),
    Case("a broken line of JSON", "describe clicks.jsonl", 1,
         "clicks.jsonl cannot be read as JSON lines: line 4, column 13: Expecting ',' delimiter. Write one whole "
         "object in each line.", {"clicks.jsonl": changed('"u3",', '"u3"')}),
    Case("NaN in JSON", "describe x.jsonl", 1,
         "x.jsonl cannot be read as JSON lines: line 1: NaN is no value of JSON, null is. Write one whole ...",
         {"x.jsonl": '{"user": "ann", "item": NaN}\n'}),
    Case("a thousand brackets in JSON", "describe x.jsonl", 1,
         "x.jsonl cannot be read as JSON lines: line 1: .... Write one whole object in each line.",
         {"x.jsonl": "[" * 100_000}),
    Case("numbers and words in JSON", "describe clicks.jsonl", 1,
         "clicks.jsonl, line 4: column 'user' holds 3 (int), but the lines before hold str. Write all its values in "
         "one type.", {"clicks.jsonl": changed('"u3"', "3")}),
    Case("a file that is not there", "describe nowhere.csv", 1,
         f"nowhere.csv is not there: expected {KINDS}, in a file, a folder or a glob. Check the path."),
    Case("a glob that matches nothing", "describe 'days/*.csv'", 1,
         f"days/*.csv is not there: expected {KINDS}, in a file, a folder or a glob. Check the path."),
    Case("a folder without tables", "describe days", 1,
         f"days holds no file that can be read: expected {KINDS}, in a file, a folder or a glob. Check the path.",
         {"days/notes.txt": "user,item\n"}),
    Case("truth values and words in JSON", "describe x.jsonl", 1,
         "x.jsonl, line 2: column 'user' holds 'ann' (str), but the lines before hold bool. Write all its values in "
         "one type.", {"x.jsonl": '{"user": true, "item": 1}\n{"user": "ann", "item": 2}\n'}),
    Case("lists and words in JSON", "describe x.jsonl", 1,
         "x.jsonl, line 2: column 'tag' holds ['a'] (list), but the lines before hold str. Write all its values in one "
         "type.", {"x.jsonl": '{"user": "a", "tag": "b"}\n{"user": "b", "tag": ["a"]}\n'}),
    Case("numbers and words in lists of JSON", "describe x.jsonl", 1,
         "x.jsonl, line 2: column 'tags' holds 7 (int) in a list, but the lists before hold str. Write all its values "
         "in one type.", {"x.jsonl": '{"user": "a", "tags": ["7"]}\n{"user": "b", "tags": [7]}\n'}),
    Case("truth values and numbers in JSON", "describe x.jsonl", 1,
         "x.jsonl, line 2: column 'user' holds 1.5 (float), but the lines before hold bool. Write all its values in "
         "one type.", {"x.jsonl": '{"user": true}\n{"user": 1.5}\n'}),
    Case("a packed file", "describe x.csv.gz", 1,
         f"x.csv.gz should end in one of {KINDS}, so that its kind is known, but it is packed. Unpack it first.",
         {"x.csv.gz": b"\x1f\x8b"}),
    Case("one document of JSON", "describe x.json", 1,
         f"x.json should end in one of {KINDS}, so that its kind is known; JSON is read with one object a line. Write "
         "it so, and call it x.jsonl.", {"x.json": "[]"}),
    Case("a database as a table", "describe s.db", 1,
         f"s.db should end in one of {KINDS}, so that its kind is known, but it is a database. Give an experiment file "
         'a query to it: interactions = { sql = "...", database = "s.db" }.', {"s.db": sqlite}),
    Case("a hidden folder", "describe days", 1, "days holds no file that can be read: ...",
         {"days/_temporary/1.csv": "user,item\n", "days/.old/1.csv": "user,item\n"}),
    Case("folders with other keys", "describe days", 1,
         "days/2.csv has the columns 'user', 'item', but days/1/day=1/x.csv has 'user', 'item', 'day'. Files of ...",
         {"days/1/day=1/x.csv": "user,item\n", "days/2.csv": "user,item\n"}),
    Case("an ending that says nothing", "describe x.txt", 1,
         f"x.txt should end in one of {KINDS}, so that its kind is known; rename it.", {"x.txt": "user,item\n"}),
    Case("files of several kinds", "describe days", 1,
         "days holds files of several kinds: 'csv', 'parquet'. Name those of one kind.",
         {"days/1.csv": "user,item\n", "days/2.parquet": CLICKS}),
    Case("files with other columns", "describe days", 1,
         "days/2.csv has the columns 'user', 'sku', but days/1.csv has 'user', 'item'. Files of one table need the "
         "same columns in the same order.", {"days/1.csv": "user,item\n", "days/2.csv": "user,sku\n"}),
    Case("files with other types", "describe days", 1,
         "The files of days do not have the same types: 'time' is 'Int64', 'String'. Write it in one type.",
         {"days/1.parquet": CLICKS, "days/2.parquet": CLICKS.with_columns(pl.col("time").cast(pl.String))}),
    Case("a database that is not there", "describe experiment.toml", 1,
         "The database shop.db is not there; check its path.", asked("from clicks", "shop.db")),
    Case("a file that is no database", "describe experiment.toml", 1,
         "the query 'select 1' of shop.db failed: ...it is not a valid DuckDB database file.",
         {**asked("select 1", "shop.db"), "shop.db": b"no database" * 100}),
    Case("SQL with a slip", "describe experiment.toml", 1,
         'the query \'selec 1\' of DuckDB failed: ...syntax error at or near "selec".', asked("selec 1")),
    Case("SQL that is not read by SQLite", "describe experiment.toml", 1,
         "the query 'from clicks' of shop.db failed: near \"from\": syntax error.",
         {**asked("from clicks", "shop.db"), "shop.db": sqlite}),
    Case("SQL that gives no table", "describe experiment.toml", 1,
         "the query 'begin' of shop.db gives no table; write one that starts with select.",
         {**asked("begin", "shop.db"), "shop.db": sqlite}),
    Case("SQL that would write", "describe experiment.toml", 1,
         "the query 'drop table clicks' of shop.db failed: attempt to write a readonly database.",
         {**asked("drop table clicks", "shop.db"), "shop.db": sqlite}),
    Case("no such table in SQLite", "describe experiment.toml", 1,
         "the query 'select * from buys' of shop.db failed: no such table: buys.",
         {**asked("select * from buys", "shop.db"), "shop.db": sqlite}),
    Case("no such table in DuckDB", "describe experiment.toml", 1,
         "the query 'from buys' of shop.db failed: Catalog Error: Table with name buys does not exist.",
         {**asked("from buys", "shop.db"), "shop.db": duck}),
    Case("a query without the item's column", "describe experiment.toml", 1,
         "The interactions table has no column 'item'; its columns are 'user'. Name the right one as the role. "
         "(interactions: the query 'select user from clicks' of shop.db; items: items.csv)",
         {**asked("select user from clicks", "shop.db"), "shop.db": duck}),
]  # fmt: skip

SETTINGS = [
    Case("an unknown key", TRAIN, 2,
         "experiment.toml: training.schedule.epocks is not a known key; take it out or correct its spelling.",
         experiment("epochs", "epocks")),
    Case("an experiment that is no TOML", TRAIN, 2,
         "experiment.toml cannot be read as an experiment in TOML: Expected ']' ... (at line ..., column 7).",
         experiment("[model]", "[model")),
    Case("an experiment that is not there", "train nowhere.toml", 2,
         "nowhere.toml cannot be read as an experiment in TOML: [Errno 2] No such file or directory: 'nowhere.toml'."),
    Case("a text for a number", TRAIN, 2,
         "experiment.toml: training.schedule.epochs should be a valid integer, but it is '40'.",
         experiment("epochs = 20", 'epochs = "40"')),
    Case("a number for a table", TRAIN, 2,
         "experiment.toml: data.interactions should be a valid string, or should be a dictionary or an instance of "
         "Query, but it is 5.", experiment('"clicks.csv"', "5")),
    Case("no such kind of feature", TRAIN, 2,
         "experiment.toml: features.item.0: a feature names one of lookup, hash, ... with its column, but it is "
         "{'look': 'item', 'width': 128, 'dropout': 0.1}.", experiment("lookup", "look")),
    Case("a feature of no width", TRAIN, 2,
         "experiment.toml: features.item.0: Lookup: width should be greater than 0, but it is 0.",
         experiment('lookup = "item", width = 128', 'lookup = "item", width = 0')),
    Case("a feature of no column", TRAIN, 1,
         "The item tower wants column 'age', which its tables do not hold; they have 'item', 'title'. "
         "Name one of these, or leave the feature out.",
         experiment('lookup = "item"', 'lookup = "age"')),
    Case("two kinds of split", TRAIN, 2,
         "experiment.toml: split: exactly one of random, time, leave_last_out, cold_items, held_out_users, given "
         "must be named, but random, time is.",
         experiment("[split]", "[split]\nrandom = {}")),
    Case("a test of more than everything", f"{TRAIN} --set split.time.test=1.5", 2,
         "the changed experiment: split.time.test should be less than 1, but it is 1.5."),
    Case("a split that leaves no training", f"{TRAIN} --set split.time.test=0.6 --set split.time.validation=0.5", 1,
         "40 events cannot be cut into test=0.6, validation=0.5 and training: one part would be empty. Choose other "
         "shares."),
    Case("a split that leaves no test", f"{TRAIN} --set split.time.test=0.001", 1,
         "40 events cannot be cut into test=0.001, validation=0.1 and training: one part would be empty. Choose ..."),
    Case("a split of one moment", TRAIN, 1,
         "The times leave no cut with test=0.2 and validation=0.1: too many of the 9 events share one moment. Choose "
         "other shares or a random split.", {"clicks.csv": "user,item,time\n" + "u0,i0,5\n" * 9}),
    Case("a split by time without times", TRAIN, 2,
         'This needs times, but no column has the role time; pass time="<column>".', experiment(', time = "time"', "")),
    Case("a validation of nothing", f"{TRAIN} --set split.time.validation=0", 2,
         "The training watches the validation events, but the split has none; give it a share, such as validation=0.1, "
         'or set watch="nothing".'),
    Case("a layer of no width", f"{TRAIN} --layers 0", 2,
         "the changed experiment: model.two_tower.layers.0 should be greater than 0, but it is 0."),
    Case("a layer of terabytes", f"{TRAIN} --layers 999999999999", 2,
         "the changed experiment: model.two_tower.layers.0 should be less than or equal to 65536, but it is "
         "999999999999."),
    Case("layers in words", f"{TRAIN} --layers 64,x", 2,
         "--layers wants whole numbers with commas between, such as 64,32, not '64,x'."),
    Case("no epochs", f"{TRAIN} --epochs -1", 2,
         "the changed experiment: training.schedule.epochs should be greater than 0, but it is -1."),
    Case("a measure of no items", f"{TRAIN} --set evaluation.protocol.ks=[0]", 2,
         "the changed experiment: evaluation.protocol.ks.0 should be greater than 0, but it is 0."),
    Case("a setting without a value", f"{TRAIN} --set epochs", 2,
         "--set wants a key and a value, such as training.schedule.epochs=20, not 'epochs'."),
    Case("data as a setting", f"{TRAIN} --set data.source=x", 2,
         "--set does not name the data ('data.source=x'); the command's argument does."),
    Case("flags for tables that have their roles", "describe experiment.toml --items items.csv", 2,
         "--items does not go with this: experiment.toml names its own tables and roles. Leave it out."),
    Case("flags for a known data set", "train movielens-100k --query-id user", 2,
         "--query-id does not go with this: the data set movielens-100k brings its own tables and roles. ..."),
    Case("a preset for a table", "train clicks.csv --preset tutorial", 2,
         "--preset does not go with this: a preset is for the data set that it names. Leave it out."),
    Case("no such preset", "preset best", 2,
         "There is no preset 'best'; the known ones are 'movielens-100k', 'recommended', 'tutorial'."),
    Case("no such preset for a data set", "train movielens-100k --preset best", 2,
         "There is no preset 'best'; the known ones are 'movielens-100k', 'recommended', 'tutorial'."),
    Case("no such data set", "describe movielens-1g", 2,
         "There is no data set 'movielens-1g'; the known ones are 'movielens-100k'."),
    Case("no such data set to fetch", "fetch movielens-1g", 2,
         "There is no data set 'movielens-1g'; the known ones are 'movielens-100k'."),
    Case("no data", "train", 2, "train wants either DATA or --resume with the folder of a run that was cut off."),
    Case("data and a run", "train clicks.csv --resume run", 2,
         "train wants either DATA or --resume with the folder of a run that was cut off."),
]  # fmt: skip

RUNS = [
    Case("a folder that is no run", "train --resume trained/bundle", 2,
         "trained/bundle holds no experiment.toml, so it is no run to resume. Name the folder of one."),
    Case("a run that is finished", "train --resume trained", 2,
         "trained is finished: its bundle is there. Train anew with another --out."),
    Case("other settings for a run", "train --resume trained --epochs 3", 2,
         "A run resumes with its own data and choices; leave all but --resume out."),
    Case("a damaged checkpoint", "train --resume trained --quiet", 1,
         "trained/checkpoint.safetensors is no checkpoint that can be read (...). Train from the start.",
         {"trained/bundle": shutil.rmtree, "trained/checkpoint.safetensors": "no checkpoint"}),
    Case("a run over another", "train clicks.csv --out trained", 2,
         "trained is there already and not empty. Name a new folder with --out."),
    Case("a run over one that was cut off", "train clicks.csv --out trained", 2,
         "trained is there already and not empty. Name a new folder with --out, or go on with --resume trained.",
         {"trained/bundle": shutil.rmtree}),
    Case("a folder under a file", "train clicks.csv --out clicks.csv/new/run", 2,
         "clicks.csv/new/run cannot be made: [Errno ...] Not a directory: .... Name another folder with --out."),
    Case("a name too long", f"train clicks.csv --out new/{'x' * 300}", 2,
         "new/xxx... cannot be made: [Errno ...] File name too long: .... Name another folder with --out."),
    Case("lists over others", "recommend trained --queries q.csv --out clicks.parquet --quiet", 2,
         "clicks.parquet is there already, and lists are never written over. Name a new file.",
         {"q.csv": "user\nu1\n"}),
    Case("lists in another form", "recommend trained --queries q.csv --out lists.csv --quiet", 2,
         "lists.csv should end in .parquet, for that is what the lists are written as. Rename it.",
         {"q.csv": "user\nu1\n"}),
    Case("lists of none in a new folder", "recommend trained --queries q.csv --out new/lists.parquet -k 0 --quiet", 2,
         "k should be a whole number of at least 1, but it is 0.", {"q.csv": "user\nu1\n"}),
    Case("lists under a file", "recommend trained --queries q.csv --out q.csv/lists.parquet --quiet", 2,
         "q.csv/lists.parquet cannot be written: [Errno ...]...: 'q.csv'. Name another file.", {"q.csv": "user\nu1\n"}),
]  # fmt: skip

ANSWERS = [
    Case("a folder that is no bundle", "similar . --item i1", 1,
         ". is no bundle: there is no manifest.json in it. Name the folder that train wrote."),
    Case("a damaged bundle", "similar trained --item i1", 1,
         "trained/bundle is damaged: query.onnx is not the file that was saved with it. Copy the bundle again, or "
         "train anew.", {"trained/bundle/query.onnx": flip}),
    Case("half a bundle", "similar trained --item i1", 1,
         "trained/bundle lacks its file items.parquet (...). Copy the bundle again, or train anew.",
         {"trained/bundle/items.parquet": Path.unlink}),
    Case("a bundle of a later format", "similar trained --item i1", 1,
         "trained/bundle has format 99..., and this shortlist reads format .... Install the version that wrote it, or "
         "train anew.", {"trained/bundle/manifest.json": resealed('"format": ', '"format": 99')}),
    Case("a list of no items", "recommend trained --query user=u1 -k 0", 2,
         "k should be a whole number of at least 1, but it is 0."),
    Case("a list of fewer than none", "similar trained --item i1 -k -3", 2,
         "k should be a whole number of at least 1, but it is -3."),
    Case("a condition that is no JSON", "recommend trained --query user=u1 --where year>1990", 2,
         """--where wants a condition in JSON, such as {"column": "year", "at_least": 1990}, not 'year>1990': ..."""),
    Case("a condition without an end", f"recommend trained --query user=u1 --where '{'[' * 3_000}'", 2,
         "--where is nested too deep to be read; a condition is at most 8 deep."),
    Case("a condition that compares nothing", "recommend trained --query user=u1 --where '{\"column\": \"title\"}'", 2,
         "The condition cannot be read: column 'title' is compared with nothing; give one of ..."),
    Case("a condition on no such column", "similar trained --item i1 --where '{\"column\": \"a\", \"has\": 1}'", 1,
         "No item column 'a' can be compared; there are 'item', 'title'."),
    Case("an index over another bundle", "index trained --kind exact --out run", 1,
         "run is there already, and a bundle is never written over. Name a new folder.", {"run": Path.mkdir}),
    Case("a recall that cannot be", "index trained --recall 1.5 --out run", 2,
         "target_recall should be above 0 and at most 1, but it is 1.5."),
    Case("an index for lists of everything", "index trained --out run", 2,
         "k should be less than the number of items, but it is 100 of 6, and a list of all of them is searched "
         "exactly. Ask for fewer."),
    Case("an index for too few users", "index trained --recall 0.9 -k 3 --out run", 2,
         "queries should be 16 or more, one half to choose by and one to measure, but there are 8."),
    Case("no item to retire", "retire trained --out run", 2,
         "retire wants the ids of the items, such as --item 50. Repeat it for each."),
    Case("an unknown item to retire", "retire trained --item i9 --out run", 1,
         "No item has the id 'i9'; the catalogue holds 6 ids such as 'i0', 'i1', 'i2', … (6 in all)."),
    Case("no query", "recommend trained", 2,
         "recommend wants --query such as user_id=42, or --queries with a table and --out."),
    Case("a query without a value", "recommend trained --query user", 2,
         "--query wants a column and a value, such as user_id=42, not 'user'."),
    Case("a query without a column", "recommend trained --query =u1", 2,
         "--query wants a column and a value, such as user_id=42, not '=u1'."),
    Case("a column twice in a query", "recommend trained --query user=u1 --query user=u2", 2,
         "--query gives 'user' twice; keep one."),
    Case("a query that is no text", "recommend trained --query user=\udcff", 1,
         r"The query's 'user' has a value that cannot be read: '\udcff' ('utf-8' codec ...)."),
    Case("no such feature in a query", "recommend trained --query user=u1 --query wealth=7", 1,
         "The model reads no 'wealth' from a query; it reads 'user'."),
    Case("no such item to leave out", "recommend trained --query user=u1 --exclude i9", 1,
         "No item has the id 'i9'; the catalogue holds 6 ids such as 'i0', 'i1', 'i2', … (6 in all)."),
    Case("no such item", "similar trained --item Jam", 1,
         "No item has the label 'Jam'. Look it up in the items table."),
    Case("a label of two items", "similar trained --item 'Thing 0'", 1,
         "2 items have the label 'Thing 0': 'i0', 'i5'. Name one by its id."),
    Case("queries of no known column", "recommend trained --queries q.csv --out lists.parquet --quiet", 1,
         "q.csv, in the 1 rows from row 0 on: The model reads none of the columns 'who' from a query; it reads 'user'.",
         {"q.csv": "who\nu1\n"}),
    Case("no queries", "recommend trained --queries q.csv --out lists.parquet --quiet", 1,
         "q.csv has no rows; at least one query is needed.", {"q.csv": "user\n"}),
    Case("queries and a query", "recommend trained --queries q.csv --query user=u1", 2,
         "--queries wants --out with a new Parquet file, without --query, --history and --explain."),
    Case("later events with other columns", "evaluate trained --data later.csv", 1,
         "The events table has no column 'user'; its columns are 'who', 'what'. Name the columns as the "
         "training's were. (events: later.csv)", {"later.csv": "who,what\nu1,i1\n"}),
    Case("later events with decimal ids", "evaluate trained --data later.parquet", 1,
         "interactions.item should hold ids as strings or integers, but its type is Float64; "
         "... (events: later.parquet)",
         {"later.parquet": pl.DataFrame({"user": ["u1"], "item": [1.5], "time": [5]})}),
    Case("a bundle whose data has gone", "evaluate trained", 1,
         "The data that this bundle names cannot be read: ...gone.csv is not there: ..., or give later events with "
         "--data.", {"trained/bundle/manifest.json": resealed("clicks.csv", "gone.csv")}),
]  # fmt: skip


def listing(folder: Path) -> dict[str, str | None]:
    """Every path under the folder with the hash of its content, None for a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        for path in folder.rglob("*")
    }


def fail(command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """The exit code and what came after `shortlist: `; nothing but notes may come before, and no more after."""
    monkeypatch.setattr(sys, "argv", ["shortlist", *shlex.split(command)])
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main()
    printed, told = capsys.readouterr()
    *notes, sentence = told.splitlines()
    assert (printed, [note for note in notes if not note.startswith("Note: ")]) == ("", [])
    assert sentence.startswith("shortlist: ")
    assert isinstance(end.value.code, int)
    return end.value.code, sentence.removeprefix("shortlist: ").replace(f"{Path.cwd()}/", "")


def matches(says: str, sentence: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, says.split("..."))), sentence) is not None


@pytest.mark.parametrize("case", [*TABLES, *FILES, *SETTINGS, *RUNS, *ANSWERS], ids=lambda case: case.name)
def test_a_bad_input_ends_in_one_sentence_and_changes_nothing(
    case: Case, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in case.files.items():
        write(folder / name, content)
    before = listing(folder)
    code, sentence = fail(case.command, capsys, monkeypatch)
    assert matches(case.says, sentence), sentence
    assert code == case.code
    assert listing(folder) == before


@contextmanager
def full_disk(num_bytes: int) -> Iterator[None]:
    """The system lets no file grow beyond so many bytes, and says so in the way of a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("num_bytes", "command", "code", "says", "left"),
    [
        (100, f"{TRAIN} --epochs 1", 1, "[Errno 27] File too large: 'run/experiment.toml'", set()),
        (4_096, f"{TRAIN} --epochs 1", 1,
         "[Errno 27] File too large: 'run/checkpoint.safetensors'",
         {"run", "run/choices.json", "run/experiment.toml", "run/history.jsonl"}),
        (100, "recommend trained --queries q.csv --out new/lists.parquet --quiet", 2,
         "new/lists.parquet cannot be written: ...File too large.... Name another file.", set()),
    ],
    ids=["no settings", "no checkpoint", "no lists"],
)  # fmt: skip
def test_a_full_disk_is_named_with_the_file_and_leaves_no_half(
    num_bytes: int, command: str, code: int, says: str, left: set[str],
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    write(folder / "q.csv", "user\nu1\n")
    before = listing(folder)
    with full_disk(num_bytes):
        ended, sentence = fail(command, capsys, monkeypatch)
    assert matches(says, sentence), sentence
    assert ended == code
    after = listing(folder)
    assert after.keys() - before.keys() == left
    assert {name: after[name] for name in before} == before


class Sending(http.server.BaseHTTPRequestHandler):
    """A server that promises 28 bytes and sends what its path says."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "28")
        self.end_headers()
        self.wfile.write(b"one hundred" if self.path == "/short" else b"one hundred thousand ratinGs")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        pass


class PlainUrl(NamedTuple):
    """An address without the rule that it be https, for a server on this machine."""

    address: str

    def fetch(self, target: Path) -> None:
        stream(self.address, target)


@pytest.mark.parametrize(
    ("page", "came"),
    [
        # Some versions of Python report the short answer themselves.
        ("short", ["but 11 bytes with SHA-256 ... came from", "IncompleteRead"]),
        ("other", ["but 28 bytes with SHA-256 ... came from"]),
    ],
    ids=["broken off", "another file"],
)
def test_a_download_that_is_not_the_data_set_is_refused_and_not_kept(
    page: str, came: list[str], folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "cache" / "movielens-100k").mkdir(parents=True)
    before = listing(folder)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda _: folder / "cache")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sending) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        source = PlainUrl(f"http://127.0.0.1:{server.server_port}/{page}")
        for name in ("GROUPLENS", "RECBOLE"):
            digest = hashlib.sha256(b"one hundred thousand ratings").hexdigest()
            monkeypatch.setattr(movielens, name, Archive(f"{name}.zip", 28, digest, source))
        try:
            code, sentence = fail("fetch movielens-100k", capsys, monkeypatch)
        finally:
            server.shutdown()
            thread.join()
    says = (
        "The data set could not be fetched from any of its 2 sources. (1) ... (2) ... Check the network and try again, "
        "or put GROUPLENS.zip or RECBOLE.zip into cache/movielens-100k by hand."
    )
    assert matches(says, sentence), sentence
    assert any(matches(f"...{part}...", sentence) for part in came), sentence
    assert code == 1
    assert listing(folder) == before
