from typing import Any

import numpy as np
import pytest
from index_conformance import IndexConformance, query_of

from shortlist.errors import BundleError, DivergedError, MissingExtraError, SettingsError
from shortlist.index import ExactIndex, Index, IvfIndex, make_index, recall_at_k
from shortlist.index.index import Floats


class TestIvfOfAllLists(IndexConformance):
    exact = False

    def index(self, items: Floats) -> Index:
        return IvfIndex(items, num_lists=8, num_probes=8)


class TestIvfOfOneListInEight(IndexConformance):
    exact = False

    def index(self, items: Floats) -> Index:
        return IvfIndex(items, num_lists=8, num_probes=1)


class TestIvfWithoutQuantizer(IndexConformance):
    exact = False

    def index(self, items: Floats) -> Index:
        return IvfIndex(items, num_lists=6, num_probes=2, quantizer="none", overfetch=1)


class TestIvfOfAListForEachItem(IndexConformance):
    exact = False

    def index(self, items: Floats) -> Index:
        return IvfIndex(items, num_lists=300, num_probes=150, overfetch=3)


class TestRestoredIvf(IndexConformance):
    exact = False

    def index(self, items: Floats) -> Index:
        made = IvfIndex(items, num_lists=8, num_probes=3)
        return make_index(items, made.settings, made.to_bytes())


@pytest.fixture(scope="module")
def items() -> Floats:
    """Forty clusters of fifty."""
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(40, 1, 16))
    return (centres + 0.3 * generator.normal(size=(40, 50, 16))).reshape(-1, 16).astype(np.float32)


@pytest.fixture(scope="module")
def index(items: Floats) -> IvfIndex:
    return IvfIndex(items, num_lists=40, num_probes=4)


def test_most_of_the_best_are_found_without_looking_at_everything(items: Floats, index: IvfIndex) -> None:
    queries = items[::20, None]
    found, exact = index.search(queries, 10), ExactIndex(items).search(queries, 10)
    assert not found.exact.any()
    assert recall_at_k(found, exact).mean() > 0.95


def test_narrow_filter_is_answered_exactly(items: Floats, index: IvfIndex) -> None:
    # Ten allowed items are less work than the probes, which grow to every list.
    allowed = np.zeros(len(items), np.bool_)
    allowed[::200] = True
    found = index.search(items[:3, None], 5, allowed=allowed)
    exact = ExactIndex(items).search(items[:3, None], 5, allowed=allowed)
    assert found.exact.all()
    assert [rows.tolist() for rows in found.rows] == [rows.tolist() for rows in exact.rows]


def test_wide_filter_is_searched_in_the_lists(items: Floats, index: IvfIndex) -> None:
    allowed = np.ones(len(items), np.bool_)
    allowed[::2] = False
    found = index.search(items[:3, None], 5, allowed=allowed)
    assert not found.exact.any()
    assert all(allowed[rows].all() for rows in found.rows)


def test_queries_that_leave_out_their_lists_are_alone_answered_exactly(items: Floats, index: IvfIndex) -> None:
    # The last two may have nothing of the 1,200 items each scores highest: their four lists hold about 200.
    queries = items[[1_000, 0, 500], None]
    best = ExactIndex(items).search(queries[1:], 1_200).rows
    left_out = (np.repeat([1, 2], 1_200), np.concatenate(best))
    found = index.search(queries, 5, left_out=left_out)
    exact = ExactIndex(items).search(queries, 5, left_out=left_out)
    assert found.exact.tolist() == [False, True, True]
    assert [rows.tolist() for rows in found.rows[1:]] == [rows.tolist() for rows in exact.rows[1:]]


def test_filter_costs_no_recall() -> None:
    # Without clusters four lists of forty miss much, and of every third item more lists must be looked at.
    items = np.random.default_rng(2).normal(size=(4_000, 8)).astype(np.float32)
    queries, allowed = items[:200, None], np.arange(4_000) % 3 == 0
    index, exact = IvfIndex(items, num_lists=40, num_probes=4), ExactIndex(items)
    narrow, every = (
        recall_at_k(index.search(queries, 10, allowed=mask), exact.search(queries, 10, allowed=mask)).mean()
        for mask in (allowed, None)
    )
    assert not index.search(queries, 10, allowed=allowed).exact.any()
    assert narrow > every


def test_long_lists_are_answered_exactly(items: Floats, index: IvfIndex) -> None:
    # Four lists of about 50 cannot hold 250 to choose from.
    assert index.search(items[:2, None], 200).exact.all()


def test_scores_are_those_of_the_vectors_and_not_of_the_bytes() -> None:
    generator = np.random.default_rng(1)
    items = generator.normal(size=(400, 6)).astype(np.float32)
    queries = generator.normal(size=(20, 2, 6)).astype(np.float32)
    found = IvfIndex(items, num_lists=5, num_probes=3).search(queries, 8)
    for query, rows, scores in zip(queries, found.rows, found.scores, strict=True):
        np.testing.assert_allclose(scores, (query @ items[rows].T).max(axis=0), rtol=1e-6)


def test_same_seed_gives_the_same_index(items: Floats) -> None:
    first, second = (IvfIndex(items, num_lists=20, num_probes=2, seed=5) for _ in range(2))
    assert first.to_bytes() == second.to_bytes()
    assert first.to_bytes() != IvfIndex(items, num_lists=20, num_probes=2, seed=6).to_bytes()


def test_restored_index_gives_the_same_answers(items: Floats, index: IvfIndex) -> None:
    again = make_index(items, index.settings, index.to_bytes())
    assert again.settings == index.settings
    for first, second in zip(index.search(items[:, None], 7).rows, again.search(items[:, None], 7).rows, strict=True):
        assert first.tolist() == second.tolist()


def test_few_items_in_many_lists_write_no_warning(capfd: pytest.CaptureFixture[str]) -> None:
    IvfIndex(np.ones((30, 2), np.float32), num_lists=100, num_probes=10).search(query_of(1, 1), 3)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({"vectors": np.ones((3, 16), np.float32)}, "its items should be 3, as the item vectors.*but are 2000"),
        ({"vectors": np.ones((2_000, 8), np.float32)}, "its width should be 8, as the item vectors.*but is 16"),
        ({"num_lists": 30}, "its lists should be 30, as the item vectors.*but are 40"),
        ({"quantizer": "none"}, "its type should be IndexIVFFlat, .*but is IndexIVFScalarQuantizer"),
    ],
)
def test_stale_part_is_refused(items: Floats, index: IvfIndex, changed: dict[str, Any], wanted: str) -> None:
    vectors = changed.pop("vectors", items)
    with pytest.raises(BundleError, match=rf"^The FAISS index is stale: {wanted}.*Make the index anew\.$"):
        make_index(vectors, index.settings | changed, index.to_bytes())


@pytest.mark.parametrize("damage", ["cut", "nothing", "noise"])
def test_damaged_part_is_refused(items: Floats, index: IvfIndex, damage: str) -> None:
    whole = index.to_bytes()
    blob = {"cut": whole[:-100], "nothing": b"", "noise": b"not an index"}[damage]
    with pytest.raises(BundleError, match=r"^The FAISS index cannot be read: .*Make the index anew"):
        make_index(items, index.settings, blob)


def test_vectors_too_long_for_lists_are_refused() -> None:
    with pytest.raises(DivergedError, match=r"is 1\.0e\+20 long, beyond the 1e\+18 up to which lists can be made"):
        IvfIndex(np.full((5, 1), 1e20, np.float32), num_lists=2, num_probes=1)


def test_more_probes_than_lists_are_refused() -> None:
    with pytest.raises(SettingsError, match="num_probes should be at most num_lists, but it is 3 of 2"):
        IvfIndex(np.ones((5, 1), np.float32), num_lists=2, num_probes=3)


def test_probes_that_cannot_be_are_refused() -> None:
    with pytest.raises(SettingsError, match="IvfSettings: num_probes should be greater than 0, but it is 0"):
        IvfIndex(np.ones((5, 1), np.float32), num_lists=2, num_probes=0)


def test_without_faiss_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"needs faiss, which is not.*pip install 'shortlist\[ann\]'"):
        IvfIndex(np.ones((5, 1), np.float32), num_lists=2, num_probes=1)
