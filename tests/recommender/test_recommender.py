import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import shortlist as sl
from shortlist.errors import BundleError, DataError, SettingsError, UnknownIdError
from shortlist.training import Events


@pytest.fixture(scope="module")
def shop(shop_bundle: Path) -> sl.Recommender:
    return sl.Recommender.load(shop_bundle)


def test_recommendations_are_the_models_own_best_unseen_items(shop_run: sl.Run, shop: sl.Recommender) -> None:
    split = shop_run.split
    events = Events(shop_run.tables, split.test)
    with torch.inference_mode():
        queries = shop_run.model.encode_queries(events.query_inputs(torch.arange(len(events))))[:, 0].numpy()
    scores = queries @ shop_run.item_vectors().T
    seen = split.seen_before(split.test)
    ids = split.train.items["item_id"].to_list()
    for row in range(0, len(events), 11):
        user = int(split.test.user_rows[row])
        found = shop.recommend(
            {"user_id": split.test.users["user_id"][user], "time": int(split.test.interactions["time"][row])}, k=5
        )
        allowed = np.setdiff1d(np.arange(len(ids)), seen.by_user(user))
        best = allowed[np.argsort(-scores[row][allowed], kind="stable")][:5]
        assert [item.id for item in found.items] == [ids[place] for place in best]
        np.testing.assert_allclose([item.score for item in found.items], scores[row][best], rtol=1e-5, atol=1e-5)
        assert (found.query, found.filled, found.excluded) == ("known", ("age", "city"), 4)


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


def test_ids_may_come_as_text(shop: sl.Recommender) -> None:
    assert shop.recommend({"user_id": "7"}).items == shop.recommend({"user_id": 7}).items
    assert shop.recommend({"user_id": 7}, exclude=["3"]) == shop.recommend({"user_id": 7}, exclude=[3])


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
    assert list(found.items) == expected
    assert len(found.items) == min(k, len(allowed))
    assert found.excluded == 24 - len(allowed)


def test_similar_items_are_ordered_by_cosine_without_the_item_itself(shop: sl.Recommender) -> None:
    vectors = shop.bundle.item_vectors.astype(np.float64)
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = directions @ directions[4]
    found = shop.similar(4, k=23)
    assert 4 not in [item.id for item in found.items]
    assert len(found.items) == 23
    np.testing.assert_allclose([item.score for item in found.items], -np.sort(-np.delete(cosines, 4)), atol=1e-6)


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
        ({"user_id": 1.5}, r"Column 'user_id' should hold strings, integers or booleans, but its type is Float64"),
    ],
)
def test_a_query_that_the_model_cannot_read_is_refused(shop: sl.Recommender, query: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=says):
        shop.recommend(query)


def test_impossible_lengths_and_unknown_items_are_refused(shop: sl.Recommender) -> None:
    with pytest.raises(SettingsError, match="k should be at least 1, but it is 0"):
        shop.recommend({"user_id": 1}, k=0)
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
