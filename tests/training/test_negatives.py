import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import shortlist as sl
from shortlist.data.seen import Seen
from shortlist.settings import SampledNegatives
from shortlist.training import Events, KnownPositives, NegativeSampler, Tables

COUNTS = torch.tensor([16, 1, 0, 0])


def sampler(**fields: Any) -> NegativeSampler:
    return NegativeSampler(COUNTS, SampledNegatives(**fields))


def test_items_are_drawn_as_often_as_their_chances_say() -> None:
    drawn = sampler(uniform_negatives=2, popular_negatives=1).draw(20_000, torch.Generator().manual_seed(0))
    assert drawn.shape == (20_000, 3)
    uniform = torch.bincount(drawn[:, :2].flatten(), minlength=4) / 40_000
    popular = torch.bincount(drawn[:, 2], minlength=4) / 20_000
    np.testing.assert_allclose(uniform, [0.25] * 4, atol=0.01)
    np.testing.assert_allclose(popular, [8 / 9, 1 / 9, 0, 0], atol=0.01)  # 16 and 1 to the power of 0.75


def test_log_q_of_the_batch_alone_is_the_share_of_the_events() -> None:
    assert sampler().log_q(7).tolist() == pytest.approx([math.log(16 / 17), math.log(1 / 17), -math.inf, -math.inf])


def test_log_q_of_mixed_sources_by_hand() -> None:
    # A batch of 34 with 8 uniform draws of 4 items, and 9 by popularity: (32 + 2 + 8) / 51, (2 + 2 + 1) / 51, 2 / 51.
    log_q = sampler(uniform_negatives=8, popular_negatives=9).log_q(34)
    np.testing.assert_allclose(log_q.exp(), [42 / 51, 5 / 51, 2 / 51, 2 / 51], rtol=1e-6)


def test_items_that_may_not_be_drawn_evenly_have_the_other_sources_shares() -> None:
    # A batch of 34 with 8 even draws of items 0, 2 and 3, and 9 by popularity: (32 + 8/3 + 8) / 51, (2 + 1) / 51.
    some = NegativeSampler(
        COUNTS, SampledNegatives(uniform_negatives=8, popular_negatives=9), candidates=torch.tensor([0, 2, 3])
    )
    np.testing.assert_allclose(some.log_q(34).exp() * 51, [32 + 8 / 3 + 8, 2 + 1, 8 / 3, 8 / 3], rtol=1e-6)
    drawn = some.draw(30_000, torch.Generator().manual_seed(0))[:, :8]
    np.testing.assert_allclose(torch.bincount(drawn.flatten()) / drawn.numel(), [1 / 3, 0, 1 / 3, 1 / 3], atol=0.01)


def shop() -> sl.Dataset:
    generator = np.random.default_rng(0)
    items = np.minimum(generator.geometric(0.3, size=600) - 1, 11)
    clicks = {"user": generator.integers(20, size=600), "item": items}
    return sl.Dataset(clicks, items={"item": np.arange(12)}, query_id="user", item_id="item")


def shop_events(loss: SampledNegatives | None = None, *, known: bool = False, fixed_shapes: bool = False) -> Events:
    data = shop()
    features = sl.fit_features([sl.Lookup("user")], [sl.Lookup("item")], on=data)
    counts = torch.from_numpy(np.bincount(data.item_rows, minlength=12))
    return Events(
        Tables(features, data, fixed_shapes=fixed_shapes),
        data,
        negatives=None if loss is None else NegativeSampler(counts, loss),
        known=KnownPositives(Seen.of(data), 12) if known else None,
    )


MIXED = SampledNegatives(uniform_negatives=5, popular_negatives=4)


@pytest.mark.parametrize("batch_size", [7, 64, 1_000])
def test_counts_are_those_of_events_and_draws_together(batch_size: int) -> None:
    batches = list(shop_events(MIXED).epoch(batch_size, torch.Generator().manual_seed(1), None))
    for batch in batches:
        assert batch.positives.counts is not None
        assert int(batch.positives.counts.sum()) == len(batch.user_rows) + 9
        assert batch.item_rows.tolist() == sorted(set(batch.item_rows.tolist()))
        own = torch.bincount(batch.positives.column, minlength=len(batch.item_rows))
        assert bool((own <= batch.positives.counts).all())


def test_counts_are_in_the_mean_what_log_q_says() -> None:
    events, generator = shop_events(MIXED), torch.Generator().manual_seed(0)
    totals, epochs = torch.zeros(12), 100
    for _ in range(epochs):
        for batch in events.epoch(20, generator, None):
            assert batch.positives.counts is not None
            totals.index_add_(0, batch.item_rows, batch.positives.counts.float())
    np.testing.assert_allclose(totals / totals.sum(), events.log_q(20).exp(), rtol=0.05)


@pytest.mark.parametrize("skip", [0, 1, 4])
@pytest.mark.parametrize("gathered", [1, 200, 1 << 20])
def test_draws_after_those_skipped_are_the_same(monkeypatch: pytest.MonkeyPatch, gathered: int, skip: int) -> None:
    monkeypatch.setattr("shortlist.training.batches.GATHERED_NUMBERS", gathered)
    events = shop_events(MIXED)
    whole, rest = (
        [str(batch) for batch in events.epoch(100, torch.Generator().manual_seed(1), None, skip=left_out)]
        for left_out in (0, skip)
    )
    assert rest == whole[skip:]


def test_two_epochs_draw_differently() -> None:
    events, generator = shop_events(MIXED), torch.Generator().manual_seed(0)
    first, second = ([batch.item_rows.tolist() for batch in events.epoch(20, generator, None)] for _ in range(2))
    assert first != second


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32), batch_size=st.integers(1, 60), whole=st.booleans(), fixed=st.booleans())
def test_what_a_user_touched_at_other_times_is_masked_and_nothing_else(
    seed: int, batch_size: int, whole: bool, fixed: bool
) -> None:
    events, data = shop_events(known=True, fixed_shapes=fixed), shop()
    events.candidates = events.tables.item_rows if whole else None
    touched = Seen.of(data)
    for batch in events.epoch(batch_size, torch.Generator().manual_seed(seed), None):
        masked = batch.positives.masked
        assert masked is not None
        assert bool((masked.row.diff() >= 0).all())
        found = set(zip(masked.row.tolist(), masked.column.tolist(), strict=True))
        expected = {
            (row, column)
            for row, (user, own) in enumerate(
                zip(batch.user_rows.tolist(), batch.positives.column.tolist(), strict=True)
            )
            for column, item in enumerate(first_of_each(batch.item_rows.tolist()))
            if column != own and item in touched.by_user(user)
        }
        assert found == expected


def first_of_each(items: list[int]) -> list[int]:
    """The items, those that fill up a batch of fixed shape left out: they stand there no times."""
    return items[: items.index(max(items)) + 1]


def test_log_q_makes_the_sampled_softmax_unbiased_in_a_small_world() -> None:
    """In expectation over draws Σ_u n_u exp(s_u) / (M q_u) is the partition function Σ_j exp(s_j)."""
    log_q = sampler(uniform_negatives=6, popular_negatives=3).log_q(0)
    scores = torch.tensor([1.5, -1.0, 0.7, 0.1], dtype=torch.float64)
    drawn = sampler(uniform_negatives=6, popular_negatives=3).draw(50_000, torch.Generator().manual_seed(3))
    estimate = (scores - log_q.double())[drawn].exp().sum(dim=1) / 9
    assert estimate.mean().item() == pytest.approx(scores.exp().sum().item(), rel=0.01)
    uncorrected = scores[drawn].exp().mean(dim=1) * 4
    assert abs(uncorrected.mean().item() - scores.exp().sum().item()) > 0.1
