"""How many of the compared pairs are no honest negatives, against every pair looked at one by one."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import shortlist as sl
from shortlist.data.seen import Seen
from shortlist.losses import in_batch_softmax
from shortlist.settings import SampledNegatives
from shortlist.training import Events, KnownPositives, NegativeSampler, PairRates, Tables, fit, make_optimizer


def shop() -> sl.Dataset:
    generator = np.random.default_rng(0)
    items = np.minimum(generator.geometric(0.3, size=150) - 1, 11)
    clicks = {"user": generator.integers(9, size=150), "item": items}
    return sl.Dataset(clicks, items={"item": np.arange(12)}, query_id="user", item_id="item")


def shop_events(*, drawn: bool = False, fixed: bool = False, whole: bool = False, **fields: Any) -> Events:
    data = shop()
    features = sl.fit_features([sl.Lookup("user", width=4)], [sl.Lookup("item", width=4)], on=data)
    counts = torch.from_numpy(np.bincount(data.item_rows, minlength=12))
    negatives = NegativeSampler(counts, SampledNegatives(uniform_negatives=7)) if drawn else None
    tables = Tables(features, data, fixed_shapes=fixed)
    return Events(tables, data, negatives=negatives, candidates=tables.item_rows if whole else None, **fields)


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32),
    batch_size=st.integers(2, 160),
    drawn=st.booleans(),
    fixed=st.booleans(),
    whole=st.booleans(),
)
def test_they_are_those_of_all_pairs_one_by_one(
    seed: int, batch_size: int, drawn: bool, fixed: bool, whole: bool
) -> None:
    touched = Seen.of(shop())
    events = shop_events(drawn=drawn and not whole, fixed=fixed, whole=whole, known=KnownPositives(touched, 12))
    rates, pairs, hits, known = PairRates(events), 0, 0, 0
    for batch in events.epoch(batch_size, torch.Generator().manual_seed(seed), None):
        rates.add(batch, first=False)
        counts = torch.ones_like(batch.item_rows) if batch.positives.counts is None else batch.positives.counts
        candidates = batch.item_rows.repeat_interleave(counts).tolist()
        for user, own in zip(batch.user_rows.tolist(), batch.item_rows[batch.positives.column].tolist(), strict=True):
            others = candidates.copy()
            others.remove(own)
            pairs += len(others)
            hits += others.count(own)
            known += sum(item != own and item in touched.by_user(user) for item in others)
    assert rates.sums == [pairs, hits, pairs, known]
    assert rates.accidental_hits == pytest.approx(hits / pairs)
    assert rates.known_positives == pytest.approx(known / pairs)


@pytest.mark.parametrize("whole", [False, True])
def test_where_nothing_is_taken_out_the_first_batch_tells_what_would_be(whole: bool) -> None:
    known = KnownPositives(Seen.of(shop()), 12)
    masked = shop_events(whole=whole, known=known)
    open_to_all = shop_events(whole=whole, known=known, remove_known=False)
    of_first, of_all = PairRates(masked), PairRates(open_to_all)
    for place, (one, other) in enumerate(
        zip(
            *(events.epoch(40, torch.Generator().manual_seed(1), None) for events in (masked, open_to_all)), strict=True
        )
    ):
        assert other.positives.masked is None
        of_all.add(other, first=place == 0)
        if place == 0:
            of_first.add(one, first=True)
    assert of_all.sums[2:] == of_first.sums[2:]
    assert of_all.sums[0] > of_first.sums[0]


def test_without_anything_to_look_at_they_are_unknown() -> None:
    rates = PairRates(shop_events())
    assert (rates.accidental_hits, rates.known_positives) == (None, None)
    (batch,) = shop_events().epoch(200, torch.Generator(), None)
    rates.add(batch, first=True)
    assert rates.accidental_hits is not None
    assert rates.known_positives is None


def test_the_loop_tells_them_of_each_epoch() -> None:
    data = shop()
    events = shop_events(known=KnownPositives(Seen.of(data), 12), remove_known=False)
    model = sl.TwoTower(events.tables.features, [4])
    history = fit(
        model, events, loss=in_batch_softmax, optimizer=make_optimizer(sl.Adagrad(), model),
        training=sl.Training(epochs=2, batch_size=150, watch="nothing"),
    )  # fmt: skip
    # One batch of all events: the share of the other events that have an event's own item.
    counts = np.bincount(data.item_rows)
    share = (counts * (counts - 1)).sum() / (150 * 149)
    touched = Seen.of(data)
    known = sum(counts[touched.by_user(user)].sum() for user in data.user_rows) - (counts * counts).sum()
    for epoch in history.epochs:
        assert epoch.accidental_hits == pytest.approx(share)
        assert epoch.known_positives == pytest.approx(known / (150 * 149))
