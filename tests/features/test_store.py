"""The store of encoded columns: what it finds again, what is another column to it, and what happens when it cannot."""

import os
import warnings
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import shortlist as sl
from shortlist.errors import DataError
from shortlist.features import (
    Encoded,
    EncodedStore,
    FeatureChoice,
    FittedFeature,
    Numbers,
    RowLists,
    columns_of,
    encode,
    values_of,
)
from shortlist.training import Events, Tables

TABLE = pl.DataFrame(
    {
        "id": ["b", "a", None, "c", "a"],
        "price": [1.5, None, 3.0, 9.0, 2.0],
        "title": ["The Third Man", "", None, "the man", "Alien"],
        "tags": [["x", "y"], [], None, ["z"], ["y"]],
        "picture": [[1.0, 2.0], None, [0.5, 1.0], [0.0, 0.0], [3.0, 4.0]],
    }
)
CHOICES = [
    sl.Lookup("id"), sl.Hash("id", num_rows=50), sl.Bucketize("price", boundaries=3), sl.Normalize("price"),
    sl.Text("title"), sl.Categories("tags"), sl.Vectors("picture"), sl.Cross(("id", "title")),
]  # fmt: skip


def arrays(encoded: Encoded) -> list[np.ndarray]:
    match encoded:
        case RowLists(offsets, rows):
            return [offsets, rows]
        case Numbers(values):
            return [values]
    return [encoded.rows]


def same(one: Encoded, other: Encoded) -> bool:
    pairs = zip(arrays(one), arrays(other), strict=True)
    return type(one) is type(other) and all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)


def fitted(choice: FeatureChoice) -> FittedFeature:
    return choice.fit(values_of(TABLE, columns_of(choice)))


@pytest.fixture
def store(tmp_path: Path) -> EncodedStore:
    return EncodedStore(tmp_path / "encoded", min_rows=1)


def entries(store: EncodedStore) -> list[Path]:
    return sorted(store.folder.iterdir()) if store.folder.exists() else []


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice.kind)
def test_every_kind_of_column_comes_back_mapped_and_without_encoding_it_again(
    choice: FeatureChoice, store: EncodedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    feature = fitted(choice)
    expected = encode([feature], TABLE)[feature.name]
    assert same(store.encode([feature], TABLE)[feature.name], expected)
    monkeypatch.setattr(type(feature), "encode", None)  # would fail if it were called
    again = store.encode([fitted(choice)], TABLE.clone())[feature.name]
    assert same(again, expected)
    for array in arrays(again):
        assert isinstance(array.base, np.memmap)
        array[:1] = 0  # a copy of the page, not the file
    assert same(store.encode([feature], TABLE)[feature.name], expected)


@pytest.mark.parametrize(
    "table",
    [
        TABLE.with_columns(id=pl.Series(["b", "a", None, "c", "b"])),
        TABLE.with_columns(id=pl.Series(["b", "a", "", "c", "a"])),
        TABLE[[1, 0, 2, 3, 4]],
        TABLE[:4],
        TABLE.with_columns(id=pl.Series([1, 2, None, 3, 2])),
    ],
    ids=["value", "missing", "order", "rows", "type"],
)
def test_other_values_are_another_column(store: EncodedStore, table: pl.DataFrame) -> None:
    feature = fitted(sl.Lookup("id"))
    store.encode([feature], TABLE)
    assert same(store.encode([feature], table)["lookup_id"], encode([feature], table)["lookup_id"])
    assert len(entries(store)) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (sl.Lookup("id").fit(pl.Series(["a", "b"])), sl.Lookup("id").fit(pl.Series(["a", "c"]))),
        (fitted(sl.Hash("id", num_rows=50)), fitted(sl.Hash("id", num_rows=50, seed=1))),
        (fitted(sl.Bucketize("price", boundaries=3)), fitted(sl.Bucketize("price", boundaries=4))),
        (fitted(sl.Normalize("price")), sl.Normalize("price").fit(TABLE["price"] * 2)),
    ],
    ids=["vocabulary", "choice", "boundaries", "statistics"],
)  # fmt: skip
def test_feature_that_is_another_or_learnt_something_else_is_another_column(
    store: EncodedStore, one: FittedFeature, other: FittedFeature
) -> None:
    for feature in (one, other, one):
        assert same(store.encode([feature], TABLE)[feature.name], encode([feature], TABLE)[feature.name])
    assert len(entries(store)) == 2


def test_a_change_in_either_column_of_a_cross_is_another_column(store: EncodedStore) -> None:
    feature = fitted(sl.Cross(("id", "title")))
    store.encode([feature], TABLE)
    for other in (TABLE.with_columns(id=pl.lit("a")), TABLE.with_columns(title=pl.lit("Alien"))):
        assert same(store.encode([feature], other)[feature.name], encode([feature], other)[feature.name])
    assert len(entries(store)) == 3


def test_small_columns_are_not_kept(tmp_path: Path) -> None:
    store, feature = EncodedStore(tmp_path / "encoded", min_rows=6), fitted(sl.Lookup("id"))
    assert same(store.encode([feature], TABLE)["lookup_id"], encode([feature], TABLE)["lookup_id"])
    assert not entries(store)


def test_column_that_is_absent_is_named(store: EncodedStore) -> None:
    with pytest.raises(DataError, match="The features read column 'id', which the table does not hold"):
        store.encode([fitted(sl.Lookup("id"))], TABLE.drop("id"))


def test_what_was_not_asked_for_longest_goes_when_there_is_no_more_room(tmp_path: Path) -> None:
    one, two, three = (fitted(sl.Hash("id", num_rows=50, seed=seed)) for seed in range(3))
    store = EncodedStore(tmp_path, min_rows=1, max_bytes=2 * (128 + 5 * 4))  # two files of five int32 and a header
    for feature in (one, two):
        store.encode([feature], TABLE)
    first, second = sorted(entries(store), key=lambda path: path.stat().st_mtime_ns)
    os.utime(first, (1_000, 1_000))
    os.utime(second, (500, 500))
    store.encode([one], TABLE)  # asked for again, and now the newest
    mapped = store.encode([two], TABLE)["hash_id"]
    os.utime(second, (500, 500))
    unfinished = tmp_path / ".another-process-writes-here"
    unfinished.mkdir()
    os.utime(unfinished, (1, 1))
    store.encode([three], TABLE)
    assert unfinished.is_dir()
    unfinished.rmdir()
    assert first in entries(store)
    assert second not in entries(store)
    assert len(entries(store)) == 2
    assert same(mapped, encode([two], TABLE)["hash_id"])  # who has it mapped keeps it


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"nothing of the kind"])
def test_damaged_entry_is_an_error_that_says_what_to_do(store: EncodedStore, damage: bytes) -> None:
    feature = fitted(sl.Lookup("id"))
    store.encode([feature], TABLE)
    (entry,) = entries(store)
    next(entry.iterdir()).write_bytes(damage)
    with pytest.raises(DataError, match=rf"{entry.name} is no encoded column that can be read .* Delete it"):
        store.encode([feature], TABLE)


def test_cut_off_entry_is_an_error_too(store: EncodedStore) -> None:
    feature = fitted(sl.Lookup("id"))
    store.encode([feature], TABLE)
    (file,) = entries(store)[0].iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DataError, match="is no encoded column that can be read"):
        store.encode([feature], TABLE)


def test_folder_that_takes_nothing_is_warned_of_and_the_column_comes_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store, feature = EncodedStore(tmp_path / "file", min_rows=1), fitted(sl.Lookup("id"))
    with pytest.warns(UserWarning, match="The encoded column 'id' could not be kept: .*file"):
        found = store.encode([feature], TABLE)["lookup_id"]
    assert same(found, encode([feature], TABLE)["lookup_id"])


def test_process_that_was_slower_takes_what_the_other_wrote(
    store: EncodedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    feature = fitted(sl.Lookup("id"))
    store.encode([feature], TABLE)
    (entry,) = entries(store)
    exists = Path.exists
    looked: list[Path] = []

    def at_first_not_there(path: Path) -> bool:
        looked.append(path)
        return exists(path) and not (path == entry and looked.count(path) == 1)

    monkeypatch.setattr(Path, "exists", at_first_not_there)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same(store.encode([feature], TABLE)["lookup_id"], encode([feature], TABLE)["lookup_id"])
    assert looked.count(entry) > 1


def test_training_tables_from_a_store_are_those_without_one(store: EncodedStore) -> None:
    data = sl.Dataset(
        {"user": [1, 2, 1], "item": [7, 8, 8], "at": [1.0, 5.0, 9.0]},
        items={"item": [7, 8], "title": ["a b", "c"]},
        query_id="user",
        item_id="item",
    )
    features = sl.fit_features([sl.Lookup("user"), sl.Normalize("at")], [sl.Lookup("item"), sl.Text("title")], on=data)
    for _ in range(2):
        plain, stored = (Events(Tables(features, data, store=by), data) for by in (None, store))
        batches = [events.batch(plain.item_rows.new_tensor([2, 0]), None) for events in (plain, stored)]
        assert str(batches[0]) == str(batches[1])
    assert len(entries(store)) == 4
