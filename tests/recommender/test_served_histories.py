"""A model that reads what users touched, from training to a served list."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
import torch

import shortlist as sl
from shortlist.experiment.vectors import events_of
from shortlist.features.lists import FIRST_ROW
from shortlist.models import Bag, SharedHistory

KINDS: list[dict[str, Any]] = [
    {"pooling": "mean", "width": 8},
    {"pooling": "recency", "width": 8},
    {"pooling": "attention", "width": 8},
    {"pooling": "sqrt", "shared": True},
]


@pytest.fixture(scope="module", params=KINDS, ids=str)
def run(request: pytest.FixtureRequest) -> sl.Run:
    world = sl.synthetic.TasteWorld(num_groups=3, users_per_group=12, items_per_group=10, train_events=5, test_events=2)
    split = sl.split_by_time(world.data(), test=2 / 7, validation=1 / 7)
    history = sl.History("item_id", dropout=0.3, max_length=6, **request.param)
    features = sl.fit_features([sl.Lookup("user_id", width=4, dropout=0.5), history], [sl.Lookup("item_id", width=8)],
                               on=split.train)  # fmt: skip
    return sl.train(
        sl.TwoTower(features, layers=[12, 8], item_bias=True),
        split,
        loss=sl.FullSoftmax(),
        optimizer=sl.AdamW(0.02),
        training=sl.Training(epochs=60, batch_size=32, decay="cosine", warmup=0.1, seed=1),
        protocol=sl.Protocol(ks=(1, 5)),
        progress=False,
    )


@pytest.fixture(scope="module")
def bundle(run: sl.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run.save(tmp_path_factory.mktemp("past") / "bundle", run.evaluate())


def test_groups_are_found_from_histories(run: sl.Run) -> None:
    assert run.evaluate().model.value("top_5_accuracy") > 0.9  # the group has five or six unseen items


def test_the_saved_model_evaluates_as_the_trained_one(run: sl.Run, bundle: Path) -> None:
    ours, saved = run.evaluate(), sl.evaluate_bundle(sl.load_bundle(bundle), data=whole(run.split))
    assert saved.model.metrics == pytest.approx(ours.model.metrics, abs=1e-6)


def whole(split: sl.Split) -> sl.Dataset:
    world = sl.synthetic.TasteWorld(num_groups=3, users_per_group=12, items_per_group=10, train_events=5, test_events=2)
    assert split.train.num_items == world.data().num_items
    return world.data()


def test_a_known_user_is_asked_for_with_all_that_was_touched(run: sl.Run, bundle: Path) -> None:
    shop = sl.Recommender.load(bundle)
    histories = run.split.histories
    for user in range(0, 36, 5):
        touched = torch.from_numpy(rows_of_items(run)[histories.by_user(user)[-6:]])
        bag = Bag(touched, torch.zeros(len(touched), dtype=torch.int64), torch.tensor([len(touched)]))
        history = SharedHistory(bag, run.tables.item_inputs) if is_shared(run) else bag
        with torch.inference_mode():
            query = run.model.encode_queries(
                {"lookup_user_id": torch.tensor([row_of(run, user)]), "history_item_id": history}
            )
        scores = (query[0] @ torch.from_numpy(run.item_vectors()).t())[0].numpy()
        scores[run.split.seen.by_user(user)] = -np.inf
        found = shop.recommend({"user_id": user}, k=3)
        assert [item.id for item in found.items] == np.argsort(-scores, kind="stable")[:3].tolist()
        assert found.query == "known"


def is_shared(run: sl.Run) -> bool:
    return run.model.features.history[0].choice.shared


def rows_of_items(run: sl.Run) -> npt.NDArray[np.int64]:
    """The row of each item in the history's table, or among all items where it is shared with them."""
    if is_shared(run):
        return np.arange(run.tables.num_items) + FIRST_ROW
    return run.model.features.history[0].rows_of(run.split.train.items["item_id"]).astype(np.int64)


def row_of(run: sl.Run, user: int) -> int:
    return int(run.model.features.user[0].encode(pl.Series([user])).rows[0])  # type: ignore[union-attr]


def test_somebody_new_who_touched_something_gets_more_of_the_kind(bundle: Path) -> None:
    shop = sl.Recommender.load(bundle)
    for group in range(3):
        found = shop.recommend({"user_id": 10_000}, k=4, history=[group, group + 3, group + 6])
        assert (found.query, found.unknown) == ("history", ("user_id",))
        assert {int(item.id) % 3 for item in found.items} == {group}


def test_a_query_without_user_or_history_falls_back(bundle: Path) -> None:
    assert sl.Recommender.load(bundle).recommend({}, k=2).query == "fallback"


def test_a_table_of_queries_is_answered_as_single_ones(bundle: Path) -> None:
    shop = sl.Recommender.load(bundle)
    answers = shop.recommend_table({"user_id": [3, 10_000, 20]}, k=3)
    for place, user in enumerate((3, 10_000, 20)):
        alone = shop.recommend({"user_id": user}, k=3)
        of_user = answers.filter(pl.col("query_row") == place)
        assert of_user["item_id"].to_list() == [item.id for item in alone.items]
        assert set(of_user["kind"]) == {alone.query}


def test_a_history_that_is_given_comes_after_the_one_that_is_kept(run: sl.Run, bundle: Path) -> None:
    shop = sl.Recommender.load(bundle)
    kept = run.split.histories.by_user(4).tolist()
    together = shop.recommend({"user_id": 4}, k=3, history=[2, 5])
    bare = run.model.features.history[0].encode(pl.Series([[*kept, 2, 5]])).padded()
    assert bare.shape == (1, 6)
    assert {item.id for item in together.items}.isdisjoint({2, 5})
    tower_only = shop._histories(np.array([4]), np.array([2, 5]))["history_item_id"]
    assert tower_only.padded().tolist() == bare.tolist()


def test_a_bundle_without_histories_knows_what_a_query_brings(run: sl.Run, tmp_path: Path) -> None:
    path = run.save(tmp_path / "bare", with_history=False)
    assert not (path / "histories.safetensors").exists()
    shop = sl.Recommender.load(path)
    assert shop.recommend({"user_id": 4}, k=2).query == "known"
    found = shop.recommend({"user_id": 10_000}, k=4, history=[1, 4, 7])
    assert {int(item.id) % 3 for item in found.items} == {1}


def test_training_asks_each_event_without_its_own_item(run: sl.Run) -> None:
    events = events_of(run.split, run.split.train, run.tables, sl.FullSoftmax())
    inputs = events.query_inputs(torch.arange(len(events)))["history_item_id"]
    if isinstance(inputs, SharedHistory):
        assert isinstance(inputs.lists, Bag)
        ids = inputs.items["lookup_item_id"]
        assert isinstance(ids, torch.Tensor)
        inputs = inputs.lists._replace(rows=ids.index_select(0, inputs.lists.rows - FIRST_ROW) - 1 + FIRST_ROW)
    assert isinstance(inputs, Bag)
    own = torch.from_numpy(rows_of_items(run)[run.split.train.item_rows])
    assert len(inputs.rows) > 100
    assert not bool((inputs.rows == own.index_select(0, inputs.owner)).any())


def test_no_torch_is_needed_to_answer(bundle: Path) -> None:
    code = (
        "import sys, json, shortlist as sl\n"
        f"shop = sl.Recommender.load({str(bundle)!r})\n"
        "print(json.dumps(shop.recommend({'user_id': 10_000}, k=3, history=[0, 3]).to_json()))\n"
        "assert 'torch' not in sys.modules"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(printed)["query"] == "history"
