"""Routes that answer queries: recommendations, one at a time or several, and what is like an item."""

import asyncio
import dataclasses
import functools

from starlette.background import BackgroundTask
from starlette.requests import Request

from shortlist.errors import ShortlistError, UnknownIdError
from shortlist.recommender import Recommender, Shortlist
from shortlist.serving.bundles import Bundles, Snapshot
from shortlist.serving.metrics import Metrics
from shortlist.serving.payloads import Payloads, RecommendBody, SimilarBody
from shortlist.serving.problems import RefusedError
from shortlist.serving.reading import read_body, read_query
from shortlist.serving.reply import Reply
from shortlist.serving.settings import Limits
from shortlist.serving.shadow import timed

__all__ = ["Answers"]


@dataclasses.dataclass(frozen=True)
class Answers:
    """Lists of items, each request's from the one bundle that was active when it began."""

    bundles: Bundles
    payloads: Payloads
    limits: Limits
    metrics: Metrics

    async def recommend(self, request: Request) -> Reply:
        """Recommend items for one query."""
        model = self.bundles.snapshot()
        return self._recommend(model, await read_body(request, self.payloads.recommend, self.limits))

    async def recommend_user(self, request: Request) -> Reply:
        """Recommend items for one user."""
        model = self.bundles.snapshot()
        asked = read_query(request, self.payloads.recommend_query)
        query = {model.recommender.query_id: request.path_params["user_id"]}
        return self._recommend(model, RecommendBody(query=query, **dict(asked)))

    async def recommend_batch(self, request: Request) -> Reply:
        """Recommend items for several queries."""
        model = self.bundles.snapshot()
        loop = asyncio.get_running_loop()
        ends = loop.time() + self.limits.request_seconds
        asked = (await read_body(request, self.payloads.batch, self.limits)).requests
        answers = []
        for place, one in enumerate(asked):
            if loop.time() > ends:
                raise RefusedError(
                    503,
                    f"{place} of {len(asked)} requests took {self.limits.request_seconds:g} seconds, which is the "
                    "limit for all. Send fewer at once.",
                )
            try:
                answer = _put(one, model.recommender)
            except ShortlistError as error:
                raise _refused(error, model.recommender, one, ("body", "requests", place)) from None
            self.metrics.note_answer(answer)
            answers.append(answer.to_json())
            await asyncio.sleep(0)  # others have their turn
        return Reply({"answers": answers})

    async def similar(self, request: Request) -> Reply:
        """Find the items that are most like one item."""
        model = self.bundles.snapshot()
        return self._similar(model, await read_body(request, self.payloads.similar, self.limits))

    async def similar_to(self, request: Request) -> Reply:
        """Find the items that are most like the item with this id."""
        model = self.bundles.snapshot()
        asked = read_query(request, self.payloads.similar_query)
        try:
            return self._similar(model, SimilarBody(item_id=request.path_params["item_id"], k=asked.k))
        except UnknownIdError as error:
            raise RefusedError(404, str(error), where=("path", "item_id")) from None

    def _recommend(self, model: Snapshot, asked: RecommendBody) -> Reply:
        staged = self.bundles.staged
        try:
            if staged is None or not self.bundles.shadow.is_due():
                return self._reply(_put(asked, model.recommender))
            ask = functools.partial(_put, asked)
            answer, milliseconds = timed(ask, model.recommender)
        except ShortlistError as error:
            raise _refused(error, model.recommender, asked, ("body",)) from None
        reply = self._reply(answer)
        reply.background = BackgroundTask(self.bundles.compare, staged, ask, answer, milliseconds)
        return reply

    def _similar(self, model: Snapshot, asked: SimilarBody) -> Reply:
        answer = model.recommender.similar(
            asked.item_id, asked.k, exclude=asked.exclude, allow=asked.allow, where=asked.where
        )
        return self._reply(answer)

    def _reply(self, answer: Shortlist) -> Reply:
        self.metrics.note_answer(answer)
        return Reply(answer.to_json())


def _put(asked: RecommendBody, recommender: Recommender) -> Shortlist:
    return recommender.recommend(
        asked.query,
        asked.k,
        history=asked.history,
        exclude_seen=asked.exclude_seen,
        exclude=asked.exclude,
        allow=asked.allow,
        where=asked.where,
        explain=asked.explain,
    )


def _refused(
    error: ShortlistError, recommender: Recommender, asked: RecommendBody, place: tuple[str | int, ...]
) -> RefusedError:
    """The recommender's refusal with its place; the columns that a query may give stand beside one that it may not."""
    stranger = next((column for column in asked.query if column not in recommender.columns), None)
    if stranger is not None:
        return RefusedError(422, str(error), where=(*place, "query", stranger), known=recommender.columns)
    return RefusedError(422, str(error), where=place)
