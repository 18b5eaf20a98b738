import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_conformance import as_pairs, random_batch, random_pairs
from torch import Tensor

from shortlist.losses import Positives, bpr, cosine_contrastive, full_softmax, in_batch_softmax, pairwise_hinge
from shortlist.losses.hard_negatives import keep_hardest

Loss = Callable[..., Tensor]
INF = math.inf


def kept(scores: list[float], own: int, num_negatives: int) -> list[float]:
    given = torch.tensor([scores], dtype=torch.float64)
    found = keep_hardest(given, torch.tensor([[own]]), num_negatives)
    assert found is given
    return found[0].tolist()


def test_only_the_own_score_and_the_highest_others_stay() -> None:
    assert kept([0.0, 5.0, 3.0, 4.0], own=0, num_negatives=2) == [0.0, 5.0, -INF, 4.0]
    assert kept([9.0, 5.0, 3.0, 4.0], own=0, num_negatives=1) == [9.0, 5.0, -INF, -INF]


def test_ties_with_the_last_that_stays_stay() -> None:
    assert kept([1.0, 2.0, 2.0, 0.0, 3.0], own=3, num_negatives=2) == [-INF, 2.0, 2.0, 0.0, 3.0]


def test_what_is_no_candidate_takes_no_place() -> None:
    assert kept([0.0, -INF, 2.0, 1.0], own=0, num_negatives=2) == [0.0, -INF, 2.0, 1.0]
    assert kept([0.0, -INF, 2.0, -INF], own=0, num_negatives=2) == [0.0, -INF, 2.0, -INF]


def test_more_than_there_are_keep_all() -> None:
    assert kept([1.0, 2.0, 3.0], own=1, num_negatives=50) == [1.0, 2.0, 3.0]
    assert kept([1.0], own=0, num_negatives=1) == [1.0]


# For each loss the scores by which it mines, [P, U] from products and a batch with counts n and shares q.
MINED: list[tuple[Loss, Callable[[Tensor, Tensor, Tensor], Tensor]]] = [
    (in_batch_softmax, lambda s, n, log_q: s + n.log() - log_q),
    (full_softmax, lambda s, _n, _log_q: s),
    (bpr, lambda s, _n, _log_q: s),
    (pairwise_hinge, lambda s, _n, _log_q: s),
    (cosine_contrastive, lambda s, _n, _log_q: s),
]


@pytest.mark.parametrize(("loss", "mined"), MINED, ids=lambda value: value.__name__)
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32), tile=st.sampled_from([1, 3, 1_024]), num_negatives=st.integers(1, 7))
def test_mining_is_masking_all_but_the_hardest(
    loss: Loss, mined: Callable[[Tensor, Tensor, Tensor], Tensor], seed: int, tile: int, num_negatives: int
) -> None:
    generator = np.random.default_rng(seed)
    queries, items, batch = random_batch(seed, items=8)
    assert batch.counts is not None
    assert batch.log_q is not None
    masked = random_pairs(generator, batch, 0.3)
    scores = mined(queries @ items.t(), batch.counts.double(), batch.log_q).numpy()
    own = batch.column.numpy()
    easy = masked.copy()
    for row, of_row in enumerate(scores):
        others = [u for u in np.argsort(-of_row) if u != own[row] and not masked[row, u]]
        easy[row, others[num_negatives:]] = True
    vectors = queries.requires_grad_(), items.requires_grad_()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shortlist.losses.tiles.MIN_ROWS", tile)
        patch.setattr("shortlist.losses.tiles.MAX_ROWS", tile)
        found = loss(*vectors, dataclasses.replace(batch, masked=as_pairs(masked)), hard_negatives=num_negatives)
    expected = loss(*vectors, dataclasses.replace(batch, masked=as_pairs(easy)))
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(torch.autograd.grad(found, vectors), torch.autograd.grad(expected, vectors))


def test_mining_follows_log_q_temperature_and_accidental_hits_as_tensorflow_recommenders_orders_it() -> None:
    """Its Retrieval task on one column a positive: scores / temperature − log q, hits at −inf, then the top n + own."""
    generator = np.random.default_rng(0)
    queries, items = generator.normal(size=(6, 4)), generator.normal(size=(6, 4))
    log_q = np.log(generator.dirichlet(np.ones(6)))
    logits = queries @ items.T / 0.3 - log_q  # every item once: none is an accidental hit
    expected = 0.0
    for row in range(6):
        others = np.sort(np.delete(logits[row], row))[::-1][:2]
        expected += np.log(np.exp(np.append(others, logits[row, row])).sum()) - logits[row, row]
    batch = Positives(torch.arange(6), torch.ones(6, dtype=torch.int64), log_q=torch.from_numpy(log_q))
    loss = in_batch_softmax(
        torch.from_numpy(queries), torch.from_numpy(items), batch,
        reduction="sum", temperature=0.3, hard_negatives=2, remove_accidental_hits=True,
    )  # fmt: skip
    assert loss.item() == pytest.approx(expected)


def test_copies_of_an_item_take_one_place_together_and_those_of_the_own_item_none() -> None:
    # Odds: own 1, twice; a 3, once; b 2, twice. Terms 2, 3 and 4: of the others b stays. ln 6; without own copies ln 5.
    items = torch.log(torch.tensor([[1.0], [3.0], [2.0]], dtype=torch.float64))
    query, batch = torch.ones(1, 1, dtype=torch.float64), Positives(torch.tensor([0]), torch.tensor([2, 1, 2]))
    assert in_batch_softmax(query, items, batch, hard_negatives=1).item() == pytest.approx(math.log(6))
    alone = in_batch_softmax(query, items, batch, hard_negatives=1, remove_accidental_hits=True)
    assert alone.item() == pytest.approx(math.log(5))
