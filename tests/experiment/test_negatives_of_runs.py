"""The settings of negatives, from a choice to the loss of a run."""

import dataclasses
import math
import tomllib
from typing import Any

import numpy as np
import pytest
import torch

import shortlist as sl
from shortlist.data.splits import Split
from shortlist.errors import SettingsError
from shortlist.experiment.vectors import events_of
from shortlist.losses import Positives, in_batch_softmax
from shortlist.settings.experiment import LossSettings
from shortlist.training import StreamingFrequency, Tables

STILL = sl.Adagrad(learning_rate=1e-30)  # the weights do not move
TRAINING = sl.Training(epochs=1, batch_size=30, watch="nothing", seed=3, device="cpu")


@pytest.fixture(scope="module")
def split() -> Split:
    """Twelve items of uneven popularity; beside each event up to four others were shown."""
    generator = np.random.default_rng(0)
    clicks = {
        "user": generator.integers(15, size=200),
        "item": np.minimum(generator.geometric(0.3, size=200) - 1, 11),
        "shown": [generator.choice(12, size=generator.integers(5), replace=False).tolist() for _ in range(200)],
    }
    data = sl.Dataset(clicks, items={"item": np.arange(12)}, query_id="user", item_id="item", shown="shown")
    return sl.split_random(data, test=0.2, seed=0)


def a_model(split: Split) -> sl.TwoTower:
    features = sl.fit_features([sl.Lookup("user", width=4)], [sl.Lookup("item", width=4)], on=split.train)
    return sl.TwoTower(features, layers=[8])


def trained(split: Split, loss: Any, **settings: Any) -> sl.Run:
    chosen: dict[str, Any] = {"optimizer": STILL, "training": TRAINING} | settings
    return sl.train(a_model(split), split, loss=loss, progress=False, **chosen)


def loss_of(run: sl.Run) -> float:
    return run.history.epochs[0].loss


def expected_loss(split: Split, loss: sl.InBatchSoftmax, model: sl.TwoTower) -> float:
    """The mean over the batches of one epoch, each event beside all candidates of this batch and those before."""
    events = events_of(split, split.train, Tables(model.features, split.train), loss)
    frequency = StreamingFrequency(12) if loss.log_q == "streaming" else None
    exact = events.log_q(30).double() if loss.log_q is True else None
    with torch.inference_mode():
        vectors = model.encode_items(events.tables.item_inputs).double()
    losses, counted = [], list[torch.Tensor]()
    model.eval()
    for batch in events.epoch(30, torch.Generator().manual_seed(3), None):
        assert batch.positives.counts is not None
        counted.append(torch.zeros(12, dtype=torch.int64).index_add_(0, batch.item_rows, batch.positives.counts))
        counts = torch.stack(counted[-1 - loss.memory_batches :]).sum(dim=0)
        log_q = exact
        if frequency is not None:
            frequency.update(batch.item_rows, batch.positives.counts)
            log_q = torch.where(counts > 0, frequency.log_q(torch.arange(12)).double(), 0)
        own = batch.item_rows[batch.positives.column]
        shown = batch.positives.shown
        if shown is not None:
            shown = shown._replace(column=batch.item_rows[shown.column])
        with torch.inference_mode():
            queries = model.encode_queries(batch.query_inputs).squeeze(1).double()
            positives = Positives(own, counts, None, log_q, shown=shown)
            losses.append(
                in_batch_softmax(
                    queries, vectors, positives, hard_negatives=loss.hard_negatives, shown_weight=loss.shown_weight
                ).item()
            )
    return float(np.mean(losses))


@pytest.mark.parametrize(
    "loss",
    [
        sl.InBatchSoftmax(shown_weight=0.0),
        sl.InBatchSoftmax(log_q=True),
        sl.InBatchSoftmax(shown_weight=2.5, hard_negatives=4),
        sl.InBatchSoftmax(memory_batches=2, log_q=True),
        sl.InBatchSoftmax(memory_batches=9, uniform_negatives=5, log_q=True),
        sl.InBatchSoftmax(log_q="streaming", shown_weight=0.0),
    ],
    ids=lambda loss: f"{loss.shown_weight} {loss.hard_negatives} {loss.memory_batches} {loss.log_q}",
)
def test_the_loss_of_a_run_is_that_of_its_candidates_item_by_item(split: Split, loss: sl.InBatchSoftmax) -> None:
    run = trained(split, loss)
    assert loss_of(run) == pytest.approx(expected_loss(split, loss, run.model), rel=1e-5)


def test_all_at_once_goes_from_training_to_a_bundle(split: Split, tmp_path: Any) -> None:
    loss = sl.InBatchSoftmax(
        uniform_negatives=3, popular_negatives=3, memory_batches=2, remove_known_positives=True, hard_negatives=5,
        remove_accidental_hits=True, log_q="streaming", shown_weight=0.5, label_smoothing=0.1,
    )  # fmt: skip
    training = sl.Training(epochs=8, batch_size=30, watch="nothing")
    run = trained(split, loss, optimizer=sl.Adagrad(0.3), training=training)
    losses = [epoch.loss for epoch in run.history.epochs]
    assert losses[-1] < 0.9 * losses[0]
    bundle = sl.load_bundle(run.save(tmp_path / "bundle"))
    assert bundle.experiment["training"]["loss"]["in_batch_softmax"]["log_q"] == "streaming"
    assert bundle.data["roles"]["shown"] == "shown"
    assert bundle.history[0]["known_positives"] == pytest.approx(run.history.epochs[0].known_positives)
    assert 0 < run.history.epochs[0].accidental_hits < run.history.epochs[0].known_positives < 1  # type: ignore[operator]
    again = sl.evaluate_bundle(bundle, data=_whole(split))
    assert again.metrics == pytest.approx(run.evaluate().metrics, abs=1e-5)


def _whole(split: Split) -> sl.Dataset:
    order = np.concatenate([split.train.events.places, split.test.events.places])
    clicks = split.train.interactions.vstack(split.test.interactions)[np.argsort(order).tolist()]
    return sl.Dataset(clicks, items=split.train.items, query_id="user", item_id="item", shown="shown")


@pytest.mark.parametrize(
    ("plain", "settings"),
    [
        (sl.FullSoftmax(), {"hard_negatives": 3}),
        (sl.FullSoftmax(), {"shown_weight": 0.0}),
        (sl.Bpr(), {"hard_negatives": 3}),
        (sl.Bpr(), {"memory_batches": 2}),
        (sl.PairwiseHinge(), {"shown_weight": 0.0}),
    ],
    ids=str,
)
def test_every_loss_takes_them(split: Split, plain: Any, settings: dict[str, Any]) -> None:
    found = loss_of(trained(split, dataclasses.replace(plain, **settings)))
    assert found > 0
    assert not math.isclose(found, loss_of(trained(split, plain)))


class TestSettings:
    @pytest.mark.parametrize("log_q", [True, False, "streaming"])
    def test_log_q_comes_back_from_an_experiment_file(self, log_q: Any) -> None:
        changed = {"training": {"loss": {"in_batch_softmax": {"log_q": log_q, "hard_negatives": 5}}}}
        experiment = sl.load_preset("tutorial").override(changed)
        again = sl.Experiment.read(tomllib.loads(experiment.to_toml()), "again")
        assert again.training.loss == experiment.training.loss
        assert again.training.loss.chosen.log_q == log_q
        assert LossSettings.of(again.training.loss.chosen) == again.training.loss

    @pytest.mark.parametrize(
        ("settings", "text"),
        [
            ({"log_q": "stream"}, "log_q should be a valid boolean, .*, or should be 'streaming', but it is 'stream'"),
            ({"hard_negatives": 0}, "hard_negatives should be greater than 0, but it is 0"),
            ({"memory_batches": -1}, "memory_batches should be greater than or equal to 0, but it is -1"),
            ({"shown_weight": -0.5}, r"shown_weight should be greater than or equal to 0, but it is -0\.5"),
        ],
        ids=str,
    )
    def test_what_cannot_be_is_refused(self, settings: Any, text: str) -> None:
        with pytest.raises(SettingsError, match=text):
            sl.InBatchSoftmax(**settings)

    def test_the_whole_catalogue_has_no_memory(self) -> None:
        with pytest.raises(SettingsError, match="memory_batches is not a known key"):
            sl.FullSoftmax(memory_batches=2)  # type: ignore[call-arg]
