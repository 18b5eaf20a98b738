"""The index of a bundle: restored, and made anew for another bundle."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from shortlist.bundle import Bundle, SavedIndex
from shortlist.data import Dataset
from shortlist.errors import BundleError, DataError
from shortlist.index import ExactIndex, Index, make_index, measure_beside_exact, tune_ivf
from shortlist.index.catalogue import Precision
from shortlist.recommender.evaluation import QueryVectors, own_test_events
from shortlist.recommender.health import known_query_vectors

__all__ = ["index_of", "with_exact_index", "with_tuned_index"]

# Users whose queries choose and measure an index, where a bundle knows more.
MOST_QUERIES = 4_096
# Test queries whose lists are compared for the loss in NDCG, where there are more.
MOST_TARGETS, SEED = 10_000, 0
BATCH = 256

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]


def index_of(bundle: Bundle) -> Index:
    """The index that searches a bundle's item vectors: its own, or an exact one where it has none.

    Raises `BundleError` for an index that does not belong to the vectors, and `MissingExtraError` for one of FAISS
    where that is not installed.
    """
    if bundle.index is None:
        return ExactIndex(bundle.item_vectors)
    return make_index(bundle.item_vectors, bundle.index.settings, bundle.index.structure)


def with_exact_index(
    bundle: Bundle, precision: Precision = "float32", *, k: int = 100, data: Dataset | None = None
) -> Bundle:
    """The bundle with exact search, over vectors that are rounded where `precision` is not "float32".

    What rounding costs is measured for lists of k as `with_tuned_index` measures it, on all users that training knows.
    """
    index = ExactIndex(bundle.item_vectors, precision=precision)
    measured = None
    if precision != "float32":
        k = min(k, len(bundle.items))
        beside = measure_beside_exact(index, bundle.item_vectors, known_query_vectors(bundle, MOST_QUERIES), k)
        measured = {**beside.to_json(), "ndcg": _ndcg(bundle, index, k, data)}
    return dataclasses.replace(bundle, index=SavedIndex(index.settings, measured), version=None, index_version=None)


def with_tuned_index(
    bundle: Bundle, *, k: int = 100, target_recall: float = 0.95, data: Dataset | None = None, seed: int = 0
) -> Bundle:
    """The bundle with an approximate index (the extra `ann`) that reaches a recall@k against exact search.

    It is chosen on the queries of one half of the users that training knows, and measured on the other half: recall,
    and the times of a query beside exact search. On the bundle's own test events, read again from their source or
    taken from `data`, its lists are compared with the exact ones too, seen and retired items left out of both: the loss
    in NDCG@k, or why there is none. All that is measured stands in `bundle.index.measured`, and is saved with it.

    Raises `SettingsError` for a target that no index reaches, and for a bundle that knows fewer than 16 users.
    """
    queries = known_query_vectors(bundle, MOST_QUERIES)
    tuned = tune_ivf(bundle.item_vectors, queries, k=k, target_recall=target_recall, seed=seed)
    measured = {**tuned.measured.to_json(), "ndcg": _ndcg(bundle, tuned.index, k, data)}
    index = SavedIndex(tuned.index.settings, measured, tuned.index.to_bytes())
    return dataclasses.replace(bundle, index=index, version=None, index_version=None)


def _ndcg(bundle: Bundle, index: Index, k: int, data: Dataset | None) -> dict[str, Any]:
    """NDCG@k of the exact lists and of the index's over test events, each of which asks alone; what its user had seen
    is left out, and what is retired.
    """
    try:
        test = own_test_events(bundle, data)
    except (BundleError, DataError) as error:
        return {"not_computed": str(error)}
    in_service = ~bundle.items["retired"].to_numpy()
    places = np.flatnonzero(in_service[test.targets.item_rows])
    if not len(places):
        return {"not_computed": "every item of the test events is retired"}
    if len(places) > MOST_TARGETS:
        places = np.sort(np.random.default_rng(SEED).choice(places, MOST_TARGETS, replace=False))
    encode = QueryVectors(bundle, test)
    gains: dict[str, list[float]] = {"exact": [], "approximate": []}
    indexes = {"exact": ExactIndex(bundle.item_vectors), "approximate": index}
    for start in range(0, len(places), BATCH):
        asked = places[start : start + BATCH]
        true_rows = test.targets.item_rows[asked]
        place, seen = test.seen.pairs(test.targets.user_rows[asked])
        rivals = seen != true_rows[place]  # a true item never leaves itself out
        vectors = encode(asked)
        for name, each in indexes.items():
            found = each.search(vectors, k, left_out=(place[rivals], seen[rivals]), allowed=in_service)
            gains[name] += [_gain(rows, true) for rows, true in zip(found.rows, true_rows, strict=True)]
    exact, approximate = (float(np.mean(of)) for of in gains.values())
    return {"exact": exact, "approximate": approximate, "loss": exact - approximate, "events": len(places)}


def _gain(rows: Rows, true_row: int) -> float:
    """NDCG of a list with one true item: 1 at the head, 1 / log2(1 + place) further down, 0 outside."""
    found = np.flatnonzero(rows == true_row)
    return float(1 / np.log2(2 + found[0])) if len(found) else 0.0
