import json

import numpy as np
import polars as pl
import pytest

import shortlist as sl
from shortlist.errors import DataError, SettingsError
from shortlist.features import Features, RowLists
from shortlist.features.history import FittedHistory

IDS = pl.Series("sku", ["tea", "jam", "tea"])


def fitted(**fields: object) -> FittedHistory:
    return sl.History("sku", **fields).fit(IDS)  # type: ignore[arg-type]


def data() -> sl.Dataset:
    return sl.Dataset(
        {"user": ["ann", "bob"], "sku": ["tea", "jam"]},
        items={"sku": ["tea", "jam", "rye"]},
        query_id="user",
        item_id="sku",
    )


def test_lists_of_ids_become_rows_in_their_order_and_unknown_items_fall_out() -> None:
    lists = fitted().encode(pl.Series([["tea", "rye", "jam"], ["rye"], [], None]))
    assert (lists.offsets.tolist(), lists.rows.tolist()) == ([0, 2, 2, 2, 2], [3, 2])


def test_the_latest_items_count() -> None:
    assert fitted(max_length=2).encode(pl.Series([["jam", "tea", "jam"], ["tea"]])).padded().tolist() == [
        [3, 2],
        [3, 0],
    ]


def test_lists_of_catalogue_rows_are_encoded_as_their_ids_are() -> None:
    catalogue = pl.Series(["rye", "tea", "jam"])
    generator = np.random.default_rng(0)
    for length in (1, 3, 100):
        feature = fitted(max_length=length)
        lengths = generator.integers(6, size=50)
        rows = generator.integers(3, size=int(lengths.sum())).astype(np.int32)
        items = RowLists.of_lengths(rows, lengths)
        ids = [catalogue.gather(part).to_list() for part in np.split(rows, items.offsets[1:-1])]
        by_ids = feature.encode(pl.Series(ids, dtype=pl.List(pl.String)))
        by_rows = feature.encode_items(items, feature.rows_of(catalogue))
        assert by_rows.offsets.tolist() == by_ids.offsets.tolist()
        assert by_rows.rows.tolist() == by_ids.rows.tolist()


def test_a_history_is_known_by_any_known_item() -> None:
    assert fitted().known(pl.Series([["rye", "tea"], ["rye"], []])).tolist() == [True, False, False]


def test_integer_ids_are_read() -> None:
    feature = sl.History("sku").fit(pl.Series([12, 7]))
    assert feature.encode(pl.Series([[7, 12, 1]])).padded().tolist() == [[3, 2]]


def test_saved_is_loaded() -> None:
    features = sl.fit_features([sl.Lookup("user"), sl.History("sku", half_life=3.0)], [sl.Lookup("sku")], on=data())
    loaded = Features.from_json(json.loads(json.dumps(features.to_json())))
    assert [feature.choice for feature in loaded.query] == [feature.choice for feature in features.query]
    assert loaded.history[0].state() == {"vocabulary": ["jam", "tea"]}  # rye is in the table only


def test_the_items_own_id_is_read_as_a_history_though_not_as_a_column() -> None:
    features = sl.fit_features([sl.History("sku")], [sl.Lookup("sku")], on=data())
    assert ([feature.name for feature in features.query], features.event) == (["history_sku"], ())
    with pytest.raises(SettingsError, match="the item that the query asks for"):
        sl.fit_features([sl.Lookup("sku")], [sl.Lookup("sku")], on=data())


def test_a_history_of_another_column_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"whose ids stand in 'sku', but it names 'user'\. Write History\('sku'\)"):
        sl.fit_features([sl.History("user")], [sl.Lookup("sku")], on=data())


def test_an_item_has_no_history() -> None:
    with pytest.raises(SettingsError, match="The item tower has a History, which is what a user touched"):
        sl.fit_features([sl.Lookup("user")], [sl.History("sku")], on=data())


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"dropout": 1.0}, "dropout should be less than 1, but it is 1.0"),
        ({"half_life": 0.0}, "half_life should be greater than 0, but it is 0.0"),
        ({"max_length": 0}, "max_length should be greater than 0, but it is 0"),
        ({"pooling": "last"}, "pooling should be 'mean', 'sqrt', 'recency' or 'attention', but it is 'last'"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, object], text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        sl.History("sku", **fields)  # type: ignore[arg-type]


def test_ids_of_a_wrong_type_are_refused() -> None:
    with pytest.raises(DataError, match="Column 'sku' should hold strings, integers or booleans"):
        fitted().encode(pl.Series([[1.5]]))


def test_an_experiment_file_names_it() -> None:
    experiment = sl.load_preset("tutorial").override(
        {"features": {"query": [{"history": "item_id", "width": 16, "pooling": "attention"}]}}
    )
    assert experiment.features.query == (sl.History("item_id", width=16, pooling="attention"),)
    assert experiment.tables()["features"]["query"] == [{"history": "item_id", "width": 16, "pooling": "attention"}]


def test_a_shared_history_knows_the_whole_catalogue_and_is_as_wide_as_the_item_tower() -> None:
    clicks = {"user": ["ann"], "sku": ["tea"]}
    things = {"sku": ["jam", "tea", "new"], "kind": ["a", "b", "c"]}
    shop = sl.Dataset(clicks, items=things, query_id="user", item_id="sku")
    item = [sl.Lookup("sku", width=5), sl.Lookup("kind", width=3)]
    features = sl.fit_features([sl.History("sku", shared=True)], item, on=shop)
    (history,) = features.history
    assert history.vocabulary.texts == ["jam", "new", "tea"]
    assert history.width == 8
    (again,) = Features.from_json(json.loads(json.dumps(features.to_json()))).history
    assert (again.width, again.vocabulary.texts) == (8, ["jam", "new", "tea"])


def test_what_a_shared_history_cannot_be_is_refused() -> None:
    with pytest.raises(SettingsError, match="as wide as the item tower's embeddings, but width=4 was given"):
        sl.History("sku", width=4, shared=True)
    with pytest.raises(SettingsError, match="learns a score for each item, which shared histories do not have"):
        sl.History("sku", pooling="attention", shared=True)
