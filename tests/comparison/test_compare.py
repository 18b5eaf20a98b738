"""Two depths and three seeds on a world of groups, offline and in a second."""

import json
import re
import statistics
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

import shortlist as sl
from shortlist.comparison import Comparison, decisive_metric, peak_memory
from shortlist.comparison.memory import reset_peak_memory
from shortlist.errors import DivergedError
from shortlist.evaluation import Targets, bootstrap_interval, evaluate_baselines
from shortlist.experiment import run_experiment

WORLD = sl.synthetic.TasteWorld(num_groups=3, users_per_group=10, items_per_group=8, train_events=4, test_events=2)
METRIC = "top_5_accuracy"  # a list of 50 would hold all 24 items
MANY_MIB = 300


def experiment(**changes: Any) -> sl.Experiment:
    tables = {
        "data": {"source": "taste"},
        "split": {"time": {"test": 1 / 3}},
        "features": {"query": [{"lookup": "user_id", "width": 8}], "item": [{"lookup": "item_id", "width": 8}]},
        "model": {"two_tower": {"layers": [8]}},
        "training": {
            "loss": {"in_batch_softmax": {"reduction": "sum"}},
            "optimizer": {"adagrad": {"learning_rate": 0.3}},
            "schedule": {"epochs": 3, "batch_size": 32, "watch": "test", "seed": 9},
        },
        "evaluation": {"protocol": {"ks": [1, 5, 50], "baselines": ["popularity"]}},
    }
    return sl.Experiment.read(tables, "the test").override(changes)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def peak_before() -> float | None:
    """The process's peak before the comparison, with much held that is free again; libraries are loaded by then."""
    sl.compare(experiment(), [[8]], [1], data=WORLD.data(), progress=False)
    held = np.ones(MANY_MIB * 2**20 // 8)
    before = peak_memory() if reset_peak_memory() else None
    del held
    return before


@pytest.fixture(scope="module")
def compared(peak_before: float | None) -> Comparison:
    return sl.compare(experiment(), [[8], [8, 4]], [1, 2, 3], data=WORLD.data(), progress=False)


def values(compared: Comparison, depth: str) -> list[float]:
    return [run.evaluation.value(METRIC) for run in compared.by_depth[depth]]


def test_every_depth_runs_with_every_seed(compared: Comparison) -> None:
    assert [(run.layers, run.seed) for run in compared.runs] == [
        ((8,), 1), ((8,), 2), ((8,), 3), ((8, 4), 1), ((8, 4), 2), ((8, 4), 3),
    ]  # fmt: skip
    assert list(compared.by_depth) == ["[8]", "[8, 4]"]
    assert (compared.metric, compared.failed, compared.notes) == (METRIC, (), ())
    # (30 + 1 and 24 + 1 rows of width 8), and two towers of 8 · 8 + 8 weights, of another 8 · 4 + 4 in the deeper one.
    assert [run.parameters for run in compared.runs] == [56 * 8 + 2 * 72] * 3 + [56 * 8 + 2 * (72 + 36)] * 3
    for depth in compared.by_depth:
        assert len(set(values(compared, depth))) == 3, "a seed is to make a difference"


def test_a_compared_run_is_the_run_of_that_depth_and_seed_alone(compared: Comparison) -> None:
    changed = experiment(model={"two_tower": {"layers": [8, 4]}}, training={"schedule": {"seed": 2}})
    alone = run_experiment(changed, data=WORLD.data(), progress=False)
    found, expected = compared.runs[4], alone.evaluate()
    np.testing.assert_array_equal(found.evaluation.ranks.higher, expected.model.ranks.higher)
    assert found.evaluation.metrics == expected.metrics
    assert found.curve == alone.history.curve(f"{METRIC}/full/seen_excluded/ties_expected")
    assert list(found.curve) == [1, 2, 3]
    assert found.curve[3] == found.evaluation.value(METRIC)


def test_a_summary_line_is_the_mean_and_the_sample_deviation_over_seeds(compared: Comparison) -> None:
    for line, depth in zip(compared.summary, compared.by_depth, strict=True):
        first, second, third = values(compared, depth)
        mean = (first + second + third) / 3
        squares = (first - mean) ** 2 + (second - mean) ** 2 + (third - mean) ** 2
        assert line["mean"] == pytest.approx(mean)
        assert line["deviation"] == pytest.approx((squares / 2) ** 0.5)
        assert (line["lowest"], line["highest"]) == (min(first, second, third), max(first, second, third))
        assert (line["seeds"], line["metric"]) == ([1, 2, 3], f"{METRIC}/full/seen_excluded/ties_expected")
        assert line["seconds"] > 0
        assert line["seconds"] == pytest.approx(statistics.fmean(run.seconds for run in compared.by_depth[depth]))
    assert [line["layers"] for line in compared.summary] == [[8], [8, 4]]


def test_a_verdict_on_a_depth_is_about_the_mean_of_its_seeds(compared: Comparison) -> None:
    assert [(verdict.model, verdict.baseline) for verdict in compared.verdicts] == [
        ("[8]", "popularity"),
        ("[8, 4]", "popularity"),
    ]
    beside, user = compared.baselines["popularity"].samples(METRIC)
    for verdict, runs in zip(compared.verdicts, compared.by_depth.values(), strict=True):
        rows = np.mean([run.evaluation.samples(METRIC)[0] for run in runs], axis=0)
        assert verdict.model_value == pytest.approx(rows.mean())
        assert verdict.baseline_value == pytest.approx(beside.mean())
        assert (verdict.low, verdict.high) == pytest.approx(bootstrap_interval(rows - beside, user))
    (difference,) = compared.differences
    assert (difference.first, difference.second) == ("[8]", "[8, 4]")
    means = [verdict.model_value for verdict in compared.verdicts]
    assert difference.difference == pytest.approx(means[0] - means[1])


def test_memory_is_a_runs_own_and_not_what_was_held_before(compared: Comparison, peak_before: float | None) -> None:
    if peak_before is None:
        pytest.skip("this system cannot reset the peak memory")
    for run in compared.runs:
        assert run.peak_memory_mib is not None
        assert run.peak_memory_mib < peak_before - 2 / 3 * MANY_MIB
    assert compared.summary[0]["peak_memory_mib"] == max(run.peak_memory_mib or 0 for run in compared.runs[:3])


def test_a_comparison_is_plain_json(compared: Comparison) -> None:
    written = json.loads(json.dumps(compared.to_json(), allow_nan=False))
    assert set(written) == {
        "experiment", "rows", "failed", "summary", "decisive", "counts", "baselines", "not_computed",
        "curve_baselines", "slices", "verdicts", "differences", "notes", "baseline_settings", "not_searched",
    }  # fmt: skip
    assert written["decisive"] == compared.protocol.name(METRIC)
    assert list(written["slices"]) == ["[8]", "[8, 4]"]
    assert written["rows"][1]["curve"] == {str(epoch): value for epoch, value in compared.runs[1].curve.items()}
    assert written["verdicts"] == [str(verdict) for verdict in compared.verdicts]
    assert sl.Experiment.read(written["experiment"], "the comparison") == compared.experiment


def test_a_slice_of_a_depth_is_the_mean_over_its_seeds(compared: Comparison) -> None:
    for name, parts in compared.slices.items():
        runs = compared.by_depth[name]
        assert [part.name for part in parts] == [part.name for part in runs[0].assessment.parts]
        for place, part in enumerate(parts):
            each = [run.assessment.slices[place] for run in runs]
            assert part.value == pytest.approx(statistics.fmean(result.value for result in each))
            assert (part.targets, part.users) == (each[0].targets, each[0].users)
            assert part.verdict.baseline_value == each[0].verdict.baseline_value
            assert part.verdict.model == name


def test_baselines_stand_beside_curves_on_the_events_that_were_watched(compared: Comparison) -> None:
    tested = compared.baselines["popularity"].value(METRIC)
    assert all(run.curve_baselines == {"popularity": tested} for run in compared.runs)

    chosen = experiment(
        split={"random": {"test": 0.2, "validation": 0.3}}, features={"fit_on": "all"},
        training={"schedule": {"watch": "validation", "epochs": 1}},
    )  # fmt: skip
    (run,) = sl.compare(chosen, [[8]], [1], data=WORLD.data(), progress=False).runs
    split = sl.split_random(WORLD.data(), test=0.2, validation=0.3)
    assert split.validation is not None
    protocol, seen = chosen.evaluation.protocol, split.seen_before(split.validation)
    watched = evaluate_baselines(split, Targets.of(split.validation), protocol, seen).baselines
    assert run.curve_baselines == {name: found.value(METRIC) for name, found in watched.items()}
    assert run.curve_baselines["popularity"] != run.baselines["popularity"].value(METRIC)
    assert run.notes == (
        "The features were fitted on all events, test events too: their vocabularies and statistics leak.",
    )


def test_where_nothing_is_watched_there_is_no_curve_and_no_baseline_beside_it() -> None:
    unwatched = experiment(training={"schedule": {"watch": "nothing", "epochs": 1}})
    compared = sl.compare(unwatched, [[8]], [1], data=WORLD.data(), progress=False)
    assert (compared.runs[0].curve, compared.runs[0].curve_baselines) == ({}, {})
    assert compared.summary[0]["deviation"] is None


# Steps of 1e8 leave scores of one layer in float32, those of two layers (1e8 to the sixth) run over.
HUGE = {"optimizer": {"adagrad": {"learning_rate": 1e8}}, "schedule": {"epochs": 1}}


def test_a_run_that_diverges_is_told_of_and_the_others_go_on() -> None:
    compared = sl.compare(experiment(training=HUGE), [[8, 8], [8]], [1, 2], data=WORLD.data(), progress=False)
    assert [(run.layers, run.seed) for run in compared.runs] == [((8,), 1), ((8,), 2)]
    assert [(failure.layers, failure.seed) for failure in compared.failed] == [((8, 8), 1), ((8, 8), 2)]
    for failure, seed in zip(compared.failed, (1, 2), strict=True):
        assert re.match(
            rf"\[8, 8\] seed {seed} failed and is in no figure: The loss became nan at step \d \(epoch 1, batch \d\)\.",
            str(failure),
        )
    written = json.loads(json.dumps(compared.to_json()))
    assert written["failed"] == [
        {"layers": [8, 8], "seed": failure.seed, "error": failure.error} for failure in compared.failed
    ]
    assert [line["layers"] for line in written["summary"]] == [[8]]
    assert written["differences"] == []


def test_where_every_run_diverges_the_error_is_raised() -> None:
    with pytest.raises(DivergedError, match=r"The loss became nan at step \d \(epoch 1, batch \d\)"):
        sl.compare(experiment(training=HUGE), [[8, 8], [8, 8, 8]], [1, 2], data=WORLD.data(), progress=False)


def test_the_metric_that_decides_is_that_of_the_catalogue_which_training_knows() -> None:
    # Without an items table 10 of 24 items are the test's alone; of the 14 left, 12 are more than half.
    data = sl.Dataset(
        {"user_id": [*range(12), *range(12)], "item_id": range(24), "time": range(24)},
        query_id="user_id", item_id="item_id", time="time",
    )  # fmt: skip
    chosen = experiment(split={"time": {"test": 0.4}}, evaluation={"protocol": {"ks": [5, 12]}})
    assert chosen.evaluation.protocol.decisive(data.num_items) == "top_12_accuracy"
    assert decisive_metric(chosen, data) == "top_5_accuracy"
