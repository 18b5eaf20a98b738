"""The plain step, the step as a graph, and batches of fixed shape, which a GPU wants: here on the processor."""

import dataclasses
import functools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import shortlist as sl
from shortlist.errors import SettingsError
from shortlist.losses import Pairs, in_batch_softmax
from shortlist.training import Batch, Events, Tables, fit, make_optimizer, pick_device
from shortlist.training.batches import unique_in_batches
from shortlist.training.step import WARM_UP, GraphedStep, PlainStep, make_step, tensors_of


def features_of(data: sl.Dataset) -> sl.Features:
    return sl.fit_features(
        [sl.Lookup("user", width=4)], [sl.Lookup("item", width=4), sl.Text("title", width=4)], on=data
    )


@pytest.fixture(scope="module")
def data() -> sl.Dataset:
    generator = np.random.default_rng(0)
    return sl.Dataset(
        {
            "user": generator.integers(9, size=50),
            "item": generator.integers(12, size=50),
            "weight": generator.uniform(0.5, 2, size=50),
        },
        items={"item": range(12), "title": [" ".join("abcdefg"[: row % 5]) for row in range(12)]},
        query_id="user",
        item_id="item",
        weight="weight",
    )


def events_of(data: sl.Dataset, *, fixed_shapes: bool = False) -> Events:
    return Events(Tables(features_of(data), data, fixed_shapes=fixed_shapes), data)


@settings(deadline=None, max_examples=60)
@given(values=st.lists(st.integers(0, 9), min_size=1, max_size=30), batch_size=st.integers(1, 12))
def test_unique_values_of_each_batch_are_those_of_numpy(values: list[int], batch_size: int) -> None:
    batch = torch.arange(len(values)) // batch_size
    unique, column, counts, sizes = unique_in_batches(torch.tensor(values), batch, 10)
    filled, same_column, filled_counts, widths = unique_in_batches(torch.tensor(values), batch, 10, width_step=4)
    assert torch.equal(column, same_column)
    assert len(sizes) == len(widths) == len(range(0, len(values), batch_size))
    assert set(widths) == {math.ceil(max(sizes) / 4) * 4}
    for place, start in enumerate(range(0, len(values), batch_size)):
        own = values[start : start + batch_size]
        expected, inverse, times = np.unique(own, return_inverse=True, return_counts=True)
        assert torch.split(unique, sizes)[place].tolist() == expected.tolist()
        assert column[start : start + batch_size].tolist() == inverse.tolist()
        assert torch.split(counts, sizes)[place].tolist() == times.tolist()
        spare = widths[0] - len(expected)
        assert torch.split(filled, widths)[place].tolist() == [*expected.tolist(), *[expected[0]] * spare]
        assert torch.split(filled_counts, widths)[place].tolist() == [*times.tolist(), *[0] * spare]


@pytest.mark.parametrize("remove_accidental_hits", [False, True])
@pytest.mark.parametrize("with_log_q", [False, True])
@pytest.mark.parametrize("gathered", [1, 1 << 20])
def test_fixed_shapes_give_the_losses_and_gradients_of_free_ones(
    data: sl.Dataset, monkeypatch: pytest.MonkeyPatch, gathered: int, with_log_q: bool, remove_accidental_hits: bool
) -> None:
    monkeypatch.setattr("shortlist.training.batches.GATHERED_NUMBERS", gathered)
    found: list[list[Tensor]] = []
    for fixed_shapes in (False, True):
        events = events_of(data, fixed_shapes=fixed_shapes)
        model = sl.TwoTower(events.tables.features, [6, 5])
        log_q = events.log_q(1) if with_log_q else None
        results: list[Tensor] = []
        for batch in events.epoch(8, torch.Generator().manual_seed(1), log_q, skip=1):
            model.zero_grad()
            loss = in_batch_softmax(
                model.encode_queries(batch.query_inputs).squeeze(1),
                model.encode_items(batch.item_inputs),
                batch.positives,
                remove_accidental_hits=remove_accidental_hits,
            )
            loss.backward()  # type: ignore[no-untyped-call]
            gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
            results += [loss.detach(), batch.user_rows, *(gradient.clone() for gradient in gradients)]
        found.append(results)
    assert len(found[0]) == 6 * (2 + 11)  # batches 2 to 7 of 50 rows: loss, users, 3 tables and 2 × 2 × 2 layers
    for free, fixed in zip(*found, strict=True):
        torch.testing.assert_close(free, fixed)


def test_batches_of_fixed_shape_have_one_shape_but_for_the_last(data: sl.Dataset) -> None:
    batches = list(events_of(data, fixed_shapes=True).epoch(8, torch.Generator(), None))
    shapes = [tuple(tensor.shape for tensor in tensors_of(batch)) for batch in batches]
    assert len(set(shapes[:6])) == 1
    assert shapes[6] != shapes[0]


def test_training_over_fixed_shapes_ends_where_one_over_free_ones_does(data: sl.Dataset) -> None:
    ends = []
    for fixed_shapes in (False, True):
        events = events_of(data, fixed_shapes=fixed_shapes)
        model = sl.TwoTower(events.tables.features, [6, 5])
        fit(
            model, events, loss=in_batch_softmax, optimizer=make_optimizer(sl.Adagrad(), model),
            training=sl.Training(epochs=4, batch_size=16, watch="nothing"),
        )  # fmt: skip
        ends.append(model.state_dict())
    for name, weights in ends[0].items():
        torch.testing.assert_close(weights, ends[1][name], rtol=1e-4, atol=1e-5)


class ReplayedByHand(GraphedStep):
    """A graph's replay runs again what was captured, on the very tensors of that time: so does this, without a GPU."""

    captures = 0

    def _capture(self, batch: Batch) -> tuple[Callable[[], None], Tensor]:
        self.captures += 1
        loss = torch.empty(())

        def replay() -> None:
            loss.copy_(self.step(batch))

        return replay, loss


def test_graph_is_given_each_batch_and_captured_once_for_each_shape(data: sl.Dataset) -> None:
    events = events_of(data, fixed_shapes=True)
    losses: list[list[float]] = []
    for graphed in (False, True):
        model = sl.TwoTower(events.tables.features, [6, 5])
        plain = PlainStep(model, in_batch_softmax, make_optimizer(sl.Adagrad(), model))
        step = ReplayedByHand(plain) if graphed else plain
        generator = torch.Generator().manual_seed(2)
        losses.append(
            [step(batch).item() for _ in range(WARM_UP + 2) for batch in events.epoch(8, generator, events.log_q(1))]
        )
    assert losses[0] == losses[1]
    assert isinstance(step, ReplayedByHand)
    assert step.captures == 2  # the shape of a whole batch, and of the last


def test_a_batch_with_pairs_of_its_own_number_takes_a_plain_step(data: sl.Dataset) -> None:
    events = events_of(data, fixed_shapes=True)
    model = sl.TwoTower(events.tables.features, [6, 5])
    step = ReplayedByHand(PlainStep(model, in_batch_softmax, make_optimizer(sl.Adagrad(), model)))
    (batch,) = events.epoch(50, torch.Generator(), None)
    pairs = Pairs(torch.tensor([0, 3]), (batch.positives.column[[0, 3]] + 1) % 12)
    for kind in ("masked", "shown"):
        masked, shown = (pairs, None) if kind == "masked" else (None, pairs)
        held = dataclasses.replace(batch, positives=dataclasses.replace(batch.positives, masked=masked, shown=shown))
        for _ in range(WARM_UP + 2):
            step(held)
        assert len(tensors_of(held)) == len(tensors_of(batch)) + 2
    assert step.captures == 0


def test_processor_takes_plain_steps(data: sl.Dataset) -> None:
    model = sl.TwoTower(features_of(data), [4])
    assert isinstance(make_step(model, in_batch_softmax, make_optimizer(sl.Adagrad(), model)), PlainStep)


def test_bfloat16_learns_nearly_what_float32_does(data: sl.Dataset) -> None:
    events, summed = events_of(data), functools.partial(in_batch_softmax, reduction="sum")
    losses = {}
    for precision in ("float32", "bfloat16"):
        model = sl.TwoTower(events.tables.features, [16, 8])
        history = fit(
            model, events, loss=summed, optimizer=make_optimizer(sl.Adagrad(), model),
            training=sl.Training(epochs=15, batch_size=16, watch="nothing", precision=precision),
        )  # fmt: skip
        losses[precision] = [epoch.loss for epoch in history.epochs]
        assert all(weight.dtype == torch.float32 for weight in model.parameters())
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.05)
    assert losses["bfloat16"][-1] < 0.9 * losses["bfloat16"][0]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_gpu_that_is_not_there_is_refused() -> None:
    assert pick_device("auto") == pick_device("cpu") == torch.device("cpu")
    with pytest.raises(SettingsError, match=r'device is "cuda", but torch .* Install a build of torch for your GPU'):
        pick_device("cuda")
