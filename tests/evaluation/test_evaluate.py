import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import shortlist as sl
from shortlist.data.seen import Seen
from shortlist.errors import CollapsedError, DataError, DivergedError, SettingsError
from shortlist.evaluation import Evaluation, Targets, VectorScores, evaluate, popularity_scores
from shortlist.evaluation.scoring import QueryEncoder
from shortlist.settings.evaluation import TieRule

Floats = npt.NDArray[np.float32]

# Each row is a target with the scores of the four items; the item vectors are the unit vectors.
#   ann wants item 0: scores 4 3 2 1, place 0        ann wants item 2: the same scores, place 2
#   bob wants item 1: scores 1 2 3 4, place 2        cat wants item 3: scores 2 1 2 2, places 0 to 2
THREE_USERS = sl.Dataset(
    {"user": ["ann", "ann", "bob", "cat"], "item": [0, 2, 1, 3]},
    items={"item": range(4)},
    query_id="user",
    item_id="item",
)
SCORES = np.array([[4, 3, 2, 1], [4, 3, 2, 1], [1, 2, 3, 4], [2, 1, 2, 2]], np.float32)
NOTHING_SEEN = Seen(np.zeros(4, np.int64), np.zeros(0, np.int64))


def encoder(queries: Floats) -> QueryEncoder:
    return lambda rows: queries[rows, None, :]


def by_vectors(encode_queries: QueryEncoder, item_vectors: Any, targets: Targets, **options: Any) -> Evaluation:
    return evaluate(VectorScores(encode_queries, item_vectors), targets, **options)


def three_users(protocol: sl.Protocol, seen: Seen = NOTHING_SEEN) -> Evaluation:
    items = np.eye(4, dtype=np.float32)
    return by_vectors(encoder(SCORES), items, Targets.of(THREE_USERS), protocol=protocol, seen=seen, alarm=False)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        # Within two places: 1, 0, 0 and two of cat's three places.
        ("top_2_accuracy", (1 + 0 + 0 + 2 / 3) / 4),
        # ann has one of her two, bob none, cat 2/3; the mean over users.
        ("recall_2", (1 / 2 + 0 + 2 / 3) / 3),
        # ann: 1 / (1 + 1/log2 3). cat: places 0 and 1 of three, (1 + 1/log2 3) / 3, over an ideal of 1.
        ("ndcg_2", (1 / (1 + 1 / math.log2(3)) + 0 + (1 + 1 / math.log2(3)) / 3) / 3),
        # ann's best target stands first, bob's third; cat's mean of 1, 1/2 and 1/3 is 11/18.
        ("mrr", (1 + 1 / 3 + 11 / 18) / 3),
        ("top_4_accuracy", 1.0),
        ("recall_4", 1.0),
        # ann: (1 + 1/2) / (1 + 1/log2 3); bob 1/2; cat (1 + 1/log2 3 + 1/2) / 3.
        ("ndcg_4", (1.5 / (1 + 1 / math.log2(3)) + 0.5 + (1.5 + 1 / math.log2(3)) / 3) / 3),
    ],
)
def test_metrics_of_three_users_by_hand(metric: str, expected: float) -> None:
    assert three_users(sl.Protocol(ks=(2, 4))).value(metric) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("ties", "top", "mrr"),
    [("optimistic", 2 / 4, (1 + 1 / 3 + 1) / 3), ("pessimistic", 1 / 4, (1 + 1 / 3 + 1 / 3) / 3)],
)
def test_tie_rule_of_the_protocol_moves_the_tied_item_alone(ties: str, top: float, mrr: float) -> None:
    evaluation = three_users(sl.Protocol(ks=(2,), ties=ties))  # type: ignore[arg-type]
    assert evaluation.value("top_2_accuracy") == pytest.approx(top)
    assert evaluation.value("mrr") == pytest.approx(mrr)


# ann wants items 0 and 1 of four that all tie.
TWO_OF_FOUR = sl.Dataset(
    {"user": ["ann", "ann"], "item": [0, 1]}, items={"item": range(4)}, query_id="user", item_id="item"
)
LOG3 = math.log2(3)


@pytest.mark.parametrize(
    ("metric", "optimistic", "expected", "pessimistic"),
    [
        # In one list the true items take the first two of four places together, or the last two. Expected: the mean
        # over the four places, alike for both.
        ("ndcg_1", 1, 2 / 4, 0),
        ("recall_1", 1 / 2, 1 / 4, 0),
        ("ndcg_2", 1, 2 / 4, 0),
        ("recall_2", 1, 2 / 4, 0),
        ("recall_3", 1, 3 / 4, 1 / 2),
        # (1/2 + 1/log2 5) / (1 + 1/log2 3) at the end; at the start the best that there is.
        ("ndcg_4", 1, (1 + 1 / LOG3 + 1 / 2 + 1 / math.log2(5)) / 2 / (1 + 1 / LOG3),
         (1 / 2 + 1 / math.log2(5)) / (1 + 1 / LOG3)),
        # The first of the two stands at place 1 in three of six orders of the places, at 2 in two, at 3 in one.
        ("mrr", 1, (3 + 2 / 2 + 1 / 3) / 6, 1 / 3),
        ("hit_rate_2", 1, 5 / 6, 0),
        ("precision_4", 1 / 2, 1 / 2, 1 / 2),
        ("map_1", 1, 1 / 2, 0),
        # Row by row as TensorFlow Recommenders counts: each alone takes the first of its ties, or the last.
        ("top_1_accuracy", 1, 1 / 4, 0),
        ("top_3_accuracy", 1, 3 / 4, 0),
    ],
)  # fmt: skip
def test_true_items_that_tie_in_one_list_take_one_place_each(
    metric: str, optimistic: float, expected: float, pessimistic: float
) -> None:
    scores, items = np.ones((2, 4), np.float32), np.eye(4, dtype=np.float32)
    result = by_vectors(
        encoder(scores), items, Targets.of(TWO_OF_FOUR), protocol=sl.Protocol(), seen=NOTHING_SEEN, alarm=False
    )
    assert result.value(metric, "optimistic") == pytest.approx(optimistic)
    assert result.value(metric, "expected") == pytest.approx(expected)
    assert result.value(metric, "pessimistic") == pytest.approx(pessimistic)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        # ann's places are 0 and 2, bob's 2, cat's 0 to 2: each target is a list with one true item.
        ("ndcg_2", ((1 + 0) / 2 + 0 + (1 + 1 / LOG3) / 3) / 3),
        ("ndcg_4", ((1 + 1 / 2) / 2 + 1 / 2 + (1 + 1 / LOG3 + 1 / 2) / 3) / 3),
        ("recall_2", ((1 + 0) / 2 + 0 + 2 / 3) / 3),
        ("mrr", ((1 + 1 / 3) / 2 + 1 / 3 + 11 / 18) / 3),
        ("top_2_accuracy", (1 + 0 + 0 + 2 / 3) / 4),
    ],
)
def test_where_each_event_asks_anew_a_user_has_the_mean_of_lists_with_one_target(metric: str, expected: float) -> None:
    items, targets = np.eye(4, dtype=np.float32), Targets.of(THREE_USERS, one_query=False)
    result = by_vectors(encoder(SCORES), items, targets, protocol=sl.Protocol(), seen=NOTHING_SEEN, alarm=False)
    assert result.value(metric) == pytest.approx(expected)


def test_two_targets_that_each_stand_first_in_a_list_of_their_own_are_both_found() -> None:
    # In two lists both optimistic places are 0, which in one list would make an NDCG of 2 / (1 + 1 / log2 3).
    scores, targets = np.ones((2, 4), np.float32), Targets.of(TWO_OF_FOUR, one_query=False)
    result = by_vectors(
        encoder(scores), np.eye(4, dtype=np.float32), targets, protocol=sl.Protocol(), seen=NOTHING_SEEN, alarm=False
    )
    assert [result.value(metric, "optimistic") for metric in ("recall_1", "ndcg_1", "ndcg_2", "mrr")] == [1, 1, 1, 1]
    assert [result.value(metric, "pessimistic") for metric in ("recall_3", "ndcg_3")] == [0, 0]
    assert result.value("mrr", "pessimistic") == pytest.approx(1 / 4)


@settings(deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 2**32 - 1),
    num_users=st.integers(1, 4),
    num_items=st.integers(1, 7),
    one_query=st.booleans(),
    rule=st.sampled_from(["optimistic", "expected", "pessimistic"]),
)
def test_every_metric_lies_between_zero_and_one(
    seed: int, num_users: int, num_items: int, one_query: bool, rule: TieRule
) -> None:
    # Three values, so that most scores tie; about half of all pairs are targets, and some others were seen.
    generator = np.random.default_rng(seed)
    fate = generator.choice(["target", "seen", "nothing"], size=(num_users, num_items), p=[0.5, 0.2, 0.3])
    fate[0, 0] = "target"
    user, item = np.nonzero(fate == "target")
    data = sl.Dataset(
        {"user": user, "item": item}, items={"item": range(num_items)}, users={"user": range(num_users)},
        query_id="user", item_id="item",
    )  # fmt: skip
    of_user = generator.integers(3, size=(num_users, num_items))
    scores = of_user[user] if one_query else generator.integers(3, size=(len(user), num_items))
    offsets = np.concatenate([[0], np.cumsum((fate == "seen").sum(axis=1))])
    result = by_vectors(
        encoder(scores.astype(np.float32)),
        np.eye(num_items, dtype=np.float32),
        Targets.of(data, one_query=one_query),
        protocol=sl.Protocol(ks=(1, 2, 3, 9), ties=rule),
        seen=Seen(offsets, np.nonzero(fate == "seen")[1]),
        alarm=False,
    )
    for metric in result.protocol.metrics:
        values, owner = result.samples(metric)
        assert values.min() >= 0
        assert values.max() <= 1 + 1e-12
        assert result.value(metric) == values.mean()
        assert len(values) == len(owner) == (len(user) if metric.startswith("top") else len(np.unique(user)))


def test_recall_counts_all_targets_of_a_user_even_beyond_k() -> None:
    # ann wants three items of a list of one: recall_1 is 1/3, while NDCG compares with the best list of one.
    data = sl.Dataset({"user": ["ann"] * 3, "item": [0, 1, 2]}, query_id="user", item_id="item")
    scores = np.array([[3, 2, 1]] * 3, np.float32)
    result = by_vectors(
        encoder(scores), np.eye(3, dtype=np.float32), Targets.of(data), protocol=sl.Protocol(ks=(1,)), seen=NOTHING_SEEN
    )
    assert result.value("recall_1") == pytest.approx(1 / 3)
    assert result.value("ndcg_1") == 1


@pytest.mark.parametrize("family", ["recall_{}", "ndcg_{}", "top_{}_accuracy"])
def test_a_list_far_longer_than_the_catalogue_is_the_whole_catalogue(family: str) -> None:
    evaluation = three_users(sl.Protocol())
    assert evaluation.value(family.format(10**15)) == evaluation.value(family.format(4))


def test_names_of_metrics_say_the_protocol() -> None:
    metrics = three_users(sl.Protocol(ks=(2,), seen="included", ties="pessimistic")).metrics
    names = ("top_2_accuracy", "recall_2", "hit_rate_2", "precision_2", "ndcg_2", "map_2", "mrr")
    assert list(metrics) == [f"{name}/full/seen_included/ties_pessimistic" for name in names]


def test_what_lists_show_is_measured_where_popularity_is_given() -> None:
    targets = Targets.of(THREE_USERS)
    scoring = VectorScores(encoder(SCORES), np.eye(4, dtype=np.float32))
    popularity = np.array([6, 1, 0, 0], np.float32)
    seen = Seen(np.array([0, 1, 1, 1]), np.array([3]))  # ann has seen item 3
    evaluation = evaluate(
        scoring, targets, protocol=sl.Protocol(ks=(2, 4)), seen=seen, alarm=False, popularity=popularity
    )
    assert evaluation.shown is not None
    # Equal scores by row: of cat's three first items two. ann's list ends before item 3.
    assert [rows.tolist() for rows in evaluation.shown.lists] == [[0, 1, 2], [3, 2, 1, 0], [0, 2, 3, 1]]
    assert evaluation.counts["listed_users"] == 3
    assert evaluation.metrics["coverage_2/full/seen_excluded"] == 1
    assert evaluation.value("average_popularity_2") == (6 + 1 + 0 + 0 + 6 + 0) / 6
    with pytest.raises(SettingsError, match="coverage_2 looks at lists, and this evaluation of model made none"):
        three_users(sl.Protocol()).value("coverage_2")
    with pytest.raises(SettingsError, match="coverage_2 is no mean over users, so that it has no samples"):
        evaluation.samples("coverage_2")


def test_tensors_give_the_metrics_of_arrays() -> None:
    protocol, items, queries = sl.Protocol(ks=(1, 2)), torch.eye(4), torch.from_numpy(SCORES)[:, None]
    on_torch = by_vectors(
        lambda rows: queries[rows],
        items,
        Targets.of(THREE_USERS),
        protocol=protocol,
        seen=NOTHING_SEEN,
        alarm=False,
    )
    assert on_torch.metrics == three_users(protocol).metrics


def test_seen_items_leave_the_ranking_only_when_the_protocol_says_so() -> None:
    # bob has seen items 2 and 3, which stand above his item 1: without them it stands first.
    seen = Seen(np.array([0, 0, 2, 2]), np.array([2, 3]))
    assert three_users(sl.Protocol(ks=(1,), seen="excluded"), seen).ranks.higher.tolist() == [0, 2, 0, 0]
    assert three_users(sl.Protocol(ks=(1,), seen="included"), seen).ranks.higher.tolist() == [0, 2, 2, 0]


@pytest.mark.parametrize("rule", ["excluded", "included"])
def test_targets_that_were_seen_are_counted_and_ranked(rule: str) -> None:
    # ann has seen both of her items and item 1, cat item 0. No true item of a list goes, not for its fellow's sake
    # either; of the two items above ann's second one only item 1 does.
    seen = Seen(np.array([0, 3, 3, 4]), np.array([0, 1, 2, 0]))
    evaluation = three_users(sl.Protocol(ks=(1,), seen=rule), seen)  # type: ignore[arg-type]
    assert evaluation.counts == {
        "targets": 4, "users": 3, "items": 4, "absent_targets": 0, "repeated_targets": 0, "seen_targets": 2,
        "listed_users": 0,
    }  # fmt: skip
    assert evaluation.ranks.higher.tolist() == ([0, 1, 2, 0] if rule == "excluded" else [0, 2, 2, 0])


def test_absent_and_repeated_targets_are_counted_and_the_first_of_each_pair_stays() -> None:
    train = sl.Dataset({"user": ["ann", "bob"], "item": [1, 2]}, query_id="user", item_id="item")
    test = sl.Dataset(
        {"user": ["bob", "ann", "bob", "ann", "bob", "bob"], "item": [9, 1, 1, 1, 9, 1]},
        query_id="user",
        item_id="item",
    ).with_items_of(train)
    targets = Targets.of(test)
    assert targets.event_rows.tolist() == [1, 2]
    assert targets.user_rows.tolist() == [0, 1]
    assert targets.item_rows.tolist() == [0, 0]
    assert (targets.absent, targets.repeated, len(targets)) == (2, 2, 2)


def test_targets_stay_in_the_order_of_their_events() -> None:
    data = sl.Dataset({"user": [3, 1, 2, 1], "item": [5, 6, 5, 5]}, query_id="user", item_id="item")
    assert Targets.of(data).event_rows.tolist() == [0, 1, 2, 3]


def test_dataset_without_a_target_in_the_catalogue_is_refused() -> None:
    train = sl.Dataset({"user": [1], "item": [1]}, query_id="user", item_id="item")
    test = sl.Dataset({"user": [1, 1], "item": [8, 9]}, query_id="user", item_id="item").with_items_of(train)
    with pytest.raises(DataError, match=r"None of the 2 events to evaluate names an item of the catalogue \(1 items\)"):
        Targets.of(test)


MANY = sl.Dataset({"user": range(40), "item": np.arange(40) % 10}, query_id="user", item_id="item")
MANY_SEEN = Seen(np.zeros(41, np.int64), np.zeros(0, np.int64))


def many(queries: Floats, items: Floats, protocol: sl.Protocol, *, alarm: bool = True) -> Evaluation:
    return by_vectors(
        encoder(queries), items, Targets.of(MANY), protocol=protocol, seen=MANY_SEEN, name="the model", alarm=alarm
    )


def random_vectors(rows: int) -> Floats:
    return np.random.default_rng(rows).normal(size=(rows, 4)).astype(np.float32)


@pytest.mark.parametrize("ties", ["optimistic", "expected", "pessimistic"])
@pytest.mark.parametrize("side", ["items", "queries"])
def test_collapsed_model_raises_the_alarm_instead_of_a_score(side: str, ties: str) -> None:
    items = np.ones((10, 4), np.float32) if side == "items" else random_vectors(10)
    queries = np.zeros((40, 4), np.float32) if side == "queries" else random_vectors(40)
    text = (
        r"the model: top_1_accuracy is 1\.000 if ties go to the true item and 0\.000 if they go against it: the true "
        r"item ties with 9 of 9 others on average, so the scores cannot tell items apart\. Lower the learning rate"
    )
    with pytest.raises(CollapsedError, match=text):
        many(queries, items, sl.Protocol(ks=(5, 1), ties=ties))  # type: ignore[arg-type]


def test_collapse_of_a_few_items_passes_below_the_gap_and_stops_above_it() -> None:
    # Each query is its own item's unit vector; items 0 and 1 share one, so 8 of 40 targets tie for first place: 0.2.
    items = np.eye(10, dtype=np.float32)
    items[1] = items[0]
    queries = items[np.arange(40) % 10]
    assert many(queries, items, sl.Protocol(ks=(1,), collapse_gap=0.21)).value("top_1_accuracy") == pytest.approx(0.9)
    with pytest.raises(CollapsedError, match=r"top_1_accuracy is 1\.000 if .* and 0\.800 if"):
        many(queries, items, sl.Protocol(ks=(1,), collapse_gap=0.19))


def test_alarm_is_off_for_baselines_whose_ties_are_their_nature() -> None:
    targets = Targets.of(MANY)
    result = evaluate(
        popularity_scores(np.full(10, 3, np.float32), targets),
        targets,
        protocol=sl.Protocol(ks=(1, 5)),
        seen=MANY_SEEN,
        name="popularity",
        alarm=False,
    )
    assert result.value("top_1_accuracy") == pytest.approx(0.1)
    assert result.value("top_5_accuracy") == pytest.approx(0.5)


def test_popularity_scores_items_by_their_counts_for_everyone() -> None:
    scoring = popularity_scores(np.array([2, 7] * 5, np.float32), Targets.of(MANY))
    assert scoring.tile(np.arange(3, 6)).block(0, 10).tolist() == [[2, 7] * 5] * 3


def test_vector_that_is_no_number_stops_the_evaluation() -> None:
    items = random_vectors(10)
    items[4] = np.nan
    with pytest.raises(DivergedError, match="1 of 10 item vectors hold NaN or infinity, the first in row 4"):
        many(random_vectors(40), items, sl.Protocol(ks=(1,)))
    with pytest.raises(DivergedError, match="40 of 40 query vectors hold NaN or infinity"):
        many(np.full((40, 4), np.inf, np.float32), random_vectors(10), sl.Protocol(ks=(1,)))


@pytest.mark.parametrize(
    "metric",
    [
        "top_5",
        "recall_5_accuracy",
        "top_recall_5",
        "mrr_1",
        "recall_0",
        "recall_-1",
        "ndcg_x",
        "mrr_5",
        "accuracy",
        "",
        "top_5_recall",
    ],
)
def test_name_of_no_metric_is_refused(metric: str) -> None:
    with pytest.raises(SettingsError, match=f"There is no metric '{metric}'; known are mrr and"):
        three_users(sl.Protocol(ks=(1,))).value(metric)
