"""Vectors of texts kept on disk, so that a slow model makes each once."""

import hashlib
import sqlite3
import warnings
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import numpy.typing as npt
import platformdirs

__all__ = ["SentenceStore"]

MAX_BYTES = 10 * 10**9
SECONDS_TO_WAIT = 60.0  # for another process that writes


class SentenceStore:
    """The vectors [width] that one model made of texts, in an SQLite file of the user's cache; it may be deleted.

    Texts are known by a hash and are not kept themselves. Once the file holds `max_bytes` nothing more is written.
    Where it cannot be read or written, that is warned of once and the work goes on without.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = SentenceStore("a model", width=2, folder=Path(folder))
    ...     store.keep(["tea"], np.array([[1, 2]], np.float32))
    ...     vectors, absent = store.find(["jam", "tea"])
    >>> vectors.tolist(), absent.tolist()
    ([[0.0, 0.0], [1.0, 2.0]], [0])
    """

    def __init__(self, model: str, width: int, *, folder: Path | None = None, max_bytes: int = MAX_BYTES) -> None:
        self._model = model
        self._width = width
        self._folder = folder
        self._max_bytes = max_bytes
        self._warned = False

    @property
    def path(self) -> Path:
        """The file, whether it is there or not."""
        folder = platformdirs.user_cache_path("shortlist") / "sentences" if self._folder is None else self._folder
        return folder / f"{_digest(self._model).hex()}.sqlite"

    def find(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """The vectors of the texts [N, width], and the places of those that are not there, whose vectors are zeros."""
        vectors = np.zeros((len(texts), self._width), np.float32)
        found = np.zeros(len(texts), np.bool_)
        try:
            if self.path.exists():
                with closing(self._connect()) as connection:
                    for place, text in enumerate(texts):
                        row = connection.execute(
                            "select vector from vectors where text = ?", (_digest(text),)
                        ).fetchone()
                        if row is not None and len(row[0]) == vectors[place].nbytes:
                            vectors[place], found[place] = np.frombuffer(row[0], "<f4"), True
        except (OSError, sqlite3.Error) as error:
            self._warn(error)
        return vectors, np.flatnonzero(~found)

    def keep(self, texts: Sequence[str], vectors: npt.NDArray[np.float32]) -> None:
        """Write the vectors of the texts [N, width] down."""
        rows = [(_digest(text), vector.astype("<f4").tobytes()) for text, vector in zip(texts, vectors, strict=True)]
        try:
            if self.path.exists() and self.path.stat().st_size >= self._max_bytes:
                return
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._connect()) as connection, connection:
                connection.execute("create table if not exists vectors (text blob primary key, vector blob)")
                connection.executemany("insert or replace into vectors values (?, ?)", rows)
        except (OSError, sqlite3.Error) as error:
            self._warn(error)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=SECONDS_TO_WAIT)

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"The vectors of texts cannot be kept in {self.path}: {error}. Where the file is damaged, delete it.",
                stacklevel=2,
            )


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
