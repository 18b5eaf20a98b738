"""The health of a model's vectors: figures that say whether they can tell items and users apart, and findings."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from shortlist.doctor.correlation import spearman
from shortlist.doctor.finding import Finding, by_severity
from shortlist.doctor.symptoms import LIST_LENGTH, find_in_lists, find_in_vectors, find_not_finite
from shortlist.doctor.vectors import Alike, alike_rows, effective_rank, finite_rows, near_rows, norms, skewness
from shortlist.errors import DataError
from shortlist.index import exact_top_k
from shortlist.metrics import ShownItems

__all__ = ["FIGURES", "Health", "vector_health"]

# The lists of this many queries are looked at where there are more, and of which by this seed.
MOST_QUERIES, SEED = 1_000, 0

FIGURES = {
    "items": "vectors in the catalogue",
    "width": "numbers in a vector, an item bias not counted",
    "queries": "users whose lists of 10 were looked at, drawn with a fixed seed",
    "not_finite": "item vectors with NaN or infinity; the figures below leave them out",
    "norm_low": "length of a vector, 1st percentile",
    "norm_median": "length of a vector, median",
    "norm_high": "length of a vector, 99th percentile",
    "effective_rank": "directions that the vectors use, 1 to the width (Roy and Vetterli 2007)",
    "popularity_norm": "rank correlation of an item's popularity and its vector's length",
    "zero_vectors": "vectors of nothing but zeros",
    "identical_vectors": "items with the very vector of another",
    "unknown_vectors": "items with the vector of an item that nothing is known of",
    "never_shown": "share of the catalogue in none of these lists",
    "hubness": "skewness of how often an item is shown (Radovanović 2010); by chance 1/√(mean)",
    "most_shown": "share of the lists that hold the item shown most",
    "overlap": "share of one user's list that another's holds too",
}

Vectors = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Health:
    """Figures by the names in `FIGURES` (None: cannot be told here), and what stands out in them, the gravest first."""

    figures: dict[str, float | None]
    findings: list[Finding]

    def to_json(self) -> dict[str, object]:
        return {"figures": self.figures, "findings": [finding.to_json() for finding in self.findings]}


def vector_health(
    item_vectors: Vectors,
    popularity: npt.NDArray[np.float32],
    query_vectors: Vectors,
    *,
    labels: Sequence[str] | None = None,
    unknown: Vectors | None = None,
    item_bias: bool = False,
) -> Health:
    """How healthy the vectors of a catalogue are, [N, D], for queries [B, H, D] such as a bundle's users.

    `popularity` [N] is how often training touched each item, `labels` [N] are what to call them in examples. `unknown`
    [D] is the vector of an item that nothing is known of. With `item_bias` the last dimension adds the same to an
    item's score for everyone; lengths and directions leave it out. Where there are more than 1,000 queries, as many
    are drawn. Memory does not grow with the catalogue beyond some bytes an item.

    Raises `DataError` for shapes that do not go together.

    >>> generator = np.random.default_rng(0)
    >>> items, queries = generator.normal(size=(300, 8)), generator.normal(size=(50, 1, 8))
    >>> health = vector_health(items.astype(np.float32), np.ones(300, np.float32), queries.astype(np.float32))
    >>> health.findings, round(health.figures["effective_rank"], 1)
    ([], 8.0)
    """
    _check(item_vectors, popularity, query_vectors, labels, unknown)
    finite = finite_rows(item_vectors)
    kept = np.flatnonzero(finite)
    vectors = item_vectors if finite.all() else item_vectors[kept]
    asked = query_vectors[np.isfinite(query_vectors).all(axis=(1, 2))]
    lost = len(query_vectors) - len(asked)
    if len(asked) > MOST_QUERIES:
        asked = asked[np.random.default_rng(SEED).choice(len(asked), MOST_QUERIES, replace=False)]

    def name(row: int) -> str:
        place = int(kept[row])
        return repr(f"row {place}" if labels is None else labels[place])

    width = vectors.shape[1] - item_bias
    figures: dict[str, float | None] = dict.fromkeys(FIGURES)
    figures |= {"items": len(item_vectors), "width": width, "queries": len(asked), "not_finite": int((~finite).sum())}
    findings = list(find_not_finite(figures, lost, len(query_vectors), np.flatnonzero(~finite), labels))
    if len(vectors):
        alike = alike_rows(vectors)
        figures |= _about_vectors(vectors, popularity[kept], alike, unknown, width)
        findings += find_in_vectors(figures, alike, name)
    if len(vectors) and len(asked):
        shown, times = _shown(vectors, popularity[kept], asked)
        figures |= _about_lists(shown, times)
        findings += find_in_lists(figures, times, name)
    return Health(figures, by_severity(findings))


def _check(
    items: Vectors, popularity: npt.NDArray[np.float32], queries: Vectors, labels: Sequence[str] | None,
    unknown: Vectors | None,
) -> None:  # fmt: skip
    shapes = {"item_vectors": items.shape, "popularity": popularity.shape, "query_vectors": queries.shape}
    if labels is not None:
        shapes["labels"] = (len(labels),)
    if unknown is not None:
        shapes["unknown"] = unknown.shape
    num_items, width = items.shape if items.ndim == 2 else (-1, -1)
    fits = (
        num_items > 0
        and shapes.get("labels", (num_items,)) == popularity.shape == (num_items,)
        and queries.ndim == 3
        and queries.shape[2] == width
        and shapes.get("unknown", (width,)) == (width,)
    )
    if not fits:
        listed = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        raise DataError(
            "item_vectors should be [N, D], popularity and labels [N], query_vectors [B, H, D] and unknown [D], but "
            f"they are {listed}. Give one query of several users as queries[:, None]."
        )


def _about_vectors(
    vectors: Vectors, popularity: npt.NDArray[np.float32], alike: Alike, unknown: Vectors | None, width: int
) -> dict[str, float | None]:
    lengths = norms(vectors[:, :width])
    low, median, high = (float(value) for value in np.quantile(lengths, [0.01, 0.5, 0.99]))
    return {
        "norm_low": low,
        "norm_median": median,
        "norm_high": high,
        "effective_rank": effective_rank(vectors[:, :width]),
        "popularity_norm": spearman(popularity, lengths),
        "zero_vectors": int((lengths == 0).sum()),
        "identical_vectors": alike.items,
        "unknown_vectors": None if unknown is None else near_rows(vectors, unknown),
    }


def _shown(
    vectors: Vectors, popularity: npt.NDArray[np.float32], asked: Vectors
) -> tuple[ShownItems, npt.NDArray[np.int64]]:
    """What the queries are shown, and in how many lists each item stands [N]."""
    lists, _ = exact_top_k(asked, vectors, min(LIST_LENGTH, len(vectors)))
    return ShownItems(lists, popularity), np.bincount(np.concatenate(lists), minlength=len(vectors))


def _about_lists(shown: ShownItems, times: npt.NDArray[np.int64]) -> dict[str, float | None]:
    return {
        "never_shown": 1 - shown.coverage(LIST_LENGTH),
        "hubness": skewness(times),
        "most_shown": float(times.max() / len(shown.lists)),
        "overlap": shown.overlap(LIST_LENGTH) if len(shown.lists) > 1 else None,
    }
