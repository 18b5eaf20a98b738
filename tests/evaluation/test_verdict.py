import importlib

import numpy as np
import numpy.typing as npt
import pytest

import shortlist as sl
from shortlist.data.seen import Seen
from shortlist.errors import DataError
from shortlist.evaluation import (
    MIN_USERS,
    Evaluation,
    Targets,
    VectorScores,
    Verdict,
    assess,
    bootstrap_interval,
    compare_to,
    mean_samples,
    verdict_of,
)
from shortlist.metrics import Ranks

VERDICT = importlib.import_module("shortlist.evaluation.verdict")


def verdict(model: float, baseline: float, low: float | None, high: float | None) -> Verdict:
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
        (
            verdict(0.9, 0.1, None, None),
            "the model cannot be told from popularity: top 100 accuracy 0.900 against 0.100, a difference of +0.800 "
            "(no interval: fewer than 20 users).",
        ),
    ],
    ids=["better", "worse", "neither", "few"],
)
def test_verdict_is_one_sentence(case: Verdict, says: str) -> None:
    assert str(case) == says
    assert case.beats == ("beats" in says)


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.1), (-0.1, 0.0), (0.0, 0.0)])
def test_interval_that_touches_zero_decides_nothing(low: float, high: float) -> None:
    assert "cannot be told from" in str(verdict(0.3, 0.3, low, high))


def interval(values: npt.NDArray[np.float64], user: npt.NDArray[np.int64], seed: int = 0) -> tuple[float, float]:
    found = bootstrap_interval(values, user, seed=seed)
    assert found is not None
    return found


def test_interval_covers_the_true_mean_about_95_times_in_a_hundred(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VERDICT, "RESAMPLES", 400)
    generator = np.random.default_rng(7)
    covered = 0
    for _ in range(400):
        # Eighty users with 1 to 9 rows each; the rows of a user are all the same, so only users count as draws.
        sizes = generator.integers(1, 10, size=80)
        user = np.repeat(np.arange(80), sizes)
        low, high = interval((generator.random(80) < 0.3).astype(float)[user], user)
        covered += low <= 0.3 <= high
    # 400 draws at 0.95 have a deviation of 0.011; rows drawn one by one would cover about 0.6.
    assert 0.91 <= covered / 400 <= 0.98


def test_interval_narrows_with_the_root_of_the_number_of_users() -> None:
    generator = np.random.default_rng(0)
    widths = []
    for users in (100, 10_000):
        low, high = interval(generator.normal(size=users), np.arange(users))
        widths.append(high - low)
    # 2 · 1.96 / √users: 0.39 and 0.039.
    assert widths == pytest.approx([0.392, 0.0392], rel=0.2)


def test_interval_of_equal_values_is_a_point() -> None:
    assert bootstrap_interval(np.full(60, 0.25), np.arange(60) // 3) == (0.25, 0.25)


def test_under_twenty_users_there_is_no_interval_however_many_rows_they_have() -> None:
    assert MIN_USERS == 20
    assert bootstrap_interval(np.ones(1_900), np.arange(1_900) % 19) is None
    assert bootstrap_interval(np.ones(20), np.arange(20)) == (1, 1)


def test_rows_of_a_user_are_drawn_together() -> None:
    # Half of twenty users have a hundred rows of 1, half of 0. Users drawn whole deviate by √(0.25 / 20) = 0.112,
    # rows drawn one by one would deviate by √(0.25 / 2000) = 0.011.
    user = np.repeat(np.arange(20), 100)
    low, high = interval((user < 10).astype(float), user)
    assert high - low == pytest.approx(2 * 1.96 * 0.112, rel=0.1)


def test_every_row_counts_the_same_however_many_its_user_has() -> None:
    # Fifty users with nine rows of 1, fifty with one row of 0: the mean over rows is 0.9, that over users 0.5.
    user = np.repeat(np.arange(100), np.where(np.arange(100) < 50, 9, 1))
    low, high = interval((user < 50).astype(float), user)
    assert 0.8 < low < 0.9 < high < 0.95


def test_same_seed_gives_the_same_interval() -> None:
    values, user = np.random.default_rng(0).normal(size=50), np.arange(50) // 2
    assert interval(values, user, seed=1) == interval(values, user, seed=1)
    assert interval(values, user, seed=1) != interval(values, user, seed=2)


DATA = sl.Dataset({"user": np.arange(60) // 2, "item": np.arange(60) % 20}, query_id="user", item_id="item")


def at_places(
    places: list[int], name: str, protocol: sl.Protocol, data: sl.Dataset = DATA, num_items: int = 20
) -> Evaluation:
    targets = Targets.of(data)
    ranks = Ranks(np.resize(places, len(targets)), np.zeros(len(targets), np.int64))
    return Evaluation(name, protocol, targets, ranks, num_items, Seen.of(data))


def test_comparison_is_about_the_longest_list_of_at_most_half_the_catalogue() -> None:
    # Within 5 places: the model always, the baseline every second time; the first of each user's two targets.
    protocol = sl.Protocol(ks=(5, 1, 11))
    made = compare_to(at_places([0, 9], "popularity", protocol), at_places([3], "the model", protocol))
    assert (made.metric, made.model_value, made.baseline_value) == ("top_5_accuracy", 1.0, 0.5)
    assert (made.difference, made.low, made.high) == (0.5, 0.5, 0.5)
    assert str(made).startswith("the model beats popularity: top 5 accuracy 1.000 against 0.500")


@pytest.mark.parametrize(
    ("ks", "metric"),
    [((1, 5, 10, 50, 100), "top_10_accuracy"), ((31, 30), "top_30_accuracy"), ((31,), "mrr"), ((100,), "mrr")],
)
def test_in_a_small_catalogue_the_verdict_is_about_what_can_tell_and_its_numbers_are_the_metrics(
    ks: tuple[int, ...], metric: str
) -> None:
    protocol = sl.Protocol(ks=ks)
    model = at_places([0, 40, 7, 12, 35, 9, 28], "the model", protocol, num_items=60)
    baseline = at_places([50, 3, 33, 29], "popularity", protocol, num_items=60)
    made = compare_to(baseline, model)
    assert model.decisive == made.metric == metric
    assert (made.model_value, made.baseline_value) == (model.value(metric), baseline.value(metric))
    assert made.low is not None
    assert made.high is not None
    assert made.low < made.difference < made.high
    assert 0 < made.model_value < 1


def test_a_verdict_in_mrr_by_hand() -> None:
    # Each user's two targets: the best of places 0 and 9 is worth 1, that of places 3 and 1 is worth 1/2.
    protocol = sl.Protocol(ks=(11,))
    made = compare_to(at_places([3, 1], "popularity", protocol), at_places([0, 9], "the model", protocol))
    assert (made.metric, made.model_value, made.baseline_value) == ("mrr", 1.0, 0.5)
    assert (made.low, made.high) == (0.5, 0.5)


def test_comparison_with_itself_cannot_tell() -> None:
    evaluation = at_places([0, 9, 4], "the model", sl.Protocol(ks=(5,)))
    assert (compare_to(evaluation, evaluation).low, compare_to(evaluation, evaluation).high) == (0, 0)


def test_of_nineteen_users_a_perfect_model_is_not_called_better() -> None:
    protocol = sl.Protocol(ks=(5,))
    few = DATA.take(np.arange(38))
    made = compare_to(at_places([9], "popularity", protocol, few), at_places([0], "the model", protocol, few))
    assert (made.difference, made.low, made.high, made.beats) == (1, None, None, False)
    assert str(made).endswith("a difference of +1.000 (no interval: fewer than 20 users).")
    twenty = DATA.take(np.arange(40))
    assert compare_to(
        at_places([9], "popularity", protocol, twenty), at_places([0], "the model", protocol, twenty)
    ).beats


def test_a_verdict_on_seeds_is_about_their_mean() -> None:
    # Within 5 places: one seed always, one for the first of each user's targets, one never.
    protocol = sl.Protocol(ks=(5,))
    seeds = [at_places(places, "the model", protocol) for places in ([0], [0, 9], [9])]
    values, user = mean_samples(seeds, "top_5_accuracy")
    assert values.tolist() == pytest.approx([2 / 3, 1 / 3] * 30)
    assert user.tolist() == (np.arange(60) // 2).tolist()
    made = verdict_of(seeds, at_places([9], "popularity", protocol), "[64, 32]")
    assert (made.model, made.model_value, made.low, made.high) == ("[64, 32]", *[pytest.approx(0.5)] * 3)


def test_comparison_of_other_targets_or_protocols_is_refused() -> None:
    protocol = sl.Protocol(ks=(5,))
    model = at_places([0], "the model", protocol)
    text = "A verdict needs evaluations of the same targets under the same protocol"
    with pytest.raises(DataError, match=text):
        compare_to(at_places([0], "popularity", sl.Protocol(ks=(5,), seen="included")), model)
    fewer = at_places([0], "popularity", protocol, DATA.take(np.arange(59)))
    with pytest.raises(DataError, match=text):
        compare_to(fewer, model)
    with pytest.raises(DataError, match=text):
        mean_samples([model, fewer], "mrr")


def test_assessment_puts_popularity_beside_the_model() -> None:
    # Item 0 is the most popular one. The test asks for items 1 and 2, which the model knows and popularity does not.
    user = [*range(60), *range(20)]
    item = [*[0] * 30, *[1] * 15, *[2] * 15, *[1, 2] * 10]
    data = sl.Dataset(
        {"user": user, "item": item, "time": [1] * 60 + [2] * 20}, query_id="user", item_id="item", time="time"
    )
    split = sl.split_by_time(data, test=20 / 80)
    targets = Targets.of(split.test)
    items = np.eye(3, dtype=np.float32)
    queries = items[targets.item_rows][:, None, :]
    assessment = assess(
        VectorScores(lambda rows: queries[rows], items),
        data=split.test,
        split=split,
        targets=targets,
        seen=Seen.of(split.train),
        protocol=sl.Protocol(ks=(1,), seen="included", baselines=("popularity",)),
    )
    assert assessment.metrics["top_1_accuracy/full/seen_included/ties_expected"] == 1
    assert assessment.baselines["popularity"].value("top_1_accuracy") == 0
    assert str(assessment.verdict).startswith("the model beats popularity: top 1 accuracy 1.000 against 0.000")
    written = assessment.to_json()
    assert written["verdict"] == str(assessment.verdict)
    assert written["verdicts"] == {
        "popularity": {"says": str(assessment.verdict), "difference": 1.0, "low": 1.0, "high": 1.0}
    }
    assert written["counts"]["targets"] == 20


def test_small_values_get_the_digits_that_tell_them_apart() -> None:
    verdict = Verdict("top_10_accuracy", "the model", "popularity", 0.00121, 0.00098, 0.0001, 0.00036)
    assert str(verdict) == (
        "the model beats popularity: top 10 accuracy 0.00121 against 0.00098, a difference of +0.00023 "
        "(95 % interval over users +0.00010 to +0.00036)."
    )
