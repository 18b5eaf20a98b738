"""Items that training did not touch are negatives too, unless the loss says otherwise."""

from typing import Any

import numpy as np
import pytest
import torch

import shortlist as sl
from shortlist.data.splits import Split
from shortlist.experiment.vectors import events_of
from shortlist.training import Events, Tables


def shop(*, shown: bool = False) -> Split:
    """Twelve items, of which training touches the first eight; item 8 is shown beside each event where `shown`."""
    generator = np.random.default_rng(0)
    clicks: dict[str, Any] = {
        "user": generator.integers(9, size=100),
        "item": [*generator.integers(8, size=80), *[9] * 20],
        "part": ["train"] * 80 + ["test"] * 20,
        "shown": [[8]] * 100,
    }
    data = sl.Dataset(
        clicks, items={"item": np.arange(12)}, query_id="user", item_id="item", shown="shown" if shown else None
    )
    return sl.split_as_given(data, "part")


def events_for(split: Split, loss: Any) -> Events:
    features = sl.fit_features([sl.Lookup("user", width=4)], [sl.Lookup("item", width=4)], on=split.train)
    return events_of(split, split.train, Tables(features, split.train), loss)


def candidates_of(events: Events) -> set[int]:
    """The items that stand in any of an epoch's batches."""
    batches = events.epoch(10, torch.Generator().manual_seed(0), None)
    return {item for batch in batches for item in batch.item_rows.tolist()}


@pytest.mark.parametrize("loss", [sl.FullSoftmax, sl.InBatchSoftmax, sl.Bpr])
class TestCandidates:
    def of(self, loss: Any, **settings: Any) -> Any:
        return loss(**settings) if loss is sl.FullSoftmax else loss(uniform_negatives=40, **settings)

    def test_are_the_catalogue(self, loss: Any) -> None:
        assert candidates_of(events_for(shop(), self.of(loss))) == set(range(12))

    def test_are_what_training_touched_where_that_is_asked_for(self, loss: Any) -> None:
        assert candidates_of(events_for(shop(), self.of(loss, untouched_negatives=False))) == set(range(8))

    def test_are_also_what_was_shown(self, loss: Any) -> None:
        assert candidates_of(events_for(shop(shown=True), self.of(loss, untouched_negatives=False))) == set(range(9))

    def test_are_not_what_was_shown_where_that_has_no_weight(self, loss: Any) -> None:
        events = events_for(shop(shown=True), self.of(loss, untouched_negatives=False, shown_weight=0.0))
        assert candidates_of(events) == set(range(8))


def test_log_q_gives_an_item_that_cannot_be_drawn_no_share() -> None:
    log_q = events_for(shop(), sl.InBatchSoftmax(uniform_negatives=40, untouched_negatives=False)).log_q(10)
    assert torch.isinf(log_q).tolist() == [False] * 8 + [True] * 4
    assert float(log_q.exp().sum()) == pytest.approx(1)


def colours() -> Split:
    """Users like red or blue things and touch three of four such in training; a fifth of each is new in the test."""
    users, items, part = [], [], []
    for user in range(40):
        colour = user % 2
        liked = [colour + 2 * thing for thing in range(4) if thing != user // 2 % 4]
        users += [user] * 4
        items += [*liked, colour + 8]
        part += ["train"] * 3 + ["test"]
    catalogue = {"item": np.arange(10), "colour": ["red", "blue"] * 5}
    data = sl.Dataset({"user": users, "item": items, "part": part}, items=catalogue, query_id="user", item_id="item")
    return sl.split_as_given(data, "part")


def advantage_of_touched_items(*, untouched_negatives: bool) -> float:
    """How much higher users score the one thing of their colour that they left out than the new one."""
    split = colours()
    features = sl.fit_features(
        [sl.History("item", width=8)],
        [sl.Lookup("item", width=8, dropout=0.3), sl.Lookup("colour", width=8)],
        on=split.train,
    )
    run = sl.train(
        sl.TwoTower(features, layers=[8]),
        split,
        loss=sl.FullSoftmax(untouched_negatives=untouched_negatives),
        optimizer=sl.AdamW(0.02),
        training=sl.Training(epochs=40, batch_size=20, watch="nothing", seed=1, device="cpu"),
        progress=False,
    )
    events = events_of(split, split.test, run.tables)
    with torch.inference_mode():
        queries = run.model.encode_queries(events.query_inputs(torch.arange(40))).squeeze(1).numpy()  # by user
    scores = queries @ run.item_vectors().T
    users = np.arange(40)
    return float(np.mean(scores[users, users % 2 + 2 * (users // 2 % 4)] - scores[users, users % 2 + 8]))


def test_a_new_item_keeps_up_with_others_of_its_kind_where_it_is_no_negative() -> None:
    as_it_is = advantage_of_touched_items(untouched_negatives=False)
    among_negatives = advantage_of_touched_items(untouched_negatives=True)
    assert as_it_is < among_negatives - 0.5  # in e-folds of how often one is chosen
