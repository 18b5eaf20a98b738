import numpy as np

import shortlist as sl
from shortlist.baselines import popularity


def test_popularity_counts_training_events_in_the_order_of_the_items_table() -> None:
    data = sl.Dataset(
        {"user": [1, 2, 1, 3, 1], "item": [7, 7, 9, 7, 7]}, items={"item": [9, 8, 7]}, query_id="user", item_id="item"
    )
    counts = popularity(data)
    assert counts.tolist() == [1, 0, 4]  # a user's second event with an item counts too
    assert counts.dtype == np.float32


def test_popularity_adds_up_weights_where_there_are_some() -> None:
    data = sl.Dataset(
        {"user": [1, 2, 3, 4], "item": [7, 7, 8, 9], "weight": [0.5, 2, 1, 0]},
        items={"item": [7, 8, 9]},
        query_id="user",
        item_id="item",
        weight="weight",
    )
    assert popularity(data).tolist() == [2.5, 1, 0]


def test_popularity_passes_over_events_outside_the_catalogue() -> None:
    small = sl.Dataset({"user": [1], "item": [8]}, query_id="user", item_id="item")
    data = sl.Dataset(
        {"user": [1, 2, 3], "item": [7, 8, 9], "weight": [4.0, 2.0, 1.0]},
        query_id="user",
        item_id="item",
        weight="weight",
    )
    assert popularity(data.with_items_of(small)).tolist() == [2]


def test_popularity_of_a_split_knows_the_training_events_alone() -> None:
    world = sl.synthetic.TasteWorld(num_groups=2, users_per_group=5, items_per_group=6, train_events=3, test_events=2)
    split = world.split()
    assert popularity(split.train).sum() == split.train.num_events == 30
