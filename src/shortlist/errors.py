"""Every error that shortlist raises on purpose.

ShortlistError
├── DataError (ValueError)          a table, a column or a value is not what it must be
│   └── UnknownIdError (KeyError)   an id or a label that the catalogue does not hold
├── SettingsError (ValueError)      a choice that cannot be: a negative width, an unknown key
├── DownloadError (OSError)         a data set could not be fetched, or is not the one expected
├── DivergedError (ArithmeticError) NaN or infinity in a loss or a vector
├── CollapsedError (ArithmeticError) scores that cannot tell items apart
├── BundleError (ValueError)        a bundle that is damaged, missing or already there
├── CheckpointError (ValueError)    a checkpoint that is damaged, or another training's
├── TuningError (RuntimeError)      a search without a trial that finished, or with a worker that did not
├── TrackingError (OSError)         a tracking service that could not be told of a run
└── MissingExtraError (ImportError) a part of shortlist that is not installed

The text of each says what was expected, what came, where, and what to do next.
"""

import importlib.util
from collections.abc import Iterable

__all__ = [
    "BundleError",
    "CheckpointError",
    "CollapsedError",
    "DataError",
    "DivergedError",
    "DownloadError",
    "MissingExtraError",
    "SettingsError",
    "ShortlistError",
    "TrackingError",
    "TuningError",
    "UnknownIdError",
    "first_line",
    "require_extra",
    "shorten",
]


class ShortlistError(Exception):
    """The root of the tree: catch it to catch everything that shortlist raises on purpose."""


class DataError(ShortlistError, ValueError):
    """A table, a column or a value is not what it must be."""


class UnknownIdError(DataError, KeyError):
    """An id or a label that the catalogue does not hold."""

    # KeyError shows the repr of its argument; a sentence should be shown as it is.
    __str__ = Exception.__str__


class SettingsError(ShortlistError, ValueError):
    """A choice that cannot be, such as a negative width or an unknown key."""


class DownloadError(ShortlistError, OSError):
    """A data set could not be fetched, or what came is not the data set expected."""


class DivergedError(ShortlistError, ArithmeticError):
    """NaN or infinity appeared in a loss or in a vector."""


class CollapsedError(ShortlistError, ArithmeticError):
    """The scores cannot tell items apart, so that no ranking metric would mean anything."""


class BundleError(ShortlistError, ValueError):
    """A bundle is damaged, incomplete, of another format, or already there."""


class CheckpointError(ShortlistError, ValueError):
    """A checkpoint is damaged, of another format, or of another training than the one that wants to go on."""


class TrackingError(ShortlistError, OSError):
    """A tracking service could not be told of a run."""


class TuningError(ShortlistError, RuntimeError):
    """A search in which no trial finished, or whose worker ended with an error."""


class MissingExtraError(ShortlistError, ImportError):
    """A part of shortlist needs a library that is not installed."""


def first_line(error: Exception) -> str:
    """What another library's error says first, as part of a sentence.

    >>> first_line(ValueError("no such table!\\nTry another."))
    'no such table'
    """
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".!") if lines else type(error).__name__


def require_extra(extra: str, modules: Iterable[str]) -> None:
    """Raise `MissingExtraError` naming the install command unless every module can be imported.

    >>> require_extra("train", ["json"])
    >>> require_extra("train", ["no_such_library"])
    Traceback (most recent call last):
    ...
    shortlist.errors.MissingExtraError: This needs no_such_library, which is not installed. \
Install it with: pip install 'shortlist[train]'
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"This needs {', '.join(missing)}, which is not installed. "
            f"Install it with: pip install 'shortlist[{extra}]'"
        )


def shorten(values: Iterable[object], limit: int = 5) -> str:
    """The first few values as text, for an error message: `'a', 'b', … (12 in all)`.

    >>> shorten(["a", "b", "c"], limit=2)
    "'a', 'b', … (3 in all)"
    """
    listed = list(values)
    text = ", ".join(repr(value) for value in listed[:limit])
    return text if len(listed) <= limit else f"{text}, … ({len(listed)} in all)"
