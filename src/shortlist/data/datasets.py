"""Data sets that can be had by name."""

from collections.abc import Callable

from shortlist.data.dataset import Dataset
from shortlist.data.movielens import movielens_100k
from shortlist.errors import SettingsError, shorten

__all__ = ["NAMES", "load", "movielens_100k"]

NAMES: dict[str, Callable[[], Dataset]] = {"movielens-100k": movielens_100k}


def load(name: str) -> Dataset:
    """The data set of this name, downloaded on first use.

    Raises `SettingsError` for a name that is not in `NAMES`, and `DownloadError` where it cannot be fetched.

    >>> load("movielens-1g")
    Traceback (most recent call last):
    ...
    shortlist.errors.SettingsError: There is no data set 'movielens-1g'; the known ones are 'movielens-100k'.
    """
    if name not in NAMES:
        raise SettingsError(f"There is no data set {name!r}; the known ones are {shorten(NAMES)}.")
    return NAMES[name]()
