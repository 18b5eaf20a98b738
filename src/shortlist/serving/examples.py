"""Examples of bodies that run, for the OpenAPI document."""

import dataclasses
from typing import Any, Self

from shortlist.recommender import Recommender
from shortlist.serving.bundles import Snapshot

__all__ = ["Examples"]


@dataclasses.dataclass(frozen=True)
class Examples:
    """Bodies by name, for each route that takes one."""

    recommend: dict[str, Any]
    batch: dict[str, Any]
    similar: dict[str, Any]
    stage: dict[str, Any]

    @classmethod
    def about(cls, model: Snapshot | None) -> Self:
        """Examples that this model answers; none without one."""
        if model is None:
            return cls({}, {}, {}, {})
        recommender = model.recommender
        query_id, item = recommender.query_id, recommender.catalogue.ids[0]
        query = {query_id: recommender.bundle.users[query_id].first()}
        return cls(
            recommend={
                "a user": {"query": query, "k": 10},
                "a stranger with a history": {"history": [item], "k": 10},
                "under rules": {"query": query, "exclude": [item], "where": {"not": _some_items(recommender)}},
            },
            batch={"two users": {"requests": [{"query": query}, {"query": query, "k": 5}]}},
            similar={"an item": {"item_id": item, "k": 10}},
            stage={"a bundle": {"name": model.name}},
        )


def _some_items(recommender: Recommender) -> dict[str, Any]:
    """A condition that some items meet: what has no value in the last column that a condition can read."""
    return {"column": list(recommender.item_columns)[-1], "missing": True}
