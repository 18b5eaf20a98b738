import dataclasses
import datetime as dt
import gc
import json
import re
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import shortlist as sl
from shortlist.bundle import save_bundle
from shortlist.errors import BundleError, DataError, SettingsError, UnknownIdError
from shortlist.training import Events


@pytest.fixture(scope="module")
def shop(shop_bundle: Path) -> sl.Recommender:
    return sl.Recommender.load(shop_bundle)


@pytest.fixture(scope="module")
def kiosk_split() -> sl.Split:
    """Ann, bob, cat and 7 buy; dora and eve are listed and never did, and of eve not even the age is known."""
    users = {"user": ["ann", "bob", "cat", "7", "dora", "eve"], "age": [20, 30, 40, 50, 30, None]}
    events = {
        "user": ["ann", "ann", "bob", "bob", "cat", "cat", "7", "7"],
        "item": ["1", "2", "2", "3", "1", "3", "1", "2"],
        "time": [1, 2] * 4,
    }
    items = {"item": ["1", "2", "3", "4"]}
    data = sl.Dataset(events, items=items, users=users, query_id="user", item_id="item", time="time")
    return sl.split_by_time(data, test=0.5)


def kiosk_recommender(split: sl.Split, query: list[Any], path: Path) -> sl.Recommender:
    features = sl.fit_features(query, [sl.Lookup("item", width=4)], on=split.train)
    run = sl.train(
        sl.TwoTower(features, layers=[4]),
        split,
        training=sl.Training(epochs=2, batch_size=4, watch="nothing"),
        progress=False,
    )
    return sl.Recommender.load(run.save(path))


@pytest.fixture(scope="module")
def kiosk(kiosk_split: sl.Split, tmp_path_factory: pytest.TempPathFactory) -> sl.Recommender:
    """A model without item bias that reads the user, and the age both as a category and as a number."""
    query = [sl.Lookup("user", width=4), sl.Lookup("age", width=4), sl.Bucketize("age", boundaries=3, width=4)]
    return kiosk_recommender(kiosk_split, query, tmp_path_factory.mktemp("kiosk") / "bundle")


@pytest.fixture(scope="module")
def kiosk_by_age(kiosk_split: sl.Split, tmp_path_factory: pytest.TempPathFactory) -> sl.Recommender:
    """A model that reads of the user nothing but the age."""
    return kiosk_recommender(kiosk_split, [sl.Normalize("age")], tmp_path_factory.mktemp("by_age") / "bundle")


def test_recommendations_are_the_models_own_best_unseen_items(shop_run: sl.Run, shop: sl.Recommender) -> None:
    split = shop_run.split
    events = Events(shop_run.tables, split.test)
    with torch.inference_mode():
        queries = shop_run.model.encode_queries(events.query_inputs(torch.arange(len(events))))[:, 0].numpy()
    scores = queries @ shop_run.item_vectors().T
    ids = split.train.items["item_id"].to_list()
    for row in range(0, len(events), 11):
        user = int(split.test.user_rows[row])
        found = shop.recommend(
            {"user_id": split.test.users["user_id"][user], "time": int(split.test.interactions["time"][row])}, k=5
        )
        allowed = np.setdiff1d(np.arange(len(ids)), split.seen.by_user(user))  # test events, too
        best = allowed[np.argsort(-scores[row][allowed], kind="stable")][:5]
        assert [item.id for item in found.items] == [ids[place] for place in best]
        np.testing.assert_allclose([item.score for item in found.items], scores[row][best], rtol=1e-5, atol=1e-5)
        assert (found.query, found.filled, found.excluded) == ("known", ("age", "city"), 6)


def test_a_fresh_process_without_torch_gives_the_same_lists(shop: sl.Recommender, shop_bundle: Path) -> None:
    code = (
        "import json, sys, shortlist as sl\n"
        f"shop = sl.Recommender.load({str(shop_bundle)!r})\n"
        "lists = [shop.recommend({'user_id': user}, k=6).to_json() for user in range(0, 60, 7)]\n"
        "similar = [shop.similar(item, 4).to_json() for item in range(5)]\n"
        "assert not {'torch', 'onnx', 'typer'} & set(sys.modules), sorted(sys.modules)\n"
        "print(json.dumps([lists, similar]))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    lists = [shop.recommend({"user_id": user}, k=6).to_json() for user in range(0, 60, 7)]
    similar = [shop.similar(item, 4).to_json() for item in range(5)]
    assert json.loads(printed) == json.loads(json.dumps([lists, similar]))


def test_an_unknown_user_with_features_is_answered_by_features(shop: sl.Recommender) -> None:
    found = shop.recommend({"user_id": 999, "age": "31", "city": "city1"}, k=3)
    assert (found.query, found.unknown, found.filled) == ("features_only", ("user_id",), ("time",))
    assert len(found.items) == 3


def test_a_query_of_which_nothing_is_known_gets_popularity_flagged(shop_run: sl.Run, shop: sl.Recommender) -> None:
    found = shop.recommend({"user_id": 999}, k=3)
    counts = np.bincount(shop_run.split.train.item_rows, minlength=24)
    best = np.argsort(-counts, kind="stable")[:3]
    assert found.query == "fallback"
    assert [item.id for item in found.items] == best.tolist()
    assert [item.score for item in found.items] == counts[best].tolist()


@pytest.mark.parametrize("seven", ["7", np.int64(7), np.uint8(7)])
def test_ids_may_come_as_text_and_as_numbers_of_numpy(shop: sl.Recommender, seven: Any) -> None:
    assert shop.recommend({"user_id": seven}) == shop.recommend({"user_id": 7})
    assert shop.recommend({"user_id": 1}, exclude=[seven]) == shop.recommend({"user_id": 1}, exclude=[7])
    assert shop.recommend({"user_id": 1}, allow={seven}) == shop.recommend({"user_id": 1}, allow={7})
    assert shop.similar(seven) == shop.similar(7)
    assert seven in shop


def test_numbers_name_ids_that_are_text(kiosk: sl.Recommender) -> None:
    assert kiosk.recommend({"user": 7}) == kiosk.recommend({"user": "7"})
    assert kiosk.recommend({"user": 7}).query == "known"
    assert kiosk.recommend({"user": "ann"}, allow=np.array([3, 4])).excluded == 2
    assert kiosk.row(3) == 2


# Other texts than "7", though int() reads the first five as 7 or 0, and others that no number is.
NOT_SEVEN = ["07", " 7", "7 ", "+7", "-0", "0_7", "٧", "7.0", "²", "", "9" * 5_000, "-" + "9" * 5_000]


@pytest.mark.parametrize("text", NOT_SEVEN, ids=lambda text: text[:8])
def test_text_that_is_written_otherwise_is_another_id(shop: sl.Recommender, text: str) -> None:
    assert shop.recommend({"user_id": text}).query == "fallback"
    assert text not in shop
    with pytest.raises(UnknownIdError, match=re.escape(f"No item has the id {text!r}; the catalogue holds 24 ids")):
        shop.recommend({"user_id": 1}, exclude=[text])


@pytest.mark.parametrize("identifier", [True, np.True_, 7.0, np.float32(7), [7], (7,), None, b"7"])
def test_what_can_be_no_id_is_refused(shop: sl.Recommender, identifier: Any) -> None:
    says = re.escape(f"An id should be a string or a whole number, but it is {identifier!r}.")
    with pytest.raises(DataError, match=says):
        shop.recommend({"user_id": 1}, exclude=[identifier])
    with pytest.raises(DataError, match=says):
        shop.recommend({"user_id": 1}, allow=[identifier])
    with pytest.raises(DataError, match=says):
        shop.similar(identifier)
    if identifier is not None:  # a query without the user
        with pytest.raises(DataError, match=says):
            shop.recommend({"user_id": identifier})


@pytest.mark.parametrize("ids", ["12", b"12", 12, "", iter([1, 2])])
@pytest.mark.parametrize("choice", ["exclude", "allow"])
def test_one_id_is_no_collection_of_ids(shop: sl.Recommender, choice: str, ids: Any) -> None:
    says = f"{choice} should be a list or set of ids, but it is {ids!r}; write [{ids!r}]."
    with pytest.raises(SettingsError, match=re.escape(says)):
        shop.recommend({"user_id": 1}, **{choice: ids})


def test_text_that_is_no_unicode_is_refused(shop: sl.Recommender) -> None:
    with pytest.raises(DataError, match=r"The query's 'user_id' has a value that cannot be read: '\\ud800' \('utf-8'"):
        shop.recommend({"user_id": "\ud800"})
    with pytest.raises(UnknownIdError, match=r"No item has the id '\\ud800'; the catalogue holds 24 ids such as"):
        shop.recommend({"user_id": 1}, exclude=["\ud800"])


@pytest.mark.parametrize("unit", ["ns", "us", "ms", "s"])
def test_times_of_numpy_are_times_whatever_their_unit(shop: sl.Recommender, unit: str) -> None:
    three = np.datetime64(3, "s").astype(f"datetime64[{unit}]")
    expected = shop.recommend({"user_id": 1, "time": 3})
    assert shop.recommend({"user_id": 1, "time": three}) == expected
    assert shop.recommend({"user_id": 1, "time": dt.datetime(1970, 1, 1, 0, 0, 3)}) == expected
    assert shop.recommend({"user_id": 1, "time": "1970-01-01T00:00:03"}) == expected
    assert shop.recommend({"user_id": 1, "time": 5}) != expected


def test_a_bundle_without_seen_items_leaves_none_out(shop: sl.Recommender, tmp_path: Path) -> None:
    unseen = sl.Recommender.load(save_bundle(dataclasses.replace(shop.bundle, seen=None), tmp_path / "unseen"))
    assert unseen.recommend({"user_id": 7}).items == shop.recommend({"user_id": 7}, exclude_seen=False).items
    assert shop.recommend({"user_id": 7}).excluded == 6


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    user=st.integers(0, 70),
    k=st.integers(1, 30),
    exclude=st.sets(st.integers(0, 23)),
    allow=st.none() | st.sets(st.integers(0, 23)),
    exclude_seen=st.booleans(),
)
def test_a_list_is_a_plain_sort_of_what_is_allowed(
    shop: sl.Recommender, user: int, k: int, exclude: set[int], allow: set[int] | None, exclude_seen: bool
) -> None:
    found = shop.recommend({"user_id": user}, k, exclude=exclude, allow=allow, exclude_seen=exclude_seen)
    everything = shop.recommend({"user_id": user}, 24, exclude_seen=False).items
    assert shop.bundle.seen is not None
    seen = set(shop.bundle.seen.by_user(user).tolist()) if exclude_seen and user < 60 else set()
    allowed = (set(range(24)) if allow is None else allow) - exclude - seen
    expected = [item for item in everything if item.id in allowed][:k]
    assert [item.id for item in found.items] == [item.id for item in expected]
    # The products of fewer items may be summed in another order.
    assert [item.score for item in found.items] == pytest.approx([item.score for item in expected], abs=1e-6)
    assert len(found.items) == min(k, len(allowed))
    assert found.excluded == 24 - len(allowed)


@pytest.mark.parametrize(
    ("query", "kind", "filled", "unknown"),
    [
        ({"user": "ann"}, "known", ("age",), ()),
        ({"user": "ann", "age": 99}, "known", (), ("age",)),
        # Listed without a training event: the row of the users table speaks, or nothing does.
        ({"user": "dora"}, "features_only", ("age",), ("user",)),
        ({"user": "eve"}, "fallback", ("age",), ("user",)),
        ({"user": "eve", "age": 40}, "features_only", (), ("user",)),
        ({"user": "nobody", "age": 40}, "features_only", (), ("user",)),
        ({"user": "nobody"}, "fallback", ("age",), ("user",)),
        ({"age": 40}, "features_only", (), ()),
        ({}, "fallback", ("age",), ()),
    ],
)
def test_an_answer_says_what_was_known(
    kiosk: sl.Recommender, query: dict[str, Any], kind: str, filled: tuple[str, ...], unknown: tuple[str, ...]
) -> None:
    found = kiosk.recommend(query, k=4)
    assert (found.query, found.filled, found.unknown) == (kind, filled, unknown)
    if kind == "fallback":  # training events: three of item 1, one of item 2
        assert [(item.id, item.score) for item in found.items] == [("1", 3), ("2", 1), ("3", 0), ("4", 0)]


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ({"user": "ann"}, "known"),
        ({"user": "dora"}, "features_only"),
        ({"user": "eve"}, "fallback"),
        ({"user": "nobody", "age": 40}, "features_only"),
    ],
)
def test_whom_training_knew_is_said_where_no_feature_reads_the_id(
    kiosk_by_age: sl.Recommender, query: dict[str, Any], kind: str
) -> None:
    assert kiosk_by_age.recommend(query).query == kind
    assert kiosk_by_age.bundle.user_events.tolist() == [1, 1, 1, 1, 0, 0]


def test_a_user_whom_the_features_do_not_know_is_not_known(kiosk: sl.Recommender) -> None:
    # Dora has events here, but the features were fitted on others.
    everyone = sl.Recommender(dataclasses.replace(kiosk.bundle, user_events=np.ones(6, np.int64)))
    assert everyone.recommend({"user": "ann"}).query == "known"
    assert everyone.recommend({"user": "dora"}).query == "features_only"


def test_a_number_may_come_as_text_where_a_category_reads_it_too(kiosk: sl.Recommender) -> None:
    for age in (20, 30, 45):
        assert kiosk.recommend({"user": "nobody", "age": str(age)}) == kiosk.recommend({"user": "nobody", "age": age})
    assert kiosk.recommend({"user": "ann", "age": "45"}).unknown == ("age",)


def cosines(vectors: Any, row: int) -> Any:
    directions = vectors.astype(np.float64) / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return directions @ directions[row]


def test_similar_items_are_ordered_by_cosine_without_the_item_itself(kiosk: sl.Recommender) -> None:
    expected = cosines(kiosk.bundle.item_vectors, 1)
    order = sorted({0, 2, 3}, key=lambda row: -expected[row])
    found = kiosk.similar("2", k=9)
    assert [item.id for item in found.items] == [str(row + 1) for row in order]
    np.testing.assert_allclose([item.score for item in found.items], expected[order], atol=1e-6)
    assert (found.query, found.excluded) == ("known", 1)


def test_how_popular_an_item_is_does_not_make_it_similar(shop: sl.Recommender) -> None:
    # The last of the nine dimensions is the item's bias, which the query tower meets with a 1.
    vectors = shop.bundle.item_vectors
    assert vectors.shape == (24, 9)
    expected = cosines(vectors[:, :-1], 4)
    found = shop.similar(4, k=23)
    assert 4 not in [item.id for item in found.items]
    assert len(found.items) == 23
    np.testing.assert_allclose([item.score for item in found.items], -np.sort(-np.delete(expected, 4)), atol=1e-6)


def test_find_gives_the_id_of_a_label_and_names_what_is_close(shop: sl.Recommender) -> None:
    assert shop.find("Thing 4 of group1") == 4
    with pytest.raises(UnknownIdError, match=r"No item has the label 'thing 4'\. Labels that contain it: 'Thing 4 of"):
        shop.find("thing 4")
    with pytest.raises(UnknownIdError, match=r"No item has the label 'zebra'\. Look it up in the items table"):
        shop.find("zebra")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"user_id": 1, "wealth": 3}, r"The model reads no 'wealth' from a query; it reads 'user_id', 'age'"),
        ({"user_id": 1, "age": "old"}, r"'age' should be a number or a time such as .*, but it is 'old'"),
        ({"user_id": 1, "age": [1, 2]}, r"Column 'age' should hold numbers or times, but its type is List"),
        ({"user_id": 1.5}, r"An id should be a string or a whole number, but it is 1\.5\."),
        (["user_id", 1], r"A query should be a mapping such as \{\"user_id\": 42\}, but it is \['user_id', 1\]\."),
    ],
)
def test_a_query_that_the_model_cannot_read_is_refused(shop: sl.Recommender, query: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        shop.recommend(query)


@pytest.mark.parametrize("k", [0, -1, 2.5, "3", True, None])
def test_a_length_that_is_no_whole_number_from_1_is_refused(shop: sl.Recommender, k: Any) -> None:
    says = re.escape(f"k should be a whole number of at least 1, but it is {k!r}.")
    with pytest.raises(SettingsError, match=says):
        shop.recommend({"user_id": 1}, k=k)
    with pytest.raises(SettingsError, match=says):
        shop.similar(1, k=k)


def test_a_length_may_be_a_number_of_numpy(shop: sl.Recommender) -> None:
    three: Any = np.int64(3)
    assert shop.recommend({"user_id": 1}, k=three) == shop.recommend({"user_id": 1}, k=3)


def test_unknown_items_are_refused(shop: sl.Recommender) -> None:
    with pytest.raises(UnknownIdError, match=r"No item has the id 99; the catalogue holds 24 ids such as 0, 1, 2"):
        shop.recommend({"user_id": 1}, exclude=[99])


def test_a_bundle_evaluates_to_what_its_run_did(shop_run: sl.Run, shop_bundle: Path, shop_data: sl.Dataset) -> None:
    again = sl.evaluate_bundle(sl.load_bundle(shop_bundle), data=shop_data)
    assert again.metrics == pytest.approx(shop_run.evaluate().metrics)
    assert str(again.verdict) == str(shop_run.evaluate().verdict)


def test_a_bundle_refuses_other_data_and_asks_for_data_without_a_name(shop_bundle: Path, shop_data: sl.Dataset) -> None:
    bundle = sl.load_bundle(shop_bundle)
    with pytest.raises(BundleError, match="came from Python and has no name to read it by"):
        sl.evaluate_bundle(bundle)
    other = sl.synthetic.permuted_items(shop_data)
    with pytest.raises(BundleError, match="The data is not what this bundle was trained on"):
        sl.evaluate_bundle(bundle, data=other)


def test_later_events_are_measured_by_their_weights_and_without_history_by_another_name(
    tmp_path: Path, shop_run: sl.Run
) -> None:
    split = shop_run.split
    weighed = sl.Dataset(
        split.train.interactions.with_columns(weight=pl.lit(1.0)),
        items=split.train.items, users=split.train.users,
        query_id="user_id", item_id="item_id", label="title", time="time", weight="weight",
    )  # fmt: skip
    cut = sl.split_random(weighed, test=0.2)
    features = sl.fit_features([sl.Lookup("user_id", width=4)], [sl.Lookup("item_id", width=4)], on=cut.train)
    run = sl.train(
        sl.TwoTower(features, layers=[4]), cut, training=sl.Training(epochs=2, watch="nothing"),
        protocol=sl.Protocol(ks=(5,), collapse_gap=1.0), progress=False,
    )  # fmt: skip
    bundle = sl.load_bundle(run.save(tmp_path / "with", with_history=True))
    later = split.test.interactions.with_columns(weight=pl.Series([0.0, 1.0] * (split.test.num_events // 2)))
    counted = sl.evaluate_bundle(bundle, events=later.to_pandas())
    assert counted.model.counts["targets"] == split.test.num_events // 2
    assert "top_5_accuracy/full/seen_excluded/ties_expected" in counted.metrics
    with pytest.raises(DataError, match="should hold weights that are finite"):
        sl.evaluate_bundle(bundle, events=later.with_columns(weight=pl.lit(-1.0)))
    bare = sl.load_bundle(run.save(tmp_path / "without", with_history=False))
    assert "top_5_accuracy/full/seen_included/ties_expected" in sl.evaluate_bundle(bare, events=later).metrics


def test_a_recommender_that_is_let_go_is_gone_at_once(shop_bundle: Path) -> None:
    """A server swaps bundles for months, and its garbage collector does not look at what was there at its start."""
    recommender = sl.Recommender.load(shop_bundle)
    for query in ({"user_id": 7}, {"user_id": 7, "time": 3}, {"city": "city1"}, {}):
        recommender.recommend(query, 3, explain=True, where={"column": "price", "below": 9})
    recommender.similar(1, 3)
    gone = weakref.ref(recommender), weakref.ref(recommender._reader)
    gc.disable()
    try:
        del recommender
        assert [there() for there in gone] == [None, None]
    finally:
        gc.enable()


def test_an_answer_names_the_index_that_searched(shop: sl.Recommender) -> None:
    ivf = sl.Recommender(sl.with_tuned_index(shop.bundle, k=3, target_recall=0.5))
    assert ivf.recommend({"user_id": 7}, 1).source.index == "ivf"
    for found in (ivf.recommend({}, 3), ivf.recommend({}, 3, history=[1]), ivf.similar(1, 3)):
        assert (found.source.index, found.source.exact) == ("exact", True)
