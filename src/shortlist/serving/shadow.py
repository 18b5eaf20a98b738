"""A share of the live queries, answered by the staged bundle too, to see how its answers differ."""

import asyncio
import collections
import dataclasses
import logging
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from shortlist.recommender import Recommender, Shortlist

__all__ = ["Ask", "Shadow", "overlap", "timed"]

# One query, put to whichever recommender.
Ask = Callable[[Recommender], Shortlist]

# Times that the percentiles are made of: the latest so many.
TIMES_KEPT = 10_000

logger = logging.getLogger("shortlist.serving")


@dataclasses.dataclass
class _Figures:
    """What was counted since a bundle was staged; times are milliseconds."""

    compared: int = 0
    failed: int = 0
    passed_over: int = 0
    overlaps: float = 0.0
    live: collections.deque[float] = dataclasses.field(default_factory=lambda: collections.deque(maxlen=TIMES_KEPT))
    staged: collections.deque[float] = dataclasses.field(default_factory=lambda: collections.deque(maxlen=TIMES_KEPT))

    def note(self, overlap: float, live: float, staged: float) -> None:
        """Count one comparison."""
        self.compared += 1
        self.overlaps += overlap
        self.live.append(live)
        self.staged.append(staged)

    def to_json(self) -> dict[str, Any]:
        return {
            "compared": self.compared,
            "failed": self.failed,
            "passed_over": self.passed_over,
            "mean_overlap": self.overlaps / self.compared if self.compared else None,
            "live_milliseconds": _percentiles(self.live),
            "staged_milliseconds": _percentiles(self.staged),
        }


class Shadow:
    """Compares what a staged bundle answers with what the live one did: overlap, times and failures.

    A comparison runs in a thread after the live answer has been sent. There is never more than one; a query that comes
    meanwhile is passed over. Times are of the processor in the thread that answers, for both sides, so that waiting for
    each other is no part of them.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._due = 0.0
        self._running: asyncio.Task[None] | None = None
        self._figures = _Figures()

    def start_anew(self) -> None:
        """Forget what was counted, for another bundle is staged."""
        self._figures = _Figures()

    def is_due(self) -> bool:
        """Whether this live query should be answered by the staged bundle too: every 1/share-th is."""
        self._due += self._share
        if self._due < 1:
            return False
        self._due -= 1
        return True

    async def begin(self, staged: Recommender, ask: Ask, live: Shortlist, milliseconds: float) -> None:
        """Begin to put a query to the staged bundle; the live one gave `live` in so many milliseconds."""
        if self._is_busy:
            self._figures.passed_over += 1
        else:
            self._running = asyncio.create_task(_compare(self._figures, staged, ask, live, milliseconds))

    async def until_idle(self) -> None:
        """Wait for the comparison that runs now, if one does."""
        if self._running is not None and not self._running.done():
            await asyncio.wait([self._running])

    def to_json(self) -> dict[str, Any]:
        return {"share": self._share, **self._figures.to_json()}

    @property
    def _is_busy(self) -> bool:
        return self._running is not None and not self._running.done()


async def _compare(figures: _Figures, staged: Recommender, ask: Ask, live: Shortlist, milliseconds: float) -> None:
    try:
        answer, its_milliseconds = await asyncio.to_thread(timed, ask, staged)
    except Exception as error:  # noqa: BLE001 -- whatever the staged bundle does, the live one goes on
        figures.failed += 1
        logger.warning("A staged bundle failed at a query that the live one answered: %s", type(error).__name__)
    else:
        figures.note(overlap(live, answer), milliseconds, its_milliseconds)


def timed(ask: Ask, recommender: Recommender) -> tuple[Shortlist, float]:
    """An answer, and the milliseconds of this thread's processor time that it took."""
    started = time.thread_time()
    answer = ask(recommender)
    return answer, (time.thread_time() - started) * 1_000


def overlap(one: Shortlist, other: Shortlist) -> float:
    """The share of items that two lists have in common: |A ∩ B| / max(|A|, |B|), 1 for two empty ones."""
    longest = max(len(one.items), len(other.items))
    common = {item.id for item in one.items} & {item.id for item in other.items}
    return len(common) / longest if longest else 1.0


def _percentiles(times: collections.deque[float]) -> dict[str, float] | None:
    if not times:
        return None
    p50, p99 = np.percentile(times, (50, 99))
    return {"p50": round(float(p50), 3), "p99": round(float(p99), 3)}
