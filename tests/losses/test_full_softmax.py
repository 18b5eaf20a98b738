import dataclasses
import math

import numpy as np
import pytest
import torch
from loss_conformance import LossConformance, Reduction, random_batch
from torch import Tensor

from shortlist.losses import Pairs, Positives, full_softmax, in_batch_softmax


class TestConformance(LossConformance):
    def loss(self, queries: Tensor, items: Tensor, batch: Positives, reduction: Reduction) -> Tensor:
        return full_softmax(queries, items, batch, reduction=reduction)


class TestConformanceWithLabelSmoothing(LossConformance):
    def loss(self, queries: Tensor, items: Tensor, batch: Positives, reduction: Reduction) -> Tensor:
        return full_softmax(queries, items, batch, reduction=reduction, temperature=0.5, label_smoothing=0.1)


def test_by_hand() -> None:
    # Scores log 2, log 4 and log 2 with the item of score log 4 the own one: −log (4 / 8) = log 2.
    items = torch.log(torch.tensor([[2.0], [4.0], [2.0]]))
    loss = full_softmax(torch.ones(1, 1), items, Positives(torch.tensor([1])), reduction="sum")
    assert loss.item() == pytest.approx(math.log(2))
    # At temperature 1/2 the scores double: −log (16 / 24).
    halved = full_softmax(torch.ones(1, 1), items, Positives(torch.tensor([1])), temperature=0.5)
    assert halved.item() == pytest.approx(math.log(1.5))


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("seed", range(4))
def test_equals_torchs_cross_entropy_with_its_gradients(reduction: Reduction, seed: int, smoothing: float) -> None:
    queries, items, batch = random_batch(seed, positives=50, items=9)
    batch = dataclasses.replace(batch, weights=None)
    vectors = queries.requires_grad_(), items.requires_grad_()
    ours = full_softmax(*vectors, batch, reduction=reduction, temperature=0.3, label_smoothing=smoothing)
    theirs = torch.nn.functional.cross_entropy(
        queries @ items.t() / 0.3, batch.column, reduction=reduction, label_smoothing=smoothing
    )
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(torch.autograd.grad(ours, vectors), torch.autograd.grad(theirs, vectors))


def test_counts_and_log_q_of_a_sample_change_nothing() -> None:
    queries, items, batch = random_batch(1)
    plain = Positives(batch.column, weights=batch.weights)
    assert torch.equal(full_softmax(queries, items, batch), full_softmax(queries, items, plain))


def test_batch_that_holds_every_item_once_gives_the_same_in_batch() -> None:
    generator = np.random.default_rng(0)
    queries, items = (torch.from_numpy(generator.normal(size=(6, 4))) for _ in range(2))
    batch = Positives(torch.from_numpy(generator.permutation(6)), counts=torch.ones(6))
    torch.testing.assert_close(full_softmax(queries, items, batch), in_batch_softmax(queries, items, batch))


def test_shown_items_count_once_more_by_hand() -> None:
    # Scores log 2, log 4, log 2, the own one in the middle and the last one shown: −log (4 / (8 + w · 2)).
    items = torch.log(torch.tensor([[2.0], [4.0], [2.0]]))
    batch = Positives(torch.tensor([1]), shown=Pairs(torch.tensor([0]), torch.tensor([2])))
    assert full_softmax(torch.ones(1, 1), items, batch).item() == pytest.approx(math.log(10 / 4))
    assert full_softmax(torch.ones(1, 1), items, batch, shown_weight=2.0).item() == pytest.approx(math.log(12 / 4))


def test_hard_negatives_are_the_highest_of_the_catalogue_by_hand() -> None:
    # Odds 2, 4, 1, 8 with 4 the own one: of the others 8 stays, then 2; −log (4 / 12) and −log (4 / 14).
    items = torch.log(torch.tensor([[2.0], [4.0], [1.0], [8.0]]))
    batch = Positives(torch.tensor([1]))
    assert full_softmax(torch.ones(1, 1), items, batch, hard_negatives=1).item() == pytest.approx(math.log(3))
    assert full_softmax(torch.ones(1, 1), items, batch, hard_negatives=2).item() == pytest.approx(math.log(3.5))
