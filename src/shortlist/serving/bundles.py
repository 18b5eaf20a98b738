"""The bundles of a running server: one answers, one may stand ready, one can be gone back to."""

import asyncio
import contextlib
import dataclasses
import datetime as dt
from pathlib import Path
from typing import Any

from shortlist.errors import DataError
from shortlist.recommender import Recommender, Shortlist
from shortlist.serving.bundle_folder import BundleFolder
from shortlist.serving.problems import RefusedError
from shortlist.serving.shadow import Ask, Shadow

__all__ = ["Bundles", "Snapshot"]


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """What one request is answered from, from its beginning to its end."""

    name: str
    recommender: Recommender
    loaded_at: dt.datetime

    def to_json(self) -> dict[str, Any]:
        loaded_at = self.loaded_at.isoformat(timespec="seconds")
        return {"name": self.name, "version": self.recommender.version, "loaded_at": loaded_at}


class Bundles:
    """The active, the staged and the previous bundle.

    A change of the active one is one assignment: a request that began before it ends with the bundle that it began
    with, and none sees two. All methods belong to the thread of the event loop; bundles load in another.
    """

    def __init__(self, folder: Path, shadow: Shadow) -> None:
        self.shadow = shadow
        self._folder = BundleFolder(folder)
        self._active: Snapshot | None = None
        self._staged: Snapshot | None = None
        self._previous: Snapshot | None = None
        self._loading: str | None = None

    def load_active(self, path: Path) -> None:
        """Answer from the bundle at `path` from now on; raises `BundleError` for a folder that is not whole."""
        self._active = _load(path.absolute().name, path)

    @property
    def is_ready(self) -> bool:
        """Whether a bundle is there to answer from."""
        return self._active is not None

    @property
    def staged(self) -> Snapshot | None:
        """The bundle that stands ready to become the active one."""
        return self._staged

    def snapshot(self) -> Snapshot:
        """The active bundle; raises `RefusedError` (503) before one is loaded."""
        if self._active is None:
            raise RefusedError(503, "No bundle is loaded yet. Ask again when GET /ready answers 200.")
        return self._active

    async def compare(self, staged: Snapshot, ask: Ask, live: Shortlist, milliseconds: float) -> None:
        """Put a query to this bundle too, unless it is the staged one no more."""
        if staged is self._staged:
            await self.shadow.begin(staged.recommender, ask, live, milliseconds)

    async def stage(self, name: str) -> None:
        """Load the bundle with this name beside the active one.

        Raises `RefusedError`: 409 while another one loads or is staged, 422 for a name that no bundle has.
        """
        if self._loading is not None:
            raise RefusedError(409, f"{self._loading!r} is loading. Wait until GET /bundles says that it is staged.")
        if self._staged is not None:
            raise RefusedError(
                409, f"{self._staged.name!r} is staged already. Promote it with POST /bundles/promote, or unstage it."
            )
        path = self._folder.find(name)
        self._loading = name
        try:
            staged = await asyncio.to_thread(_load, name, path)
        finally:
            self._loading = None
        self.shadow.start_anew()
        self._staged = staged

    async def promote(self) -> None:
        """Make the staged bundle the active one, and the active one the previous; 409 where none is staged."""
        if self._staged is None:
            raise RefusedError(409, "No bundle is staged. Stage one first with POST /bundles/stage.")
        promoted, self._staged = self._staged, None
        # A recommender belongs to one thread at a time.
        await self.shadow.until_idle()
        self._active, self._previous = promoted, self._active

    def roll_back(self) -> None:
        """Swap the active and the previous bundle; 409 where none was active before."""
        if self._previous is None:
            raise RefusedError(409, "No bundle was active before this one, so that there is none to go back to.")
        self._active, self._previous = self._previous, self._active

    def unstage(self) -> None:
        """Let the staged bundle go; 409 where none is staged."""
        if self._staged is None:
            raise RefusedError(409, "No bundle is staged, so that there is none to let go. GET /bundles shows which.")
        self._staged = None

    def to_json(self) -> dict[str, Any]:
        parts = {"active": self._active, "staged": self._staged, "previous": self._previous}
        return {
            **{word: None if part is None else part.to_json() for word, part in parts.items()},
            "loading": self._loading,
            "available": self._folder.names(),
            "shadow": self.shadow.to_json(),
        }


def _warm_up(recommender: Recommender) -> None:
    """Make what the first answers would have to make."""
    query_id = recommender.query_id
    with contextlib.suppress(DataError):  # a model may want values that only a query can give
        recommender.recommend({query_id: recommender.bundle.users[query_id].first()}, 1)
    recommender.similar(recommender.catalogue.ids[0], 1)
    recommender.search("", 1)


def _load(name: str, path: Path) -> Snapshot:
    recommender = Recommender.load(path)
    _warm_up(recommender)
    return Snapshot(name, recommender, dt.datetime.now(dt.UTC))
