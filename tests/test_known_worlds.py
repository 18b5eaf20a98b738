"""Worlds whose best answer is known: a trained model must reach it, and must not be praised where there is none."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch

import shortlist as sl
from shortlist.data.synthetic import TasteWorld, permuted_items
from shortlist.errors import CollapsedError, DivergedError
from shortlist.evaluation import Verdict

SEEDS = [0, 1, 2]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Steps this small only wait for each other on several threads, ten times longer where the cores are shared."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def train_on_taste(seed: int, *, epochs: int) -> sl.Run:
    """Ten groups of forty users and twenty items; a user has ten items of the group left, of which five are asked."""
    world = TasteWorld(num_groups=10, users_per_group=40, items_per_group=20, train_events=10, test_events=5, seed=seed)
    split = world.split()
    features = sl.fit_features([sl.Lookup("user_id", width=16)], [sl.Lookup("item_id", width=16)], on=split.train)
    return sl.train(
        sl.TwoTower(features, layers=[16]),
        split,
        loss=sl.InBatchSoftmax(reduction="sum"),
        optimizer=sl.Adagrad(0.05),
        training=sl.Training(epochs=epochs, batch_size=512, watch="nothing", seed=seed),
        protocol=sl.Protocol(ks=(5, 10), seen="excluded"),
        progress=False,
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_model_finds_the_groups_that_are_written_nowhere(seed: int) -> None:
    assessment = train_on_taste(seed, epochs=40).evaluate()
    world = TasteWorld(items_per_group=20, train_events=10, test_events=5)
    # Five places among the ten that are equally good: 0.5 on average, and the draw of the test may add a little.
    assert world.best_recall(5) == 0.5
    assert assessment.model.value("recall_5") == pytest.approx(0.5, rel=0.08)
    assert assessment.model.value("recall_5") >= 0.95 * 0.5
    # All ten places: everything that is asked for.
    assert world.best_recall(10) == 1
    assert assessment.model.value("recall_10") >= 0.95
    # Popularity tells 200 items apart by nothing that matters: 10 of the 190 unseen ones, 0.05.
    assert assessment.baselines["popularity"].value("recall_10") == pytest.approx(10 / 190, abs=0.03)
    assert assessment.verdicts["popularity"].beats


def test_model_that_has_hardly_trained_does_not_find_them() -> None:
    assert train_on_taste(0, epochs=1).evaluate().model.value("recall_10") < 0.5


@pytest.fixture(scope="module")
def trained() -> sl.Run:
    return train_on_taste(0, epochs=5)


@pytest.mark.parametrize("side", ["query", "item"])
@pytest.mark.parametrize("ties", ["optimistic", "expected", "pessimistic"])
def test_collapsed_model_gives_an_alarm_and_no_score(trained: sl.Run, side: str, ties: str) -> None:
    tower = getattr(trained.model, side)
    saved = {name: values.clone() for name, values in tower.state_dict().items()}
    with torch.no_grad():
        for parameter in tower.parameters():
            parameter.zero_()
    try:
        with pytest.raises(CollapsedError, match=r"the model: top_5_accuracy is 1\.000 .* and 0\.000 if"):
            trained.evaluate(protocol=sl.Protocol(ks=(5,), ties=ties))  # type: ignore[arg-type]
    finally:
        tower.load_state_dict(saved)


def test_model_with_one_weight_that_is_no_number_gives_an_alarm_and_no_score(trained: sl.Run) -> None:
    saved = {name: values.clone() for name, values in trained.model.item.state_dict().items()}
    with torch.no_grad():
        trained.model.item.get_parameter("layers.0.bias")[0] = math.nan
    try:
        with pytest.raises(DivergedError, match="200 of 200 item vectors hold NaN or infinity, the first in row 0"):
            trained.evaluate()
    finally:
        trained.model.item.load_state_dict(saved)


def segments_with_taste(seed: int) -> sl.Dataset:
    """Users of five known segments; item n is popular as 1 / (n + 1)^0.7, and a segment likes a fifth 8 times more."""
    generator = np.random.default_rng(seed)
    popular = 1 / np.arange(1, 201) ** 0.7
    taste = np.where(np.arange(200) % 5 == np.arange(5)[:, None], 8, 1) * popular  # [segments, items]
    user = generator.integers(400, size=8_000)
    item = np.empty_like(user)
    for segment, chances in enumerate(taste / taste.sum(axis=1, keepdims=True)):
        own = user % 5 == segment
        item[own] = generator.choice(200, p=chances, size=own.sum())
    return sl.Dataset(
        {"user": user, "item": item},
        users={"user": np.arange(400), "segment": np.arange(400) % 5},
        query_id="user",
        item_id="item",
    )


def judge_by_segment(data: sl.Dataset, seed: int) -> Verdict:
    """A query tower that knows five segments, an item tower with a bias, and the correction for popularity."""
    split = sl.split_random(data, test=0.3, seed=seed)
    features = sl.fit_features([sl.Lookup("segment", width=4)], [sl.Lookup("item", width=8)], on=split.train)
    run = sl.train(
        sl.TwoTower(features, layers=[4], item_bias=True),
        split,
        loss=sl.InBatchSoftmax(reduction="sum", log_q=True),
        optimizer=sl.Adagrad(0.05),
        training=sl.Training(epochs=6, batch_size=512, watch="nothing", seed=seed),
        protocol=sl.Protocol(ks=(20,), seen="excluded"),
        progress=False,
    )
    return run.evaluate().verdicts["popularity"]


@pytest.mark.parametrize("seed", SEEDS)
def test_where_all_taste_is_gone_the_model_cannot_be_told_from_popularity(seed: int) -> None:
    verdict = judge_by_segment(permuted_items(segments_with_taste(seed), seed=seed), seed)
    assert str(verdict).startswith("the model cannot be told from popularity: top 20 accuracy 0.4")
    assert verdict.low is not None
    assert verdict.high is not None
    assert verdict.low <= 0 <= verdict.high
    assert verdict.high - verdict.low < 0.03  # not for want of users


@pytest.mark.parametrize("seed", SEEDS)
def test_where_there_is_taste_the_same_recipe_beats_popularity(seed: int) -> None:
    verdict = judge_by_segment(segments_with_taste(seed), seed)
    assert str(verdict).startswith("the model beats popularity")
    assert verdict.difference > 0.03
