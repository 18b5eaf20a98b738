"""Approximate search with FAISS: items in lists, of which a query looks at the nearest few (the extra `ann`)."""

import copy
import dataclasses
import math
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from shortlist.choice import Number, Positive, Seed, choice
from shortlist.errors import BundleError, DivergedError, SettingsError, first_line, require_extra
from shortlist.index.exact import ExactIndex, check_allowed, check_k
from shortlist.index.index import Floats, Found, Index, LeftOut, Mask, Rows
from shortlist.index.rescoring import best_of, without

__all__ = ["IvfIndex", "IvfSettings", "Quantizer"]

Quantizer = Literal["int8", "none"]

# Points that k-means sees for each list: four times as many found no better lists and took four times as long.
POINTS_PER_LIST = 64
# Items fetched beyond k for what a query leaves out, at most; a list that comes out short is searched exactly.
MOST_LEFT_OUT = 1024
# k-means squares lengths, in float32.
LONGEST = 1e18


@choice
class IvfSettings:
    """How an `IvfIndex` is made and asked.

    `num_lists` are made (no more than there are items), and the `num_probes` nearest to a query are looked at, where
    items are kept as the `quantizer` says: a byte for each dimension or the float32 vectors. `overfetch` times k
    items are fetched and scored by their float32 vectors. `seed` is for the lists.
    """

    num_lists: Positive
    num_probes: Positive
    quantizer: Quantizer = "int8"
    overfetch: Annotated[Number, Field(ge=1)] = 1.25
    seed: Seed = 0


class IvfIndex(Index):
    """Approximate search by an inverted file: k-means puts items in lists, and a query looks at the nearest few.

    What FAISS fetches is scored anew with the float32 vectors: each score is the item's own dot product, and the order
    is by score, then row. What may miss an item is that its list was not probed or that 8 bits put it too low. A
    filter `allowed` widens the probes by the inverse of its share. Every query gets min(k, what it may have) items:
    one whose list would be short, or whose filter makes the allowed items no more work than the probes, is searched
    exactly, and `Found.exact` says so.

    Use it when exact search takes too long, and settle the numbers by `tune_ivf`. Differs from `ExactIndex` by missing
    items, by a training of seconds to minutes, and by a copy of the vectors in a byte for each dimension.

    Raises `DivergedError` for NaN or infinity in a vector or lengths beyond 1e18, and `MissingExtraError` without
    FAISS.

    >>> items = np.random.default_rng(0).normal(size=(500, 8)).astype(np.float32)
    >>> index = IvfIndex(items, num_lists=10, num_probes=3)
    >>> found = index.search(items[:1, None], 5)
    >>> len(found.rows[0]), found.exact.tolist()
    (5, [False])
    >>> IvfIndex.restore(items, index.settings, index.to_bytes()).search(items[:1, None], 5).rows[0] == found.rows[0]
    array([ True,  True,  True,  True,  True])
    """

    kind: ClassVar[str] = "ivf"

    def __init__(
        self,
        vectors: Floats,
        *,
        num_lists: int,
        num_probes: int,
        quantizer: Quantizer = "int8",
        overfetch: float = 1.25,
        seed: int = 0,
    ) -> None:
        self._set(vectors, IvfSettings(num_lists, num_probes, quantizer, overfetch, seed))
        self._faiss = _trained(self.vectors, self._settings)

    @classmethod
    def restore(cls, vectors: Floats, settings: dict[str, Any], saved: bytes) -> Self:
        """The index that gave these settings and these bytes; raises `BundleError` where the parts do not fit."""
        index = cls.__new__(cls)
        rest = {name: value for name, value in settings.items() if name != "kind"}
        index._set(vectors, IvfSettings(**rest))
        index._faiss = _read(saved, index.vectors, index._settings)
        return index

    def changed(self, *, num_probes: int, overfetch: float) -> Self:
        """The same lists, asked in another way."""
        index = copy.copy(self)
        index._settings = dataclasses.replace(self._settings, num_probes=num_probes, overfetch=overfetch)
        return index

    def to_bytes(self) -> bytes:
        """The lists as FAISS writes them, for `restore`; empty for an empty catalogue."""
        return b"" if self._faiss is None else bytes(self._library.serialize_index(self._faiss))

    @property
    def vectors(self) -> Floats:
        return self._exact.vectors

    @property
    def settings(self) -> dict[str, Any]:
        return {"kind": self.kind, **dataclasses.asdict(self._settings)}

    def search(self, queries: Floats, k: int, *, left_out: LeftOut | None = None, allowed: Mask | None = None) -> Found:
        check_k(k)
        num_items = len(self.vectors)
        num_allowed = check_allowed(allowed, num_items)
        must_look = self._exact.must_look(queries)
        if num_allowed == num_items:
            allowed = None
        probes = self._probes(num_allowed)
        if must_look or not len(queries) or self._is_narrow(num_allowed, probes, k):
            return self._exact.search(queries, k, left_out=left_out, allowed=allowed)
        fetch = math.ceil(self._settings.overfetch * k)
        if left_out is not None:
            fetch += min(int(np.bincount(left_out[0], minlength=1).max()), MOST_LEFT_OUT)
        rows = self._fetch(queries, min(fetch, num_items), allowed, probes)
        if left_out is not None:
            rows = without(rows, left_out, num_items)
        return self._filled(best_of(self.vectors, queries, rows, k), queries, k, left_out, allowed)

    def _set(self, vectors: Floats, settings: IvfSettings) -> None:
        if settings.num_probes > settings.num_lists:
            raise SettingsError(
                f"num_probes should be at most num_lists, but it is {settings.num_probes} of {settings.num_lists}."
            )
        self._settings, self._library = settings, _library()
        self._exact = ExactIndex(vectors)
        if self._exact.longest > LONGEST:
            raise DivergedError(
                f"An item vector is {self._exact.longest:.1e} long, beyond the {LONGEST:.0e} up to which lists can be "
                "made; train anew."
            )

    def _probes(self, num_allowed: int) -> int:
        """Lists to look at: so many more, the fewer items are allowed, for the best of these are spread as wide."""
        lists = min(self._settings.num_lists, len(self.vectors))
        return min(math.ceil(self._settings.num_probes * len(self.vectors) / max(num_allowed, 1)), lists)

    def _is_narrow(self, num_allowed: int, probes: int, k: int) -> bool:
        """Whether exact search over what is allowed is no more work, or the probes hold too few to choose from."""
        if self._faiss is None:
            return True
        looked_at = probes * len(self.vectors) / self._faiss.nlist
        filtered = num_allowed < len(self.vectors)
        share = num_allowed / len(self.vectors)
        return bool((filtered and num_allowed <= looked_at) or self._settings.overfetch * k > looked_at * share)

    def _fetch(self, queries: Floats, fetch: int, allowed: Mask | None, probes: int) -> Rows:
        """Item rows [B, H * fetch] that may be among the best: each once, ascending, after some -1 for none."""
        given = {}
        if allowed is not None:
            given["sel"] = self._library.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))
        parameters = self._library.SearchParametersIVF(nprobe=probes, **given)
        num_queries, num_interests, width = queries.shape
        asked = np.ascontiguousarray(queries, np.float32).reshape(-1, width)
        rows: Rows = self._faiss.search(asked, fetch, params=parameters)[1].reshape(num_queries, -1)
        rows.sort(axis=1)
        if num_interests > 1:
            rows[:, 1:][rows[:, 1:] == rows[:, :-1]] = -1
            rows.sort(axis=1)
        return rows

    def _filled(self, found: Found, queries: Floats, k: int, left_out: LeftOut | None, allowed: Mask | None) -> Found:
        """What was found, lists shorter than k searched exactly: only so is it known that there is no more."""
        short = np.array([number for number, rows in enumerate(found.rows) if len(rows) < k], np.int64)
        if not len(short):
            return found
        if left_out is not None:
            places = np.searchsorted(short, left_out[0]).clip(max=len(short) - 1)
            asked = short[places] == left_out[0]
            left_out = (places[asked], left_out[1][asked])
        exact = self._exact.search(queries[short], k, left_out=left_out, allowed=allowed)
        for number, rows, scores in zip(short.tolist(), exact.rows, exact.scores, strict=True):
            found.rows[number], found.scores[number], found.exact[number] = rows, scores, True
        return found


def _library() -> Any:
    """FAISS, imported when the first such index is made."""
    require_extra("ann", ["faiss"])
    import faiss

    return faiss


def _trained(vectors: Floats, settings: IvfSettings) -> Any:
    """The FAISS index of the vectors; None for an empty catalogue."""
    num_items, width = vectors.shape
    if not num_items:
        return None
    faiss = _library()
    centres, lists = faiss.IndexFlatIP(width), min(settings.num_lists, num_items)
    if settings.quantizer == "none":
        index = faiss.IndexIVFFlat(centres, width, lists, faiss.METRIC_INNER_PRODUCT)
    else:
        byte = faiss.ScalarQuantizer.QT_8bit
        index = faiss.IndexIVFScalarQuantizer(centres, width, lists, byte, faiss.METRIC_INNER_PRODUCT)
    index.cp.seed = settings.seed % (1 << 31)
    index.cp.min_points_per_centroid = 1  # FAISS would write a warning to stderr
    index.cp.max_points_per_centroid = POINTS_PER_LIST
    index.train(vectors)
    index.add(vectors)
    return index


def _read(saved: bytes, vectors: Floats, settings: IvfSettings) -> Any:
    """The FAISS index in the bytes, which must be one of these vectors under these settings."""
    num_items, width = vectors.shape
    if not num_items and not saved:
        return None
    try:
        index = _library().deserialize_index(np.frombuffer(saved, np.uint8))
    except RuntimeError as error:
        raise BundleError(f"The FAISS index cannot be read: {first_line(error)}. Make the index anew.") from None
    expected = {
        "type": "IndexIVFFlat" if settings.quantizer == "none" else "IndexIVFScalarQuantizer",
        "items": num_items,
        "width": width,
        "lists": min(settings.num_lists, num_items),
    }
    got = {"type": type(index).__name__, "items": index.ntotal, "width": index.d, "lists": getattr(index, "nlist", 0)}
    for name, value in expected.items():
        if got[name] != value:
            raise BundleError(
                f"The FAISS index is stale: its {name} should be {value}, as the item vectors and the settings say, "
                f"but {'is' if name in ('type', 'width') else 'are'} {got[name]}. Make the index anew."
            )
    return index
