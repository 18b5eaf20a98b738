"""The table of routes: what stands at each path, what it takes, gives and refuses."""

import dataclasses

from shortlist.serving.answers import Answers
from shortlist.serving.cards import Cards
from shortlist.serving.changes import Changes
from shortlist.serving.examples import Examples
from shortlist.serving.files import Files
from shortlist.serving.payloads import NoQuery, Payloads, StageBody
from shortlist.serving.replies import (
    BatchReply,
    BundlesReply,
    CardsReply,
    HealthReply,
    ItemCardReply,
    ModelReply,
    ReadyReply,
    ShortlistReply,
    UserCardReply,
)
from shortlist.serving.routing import DirectRoute, Take, route
from shortlist.serving.status import Status

__all__ = ["Endpoints", "routes_of"]

BODY = (408, 413, 415, 422)
KEY = (401, 403, 409)


@dataclasses.dataclass(frozen=True)
class Endpoints:
    """Who answers."""

    answers: Answers
    cards: Cards
    status: Status
    changes: Changes
    files: Files


def routes_of(endpoints: Endpoints, payloads: Payloads, examples: Examples) -> list[DirectRoute]:
    """All routes; a path with an id in it is compared with each in turn, so the busiest stand first."""
    return [
        *_answers(endpoints.answers, payloads, examples),
        *_cards(endpoints.cards, payloads),
        route("/model", endpoints.status.model, gives=ModelReply),
        route("/health", endpoints.status.health, gives=HealthReply),
        route("/ready", endpoints.status.ready, gives=ReadyReply),
        route("/metrics", endpoints.status.figures),
        *_changes(endpoints.changes, examples),
        route("/", endpoints.files.index),
        route("/docs", endpoints.files.docs),
        route("/page/{name}", endpoints.files.file),
    ]


def _answers(answers: Answers, payloads: Payloads, examples: Examples) -> list[DirectRoute]:
    recommend = Take(payloads.recommend, examples=examples.recommend)
    similar = Take(payloads.similar, examples=examples.similar)
    by_user, by_item = Take(query=payloads.recommend_query), Take(query=payloads.similar_query)
    return [
        route("/recommend", answers.recommend, recommend, gives=ShortlistReply, refuses=BODY),
        route(
            "/recommend/batch",
            answers.recommend_batch,
            Take(payloads.batch, examples=examples.batch),
            gives=BatchReply,
            refuses=BODY,
        ),
        route("/recommend/{user_id}", answers.recommend_user, by_user, gives=ShortlistReply, refuses=(422,)),
        route("/similar", answers.similar, similar, gives=ShortlistReply, refuses=BODY),
        route("/items/{item_id}/similar", answers.similar_to, by_item, gives=ShortlistReply, refuses=(404, 422)),
    ]


def _cards(cards: Cards, payloads: Payloads) -> list[DirectRoute]:
    search, listed, nothing = Take(query=payloads.search_query), Take(query=payloads.list_query), Take(query=NoQuery)
    return [
        route("/items", cards.items, search, gives=CardsReply, refuses=(422,)),
        route("/items/{item_id}", cards.item, nothing, gives=ItemCardReply, refuses=(404, 422)),
        route("/users/{user_id}", cards.user, nothing, gives=UserCardReply, refuses=(422,)),
        route("/users/{user_id}/items", cards.user_items, listed, gives=CardsReply, refuses=(422,)),
    ]


def _changes(changes: Changes, examples: Examples) -> list[DirectRoute]:
    stage = Take(StageBody, examples=examples.stage, key=True)
    key = Take(key=True)
    return [
        route("/bundles", changes.bundles_now, gives=BundlesReply),
        route("/bundles/stage", changes.stage, stage, gives=BundlesReply, refuses=(*BODY, *KEY)),
        route("/bundles/promote", changes.promote, key, gives=BundlesReply, refuses=KEY),
        route("/bundles/rollback", changes.roll_back, key, gives=BundlesReply, refuses=KEY),
        route("/bundles/unstage", changes.unstage, key, gives=BundlesReply, refuses=KEY),
    ]
