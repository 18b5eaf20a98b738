"""What was made lately, kept for when it is asked for again."""

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

__all__ = ["kept_or_made"]

K = TypeVar("K")
T = TypeVar("T")


def kept_or_made(kept: OrderedDict[K, T], key: K, most: int, make: Callable[[K], T]) -> T:
    """What was made for a key, or is made now; what was not asked for longest goes where there are more than `most`.

    Not an lru_cache of a method: it would hold its object in a circle, and a server lets bundles go.

    >>> squares = OrderedDict({1: 1, 2: 4})
    >>> kept_or_made(squares, 1, 2, lambda n: n * n), kept_or_made(squares, 3, 2, lambda n: n * n), list(squares)
    (1, 9, [1, 3])
    """
    if key in kept:
        kept.move_to_end(key)
        return kept[key]
    made = kept[key] = make(key)
    if len(kept) > most:
        kept.popitem(last=False)
    return made
