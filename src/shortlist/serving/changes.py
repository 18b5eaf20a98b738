"""Routes that show bundles and change which one answers."""

import dataclasses

from starlette.requests import Request

from shortlist.serving.bundles import Bundles
from shortlist.serving.keys import require_key
from shortlist.serving.metrics import Metrics
from shortlist.serving.payloads import StageBody
from shortlist.serving.reading import read_body
from shortlist.serving.reply import Reply
from shortlist.serving.settings import ServerSettings

__all__ = ["Changes"]


@dataclasses.dataclass(frozen=True)
class Changes:
    """The active, the staged and the previous bundle; a change wants a key."""

    bundles: Bundles
    settings: ServerSettings
    metrics: Metrics

    async def bundles_now(self, _: Request) -> Reply:
        """Show the active, the staged and the previous bundle, those that could be staged, and the comparison."""
        return Reply(self.bundles.to_json())

    async def stage(self, request: Request) -> Reply:
        """Load a bundle beside the active one; a share of the queries is then answered by both, to compare them."""
        require_key(request, self.settings.key_digests)
        asked = await read_body(request, StageBody, self.settings.limits)
        await self.bundles.stage(asked.name)
        return Reply(self.bundles.to_json())

    async def promote(self, request: Request) -> Reply:
        """Make the staged bundle the active one."""
        require_key(request, self.settings.key_digests)
        await self.bundles.promote()
        return self._changed("promote")

    async def roll_back(self, request: Request) -> Reply:
        """Go back to the bundle that was active before."""
        require_key(request, self.settings.key_digests)
        self.bundles.roll_back()
        return self._changed("rollback")

    async def unstage(self, request: Request) -> Reply:
        """Let the staged bundle go."""
        require_key(request, self.settings.key_digests)
        self.bundles.unstage()
        return Reply(self.bundles.to_json())

    def _changed(self, kind: str) -> Reply:
        self.metrics.note_active(self.bundles.snapshot(), kind)
        return Reply(self.bundles.to_json())
