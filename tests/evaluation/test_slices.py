import numpy as np
import polars as pl
import pytest

import shortlist as sl
from shortlist.data.seen import Seen
from shortlist.evaluation import (
    Assessment,
    Beside,
    Targets,
    VectorScores,
    bootstrap_interval,
    column_slices,
    default_slices,
    evaluate,
    popularity_scores,
)

# Users 0 to 5 had 0, 1, 2, 3, 4 and 50 training events, and each asks for the item of the same row.
USER_EVENTS = np.array([0, 1, 2, 3, 4, 50])
# 100 events: items 0 and 3 take the first half, and the three with ten each what is left after 70.
ITEM_EVENTS = np.array([40, 10, 10, 30, 10, 0], np.float32)
NOTHING, NOTHING_OF_NINE = (Seen(np.zeros(users + 1, np.int64), np.empty(0, np.int64)) for users in (6, 9))
TARGETS = Targets(np.arange(6), np.arange(6), np.arange(6), absent=0, repeated=0)


def test_default_slices_by_hand() -> None:
    slices = default_slices(TARGETS, USER_EVENTS, ITEM_EVENTS, NOTHING)
    assert {part.name: np.flatnonzero(part.mask).tolist() for part in slices} == {
        "new users": [0],
        "light users (1 to 3 events)": [1, 2, 3],  # the median of 1, 2, 3, 4 and 50
        "heavy users (more than 3)": [4, 5],
        "new items": [5],
        "head items": [0, 3],  # 40, then 70 of 100 events
        "tail items": [1, 2, 4],
    }


def test_what_users_had_before_stands_apart_from_what_is_new_to_them() -> None:
    # User 1 had items 1 and 2, user 4 item 5; each asks for the item of the same row, so that user 1's is a repeat.
    seen = Seen(np.array([0, 0, 2, 2, 2, 3, 3]), np.array([1, 2, 5]))
    slices = default_slices(TARGETS, USER_EVENTS, ITEM_EVENTS, seen)
    of_repeats = {part.name: np.flatnonzero(part.mask).tolist() for part in slices if part.group == "repeats"}
    assert of_repeats == {"had before": [1], "new to the user": [0, 2, 3, 4, 5]}


def test_without_training_events_all_are_new() -> None:
    slices = default_slices(TARGETS, np.zeros(6, np.int64), np.zeros(6, np.float32), NOTHING)
    assert [(part.name, int(part.mask.sum())) for part in slices] == [("new users", 6), ("new items", 6)]


def test_slices_of_users_and_of_items_share_out_all_targets() -> None:
    generator = np.random.default_rng(0)
    for _ in range(50):
        users, items = generator.integers(0, 4, 9), generator.integers(0, 5, 7).astype(np.float32)
        rows = np.arange(30)
        targets = Targets(rows, generator.integers(9, size=30), generator.integers(7, size=30), absent=0, repeated=0)
        slices = default_slices(targets, users, items, NOTHING_OF_NINE)
        for group in ("users", "items"):
            masks = [part.mask for part in slices if part.group == group]
            assert np.sum(masks, axis=0).tolist() == [1] * 30


def test_a_column_has_a_slice_for_each_frequent_value_and_one_for_the_others() -> None:
    values = pl.Series("genre", ["war", None, "war", "drama", *(f"g{n:02}" for n in range(12))])
    slices = column_slices(values)
    assert [part.name for part in slices[:3]] == ["genre = war", "genre missing", "genre = drama"]
    assert slices[-1].name == "genre: others"
    assert slices[0].mask.tolist() == [True, False, True, *[False] * 13]
    assert np.sum([part.mask for part in slices], axis=0).tolist() == [1] * 16
    assert len(column_slices(pl.Series("age", [1, 1, 2]))) == 2


def test_a_slice_has_its_own_value_interval_and_verdict() -> None:
    # 60 users ask for item 0 or 1; the model knows what the odd ones want, popularity what the even ones do.
    data = sl.Dataset({"u": np.arange(60), "i": np.arange(60) % 2}, items={"i": [0, 1, 2]}, query_id="u", item_id="i")
    targets = Targets.of(data)
    protocol = sl.Protocol(ks=(1,), seen="included")
    seen = Seen.of(data)
    queries = np.tile(np.array([0, 1, 0], np.float32), (60, 1, 1))
    model = evaluate(
        VectorScores(lambda rows: queries[rows], np.eye(3, dtype=np.float32)),
        targets, protocol=protocol, seen=seen, name="the model", alarm=False,
    )  # fmt: skip
    beside = evaluate(
        popularity_scores(np.array([2, 1, 0], np.float32), targets), targets,
        protocol=protocol, seen=seen, name="popularity", alarm=False,
    )  # fmt: skip
    parts = column_slices(pl.Series("parity", ["even", "odd"] * 30))
    assessment = Assessment(model, Beside({"popularity": beside}), parts)
    even, odd = assessment.slices
    assert (even.name, even.targets, even.users, even.value) == ("parity = even", 30, 30, 0)
    assert even.verdict.difference == -1
    assert (odd.value, odd.low, odd.high) == (1, 1, 1)
    assert odd.verdict.beats
    low, high = assessment.intervals[protocol.name("top_1_accuracy")] or (0, 0)
    assert (low, high) == bootstrap_interval(*model.samples("top_1_accuracy"))
    assert low < 0.5 < high
    written = assessment.to_json()["slices"][1]
    assert written == {
        "group": "parity", "name": "parity = odd", "targets": 30, "users": 30, "value": 1.0, "low": 1.0, "high": 1.0,
        "baseline": "popularity", "baseline_value": 0.0, "difference": 1.0, "difference_low": 1.0,
        "difference_high": 1.0,
    }  # fmt: skip


@pytest.mark.parametrize("users", [10_000, 10_001])
def test_the_normal_interval_of_many_users_is_the_bootstraps(users: int) -> None:
    generator = np.random.default_rng(users)
    user = np.repeat(np.arange(users), generator.integers(1, 4, users))
    values = (generator.random(len(user)) < 0.3).astype(float)
    found = bootstrap_interval(values, user)
    assert found is not None
    deviation = np.sqrt(0.3 * 0.7 / len(user))
    np.testing.assert_allclose(found, [values.mean() - 1.96 * deviation, values.mean() + 1.96 * deviation], atol=4e-4)
