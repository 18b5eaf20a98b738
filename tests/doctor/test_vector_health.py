"""Sick models, planted; a healthy one has no findings."""

import re
from typing import Any

import numpy as np
import pytest
from doctor_worlds import names, only

import shortlist as sl
from shortlist.doctor import FIGURES, Health, vector_health
from shortlist.errors import DataError
from shortlist.metrics import ShownItems

GENERATOR = np.random.default_rng(7)
ITEMS = GENERATOR.normal(size=(400, 16)).astype(np.float32)
QUERIES = GENERATOR.normal(size=(60, 1, 16)).astype(np.float32)
POPULARITY = GENERATOR.integers(1, 50, size=400).astype(np.float32)


def _health(items: np.ndarray = ITEMS, queries: np.ndarray = QUERIES, **more: Any) -> Health:
    return vector_health(items, POPULARITY[: len(items)], queries, **more)


def test_healthy_vectors_have_every_figure_and_no_finding() -> None:
    health = sl.doctor.vector_health(ITEMS, POPULARITY, QUERIES, unknown=np.ones(16, np.float32))
    assert health.findings == []
    assert list(health.figures) == list(FIGURES)
    assert None not in health.figures.values()
    assert health.to_json() == {"figures": health.figures, "findings": []}


def test_the_figures_of_lists_are_those_of_plain_scores() -> None:
    best = np.argsort(-(QUERIES[:, 0] @ ITEMS.T), axis=1)[:, :10]
    times = np.bincount(best.reshape(-1), minlength=400)
    centred = times - times.mean()
    figures = _health().figures
    assert figures["never_shown"] == pytest.approx((times == 0).mean())
    assert figures["most_shown"] == times.max() / 60
    assert figures["hubness"] == pytest.approx((centred**3).mean() / (centred**2).mean() ** 1.5)
    assert figures["overlap"] == ShownItems(list(best), POPULARITY).overlap(10)


def test_a_model_that_collapsed_to_one_vector_is_found() -> None:
    health = _health(np.repeat(ITEMS[:1], 400, axis=0))
    assert [finding.name for finding in health.findings[:2]] == ["collapsed", "same-lists"]
    assert health.findings[0].severity == "problem"
    assert health.findings[0].says == "All 400 items have one and the same vector, so that no score tells them apart."
    assert health.figures["identical_vectors"] == 400


def test_a_model_that_collapsed_to_one_direction_is_found() -> None:
    health = _health(ITEMS[:1] * GENERATOR.uniform(1, 2, size=(400, 1)).astype(np.float32))
    finding = health.findings[0]
    assert (finding.severity, finding.name) == ("problem", "collapsed")
    assert finding.says.startswith("The vectors lie along one direction (effective rank 1.00 of 16)")


def test_few_directions_are_a_warning() -> None:
    thin = ITEMS.copy()
    thin[:, 2:] = 0
    wide = np.hstack([thin, np.zeros((400, 24), np.float32)])
    finding = only(vector_health(wide, POPULARITY, np.pad(QUERIES, ((0, 0), (0, 0), (0, 24)))).findings)
    assert (finding.severity, finding.name) == ("warning", "few-directions")
    assert finding.says == "The vectors use 2.0 of 40 dimensions (effective rank)."


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_vectors_that_are_no_numbers_are_found_and_left_out(bad: float) -> None:
    broken, asked = ITEMS.copy(), QUERIES.copy()
    broken[5, 2], asked[3, 0, 0] = bad, bad
    health = _health(broken, asked)
    finding = only(health.findings)
    assert (finding.severity, finding.name) == ("problem", "not-finite")
    assert finding.says == "NaN or infinity stands in 1 of 400 item vectors ('row 5') and 1 of 60 query vectors."
    kept, without = np.arange(400) != 5, np.arange(60) != 3
    rest = vector_health(ITEMS[kept], POPULARITY[kept], QUERIES[without]).figures
    assert health.figures == {**rest, "items": 400, "not_finite": 1}


def test_nothing_but_nan_leaves_nothing_to_tell() -> None:
    health = _health(np.full_like(ITEMS, np.nan), np.full_like(QUERIES, np.nan))
    assert names(health.findings) == ["not-finite"]
    assert health.figures["not_finite"] == 400
    assert health.figures["effective_rank"] is None


def test_duplicates_are_found_with_examples() -> None:
    twins = ITEMS.copy()
    twins[[10, 20, 30]], twins[50] = twins[5], twins[60]
    labels = [f"Film {row}" for row in range(400)]
    finding = only(_health(twins, labels=labels).findings)
    assert (finding.severity, finding.name) == ("warning", "identical-vectors")
    assert finding.says == (
        "6 of 400 items (2 %) have the very vector of another, in 2 groups; the largest has 4, such as 'Film 5', "
        "'Film 10', 'Film 20'."
    )
    twins[[20, 30]] = ITEMS[[20, 30]]  # 4 of 400: a hundredth is the edge
    assert only(_health(twins).findings).severity == "note"


def test_one_hub_is_found_by_its_name() -> None:
    queries = QUERIES.copy()
    queries[:, 0, 0] += 2.0  # all users share a direction
    items = ITEMS.copy()
    items[33] = 0
    items[33, 0] = 12.0  # and one item lies far out in it
    labels = [f"Film {row}" for row in range(400)]
    health = _health(items, queries, labels=labels)
    finding = only(health.findings)
    assert (finding.severity, finding.name) == ("warning", "hub")
    share = health.figures["most_shown"]
    assert share is not None
    assert share > 0.9
    assert (
        finding.says == f"1 of 400 items stand in more than half of all lists of 10, 'Film 33' in {100 * share:.0f} %."
    )
    hubness, before = health.figures["hubness"], _health().figures["hubness"]
    assert hubness is not None
    assert before is not None
    assert hubness > 5 * before


def test_users_who_get_one_list_are_found() -> None:
    health = _health(queries=np.repeat(QUERIES[:1], 60, axis=0))
    finding = health.findings[0]
    assert (finding.severity, finding.name) == ("problem", "same-lists")
    assert finding.says.startswith("A user's list of 10 holds 100 % of what another's holds, on average over 60 users")
    assert health.figures["overlap"] == 1.0


def test_few_shown_items_are_found() -> None:
    two = np.concatenate([QUERIES[:1], QUERIES[:1] + QUERIES[1:2]])
    lists = [set(np.argsort(-(query @ ITEMS.T))[:10].tolist()) for query in two[:, 0]]
    shown = len(lists[0] | lists[1])
    assert 10 < shown < 20
    found = {f.name: f for f in _health(queries=np.repeat(two, 30, axis=0)).findings}
    assert found["few-items-shown"].says == f"All lists together show {shown} of 400 items."
    assert found["same-lists"].severity == "warning"


def test_zero_and_unknown_vectors_are_found() -> None:
    items = ITEMS.copy()
    items[[1, 2]] = 0
    unknown = np.full(16, 0.1, np.float32)
    items[[7, 8, 9]] = unknown + np.float32(1e-8)
    items[[8, 9], 0] = np.nextafter(items[7, 0], np.float32(1)), np.nextafter(items[7, 0], np.float32(0))
    found = {f.name: f for f in _health(items, unknown=unknown).findings}
    assert set(found) == {"zero-vectors", "unknown-vectors", "identical-vectors"}  # the two zeros are alike
    assert found["zero-vectors"].says.startswith("2 of 400 vectors are zero")
    assert found["unknown-vectors"].says.startswith(
        "3 of 400 items (0.75 %) have the vector of an item that nothing is"
    )
    assert found["unknown-vectors"].severity == "note"


def test_uneven_norms_and_norms_in_the_order_of_popularity_are_found() -> None:
    lengths = np.exp(np.linspace(0, 6, 400))[np.argsort(np.argsort(POPULARITY, kind="stable"))]
    unit = ITEMS / np.linalg.norm(ITEMS, axis=1, keepdims=True)
    health = _health((unit * lengths[:, None]).astype(np.float32))
    found = {f.name: f for f in health.findings}
    assert {"uneven-norms", "norms-follow-popularity"} <= set(found)
    # e^6 = 403 from end to end; between the percentiles e^(0.98 · 6) = 358
    assert found["uneven-norms"].says.startswith("The longest vectors are 358 times as long as the shortest")
    assert found["norms-follow-popularity"].severity == "note"


def test_an_item_bias_is_no_part_of_lengths_and_directions() -> None:
    biased = np.hstack([ITEMS, 100 * POPULARITY[:, None]])
    asked = np.concatenate([QUERIES, np.zeros((60, 1, 1), np.float32)], axis=2)
    with_bias, without = vector_health(biased, POPULARITY, asked, item_bias=True).figures, _health().figures
    assert with_bias == pytest.approx(without)
    whole = vector_health(biased, POPULARITY, asked)
    assert "norms-follow-popularity" in names(whole.findings)


def test_many_queries_are_sampled_in_the_same_way_each_time() -> None:
    many = np.random.default_rng(1).normal(size=(1_500, 1, 16)).astype(np.float32)
    first, second = _health(queries=many), _health(queries=many)
    assert first.figures == second.figures
    assert first.figures["queries"] == 1_000


def test_lists_of_most_of_a_small_catalogue_are_not_judged() -> None:
    assert vector_health(ITEMS[:20], POPULARITY[:20], QUERIES).findings == []


@pytest.mark.parametrize(
    "changed",
    [
        {"popularity": POPULARITY[:3]}, {"query_vectors": QUERIES[:, 0]}, {"query_vectors": QUERIES[:, :, :3]},
        {"labels": ["a"]}, {"unknown": np.ones(3, np.float32)}, {"item_vectors": ITEMS[0]},
        {"item_vectors": ITEMS[:0], "popularity": POPULARITY[:0]},
    ],
)  # fmt: skip
def test_shapes_that_do_not_go_together_are_refused(changed: dict[str, Any]) -> None:
    given = {"item_vectors": ITEMS, "popularity": POPULARITY, "query_vectors": QUERIES, **changed}
    says = "item_vectors should be [N, D], popularity and labels [N], query_vectors [B, H, D] and unknown [D], but they"
    with pytest.raises(DataError, match=re.escape(says)):
        vector_health(given.pop("item_vectors"), given.pop("popularity"), given.pop("query_vectors"), **given)
