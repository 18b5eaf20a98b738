"""Why a model stays behind a baseline."""

import numpy as np
import pytest

import shortlist as sl
from shortlist.data.seen import Seen
from shortlist.evaluation import Assessment, Beside, Evaluation, Slice, Targets, find_shortfall
from shortlist.metrics import Ranks

NUM = 100  # targets, one a user
TARGETS = Targets(np.arange(NUM), np.arange(NUM), np.arange(NUM), absent=0, repeated=0)
NOTHING = Seen(np.zeros(NUM + 1, np.int64), np.empty(0, np.int64))
FIRST = np.arange(NUM) < 20
PARTS = [Slice("repeats", "had before", FIRST), Slice("repeats", "new to the user", ~FIRST)]


def evaluation(hits: list[int], name: str = "the model", *, ks: tuple[int, ...] = (10,)) -> Evaluation:
    """An evaluation in which the targets in `hits` come first and all others last."""
    higher = np.full(NUM, NUM - 1)
    higher[hits] = 0
    protocol = sl.Protocol(ks=ks, baselines=("popularity",))
    return Evaluation(name, protocol, TARGETS, Ranks(higher, np.zeros(NUM, np.int64)), NUM, NOTHING)


def test_a_slice_that_most_of_the_difference_comes_from_is_named_by_hand() -> None:
    # The baseline finds 18 of the first 20 and 10 of the other 80, the model 6 and 8: it lacks 12 + 2 of 100.
    baseline = evaluation([*range(18), *range(20, 30)], "popularity")
    found = find_shortfall(evaluation([*range(6), *range(20, 28)]), baseline, PARTS)
    assert found is not None
    assert (found.name, found.share, found.value, found.baseline_value) == ("had before", 0.2, 0.3, 0.9)
    assert [found.of_difference, found.difference] == pytest.approx([0.12, 0.14])
    assert str(found) == (
        'It lacks 0.140 in all, 0.120 on the slice "had before" (20 % of the targets): 0.300 against 0.900.'
    )


def test_a_slice_may_lack_more_than_the_whole_does() -> None:
    # The model lacks 18 of the first 20 and is ahead by 8 among the others.
    found = find_shortfall(evaluation([*range(20, 28)]), evaluation([*range(18)], "popularity"), PARTS)
    assert found is not None
    assert [found.of_difference, found.difference] == pytest.approx([0.18, 0.10])


def test_no_slice_is_named_where_the_difference_lies_everywhere_alike() -> None:
    # 10 of 20 and 40 of 80 against 8 of 20 and 32 of 80.
    baseline = evaluation([*range(10), *range(20, 60)], "popularity")
    assert find_shortfall(evaluation([*range(8), *range(20, 52)]), baseline, PARTS) is None


def test_none_is_named_where_the_model_is_not_behind() -> None:
    model = evaluation([*range(5)])
    assert find_shortfall(model, evaluation([*range(5)], "popularity"), PARTS) is None
    assert find_shortfall(model, evaluation([*range(4)], "popularity"), PARTS) is None
    assert find_shortfall(model, evaluation([*range(9)], "popularity"), []) is None


def test_none_is_named_for_a_metric_that_is_no_mean_over_targets() -> None:
    # Lists of 60 of 100 items decide nothing, so that MRR does.
    baseline = evaluation([*range(18)], "popularity", ks=(60,))
    assert baseline.decisive == "mrr"
    assert find_shortfall(evaluation([*range(6)], ks=(60,)), baseline, PARTS) is None


def test_an_assessment_tells_it_only_of_a_model_that_is_worse() -> None:
    worse = Assessment(evaluation([]), Beside({"popularity": evaluation([*range(18)], "popularity")}), PARTS)
    assert worse.to_json()["shortfall"] == str(worse.shortfall)
    assert worse.shortfall is not None
    unclear = Assessment(evaluation([0]), Beside({"popularity": evaluation([0, 1], "popularity")}), PARTS)
    assert unclear.to_json()["shortfall"] is None
