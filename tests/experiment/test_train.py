import dataclasses
from typing import Any

import pytest
import torch
from market import ALL_GOODS, market, small_model

import shortlist as sl
from shortlist.data.splits import Split
from shortlist.errors import DataError, DivergedError, SettingsError
from shortlist.training import Epoch, Events, Tables

UNWATCHED = sl.Training(epochs=1, batch_size=10_000, watch="nothing")


class TestWatch:
    @pytest.mark.parametrize(("watch", "accuracy"), [("validation", 1.0), ("test", 0.0)])
    def test_the_events_that_are_watched_are_those_that_were_named(self, watch: Any, accuracy: float) -> None:
        split = market()
        run = sl.train(
            small_model(split),
            split,
            loss=sl.InBatchSoftmax(reduction="sum"),
            training=sl.Training(epochs=20, validate_every=20, watch=watch),
            protocol=ALL_GOODS,
            progress=False,
        )
        assert run.history.epochs[-1].metrics["top_1_accuracy/full/seen_included/ties_expected"] == accuracy
        assert run.evaluate(run.watched).metrics.items() >= run.history.epochs[-1].metrics.items()

    def test_early_stopping_watches_the_decisive_metric_unless_told_otherwise(self, shop_data: sl.Dataset) -> None:
        split = sl.split_random(shop_data, test=0.2, validation=0.2, seed=1)
        run = sl.train(
            small_model(split),
            split,
            training=sl.Training(epochs=6, patience=2),
            protocol=sl.Protocol(ks=(5, 13)),  # of 24 items, 13 are more than half
            progress=False,
        )
        assert run.training.metric == "top_5_accuracy"
        curve = run.history.curve("top_5_accuracy/full/seen_excluded/ties_expected")
        assert curve[run.history.best_epoch] == max(curve.values())

    def test_early_stopping_watches_the_metric_that_it_is_told(self, shop_data: sl.Dataset) -> None:
        split = sl.split_random(shop_data, test=0.2, validation=0.2, seed=1)
        training = sl.Training(epochs=6, patience=2, metric="mrr")
        run = sl.train(small_model(split), split, training=training, progress=False)
        assert run.training == training
        curve = run.history.curve("mrr/full/seen_excluded/ties_expected")
        assert curve[run.history.best_epoch] == max(curve.values())


class TestRefusedBeforeTraining:
    def refuse(self, error: type[Exception], split: Split, **settings: Any) -> str:
        heard: list[Epoch] = []
        with pytest.raises(error) as caught:
            sl.train(small_model(split), split, progress=False, on_epoch=heard.append, **settings)
        assert not heard
        return str(caught.value)

    def test_watching_a_part_that_the_split_lacks(self, shop_split: Split) -> None:
        assert self.refuse(SettingsError, shop_split) == (
            "The training watches the validation events, but the split has none; give it a share, such as "
            'validation=0.1, or set watch="nothing".'
        )

    @pytest.mark.parametrize("patience", [None, 2])
    def test_a_metric_that_the_protocol_does_not_measure(self, patience: int | None) -> None:
        training = sl.Training(patience=patience, metric="recall_7")
        assert self.refuse(SettingsError, market(), training=training, protocol=sl.Protocol(ks=(1,))) == (
            "Early stopping watches metric 'recall_7', which this protocol does not measure; it measures "
            "top_1_accuracy, recall_1, hit_rate_1, precision_1, ndcg_1, map_1, mrr. "
            "Name one of these, or leave the metric out."
        )

    @pytest.mark.parametrize("watch", ["test", "nothing"])
    def test_test_events_that_the_catalogue_does_not_hold(self, watch: Any) -> None:
        sales = {"user": [1, 2, 3, 4], "sku": ["tea", "tea", "tea", "jam"], "ts": [1, 1, 1, 2]}
        split = sl.split_by_time(sl.Dataset(sales, query_id="user", item_id="sku", time="ts"), test=0.25)
        assert self.refuse(DataError, split, training=sl.Training(watch=watch)).startswith(
            "None of the 1 events to evaluate names an item of the catalogue (1 items)."
        )

    def test_validation_events_that_the_catalogue_does_not_hold(self) -> None:
        sales = {"user": [1, 2, 3, 4], "sku": ["tea", "tea", "jam", "tea"], "ts": [1, 1, 2, 3]}
        data = sl.Dataset(sales, query_id="user", item_id="sku", time="ts")
        split = sl.split_by_time(data, test=0.25, validation=0.25)
        assert self.refuse(DataError, split).startswith("None of the 1 events to evaluate names an item")


def first_loss(model: sl.TwoTower, split: Split, loss: sl.InBatchSoftmax) -> float:
    """The loss over all training events as one batch, with a column of scores for every event."""
    tables = Tables(model.features, split.train)
    events = Events(tables, split.train)
    items = events.item_rows
    with torch.inference_mode():
        queries = model.encode_queries(events.query_inputs(torch.arange(len(events))))[:, 0].double()
        scores = queries @ model.encode_items(tables.items.take(items)).double().t() / loss.temperature
    same = items[:, None] == items[None, :]
    if loss.log_q:
        scores = scores - same.double().mean(dim=0).log()
    if loss.remove_accidental_hits:
        scores = scores.masked_fill(same & ~torch.eye(len(items), dtype=torch.bool), -torch.inf)
    losses = scores.logsumexp(dim=1) - scores.diagonal()
    return float(losses.sum() if loss.reduction == "sum" else losses.mean())


class TestSeedAndLoss:
    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"temperature": 0.05},
            {"temperature": 0.05, "reduction": "sum"},
            {"temperature": 0.05, "log_q": True},
            {"temperature": 0.05, "remove_accidental_hits": True},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("seed", [0, 5])
    def test_the_first_loss_is_the_chosen_one_of_the_weights_of_the_seed(self, settings: Any, seed: int) -> None:
        split = sl.synthetic.TasteWorld(
            num_groups=2, users_per_group=10, items_per_group=8, train_events=4, test_events=2
        ).split()
        loss, model = sl.InBatchSoftmax(**settings), small_model(split)
        training = sl.Training(epochs=1, batch_size=80, watch="nothing", seed=seed)
        run = sl.train(model, split, loss=loss, training=training, progress=False)
        model.initialize(seed)
        assert run.history.epochs[0].loss == pytest.approx(first_loss(model, split, loss), rel=1e-6)

    def test_the_same_seed_gives_the_same_run(self, shop_run: sl.Run, shop_split: Split) -> None:
        again = sl.train(
            sl.TwoTower.of(shop_run.model.features, shop_run.model.settings),
            shop_split,
            loss=shop_run.loss,
            optimizer=shop_run.optimizer,
            training=shop_run.training,
            protocol=shop_run.protocol,
            progress=False,
        )
        assert again.evaluate().metrics == shop_run.evaluate().metrics
        assert (again.item_vectors() == shop_run.item_vectors()).all()

    def test_another_seed_gives_another_run_and_leaves_the_first_and_the_model_alone(self, shop_split: Split) -> None:
        model = small_model(shop_split)
        before = {name: weights.clone() for name, weights in model.state_dict().items()}
        one = sl.train(model, shop_split, training=UNWATCHED, progress=False)
        vectors = one.item_vectors()
        other = sl.train(
            model,
            shop_split,
            training=sl.Training(epochs=1, batch_size=10_000, watch="nothing", seed=1),
            progress=False,
        )
        assert model.training
        assert all(torch.equal(weights, before[name]) for name, weights in model.state_dict().items())
        assert len({id(some) for some in (model, one.model, other.model)}) == 3
        assert (one.item_vectors() == vectors).all()
        assert (abs(other.item_vectors() - vectors) > 0.01).any()


def test_weights_that_the_only_step_made_infinite_are_refused(shop_split: Split) -> None:
    # A temperature of 1e-36 makes gradients beyond float32; a learning rate of 1e30 carries them into the weights.
    text = (
        "The weights query.embeddings.0.weight hold NaN or infinity after the last step (epoch 1). Lower the learning "
        "rate or raise the temperature, and look for extreme values in the features."
    )
    with pytest.raises(DivergedError) as caught:
        sl.train(
            small_model(shop_split),
            shop_split,
            loss=sl.InBatchSoftmax(temperature=1e-36),
            optimizer=sl.AdamW(learning_rate=1e30),
            training=dataclasses.replace(UNWATCHED, device="cpu"),  # a GPU's AdamW divides before it multiplies
            progress=False,
        )
    assert str(caught.value) == text


def test_progress_hears_of_every_epoch(shop_split: Split) -> None:
    heard: list[int] = []
    sl.train(
        small_model(shop_split),
        shop_split,
        training=sl.Training(epochs=3, watch="nothing"),
        progress=False,
        on_epoch=lambda epoch: heard.append(epoch.number),
    )
    assert heard == [1, 2, 3]
