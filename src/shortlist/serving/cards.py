"""Routes that show items and users."""

import dataclasses

from starlette.requests import Request

from shortlist.errors import UnknownIdError
from shortlist.serving.bundles import Bundles
from shortlist.serving.payloads import NoQuery, Payloads
from shortlist.serving.problems import RefusedError
from shortlist.serving.reading import read_query
from shortlist.serving.reply import Reply

__all__ = ["Cards"]


@dataclasses.dataclass(frozen=True)
class Cards:
    """What the active bundle knows of items and users."""

    bundles: Bundles
    payloads: Payloads

    async def items(self, request: Request) -> Reply:
        """Find items by a part of their label."""
        recommender = self.bundles.snapshot().recommender
        asked = read_query(request, self.payloads.search_query)
        return Reply({"items": [card.to_json() for card in recommender.search(asked.search, asked.limit)]})

    async def item(self, request: Request) -> Reply:
        """Show one item."""
        recommender = self.bundles.snapshot().recommender
        read_query(request, NoQuery)
        try:
            return Reply(recommender.item(request.path_params["item_id"]).to_json())
        except UnknownIdError as error:
            raise RefusedError(404, str(error), where=("path", "item_id")) from None

    async def user(self, request: Request) -> Reply:
        """Show what the bundle knows of one user; nothing of one whom it does not know."""
        recommender = self.bundles.snapshot().recommender
        read_query(request, NoQuery)
        return Reply(recommender.user(request.path_params["user_id"]).to_json())

    async def user_items(self, request: Request) -> Reply:
        """Show what a user had touched, the latest first, as far as the bundle keeps it."""
        recommender = self.bundles.snapshot().recommender
        asked = read_query(request, self.payloads.list_query)
        cards = recommender.touched(request.path_params["user_id"], asked.limit)
        return Reply({"items": [card.to_json() for card in cards]})
