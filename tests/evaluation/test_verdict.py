import importlib

import numpy as np
import pytest

import shortlist as sl
from shortlist.data.seen import Seen
from shortlist.errors import DataError
from shortlist.evaluation import Evaluation, Targets, Verdict, assess, bootstrap_interval, compare_to
from shortlist.metrics import Ranks

VERDICT = importlib.import_module("shortlist.evaluation.verdict")


def verdict(model: float, baseline: float, low: float, high: float) -> Verdict:
    return Verdict("top_100_accuracy", "the model", "popularity", model, baseline, low, high)


@pytest.mark.parametrize(
    ("case", "says"),
    [
        (
            verdict(0.45, 0.41, 0.0312, 0.0488),
            "the model beats popularity: top 100 accuracy 0.450 against 0.410, a difference of +0.040 "
            "(95 % interval over users +0.031 to +0.049).",
        ),
        (
            verdict(0.28, 0.297, -0.021, -0.013),
            "the model is worse than popularity: top 100 accuracy 0.280 against 0.297, a difference of -0.017 "
            "(95 % interval over users -0.021 to -0.013).",
        ),
        (
            verdict(0.3, 0.297, -0.002, 0.008),
            "the model cannot be told from popularity: top 100 accuracy 0.300 against 0.297, a difference of +0.003 "
            "(95 % interval over users -0.002 to +0.008).",
        ),
    ],
    ids=["better", "worse", "neither"],
)
def test_verdict_is_one_sentence(case: Verdict, says: str) -> None:
    assert str(case) == says
    assert case.beats == ("beats" in says)


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.1), (-0.1, 0.0), (0.0, 0.0)])
def test_interval_that_touches_zero_decides_nothing(low: float, high: float) -> None:
    assert "cannot be told from" in str(verdict(0.3, 0.3, low, high))


def test_interval_covers_the_true_mean_about_95_times_in_a_hundred(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VERDICT, "RESAMPLES", 400)
    generator = np.random.default_rng(7)
    covered = 0
    for _ in range(400):
        # Eighty users with 1 to 9 rows each; the rows of a user are all the same, so only users count as draws.
        sizes = generator.integers(1, 10, size=80)
        user = np.repeat(np.arange(80), sizes)
        low, high = bootstrap_interval((generator.random(80) < 0.3).astype(float)[user], user)
        covered += low <= 0.3 <= high
    # 400 draws at 0.95 have a deviation of 0.011; rows drawn one by one would cover about 0.6.
    assert 0.91 <= covered / 400 <= 0.98


def test_interval_narrows_with_the_root_of_the_number_of_users() -> None:
    generator = np.random.default_rng(0)
    widths = []
    for users in (100, 10_000):
        low, high = bootstrap_interval(generator.normal(size=users), np.arange(users))
        widths.append(high - low)
    # 2 · 1.96 / √users: 0.39 and 0.039.
    assert widths == pytest.approx([0.392, 0.0392], rel=0.2)


def test_interval_of_equal_values_is_a_point() -> None:
    assert bootstrap_interval(np.full(12, 0.25), np.arange(12) // 3) == (0.25, 0.25)


def test_interval_of_one_user_is_a_point() -> None:
    assert bootstrap_interval(np.array([1.0, 0.0, 0.0, 1.0]), np.zeros(4, np.int64)) == (0.5, 0.5)


def test_rows_of_a_user_are_drawn_together() -> None:
    # Three rows of 1 and one row of 0: the mean of a draw is 1, 3/4 or 0, a quarter, a half, a quarter of the time.
    assert bootstrap_interval(np.array([1.0, 1.0, 1.0, 0.0]), np.array([0, 0, 0, 1])) == (0.0, 1.0)


def test_every_row_counts_the_same_however_many_its_user_has() -> None:
    # Fifty users with nine rows of 1, fifty with one row of 0: the mean over rows is 0.9, that over users 0.5.
    user = np.repeat(np.arange(100), np.where(np.arange(100) < 50, 9, 1))
    low, high = bootstrap_interval((user < 50).astype(float), user)
    assert 0.8 < low < 0.9 < high < 0.95


def test_same_seed_gives_the_same_interval() -> None:
    values, user = np.random.default_rng(0).normal(size=50), np.arange(50) // 2
    assert bootstrap_interval(values, user, seed=1) == bootstrap_interval(values, user, seed=1)
    assert bootstrap_interval(values, user, seed=1) != bootstrap_interval(values, user, seed=2)


DATA = sl.Dataset({"user": np.arange(60) // 2, "item": np.arange(60) % 20}, query_id="user", item_id="item")


def at_places(places: list[int], name: str, protocol: sl.Protocol, data: sl.Dataset = DATA) -> Evaluation:
    targets = Targets.of(data)
    ranks = Ranks(np.resize(places, len(targets)), np.zeros(len(targets), np.int64))
    return Evaluation(name, protocol, targets, ranks, num_items=20, seen_targets=0)


def test_comparison_is_about_the_longest_list() -> None:
    # Within 5 places: the model always, the baseline every second time; the first of each user's two targets.
    protocol = sl.Protocol(ks=(5, 1))
    made = compare_to(at_places([0, 9], "popularity", protocol), at_places([3], "the model", protocol))
    assert (made.metric, made.model_value, made.baseline_value) == ("top_5_accuracy", 1.0, 0.5)
    assert (made.difference, made.low, made.high) == (0.5, 0.5, 0.5)
    assert str(made).startswith("the model beats popularity: top 5 accuracy 1.000 against 0.500")


def test_comparison_with_itself_cannot_tell() -> None:
    evaluation = at_places([0, 9, 4], "the model", sl.Protocol(ks=(5,)))
    assert (compare_to(evaluation, evaluation).low, compare_to(evaluation, evaluation).high) == (0, 0)


def test_comparison_of_other_targets_or_protocols_is_refused() -> None:
    protocol = sl.Protocol(ks=(5,))
    model = at_places([0], "the model", protocol)
    text = "A verdict needs two evaluations of the same targets under the same protocol"
    with pytest.raises(DataError, match=text):
        compare_to(at_places([0], "popularity", sl.Protocol(ks=(5,), seen="included")), model)
    with pytest.raises(DataError, match=text):
        compare_to(at_places([0], "popularity", protocol, DATA.take(np.arange(59))), model)


def test_assessment_puts_popularity_beside_the_model() -> None:
    # Item 0 is the most popular one. The test asks for items 1 and 2, which the model knows and popularity does not.
    events = {"user": [1, 2, 3, 4, 5, 1, 2], "item": [0, 0, 0, 1, 2, 1, 2], "time": [1, 1, 1, 1, 1, 2, 2]}
    split = sl.split_by_time(sl.Dataset(events, query_id="user", item_id="item", time="time"), test=2 / 7)
    targets = Targets.of(split.test)
    items = np.eye(3, dtype=np.float32)
    queries = items[targets.item_rows][:, None, :]
    assessment = assess(
        lambda start, stop: queries[start:stop],
        items,
        split=split,
        targets=targets,
        seen=Seen.of(split.train),
        protocol=sl.Protocol(ks=(1,), seen="included"),
    )
    assert assessment.metrics["top_1_accuracy/full/seen_included/ties_expected"] == 1
    assert assessment.baselines["popularity"].value("top_1_accuracy") == 0
    assert str(assessment.verdict).startswith("the model beats popularity: top 1 accuracy 1.000 against 0.000")
    written = assessment.to_json()
    assert written["verdict"] == str(assessment.verdict)
    assert written["verdicts"] == {"popularity": {"difference": 1.0, "low": 1.0, "high": 1.0}}
    assert written["counts"]["targets"] == 2
