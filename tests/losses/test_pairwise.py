import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from loss_conformance import LossConformance, Reduction, random_batch
from torch import Tensor

from shortlist.losses import Pairs, Positives, bpr, cosine_contrastive, pairwise_hinge


class TestBpr(LossConformance):
    def loss(self, queries: Tensor, items: Tensor, batch: Positives, reduction: Reduction) -> Tensor:
        return bpr(queries, items, batch, reduction=reduction, temperature=0.4)


class TestPairwiseHinge(LossConformance):
    def loss(self, queries: Tensor, items: Tensor, batch: Positives, reduction: Reduction) -> Tensor:
        return pairwise_hinge(queries, items, batch, reduction=reduction, margin=1.5)


class TestCosineContrastive(LossConformance):
    def loss(self, queries: Tensor, items: Tensor, batch: Positives, reduction: Reduction) -> Tensor:
        return cosine_contrastive(queries, items, batch, reduction=reduction, margin=-0.1, negative_weight=3.0)


# Item a scores 2 and stands twice, item b scores 1, item c scores -1; the one query's own item is b.
QUERY, ITEMS = torch.ones(1, 1), torch.tensor([[2.0], [1.0], [-1.0]])
POSITIVES = Positives(torch.tensor([1]), counts=torch.tensor([2, 5, 1]))  # how often b stands there is all the same


def test_bpr_by_hand() -> None:
    expected = (2 * math.log(1 + math.e) + math.log(1 + math.exp(-2))) / 3
    assert bpr(QUERY, ITEMS, POSITIVES).item() == pytest.approx(expected)


def test_hinge_by_hand() -> None:
    assert pairwise_hinge(QUERY, ITEMS, POSITIVES).item() == pytest.approx((2 * 2 + 0) / 3)
    assert pairwise_hinge(QUERY, ITEMS, POSITIVES, margin=3.0).item() == pytest.approx((2 * 4 + 1) / 3)


def test_cosine_contrastive_by_hand() -> None:
    items = torch.tensor([[0.9], [0.5], [-1.0]])
    loss = cosine_contrastive(QUERY, items, POSITIVES, margin=0.6, negative_weight=10.0)
    assert loss.item() == pytest.approx(1 - 0.5 + 10 * (2 * 0.3 + 0) / 3)


def test_shown_items_are_negatives_once_more_by_hand() -> None:
    # Item a, twice there, lies 1 above the own item and item c 2 below; c was shown too: 2 · 2 over 2 + 1 + w.
    batch = dataclasses.replace(POSITIVES, shown=Pairs(torch.tensor([0]), torch.tensor([2])))
    assert pairwise_hinge(QUERY, ITEMS, batch).item() == pytest.approx(4 / 4)
    assert pairwise_hinge(QUERY, ITEMS, batch, shown_weight=0.2).item() == pytest.approx(4 / 3.2)
    assert pairwise_hinge(QUERY, ITEMS, batch, shown_weight=0.0).item() == pytest.approx(4 / 3)


def test_hard_negatives_by_hand() -> None:
    # Of a (above the own item) and c (below) the harder is a, twice there: 2; of none that stands there, none.
    assert pairwise_hinge(QUERY, ITEMS, POSITIVES, hard_negatives=1).item() == pytest.approx(2)
    batch = Positives(torch.tensor([1]), counts=torch.tensor([0, 5, 1]))
    assert pairwise_hinge(QUERY, ITEMS, batch, hard_negatives=1, margin=3.0).item() == pytest.approx(1)


@pytest.mark.parametrize("loss", [bpr, pairwise_hinge, cosine_contrastive])
def test_without_a_negative_nothing_pushes(loss: Callable[..., Tensor]) -> None:
    value = loss(QUERY.requires_grad_(), torch.ones(1, 1), Positives(torch.tensor([0]), torch.tensor([4])))
    assert value.item() == 0


@pytest.mark.parametrize("seed", range(3))
def test_bpr_is_the_mean_over_every_other_candidate(seed: int) -> None:
    queries, items, batch = random_batch(seed, positives=30, items=9)
    assert batch.counts is not None
    scores = queries @ items.t()
    total = 0.0
    for row, own in enumerate(batch.column.tolist()):
        others = [(s, n) for u, (s, n) in enumerate(zip(scores[row], batch.counts, strict=True)) if u != own]
        losses = [float(n) * math.log1p(math.exp(float(s - scores[row, own]))) for s, n in others]
        total += sum(losses) / sum(float(n) for _, n in others)
    plain = Positives(batch.column, batch.counts)
    assert bpr(queries, items, plain, reduction="sum").item() == pytest.approx(total)


def test_scores_far_apart_stay_finite() -> None:
    queries, items = torch.tensor([[1e4]], requires_grad=True), torch.tensor([[1.0], [-1.0]], requires_grad=True)
    loss = bpr(queries, items, Positives(torch.tensor([1])))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(2e4)
    assert items.grad is not None
    np.testing.assert_allclose(items.grad.numpy(), [[1e4], [-1e4]])
