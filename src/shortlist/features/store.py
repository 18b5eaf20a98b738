"""Encoded columns kept on disk: made once for the same values and the same feature, mapped into memory ever after."""

import dataclasses
import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import polars as pl

from shortlist.atomic import new_file, new_folder
from shortlist.data.events import EventTable
from shortlist.data.fingerprint import digest_column
from shortlist.errors import DataError
from shortlist.features.encoded import Encoded, Numbers, RowLists, Rows
from shortlist.features.encoder import encode
from shortlist.features.feature import FittedFeature

__all__ = ["EncodedStore"]

# A column of fewer rows is encoded anew: that takes no longer than looking for it.
MIN_ROWS = 1 << 20
MAX_BYTES = 20 * 10**9
# Raised whenever a feature encodes otherwise than before, so that nothing older is taken for it.
FORMAT = 1
FORMS: dict[str, type[Rows] | type[RowLists] | type[Numbers]] = {
    form.__name__: form for form in (Rows, RowLists, Numbers)
}


class EncodedStore:
    """A folder of encoded columns, by default in the user's cache; it may be deleted at any time.

    A column is found again by a fingerprint of its values and of all that the feature is and learnt. What comes back is
    mapped: it takes no memory that the system could not give to others. Columns below `min_rows` are not kept. Once the
    folder holds more than `max_bytes`, what was not asked for longest goes.

    >>> import tempfile
    >>> from shortlist.features import Lookup
    >>> feature, table = Lookup("sku").fit(pl.Series(["tea"])), pl.DataFrame({"sku": ["tea", "jam"]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = EncodedStore(Path(folder), min_rows=1)
    ...     made, found = (store.encode([feature], table)["lookup_sku"].rows.tolist() for _ in range(2))
    >>> made, found
    ([1, 0], [1, 0])
    """

    def __init__(self, folder: Path | None = None, *, min_rows: int = MIN_ROWS, max_bytes: int = MAX_BYTES) -> None:
        self.folder = platformdirs.user_cache_path("shortlist") / "encoded" if folder is None else folder
        self.min_rows = min_rows
        self.max_bytes = max_bytes

    def encode(self, features: Sequence[FittedFeature], table: pl.DataFrame | EventTable) -> dict[str, Encoded]:
        """Each feature's array over the table, by the feature's name; see `shortlist.features.encode`.

        Raises `DataError` for an entry that cannot be read; one that cannot be written, for want of room say, is only
        warned of.
        """
        if len(table) < self.min_rows:
            return encode(features, table)
        return {feature.name: self._column(feature, table) for feature in features}

    def _column(self, feature: FittedFeature, table: pl.DataFrame | EventTable) -> Encoded:
        if not set(feature.columns) <= set(table.columns):
            return encode([feature], table)[feature.name]  # which says what is absent
        path = self.folder / _key(feature, [table[column] for column in feature.columns])
        if not path.exists():
            encoded = encode([feature], table)[feature.name]
            try:
                _write(encoded, path)
            except OSError as error:
                if not path.exists():  # else another process was faster
                    warnings.warn(f"The encoded column {feature.column!r} could not be kept: {error}.", stacklevel=2)
                    return encoded
            self._make_room(path)
        return _read(path)

    def _make_room(self, newest: Path) -> None:
        entries = []
        for path in self.folder.iterdir():
            if path != newest and not path.name.startswith("."):  # a dot stands before what is still being written
                with suppress(FileNotFoundError):  # another process made room too
                    entries.append((path.stat().st_mtime, _size(path), path))
        total = _size(newest) + sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self.max_bytes:
                break
            with suppress(OSError):  # gone already, or held by a process on a system that does not let go
                shutil.rmtree(path)
            total -= size


def _key(feature: FittedFeature, columns: Sequence[pl.Series]) -> str:
    """A fingerprint of the values of its columns, and of the feature with all that it learnt."""
    digest = hashlib.sha256()
    choice: Any = feature.choice
    plain = {"format": FORMAT, "polars": pl.__version__, "kind": feature.kind, "choice": dataclasses.asdict(choice)}
    for name, learnt in feature.state().items():
        if isinstance(learnt, list) and learnt and isinstance(learnt[0], str):
            _feed(digest, pl.Series(learnt, dtype=pl.String))  # a vocabulary of millions would be slow as JSON
        else:
            plain[name] = learnt
    digest.update(json.dumps(plain, sort_keys=True).encode())
    for values in columns:
        _feed(digest, values)
    return digest.hexdigest()


def _feed(digest: Any, values: pl.Series) -> None:
    """The type and the values. Flat ones by a hash of 64 bits each, which takes a tenth of the time of the texts."""
    digest.update(f"{values.dtype} {len(values)} {values.null_count()}".encode())
    if values.dtype.is_nested():
        digest_column(digest, values, values.name)
    else:
        digest.update(values.is_null().to_numpy().tobytes() if values.null_count() else b"")
        digest.update(values.hash(seed=0).to_numpy().tobytes())


def _write(encoded: Encoded, path: Path) -> None:
    with new_folder(path) as draft:
        for field in dataclasses.fields(encoded):
            # Flushed before the folder appears: after a power cut a file of the right length may hold zeros otherwise.
            name = f"{type(encoded).__name__}.{field.name}.npy"
            with new_file(draft / name) as part, part.open("wb") as file:
                np.save(file, getattr(encoded, field.name))


def _read(path: Path) -> Encoded:
    """The column at a path, mapped so that changing it in memory would not change the file; marks it as used now."""
    try:
        arrays = {file.stem: np.load(file, mmap_mode="c", allow_pickle=False) for file in sorted(path.iterdir())}
        form = FORMS[next(iter(arrays)).partition(".")[0]]
        # Plain views of the maps, which libraries take without a copy.
        encoded = form(**{name.partition(".")[2]: np.asarray(array) for name, array in arrays.items()})
    except (OSError, ValueError, EOFError, KeyError, StopIteration, TypeError) as error:
        raise DataError(f"{path} is no encoded column that can be read ({error}). Delete it, and run again.") from error
    with suppress(OSError):  # where the folder may only be read, its times stay
        os.utime(path)
    return encoded


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.iterdir())
