import dataclasses
import importlib
import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_conformance import LossConformance, Reduction, random_batch
from torch import Tensor

from shortlist.losses import Pairs, Positives, full_softmax, in_batch_softmax

MODULE = importlib.import_module("shortlist.losses.tiles")
Floats = npt.NDArray[np.float64]


class TestConformance(LossConformance):
    def loss(self, queries: Tensor, items: Tensor, batch: Positives, reduction: Reduction) -> Tensor:
        return in_batch_softmax(queries, items, batch, reduction=reduction)


class TestConformanceWithEveryOption(LossConformance):
    def loss(self, queries: Tensor, items: Tensor, batch: Positives, reduction: Reduction) -> Tensor:
        return in_batch_softmax(
            queries, items, batch, reduction=reduction, temperature=0.3, remove_accidental_hits=True, log_q_strength=0.6
        )


class TestConformanceWithLabelSmoothing(LossConformance):
    def loss(self, queries: Tensor, items: Tensor, batch: Positives, reduction: Reduction) -> Tensor:
        return in_batch_softmax(queries, items, batch, reduction=reduction, label_smoothing=0.2)


class TestConformanceWithHardNegatives(LossConformance):
    def loss(self, queries: Tensor, items: Tensor, batch: Positives, reduction: Reduction) -> Tensor:
        return in_batch_softmax(queries, items, batch, reduction=reduction, hard_negatives=2, temperature=0.7)


def plain_softmax(
    queries: Floats,
    items: Floats,
    column: npt.NDArray[np.int64],
    weights: Floats,
    log_q: Floats,
    reduction: Reduction,
    temperature: float,
    remove_accidental_hits: bool,
) -> tuple[float, Floats, Floats]:
    """The loss and both gradients from the definition: one column for each of the P positives, repeats included."""
    positives = len(queries)
    loss, grad_queries, grad_items = 0.0, np.zeros_like(queries), np.zeros_like(items)
    whole = weights.sum() if reduction == "mean" else 1.0
    for row in range(positives):
        logits = np.array([queries[row] @ items[c] / temperature - log_q[c] for c in column])
        if remove_accidental_hits:
            hits = (column == column[row]) & (np.arange(positives) != row)
            logits[hits] = -np.inf
        odds = np.exp(logits - logits.max())
        softmax = odds / odds.sum()
        loss -= weights[row] / whole * (logits[row] - logits.max() - math.log(odds.sum()))
        for place, share in enumerate(softmax):
            grad = weights[row] / whole * (share - (place == row)) / temperature
            grad_queries[row] += grad * items[column[place]]
            grad_items[column[place]] += grad * queries[row]
    return loss, grad_queries, grad_items


EVERY_OPTION = list(itertools.product(["sum", "mean"], [0.05, 1.0, 3.0], [False, True], [False, True], [False, True]))


@pytest.mark.parametrize(("reduction", "temperature", "weighted", "with_log_q", "hits_out"), EVERY_OPTION)
@settings(deadline=None, max_examples=12)
@given(
    seed=st.integers(0, 2**32 - 1),
    positives=st.integers(1, 9),
    items=st.integers(1, 6),
    width=st.integers(1, 4),
    tile=st.sampled_from([1, 2, 3, 1_024]),
)
def test_unique_items_give_the_loss_and_gradients_of_all_columns(
    reduction: Reduction,
    temperature: float,
    weighted: bool,
    with_log_q: bool,
    hits_out: bool,
    seed: int,
    positives: int,
    items: int,
    width: int,
    tile: int,
) -> None:
    queries, vectors, batch = random_batch(seed, positives=positives, items=items, width=width)
    weights, log_q = batch.weights, batch.log_q
    assert weights is not None
    assert log_q is not None
    batch = Positives(batch.column, batch.counts, weights if weighted else None, log_q if with_log_q else None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MODULE, "MIN_ROWS", tile)
        patch.setattr(MODULE, "MAX_ROWS", tile)
        loss = in_batch_softmax(
            queries.requires_grad_(),
            vectors.requires_grad_(),
            batch,
            reduction=reduction,
            temperature=temperature,
            remove_accidental_hits=hits_out,
        )
        (3 * loss).backward()  # type: ignore[no-untyped-call]
    expected, grad_queries, grad_items = plain_softmax(
        queries.detach().numpy(),
        vectors.detach().numpy(),
        batch.column.numpy(),
        weights.numpy() if weighted else np.ones(positives),
        log_q.numpy() if with_log_q else np.zeros(len(vectors)),
        reduction,
        temperature,
        hits_out,
    )
    assert loss.item() == pytest.approx(expected, rel=1e-10, abs=1e-10)
    assert queries.grad is not None
    assert vectors.grad is not None
    np.testing.assert_allclose(queries.grad.numpy(), 3 * grad_queries, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(vectors.grad.numpy(), 3 * grad_items, rtol=1e-9, atol=1e-10)


def test_float32_stays_near_the_plain_formula_over_more_rows_than_a_tile() -> None:
    queries, items, batch = random_batch(0, positives=1_500, items=200, width=8, dtype=torch.float32)
    assert batch.weights is not None
    assert batch.log_q is not None
    loss = in_batch_softmax(queries.requires_grad_(), items.requires_grad_(), batch)
    loss.backward()  # type: ignore[no-untyped-call]
    scores = queries.detach().double() @ items.detach().double().t() - batch.log_q.double()
    columns = scores[:, batch.column]  # [P, U] -> [P, P]
    losses = torch.logsumexp(columns, dim=1) - columns.diagonal()
    weights = batch.weights.double() / batch.weights.double().sum()
    assert loss.item() == pytest.approx(torch.dot(losses, weights).item(), rel=1e-5)
    assert queries.grad is not None
    shares = torch.softmax(columns, dim=1) - torch.eye(len(columns))
    torch.testing.assert_close(
        queries.grad, (weights[:, None] * shares @ items.detach().double()[batch.column]).float(), rtol=1e-4, atol=1e-7
    )


# Item a = [ln 2] stands twice, item b = [0] once; the queries are 1, 0 and 1, their own items a, a and b.
# Odds exp(q·v): row 0 has 2, 2, 1; row 1 has 1, 1, 1; row 2 has 2, 2, 1.
QUERIES = torch.tensor([[1.0], [0.0], [1.0]], dtype=torch.float64)
ITEMS = torch.tensor([[math.log(2)], [0.0]], dtype=torch.float64)
COLUMN, COUNTS = torch.tensor([0, 0, 1]), torch.tensor([2, 1])
PLAIN = Positives(COLUMN, COUNTS)


def test_loss_by_hand() -> None:
    # Own odds over all odds: 2/5, 1/3, 1/5; the loss is ln(5/2) + ln 3 + ln 5 = ln 37.5.
    assert in_batch_softmax(QUERIES, ITEMS, PLAIN, reduction="sum").item() == pytest.approx(math.log(37.5))
    assert in_batch_softmax(QUERIES, ITEMS, PLAIN).item() == pytest.approx(math.log(37.5) / 3)


def test_loss_without_accidental_hits_by_hand() -> None:
    # Rows 0 and 1 lose the other a: 2/3 and 1/2. Row 2 keeps both a, which are no hits of b: 1/5. ln(1.5 · 2 · 5).
    loss = in_batch_softmax(QUERIES, ITEMS, PLAIN, reduction="sum", remove_accidental_hits=True)
    assert loss.item() == pytest.approx(math.log(15))


def test_log_q_correction_by_hand() -> None:
    # Odds are divided by q = 2/3 and 1/3. Row 0: 3, 3, 3; row 1: 1.5, 1.5, 3; row 2: 3, 3, 3.
    # Own over all: 1/3, 1/4, 1/3; ln(3 · 4 · 3).
    batch = Positives(COLUMN, COUNTS, log_q=torch.log(torch.tensor([2 / 3, 1 / 3], dtype=torch.float64)))
    assert in_batch_softmax(QUERIES, ITEMS, batch, reduction="sum").item() == pytest.approx(math.log(36))


def test_strength_of_log_q_by_hand() -> None:
    # Half the correction divides odds by the roots of q = 1/4 and 1. Row 0: 4, 4, 1; row 1: 2, 2, 1; row 2: 4, 4, 1.
    # Own over all: 4/9, 2/5, 1/9; ln(9/4 · 5/2 · 9).
    batch = Positives(COLUMN, COUNTS, log_q=torch.log(torch.tensor([1 / 4, 1.0], dtype=torch.float64)))
    loss = in_batch_softmax(QUERIES, ITEMS, batch, reduction="sum", log_q_strength=0.5)
    assert loss.item() == pytest.approx(math.log(50.625))


def test_temperature_by_hand() -> None:
    # Half the temperature squares the odds: 4/9, 1/3, 1/9; ln(9/4 · 3 · 9).
    loss = in_batch_softmax(QUERIES, ITEMS, PLAIN, reduction="sum", temperature=0.5)
    assert loss.item() == pytest.approx(math.log(60.75))


def test_weighted_mean_by_hand() -> None:
    # (1 · ln 2.5 + 2 · ln 3 + 1 · ln 5) / 4, since the weights add up to 4.
    batch = Positives(COLUMN, COUNTS, weights=torch.tensor([1.0, 2.0, 1.0]))
    assert in_batch_softmax(QUERIES, ITEMS, batch).item() == pytest.approx(math.log(2.5 * 9 * 5) / 4)


def test_one_positive_alone_has_nothing_to_learn() -> None:
    query, item = torch.tensor([[2.0]], requires_grad=True), torch.tensor([[5.0]], requires_grad=True)
    loss = in_batch_softmax(query, item, Positives(torch.tensor([0]), torch.tensor([1])))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert query.grad is not None
    assert query.grad.item() == 0


@pytest.mark.parametrize("hits_out", [False, True])
def test_scores_of_ten_thousand_stay_finite(hits_out: bool) -> None:
    queries = torch.tensor([[100.0, 0], [-100, 0], [0, 100]], requires_grad=True)
    items = torch.tensor([[100.0, 0], [0, -100]], requires_grad=True)
    batch = Positives(torch.tensor([0, 0, 1]), torch.tensor([2, 1]))
    loss = in_batch_softmax(queries, items, batch, reduction="sum", remove_accidental_hits=hits_out)
    loss.backward()  # type: ignore[no-untyped-call]
    # Row 0: its own item wins by 10⁴, so only the twin counts: ln 2, or 0 without it. Rows 1 and 2 lose by 10⁴, row 2
    # to two columns of item 0 that score 0: 10⁴ + ln 2.
    assert loss.item() == pytest.approx(2e4 + (1 if hits_out else 2) * math.log(2))
    assert queries.grad is not None
    assert items.grad is not None
    assert torch.isfinite(queries.grad).all()
    assert torch.isfinite(items.grad).all()


def test_vectors_need_not_be_contiguous() -> None:
    queries, items, batch = random_batch(9)
    turned_queries = queries.t().contiguous().t().requires_grad_()
    turned_items = items.t().contiguous().t().requires_grad_()
    loss = in_batch_softmax(turned_queries, turned_items, batch)
    loss.backward()  # type: ignore[no-untyped-call]
    plain = in_batch_softmax(queries.requires_grad_(), items.requires_grad_(), batch)
    plain.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(loss, plain)
    torch.testing.assert_close(turned_queries.grad, queries.grad)
    torch.testing.assert_close(turned_items.grad, items.grad)


def test_one_side_alone_may_want_gradients() -> None:
    queries, items, batch = random_batch(10)
    in_batch_softmax(queries, items.requires_grad_(), batch).backward()  # type: ignore[no-untyped-call]
    assert items.grad is not None
    assert queries.grad is None


# One query, whose own item scores 0 and stands there twice; others score ln 3 (once) and ln 2 (three times).
ODDS = torch.log(torch.tensor([[1.0], [3.0], [2.0]], dtype=torch.float64))
SHOWING = Positives(torch.tensor([0]), torch.tensor([2, 1, 3]), shown=Pairs(torch.tensor([0, 0]), torch.tensor([1, 2])))
ONE = torch.ones(1, 1, dtype=torch.float64)


def test_shown_items_count_once_more_by_hand() -> None:
    # 2 · 1 + 1 · 3 + 3 · 2 = 11, and 3 + 2 for what was shown: ln 16, with half the weight ln 13.5, with none ln 11.
    assert in_batch_softmax(ONE, ODDS, SHOWING).item() == pytest.approx(math.log(16))
    assert in_batch_softmax(ONE, ODDS, SHOWING, shown_weight=0.5).item() == pytest.approx(math.log(13.5))
    assert in_batch_softmax(ONE, ODDS, SHOWING, shown_weight=0.0).item() == pytest.approx(math.log(11))


def test_shown_items_beside_log_q_by_hand() -> None:
    # Shares 1/4, 1/4, 1/2 of M = 6 candidates: 2 · 4 + 1 · 3 · 4 + 3 · 2 · 2 = 32, and 6 · (3 + 2) for what was shown;
    # the own item is 4. A fourth item that no batch draws was shown too and scores ln 5: 6 · 5 more.
    log_q = torch.log(torch.tensor([0.25, 0.25, 0.5], dtype=torch.float64))
    batch = dataclasses.replace(SHOWING, log_q=log_q)
    assert in_batch_softmax(ONE, ODDS, batch).item() == pytest.approx(math.log(62 / 4))
    assert SHOWING.counts is not None
    batch = dataclasses.replace(
        batch,
        counts=torch.cat([SHOWING.counts, torch.tensor([0])]),
        log_q=torch.cat([log_q, torch.tensor([-math.inf])]),
        shown=Pairs(torch.tensor([0, 0, 0]), torch.tensor([1, 2, 3])),
    )
    items = torch.cat([ODDS, torch.log(torch.tensor([[5.0]], dtype=torch.float64))])
    assert in_batch_softmax(ONE, items, batch).item() == pytest.approx(math.log(92 / 4))


def test_shown_items_beside_log_q_at_half_its_strength_by_hand() -> None:
    # One query of 0, so that all odds are 1; items a and b stand 3 times and once, q = 1/4 and 1. Corrected by the
    # roots they are 3 · 2 and 1; what was shown counts √(3 + 1) = 2 times. Own a over all: 2 / (6 + 1 + 2).
    batch = Positives(
        torch.tensor([0]),
        torch.tensor([3, 1]),
        log_q=torch.log(torch.tensor([1 / 4, 1.0], dtype=torch.float64)),
        shown=Pairs(torch.tensor([0]), torch.tensor([1])),
    )
    queries, items = torch.zeros(1, 1, dtype=torch.float64), torch.ones(2, 1, dtype=torch.float64)
    loss = in_batch_softmax(queries, items, batch, log_q_strength=0.5)
    assert loss.item() == pytest.approx(math.log(9 / 2))


def test_what_is_shown_beside_log_q_counts_as_in_the_full_softmax_in_expectation() -> None:
    """The mean over batches of the sum over M is Σ exp(s) of the catalogue and of what was shown."""
    scores = torch.tensor([1.5, -1.0, 0.7, 0.1], dtype=torch.float64)
    share = torch.tensor([0.5, 0.1, 0.1, 0.3], dtype=torch.float64)
    drawn = torch.multinomial(share, 20_000 * 8, replacement=True, generator=torch.Generator().manual_seed(0))
    shown = Pairs(torch.tensor([0]), torch.tensor([2]))
    total = 0.0
    for others in drawn.view(200, 800):
        counts = torch.bincount(others, minlength=4)
        batch = Positives(torch.tensor([0]), counts, log_q=share.log(), shown=shown)
        loss = in_batch_softmax(ONE, scores.unsqueeze(1), batch).item()
        total += math.exp(loss + scores[0].item()) / share[0].item() / 800
    assert total / 200 == pytest.approx(float(scores.exp().sum() + scores[2].exp()), rel=0.005)
    full = full_softmax(ONE, scores.unsqueeze(1), Positives(torch.tensor([0]), shown=shown)).item()
    assert math.exp(full + scores[0].item()) == pytest.approx(float(scores.exp().sum() + scores[2].exp()))
