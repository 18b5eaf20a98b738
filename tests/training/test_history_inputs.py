from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import shortlist as sl
from shortlist.data.histories import Histories
from shortlist.errors import DataError
from shortlist.features.lists import FIRST_ROW
from shortlist.models.inputs import Bag, SharedHistory, TowerInput
from shortlist.training import Events, Tables
from shortlist.training.histories import HistoryInputs

IDS = pl.Series("item", [10, 9, 8, 7])
# Users: 0 touched 7, 8, 9, 8 in this order; 1 nothing; 2 only item 10, which training does not know.
HISTORIES = Histories(np.array([0, 4, 4, 5]), np.array([3, 2, 1, 2, 0]))
EVERYONE = torch.tensor([2, 0, 1, 0])


def lists_of(inputs: TowerInput) -> list[list[int]]:
    """The rows of each list; the vocabulary 7, 8, 9 has rows 2, 3, 4."""
    if isinstance(inputs, Bag):
        assert inputs.lengths.tolist() == torch.bincount(inputs.owner, minlength=len(inputs.lengths)).tolist()
        return [inputs.rows[inputs.owner == place].tolist() for place in range(len(inputs.lengths))]
    assert isinstance(inputs, torch.Tensor)
    return [[row for row in rows if row] for rows in inputs.tolist()]


def inputs_of(*, padded: bool, **fields: Any) -> HistoryInputs:
    feature = sl.History("item", **fields).fit(pl.Series([7, 8, 9]))
    return HistoryInputs([feature], HISTORIES, IDS, padded=padded)


@pytest.mark.parametrize("padded", [False, True])
def test_histories_stand_in_their_order_without_unknown_items(padded: bool) -> None:
    taken = inputs_of(padded=padded).take(EVERYONE)["history_item"]
    assert lists_of(taken) == [[], [2, 3, 4, 3], [], [2, 3, 4, 3]]


@pytest.mark.parametrize("padded", [False, True])
def test_what_is_held_out_is_no_part_of_it_wherever_it_stands(padded: bool) -> None:
    taken = inputs_of(padded=padded).take(EVERYONE, held_out=torch.tensor([0, 2, 2, 3]))["history_item"]
    assert lists_of(taken) == [[], [2, 4], [], [3, 4, 3]]


@pytest.mark.parametrize("padded", [False, True])
def test_a_history_ends_before_the_event_and_its_latest_items_count(padded: bool) -> None:
    taken = inputs_of(padded=padded, max_length=2).take(EVERYONE, before={"history_item": torch.tensor([1, 3, 0, 0])})[
        "history_item"
    ]
    assert lists_of(taken) == [[], [3, 4], [], []]


def test_padded_lists_have_one_width_whoever_asks() -> None:
    few, many = (inputs_of(padded=True).take(torch.tensor(users))["history_item"] for users in ([1], [0, 2]))
    assert isinstance(few, torch.Tensor)
    assert isinstance(many, torch.Tensor)
    assert (few.shape, many.shape) == ((1, 4), (2, 4))


def shop() -> sl.Dataset:
    clicks = {"user": [1, 1, 1, 2, 2], "item": [7, 8, 9, 7, 7], "at": [1, 2, 2, 3, 4]}
    return sl.Dataset(clicks, query_id="user", item_id="item", time="at")


def shop_events(*, in_time: bool, padded: bool = False) -> Events:
    data = shop()
    features = sl.fit_features([sl.History("item", width=4)], [sl.Lookup("item")], on=data)
    return Events(
        Tables(features, data, fixed_shapes=padded),
        data,
        histories=Histories.of(data),
        own_histories=True,
        in_time=in_time,
    )


@pytest.mark.parametrize("padded", [False, True])
def test_an_events_own_item_is_never_part_of_its_history(padded: bool) -> None:
    events = shop_events(in_time=False, padded=padded)
    taken = events.query_inputs(torch.arange(5))["history_item"]
    assert lists_of(taken) == [[3, 4], [2, 4], [2, 3], [], []]  # the second user bought 7 twice


@pytest.mark.parametrize("padded", [False, True])
def test_in_time_nothing_of_the_events_future_or_moment_is(padded: bool) -> None:
    events = shop_events(in_time=True, padded=padded)
    # The second user's other 7 came before, and stays as it would for whoever comes back to it.
    assert lists_of(events.query_inputs(torch.arange(5))["history_item"]) == [[], [2], [2], [], [2]]


def test_batches_bring_the_histories_of_their_own_events() -> None:
    events = shop_events(in_time=False)
    rows = torch.tensor([4, 1, 0, 3, 2])
    found = [lists_of(batch.query_inputs["history_item"]) for batch in events.batches(rows, 2, None)]
    assert found == [[[], [2, 4]], [[3, 4], []], [[2, 3]]]


def test_where_no_feature_reads_histories_none_are_gathered() -> None:
    data = shop()
    features = sl.fit_features([sl.Lookup("user")], [sl.Lookup("item")], on=data)
    assert list(Events(Tables(features, data), data).query_inputs(torch.tensor([0]))) == ["lookup_user"]


@pytest.mark.parametrize("padded", [False, True])
def test_a_shared_history_comes_with_the_items_that_it_points_into(padded: bool) -> None:
    features = sl.fit_features([sl.History("item", shared=True)], [sl.Lookup("item"), sl.Lookup("kind")], on=shelf())
    data = shelf()
    events = Events(Tables(features, data, fixed_shapes=padded), data, histories=Histories.of(data), own_histories=True)
    of_batches = [batch.query_inputs for batch in events.batches(torch.arange(4), 2, None)]
    kinds = {row: kind for kind, row in zip("abc", (1, 2, 3), strict=True)}
    found = []
    for inputs in (*of_batches, events.query_inputs(torch.arange(4))):
        history = inputs["history_item"]
        assert isinstance(history, SharedHistory)
        of_items = history.items["lookup_kind"]
        assert isinstance(of_items, torch.Tensor)
        assert padded or len(of_items) <= 2  # no more than the batch's histories hold
        found.append([[kinds[int(of_items[row - FIRST_ROW])] for row in rows] for rows in lists_of(history.lists)])
    assert found[0] + found[1] == found[2] == [["b"], ["a"], [], []]  # the others' items, never the own


def shelf() -> sl.Dataset:
    """Ann touched 7, of kind a, and 8, of kind b; Bob 8 alone, twice; 9 is there and was not touched."""
    clicks = {"user": ["ann", "ann", "bob", "bob"], "item": [7, 8, 8, 8]}
    items = {"item": [9, 8, 7], "kind": ["c", "b", "a"]}
    return sl.Dataset(clicks, items=items, query_id="user", item_id="item")


def test_a_gap_that_leaves_no_event_a_history_is_refused() -> None:
    clicks = {"user": [1, 1, 1, 2], "item": [7, 8, 9, 7], "at": [1, 3, 5, 9]}
    data = sl.Dataset(clicks, query_id="user", item_id="item", time="at")
    features = sl.fit_features([sl.History("item", gap=5.0)], [sl.Lookup("item")], on=data)
    tables = Tables(features, data)
    with pytest.raises(DataError, match="The history's gap of 5 leaves no training event anything to read"):
        Events(tables, data, histories=Histories.of(data), own_histories=True, in_time=True)
    assert (
        len(Events(tables, data, histories=Histories.of(data), own_histories=True)) == 4
    )  # under other splits it is nothing
