"""Every kind of index by its word, and the index that some settings describe."""

from collections.abc import Callable
from typing import Any

from shortlist.choice import choice
from shortlist.errors import BundleError, SettingsError
from shortlist.index.catalogue import Precision
from shortlist.index.exact import ExactIndex
from shortlist.index.index import Floats, Index
from shortlist.index.ivf import IvfIndex

__all__ = ["make_index"]


def make_index(vectors: Floats, settings: dict[str, Any], blob: bytes | None = None) -> Index:
    """The index whose `settings` these are, over the vectors [N, D]; `blob` is what `IvfIndex.to_bytes` gave.

    Raises `BundleError` for settings that no index has, and for a part that is missing or of another catalogue.

    >>> import numpy as np
    >>> make_index(np.ones((3, 2), np.float32), {"kind": "exact", "precision": "int8"}).settings
    {'kind': 'exact', 'precision': 'int8'}
    """
    kind = settings.get("kind")
    make = KINDS.get(kind) if isinstance(kind, str) else None
    if make is None:
        known = ", ".join(repr(kind) for kind in KINDS)
        raise BundleError(
            f"The kind of an index should be one of {known}, but it is {kind!r}. "
            "Make the index anew, or read it with the version of shortlist that wrote it."
        )
    try:
        return make(vectors, settings, blob)
    except SettingsError as error:
        raise BundleError(f"The settings of the {kind} index are damaged. {error}") from None


@choice
class ExactSettings:
    """How an `ExactIndex` is made."""

    precision: Precision = "float32"


def _exact(vectors: Floats, settings: dict[str, Any], blob: bytes | None) -> Index:
    if blob is not None:
        raise BundleError("An exact index has no FAISS part, but there is one. Make the index anew.")
    rest = {name: value for name, value in settings.items() if name != "kind"}
    return ExactIndex(vectors, precision=ExactSettings(**rest).precision)


def _ivf(vectors: Floats, settings: dict[str, Any], blob: bytes | None) -> Index:
    if blob is None:
        raise BundleError("An ivf index has a FAISS part, but there is none. Make the index anew.")
    return IvfIndex.restore(vectors, settings, blob)


KINDS: dict[str, Callable[[Floats, dict[str, Any], bytes | None], Index]] = {
    ExactIndex.kind: _exact,
    IvfIndex.kind: _ivf,
}
