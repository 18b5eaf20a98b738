import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import shortlist as sl
from shortlist.training import Batch, Events, Tables

# Ten events: item 7 five times, 8 three times, 9 twice; item 10 stands in the table only.
USERS = ["a", "b", "a", "c", "b", "a", "d", "d", "c", "a"]
ITEMS = [7, 8, 7, 9, 7, 8, 7, 7, 9, 8]
WEIGHTS = [0.5, 1, 2, 1, 1, 3, 1, 1, 0.25, 1]


@pytest.fixture(scope="module")
def data() -> sl.Dataset:
    return sl.Dataset(
        {"user": USERS, "item": ITEMS, "weight": WEIGHTS, "event": range(10)},
        items={"item": [10, 9, 8, 7]},
        query_id="user",
        item_id="item",
        weight="weight",
    )


def events_of(data: sl.Dataset) -> Events:
    """The name of each event is a feature of its query, so that a batch says which events it holds."""
    features = sl.fit_features([sl.Lookup("user"), sl.Lookup("event")], [sl.Lookup("item")], on=data)
    return Events(Tables(features, data), data)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32), batch_size=st.integers(1, 12))
def test_epoch_holds_every_event_once_in_batches_that_match(seed: int, batch_size: int) -> None:
    data = sl.Dataset({"user": USERS, "item": ITEMS, "event": range(10)}, query_id="user", item_id="item")
    events = events_of(data)
    batches = list(events.epoch(batch_size, torch.Generator().manual_seed(seed), None))
    assert len(batches) == events.num_batches(batch_size) == math.ceil(10 / batch_size)
    taken = []
    for place, batch in enumerate(batches):
        names = batch.query_inputs["lookup_event"]
        assert isinstance(names, torch.Tensor)
        rows = (names - 1).tolist()  # row 0 is the unknown one; names 0..9 are in alphabetical order
        assert len(rows) == min(batch_size, 10 - place * batch_size)
        assert batch.user_rows.tolist() == [data.user_rows[row] for row in rows]
        own = batch.item_rows[batch.positives.column]
        assert own.tolist() == [data.item_rows[row] for row in rows]
        assert batch.positives.counts is not None
        assert dict(zip(batch.item_rows.tolist(), batch.positives.counts.tolist(), strict=True)) == Counter(
            own.tolist()
        )
        assert batch.positives.weights is None
        assert batch.positives.log_q is None
        taken += rows
    assert sorted(taken) == list(range(10))


def test_batch_gathers_its_items_weights_and_log_q(data: sl.Dataset) -> None:
    events = events_of(data)
    batch = events.batch(torch.tensor([3, 0, 8, 2]), events.log_q(1))  # items 9, 7, 9, 7: rows 1 and 3
    assert batch.item_rows.tolist() == [1, 3]
    assert batch.positives.column.tolist() == [0, 1, 0, 1]
    assert batch.positives.counts is not None
    assert batch.positives.counts.tolist() == [2, 2]
    assert batch.positives.weights is not None
    assert batch.positives.weights.tolist() == [1, 0.5, 0.25, 2]
    assert batch.positives.log_q is not None
    assert batch.positives.log_q.tolist() == pytest.approx([math.log(0.2), math.log(0.5)])
    items = batch.item_inputs["lookup_item"]
    assert isinstance(items, torch.Tensor)
    assert items.tolist() == [3, 1]  # the vocabulary is "7", "8", "9": rows 1, 2, 3


def test_log_q_is_the_log_of_each_items_share_of_the_events(data: sl.Dataset) -> None:
    # Rows are items 10, 9, 8, 7, which stand in 0, 2, 3 and 5 of ten events; weights do not count.
    expected = [-math.inf, math.log(0.2), math.log(0.3), math.log(0.5)]
    assert events_of(data).log_q(1).tolist() == pytest.approx(expected)


def test_order_comes_from_the_generator_alone(data: sl.Dataset) -> None:
    events = events_of(data)

    def order(seed: int) -> list[int]:
        generator = torch.Generator().manual_seed(seed)
        return [row for batch in events.epoch(4, generator, None) for row in batch.user_rows.tolist()]

    torch.manual_seed(0)
    first = order(1)
    torch.manual_seed(99)
    assert order(1) == first
    assert any(order(seed) != first for seed in (2, 3, 4))


def test_two_epochs_from_one_generator_differ_in_order(data: sl.Dataset) -> None:
    events, generator = events_of(data), torch.Generator().manual_seed(0)
    orders = [
        np.concatenate([batch.query_inputs["lookup_event"] for batch in events.epoch(4, generator, None)])
        for _ in range(2)
    ]
    assert not np.array_equal(orders[0], orders[1])


def test_users_features_follow_the_user_of_each_event(data: sl.Dataset) -> None:
    events = events_of(data)
    users = events.query_inputs(torch.tensor([3, 1, 6]))["lookup_user"]
    assert isinstance(users, torch.Tensor)
    assert users.tolist() == [3, 2, 4]  # c, b, d of the vocabulary a, b, c, d


def test_every_batch_has_the_same_candidates_where_they_are_given(data: sl.Dataset) -> None:
    features = sl.fit_features([sl.Lookup("user")], [sl.Lookup("item")], on=data)
    tables = Tables(features, data)
    of_some = Events(tables, data, candidates=torch.tensor([1, 3])).batch(torch.tensor([3, 0]), None)
    assert (of_some.item_rows.tolist(), of_some.positives.column.tolist()) == ([1, 3], [0, 1])
    assert of_some.item_inputs["lookup_item"].tolist() == [3, 1]  # type: ignore[union-attr]
    events = Events(tables, data, candidates=tables.item_rows)
    batch = events.batch(torch.tensor([3, 0]), None)  # items 9 and 7: rows 1 and 3 of the table
    assert batch.item_rows.tolist() == [0, 1, 2, 3]
    assert batch.positives.column.tolist() == [1, 3]
    assert batch.positives.counts is None
    items = batch.item_inputs["lookup_item"]
    assert isinstance(items, torch.Tensor)
    assert items.tolist() == [0, 3, 2, 1]  # no event names item 10


@pytest.mark.parametrize("batch_size", [1, 3, 4, 10, 12])
def test_batches_made_together_are_those_made_one_by_one(batch_size: int) -> None:
    data = sl.Dataset(
        {
            "user": USERS, "item": ITEMS, "weight": WEIGHTS, "at": [float(place) for place in range(10)],
            "words": ["a b", "", "c", "a b c", "", "", "b b", "d", "a", ""],
        },
        items={"item": [10, 9, 8, 7], "title": ["x", "", "y z", "x x y"]},
        query_id="user",
        item_id="item",
        weight="weight",
    )  # fmt: skip
    features = sl.fit_features([sl.Text("words"), sl.Normalize("at")], [sl.Lookup("item"), sl.Text("title")], on=data)
    events = Events(Tables(features, data), data)
    rows = torch.tensor([4, 9, 0, 3, 7, 1, 8, 2, 6, 5])
    together = list(events.batches(rows, batch_size, events.log_q(1)))
    assert [str(batch) for batch in together] == [
        str(events.batch(part, events.log_q(1))) for part in torch.split(rows, batch_size)
    ]


@pytest.mark.parametrize("gathered", [1, 20, 1 << 20])
@pytest.mark.parametrize("skip", [0, 1, 3, 4, 5])
def test_batches_after_those_skipped_are_the_same(
    data: sl.Dataset, monkeypatch: pytest.MonkeyPatch, skip: int, gathered: int
) -> None:
    monkeypatch.setattr("shortlist.training.batches.GATHERED_NUMBERS", gathered)
    events = events_of(data)
    whole, rest = (
        [str(batch) for batch in events.epoch(2, torch.Generator().manual_seed(1), None, skip=left_out)]
        for left_out in (0, skip)
    )
    assert rest == whole[skip:]


def test_the_longer_the_lists_the_fewer_batches_are_gathered_together(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [" ".join("abcdefghij"[: 4 + place % 3]) for place in range(10)]  # five in the mean
    data = sl.Dataset({"item": ITEMS, "user": USERS, "words": words}, query_id="user", item_id="item")
    events = Events(Tables(sl.fit_features([sl.Text("words")], [sl.Lookup("item")], on=data), data), data)
    gathered = []
    together = Events.batches

    def batches(self: Events, rows: torch.Tensor, *rest: Any) -> Iterator[Batch]:
        gathered.append(len(rows))
        return together(self, rows, *rest)

    monkeypatch.setattr(Events, "batches", batches)
    for numbers in (1, 37, 1 << 20):  # a row of query and item holds about six
        monkeypatch.setattr("shortlist.training.batches.GATHERED_NUMBERS", numbers)
        assert sum(1 for _ in events.epoch(2, torch.Generator(), None)) == 5
    assert gathered == [2, 2, 2, 2, 2, 6, 4, 10]
