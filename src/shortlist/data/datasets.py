"""Data sets that can be had by name."""

from collections.abc import Callable
from pathlib import Path

from shortlist.data.dataset import Dataset
from shortlist.data.movielens import fetch_movielens_100k, movielens_100k
from shortlist.errors import SettingsError, shorten

__all__ = ["NAMES", "fetch", "load", "movielens_100k"]

Announce = Callable[[str], None]
# For each name: what fetches the data into the cache, announcing its terms of use, and what reads it from there.
NAMES: dict[str, tuple[Callable[[Announce | None], Path], Callable[[], Dataset]]] = {
    "movielens-100k": (lambda announce: fetch_movielens_100k(announce=announce), movielens_100k),
}


def fetch(name: str, announce: Announce | None = None) -> Path:
    """Where the data set of this name lies in the cache, downloaded first where it is not there yet.

    `announce` is called with the data's terms of use after a download. Raises as `load` does.
    """
    return _known(name)[0](announce)


def load(name: str) -> Dataset:
    """The data set of this name, downloaded on first use.

    Raises `SettingsError` for a name that is not in `NAMES`, and `DownloadError` where it cannot be fetched.

    >>> load("movielens-1g")
    Traceback (most recent call last):
    ...
    shortlist.errors.SettingsError: There is no data set 'movielens-1g'; the known ones are 'movielens-100k'.
    """
    return _known(name)[1]()


def _known(name: str) -> tuple[Callable[[Announce | None], Path], Callable[[], Dataset]]:
    if name not in NAMES:
        raise SettingsError(f"There is no data set {name!r}; the known ones are {shorten(NAMES)}.")
    return NAMES[name]
