"""Explicit negatives from the dataset to the loss."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import shortlist as sl
from shortlist.data.seen import Seen
from shortlist.data.shown import Shown
from shortlist.losses import in_batch_softmax
from shortlist.settings import SampledNegatives
from shortlist.training import Events, KnownPositives, NegativeSampler, ShownItems, Tables
from shortlist.training.batches import unique_in_batches


def shop() -> sl.Dataset:
    """Fifteen items, of which the last three are shown only."""
    generator = np.random.default_rng(0)
    clicks = {
        "user": generator.integers(9, size=80),
        "item": generator.integers(12, size=80),
        "shown": [generator.choice(15, size=generator.integers(6), replace=False).tolist() for _ in range(80)],
    }
    return sl.Dataset(clicks, items={"item": np.arange(15)}, query_id="user", item_id="item", shown="shown")


def shop_events(*, drawn: bool = False, fixed_shapes: bool = False, whole: bool = False, **fields: Any) -> Events:
    data = shop()
    features = sl.fit_features([sl.Lookup("user", width=4)], [sl.Lookup("item", width=4)], on=data)
    counts = torch.from_numpy(np.bincount(data.item_rows, minlength=15))
    negatives = NegativeSampler(counts, SampledNegatives(uniform_negatives=5)) if drawn else None
    tables = Tables(features, data, fixed_shapes=fixed_shapes)
    candidates = tables.item_rows if whole else None
    return Events(tables, data, candidates=candidates, negatives=negatives, shown=ShownItems(Shown.of(data)), **fields)


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 2**32),
    batch_size=st.integers(1, 90),
    drawn=st.booleans(),
    fixed=st.booleans(),
    whole=st.booleans(),
)
def test_a_batch_holds_what_was_shown_with_its_events_and_counts_it_nowhere(
    seed: int, batch_size: int, drawn: bool, fixed: bool, whole: bool
) -> None:
    data, events = shop(), shop_events(drawn=drawn and not whole, fixed_shapes=fixed, whole=whole)
    lists = Shown.of(data)
    order = torch.randperm(80, generator=torch.Generator().manual_seed(seed))
    for batch, rows in zip(events.batches(order, batch_size, None), torch.split(order, batch_size), strict=True):
        shown, counts = batch.positives.shown, batch.positives.counts
        assert shown is not None
        assert bool((shown.row.diff() >= 0).all())
        found = sorted(zip(shown.row.tolist(), batch.item_rows[shown.column].tolist(), strict=True))
        assert found == [
            (place, item)
            for place, row in enumerate(rows.tolist())
            for item in lists.item_rows[lists.offsets[row] : lists.offsets[row + 1]].tolist()
        ]
        assert torch.equal(batch.item_rows[batch.positives.column], events.item_rows[rows])
        if counts is not None:
            assert int(counts.sum()) == len(rows) + (5 if drawn else 0)
            inputs = batch.item_inputs["lookup_item"]
            assert isinstance(inputs, torch.Tensor)
            assert len(inputs) == len(counts) == len(batch.item_rows)


def test_what_is_known_to_be_a_positive_was_not_shown_as_a_negative() -> None:
    data = shop()
    events = shop_events(known=KnownPositives(Seen.of(data), 15))
    touched, left = Seen.of(data), 0
    for batch in events.epoch(16, torch.Generator().manual_seed(0), None):
        shown = batch.positives.shown
        assert shown is not None
        for row, column in zip(shown.row.tolist(), shown.column.tolist(), strict=True):
            left += 1
            assert int(batch.item_rows[column]) not in touched.by_user(int(batch.user_rows[row]))
    assert 0 < left < len(Shown.of(data).item_rows)


def test_without_removal_all_that_was_shown_stays() -> None:
    events = shop_events(known=KnownPositives(Seen.of(shop()), 15), remove_known=False)
    found = [batch.positives for batch in events.epoch(16, torch.Generator().manual_seed(0), None)]
    assert all(positives.masked is None for positives in found)
    assert sum(len(positives.shown.row) for positives in found if positives.shown) == len(Shown.of(shop()).item_rows)


def test_uncounted_values_are_there_and_count_nothing() -> None:
    values, batch = torch.tensor([7, 5, 7, 3, 9, 7, 3]), torch.tensor([0, 0, 0, 1, 0, 1, 1])
    unique, column, counts, sizes = unique_in_batches(values, batch, 10, num_uncounted=3)  # 9 and 7, then 3
    assert unique.tolist() == [5, 7, 9, 3, 7]
    assert counts.tolist() == [1, 2, 0, 1, 0]
    assert column.tolist() == [1, 0, 1, 0, 2, 1, 0]
    assert sizes == [3, 2]


@pytest.mark.parametrize("loss", [sl.InBatchSoftmax(log_q=True), sl.FullSoftmax(), sl.Bpr(), sl.PairwiseHinge()])
def test_every_loss_learns_to_rank_what_was_shown_and_not_touched_below_what_was(loss: Any) -> None:
    """Five items are touched alike; item 4 was shown besides with each event that does not touch it."""
    generator = np.random.default_rng(0)
    items = np.arange(300) % 5
    clicks = {"user": generator.integers(20, size=300), "item": items, "shown": ["4"] * 300}
    split = sl.split_random(sl.Dataset(clicks, query_id="user", item_id="item", shown="shown"), test=0.1, seed=0)
    features = sl.fit_features([sl.Lookup("user", width=4)], [sl.Lookup("item", width=4)], on=split.train)
    places = []
    for weight in (0.0, 5.0):
        run = sl.train(
            sl.TwoTower(features, layers=[4], item_bias=True),
            split,
            loss=dataclasses.replace(loss, shown_weight=weight),
            optimizer=sl.Adagrad(0.3),
            training=sl.Training(epochs=5, batch_size=32, watch="nothing"),
            progress=False,
        )
        bias = run.item_vectors()[:, -1]
        places.append(bias[4] - bias[:4].mean())
    assert places[1] < places[0] - 0.1


def test_shown_items_of_a_step_on_fixed_shapes_give_the_loss_of_free_ones() -> None:
    found = []
    for fixed in (False, True):
        events = shop_events(drawn=True, fixed_shapes=fixed)
        model = sl.TwoTower(events.tables.features, [6, 5])
        model.initialize(0)
        log_q = events.log_q(16)
        found.append(
            [
                in_batch_softmax(
                    model.encode_queries(batch.query_inputs).squeeze(1),
                    model.encode_items(batch.item_inputs),
                    batch.positives,
                ).item()
                for batch in events.epoch(16, torch.Generator().manual_seed(1), log_q)
            ]
        )
    assert found[0] == pytest.approx(found[1], rel=1e-5)
