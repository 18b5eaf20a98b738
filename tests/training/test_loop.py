import copy
import dataclasses
import math
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

import shortlist as sl
from shortlist.errors import DivergedError, SettingsError
from shortlist.losses import Positives, in_batch_softmax
from shortlist.training import Epoch, Events, History, Tables, fit, make_optimizer

Weights = dict[str, Tensor]


@pytest.fixture(scope="module")
def events() -> Events:
    split = sl.synthetic.TasteWorld(num_groups=2, users_per_group=8, items_per_group=6, train_events=4, test_events=2)
    train = split.split().train
    features = sl.fit_features([sl.Lookup("user_id", width=4)], [sl.Lookup("item_id", width=4)], on=train)
    return Events(Tables(features, train), train)


def train_once(
    events: Events,
    *,
    seed: int = 0,
    epochs: int = 3,
    loss: Callable[[Tensor, Tensor, Positives], Tensor] = in_batch_softmax,
    optimizer: sl.Adagrad | sl.AdamW | None = None,
    training: sl.Training | None = None,
    validate: Callable[[], dict[str, float]] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    model: sl.TwoTower | None = None,
) -> tuple[History, Weights]:
    if model is None:
        model = sl.TwoTower(events.tables.features, [6, 4], dropout=0.3)
        model.initialize(seed)
    history = fit(
        model,
        events,
        loss=loss,
        optimizer=make_optimizer(optimizer or sl.Adagrad(), model),
        training=training or sl.Training(epochs=epochs, batch_size=20, watch="nothing", seed=seed),
        validate=validate,
        on_epoch=on_epoch,
    )
    return history, {name: weights.clone() for name, weights in model.state_dict().items()}


def losses(history: History) -> list[float]:
    return [epoch.loss for epoch in history.epochs]


@pytest.mark.parametrize("optimizer", [sl.Adagrad(), sl.AdamW()])
def test_same_seed_gives_the_same_weights_and_history_to_the_bit(
    events: Events, optimizer: sl.Adagrad | sl.AdamW
) -> None:
    torch.manual_seed(1)
    first, weights = train_once(events, seed=5, optimizer=optimizer)
    torch.manual_seed(2)
    second, again = train_once(events, seed=5, optimizer=optimizer)
    assert losses(first) == losses(second)
    for name, values in weights.items():
        assert torch.equal(values, again[name])


def test_same_seed_gives_the_same_weights_with_sparse_gradients(
    events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shortlist.training.optimizers.make.SPARSE_FROM_ROWS", 1)
    (first, weights), (second, again) = (train_once(events, seed=5) for _ in range(2))
    assert losses(first) == losses(second)
    for name, values in weights.items():
        assert torch.equal(values, again[name])


def test_another_seed_gives_other_weights(events: Events) -> None:
    first, weights = train_once(events, seed=5)
    second, others = train_once(events, seed=6)
    assert losses(first) != losses(second)
    assert all(not torch.equal(values, others[name]) for name, values in weights.items())


def test_seed_of_training_alone_changes_order_and_dropout(events: Events) -> None:
    runs = []
    for seed in (1, 2):
        model = sl.TwoTower(events.tables.features, [6, 4], dropout=0.3)
        training = sl.Training(epochs=2, batch_size=20, watch="nothing", seed=seed)
        runs.append(losses(train_once(events, model=model, training=training)[0]))
    assert runs[0] != runs[1]


def test_global_random_state_is_untouched(events: Events) -> None:
    torch.manual_seed(123)
    model = sl.TwoTower(events.tables.features, [6, 4], dropout=0.3)
    before = torch.get_rng_state()
    train_once(events, model=model)
    assert torch.equal(torch.get_rng_state(), before)


def test_global_random_state_is_untouched_after_an_error_too(events: Events) -> None:
    model = sl.TwoTower(events.tables.features, [6, 4], dropout=0.3)
    before = torch.get_rng_state()
    with pytest.raises(DivergedError, match="became nan"):
        train_once(events, model=model, loss=broken_at(2, math.nan))
    assert torch.equal(torch.get_rng_state(), before)


def test_validation_between_epochs_does_not_change_the_training(events: Events) -> None:
    quiet, weights = train_once(events)
    training = sl.Training(epochs=3, batch_size=20, watch="test")
    watched, again = train_once(events, training=training, validate=lambda: {"mrr": 0.5})
    assert losses(quiet) == losses(watched)
    for name, values in weights.items():
        assert torch.equal(values, again[name])


def test_a_training_cut_short_is_the_beginning_of_the_whole(events: Events) -> None:
    training = sl.Training(epochs=5, batch_size=20, watch="nothing", decay="cosine")
    model = sl.TwoTower(events.tables.features, [6, 4])
    whole, _ = train_once(events, model=copy.deepcopy(model), training=training)
    optimizer = make_optimizer(sl.Adagrad(), model)
    short = fit(model, events, loss=in_batch_softmax, optimizer=optimizer, training=training, stop_after=2)
    assert losses(short) == losses(whole)[:2]
    assert (short.best_epoch, short.stopped_early) == (2, False)


def test_training_lowers_the_loss(events: Events) -> None:
    history, _ = train_once(events, epochs=30, optimizer=sl.Adagrad(0.3))
    assert history.epochs[-1].loss < 0.9 * history.epochs[0].loss


def test_loss_of_an_epoch_is_the_mean_over_its_batches(events: Events) -> None:
    # 64 events in batches of 20 are four steps; the fake losses are 1, 2, 3, 4 and then 5, 6, 7, 8.
    steps = iter(range(1, 100))

    def counted(queries: Tensor, items: Tensor, batch: Positives) -> Tensor:
        return 0 * queries.sum() + next(steps)

    history, _ = train_once(events, epochs=2, loss=counted)
    assert losses(history) == [2.5, 6.5]


def broken_at(step: int, value: float) -> Callable[[Tensor, Tensor, Positives], Tensor]:
    """A loss that is `value` at one step, counted from 1."""
    steps: Iterator[int] = iter(range(1, 1_000))

    def loss(queries: Tensor, items: Tensor, batch: Positives) -> Tensor:
        plain = in_batch_softmax(queries, items, batch)
        return plain * value if next(steps) == step else plain

    return loss


@pytest.mark.parametrize(
    ("step", "value", "text"),
    [
        (5, math.nan, r"The loss became nan at step 5 \(epoch 2, batch 1\)\. Lower the learning rate"),
        (4, math.nan, r"The loss became nan at step 4 \(epoch 1, batch 4\)"),
        (11, math.inf, r"The loss became inf at step 11 \(epoch 3, batch 3\)"),
        (1, -math.inf, r"The loss became -inf at step 1 \(epoch 1, batch 1\)"),
    ],
)
def test_first_loss_that_is_no_number_stops_with_its_step_and_epoch(
    events: Events, step: int, value: float, text: str
) -> None:
    with pytest.raises(DivergedError, match=text):
        train_once(events, loss=broken_at(step, value))


def test_infinite_weight_of_the_model_stops_at_the_first_step(events: Events) -> None:
    model = sl.TwoTower(events.tables.features, [6, 4])
    with torch.no_grad():
        model.item.get_parameter("layers.2.bias").fill_(math.inf)
    with pytest.raises(DivergedError, match=r"at step 1 \(epoch 1, batch 1\)"):
        train_once(events, model=model)


def test_broken_step_does_not_touch_the_weights(events: Events) -> None:
    model = sl.TwoTower(events.tables.features, [6, 4])
    before = {name: values.clone() for name, values in model.state_dict().items()}
    with pytest.raises(DivergedError, match="step 1 "):
        train_once(events, model=model, loss=broken_at(1, math.nan))
    assert all(torch.equal(values, before[name]) for name, values in model.state_dict().items())


def undefined_at(step: int) -> Callable[[Tensor, Tensor, Positives], Tensor]:
    """A loss that is finite throughout and has no gradient at one step: that of √0 is infinite, and 0 times it NaN."""
    steps: Iterator[int] = iter(range(1, 1_000))

    def loss(queries: Tensor, items: Tensor, batch: Positives) -> Tensor:
        plain = in_batch_softmax(queries, items, batch)
        return plain + (0 * queries.sum()).sqrt() if next(steps) == step else plain

    return loss


def test_weights_that_the_last_step_broke_are_refused(events: Events) -> None:
    # 3 epochs of 4 steps; no loss follows the twelfth.
    text = (
        "The weights query.embeddings.0.weight hold NaN or infinity after the last step (epoch 3). Lower the learning "
        "rate or raise the temperature, and look for extreme values in the features."
    )
    with pytest.raises(DivergedError) as caught:
        train_once(events, loss=undefined_at(12))
    assert str(caught.value) == text
    with pytest.raises(DivergedError, match=r"The loss became nan at step 12 \(epoch 3, batch 4\)"):
        train_once(events, loss=undefined_at(11))


def early(patience: int | None, *, epochs: int = 10, metric: str | None = "ndcg_5", every: int = 1) -> sl.Training:
    return sl.Training(
        epochs=epochs, batch_size=20, watch="validation", patience=patience, metric=metric, validate_every=every
    )


class Script:
    """A validation that gives these values one after the other and keeps the weights it saw."""

    def __init__(self, model: sl.TwoTower, values: list[float], name: str = "ndcg_5/full/seen_excluded") -> None:
        self.model, self.values, self.name = model, iter(values), name
        self.weights: list[Weights] = []

    def __call__(self) -> dict[str, float]:
        assert not self.model.training
        self.weights.append({name: values.clone() for name, values in self.model.state_dict().items()})
        return {"mrr/full": 0.0, self.name: next(self.values)}


def run_script(
    events: Events, values: list[float], training: sl.Training, name: str = "ndcg_5/full/seen_excluded"
) -> tuple[History, Weights, Script]:
    model = sl.TwoTower(events.tables.features, [6, 4], dropout=0.3)
    script = Script(model, values, name)
    history, weights = train_once(events, model=model, training=training, validate=script)
    return history, weights, script


def assert_weights_of(epoch: int, weights: Weights, script: Script) -> None:
    assert all(torch.equal(values, script.weights[epoch - 1][name]) for name, values in weights.items())


def test_early_stopping_waits_for_its_patience_and_takes_the_best_weights_back(events: Events) -> None:
    history, weights, script = run_script(events, [0.1, 0.4, 0.3, 0.2, 0.9], early(2))
    assert len(history.epochs) == 4
    assert history.best_epoch == 2
    assert history.stopped_early
    assert_weights_of(2, weights, script)
    assert not torch.equal(weights["query.layers.0.bias"], script.weights[3]["query.layers.0.bias"])


def test_patience_starts_anew_after_every_improvement(events: Events) -> None:
    history, weights, script = run_script(events, [0.1, 0.0, 0.2, 0.1, 0.3, 0.2, 0.2], early(2))
    assert (len(history.epochs), history.best_epoch) == (7, 5)
    assert_weights_of(5, weights, script)


def test_an_equal_value_is_no_improvement(events: Events) -> None:
    history, _, _ = run_script(events, [0.5, 0.5, 0.5], early(2))
    assert (len(history.epochs), history.best_epoch) == (3, 1)


def test_best_weights_come_back_when_all_epochs_ran_too(events: Events) -> None:
    history, weights, script = run_script(events, [0.1, 0.3, 0.2], early(5, epochs=3))
    assert (history.best_epoch, history.stopped_early) == (2, False)
    assert_weights_of(2, weights, script)


def test_validation_that_is_no_number_is_never_the_best(events: Events) -> None:
    history, weights, script = run_script(events, [0.1, math.nan, math.nan], early(2))
    assert (len(history.epochs), history.best_epoch) == (3, 1)
    assert_weights_of(1, weights, script)


def test_without_patience_the_last_weights_stay(events: Events) -> None:
    history, weights, script = run_script(events, [0.5, 0.4, 0.3], early(None, epochs=3))
    assert (history.best_epoch, history.stopped_early) == (3, False)
    assert_weights_of(3, weights, script)


def test_metric_goes_by_its_short_name_alone(events: Events) -> None:
    name = "ndcg_5/full/seen_excluded/ties_expected"
    with pytest.raises(SettingsError, match=f"watches metric '{name}', but the validation gives mrr, ndcg_5"):
        run_script(events, [0.1], early(2, metric=name), name)


def test_metric_that_the_validation_does_not_give_is_refused(events: Events) -> None:
    text = "Early stopping watches metric 'recall_7', but the validation gives mrr, ndcg_5"
    with pytest.raises(SettingsError, match=text):
        run_script(events, [0.1], early(2, metric="recall_7"))


def test_validation_comes_every_so_many_epochs_and_after_the_last(events: Events) -> None:
    history, _, _ = run_script(events, [0.1, 0.2, 0.3, 0.4], early(None, epochs=7, every=2))
    assert history.curve("ndcg_5/full/seen_excluded") == {2: 0.1, 4: 0.2, 6: 0.3, 7: 0.4}
    assert [bool(epoch.metrics) for epoch in history.epochs] == [False, True, False, True, False, True, True]


def test_patience_counts_validations_not_epochs(events: Events) -> None:
    history, _, _ = run_script(events, [0.3, 0.2, 0.1], early(2, epochs=20, every=3))
    assert (len(history.epochs), history.best_epoch) == (9, 3)


def test_each_epoch_is_announced_as_it_ends(events: Events) -> None:
    heard: list[Epoch] = []
    history, _ = train_once(events, on_epoch=heard.append)
    assert tuple(heard) == history.epochs
    assert [epoch.number for epoch in heard] == [1, 2, 3]


def test_curve_of_a_metric_that_was_never_measured_is_empty() -> None:
    epochs = (Epoch(1, 0.5, 1.0), Epoch(2, 0.4, 1.0, 0.25, {"mrr": 0.125}))
    history = History(epochs, best_epoch=2, stopped_early=False)
    assert history.curve("mrr") == {2: 0.125}
    assert history.curve("ndcg_1") == {}
    assert history.seconds == 2.25


def test_history_cannot_be_changed() -> None:
    history = History((), best_epoch=0, stopped_early=False)
    with pytest.raises(dataclasses.FrozenInstanceError, match="best_epoch"):
        history.best_epoch = 3  # type: ignore[misc]


def test_early_stopping_on_the_test_events_is_refused() -> None:
    with pytest.raises(
        SettingsError, match=r'patience \(early stopping\) needs watch="validation", but watch is \'test\''
    ):
        sl.Training(patience=2, watch="test")
