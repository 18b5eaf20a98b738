import numpy as np
import pytest
from baseline_worlds import random_world
from scorer_conformance import ScorerConformance

import shortlist as sl
from shortlist.baselines import BASELINES, fit_recent_popularity, popularity


class TestConformance(ScorerConformance):
    name = "recent_popularity"
    settings = {"share": 0.3}  # noqa: RUF012
    personal = False


def recent(share: float, times: list[int], items: list[int]) -> list[float]:
    data = sl.Dataset(
        {"user": [1] * len(items), "item": items, "time": times},
        items={"item": [7, 8, 9]},
        query_id="user",
        item_id="item",
        time="time",
    )
    scores: list[float] = fit_recent_popularity(data, share=share)(np.array([0]))[0].tolist()
    return scores


def test_only_the_newest_events_count_in_whatever_order_they_stand() -> None:
    # By time: 7 (1), 7 (2), 8 (3), 8 (4), 9 (5); the newest two of five are 8 and 9.
    assert recent(0.4, times=[5, 1, 4, 2, 3], items=[9, 7, 8, 7, 8]) == [0, 1, 1]


def test_a_moment_is_never_cut_in_two() -> None:
    # The newest one of four stands at time 2, and so do two others.
    assert recent(0.25, times=[1, 2, 2, 2], items=[7, 7, 8, 8]) == [1, 2, 0]


def test_the_smallest_share_is_the_last_moment_and_the_whole_is_popularity() -> None:
    assert recent(1e-9, times=[1, 3, 2], items=[7, 8, 9]) == [0, 1, 0]
    world = random_world()
    assert np.array_equal(fit_recent_popularity(world, share=1)(np.array([0]))[0], popularity(world))


def test_weights_are_added_up() -> None:
    data = sl.Dataset(
        {"user": [1, 1, 1], "item": [7, 8, 8], "time": [1, 2, 2], "weight": [9.0, 0.5, 2.0]},
        query_id="user",
        item_id="item",
        time="time",
        weight="weight",
    )
    assert fit_recent_popularity(data, share=0.5)(np.array([0])).tolist() == [[0, 2.5]]


@pytest.mark.parametrize("share", [0, -0.1, 1.5, float("nan")])
def test_a_share_is_above_zero_and_at_most_one(share: float) -> None:
    with pytest.raises(sl.errors.SettingsError, match=f"share should be above 0 and at most 1, but it is {share}"):
        fit_recent_popularity(random_world(), share=share)


def test_without_times_nothing_is_recent() -> None:
    data = sl.Dataset({"user": [1], "item": [7]}, query_id="user", item_id="item")
    assert BASELINES["recent_popularity"].why_not(data) == "needs times, and no column has the role time"
    with pytest.raises(sl.errors.SettingsError, match="This needs times, but no column has the role time"):
        fit_recent_popularity(data)
