"""Routes that tell about the server and its model."""

import dataclasses
from typing import Any

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request

from shortlist.index import ExactIndex
from shortlist.serving.bundles import Bundles, Snapshot
from shortlist.serving.metrics import Metrics
from shortlist.serving.reply import Reply
from shortlist.serving.settings import Limits

__all__ = ["Status"]


@dataclasses.dataclass(frozen=True)
class Status:
    """What watches a server, and what describes its model."""

    bundles: Bundles
    limits: Limits
    metrics: Metrics

    async def health(self, _: Request) -> Reply:
        """Say that the process lives."""
        return Reply({"status": "alive"})

    async def ready(self, _: Request) -> Reply:
        """Say which bundle answers; 503 before one is loaded."""
        return Reply({"status": "ready", "model": self.bundles.snapshot().to_json()})

    async def figures(self, _: Request) -> Reply:
        """Give the figures that Prometheus reads."""
        return Reply(self.metrics.to_text(), content_type=CONTENT_TYPE_PLAIN_0_0_4.encode())

    async def model(self, _: Request) -> Reply:
        """Describe the active model: what it may be asked, what it rests on, and how good it was."""
        return Reply({**_card(self.bundles.snapshot()), "limits": dict(vars(self.limits))})


def _card(model: Snapshot) -> dict[str, Any]:
    recommender, bundle = model.recommender, model.recommender.bundle
    index = bundle.index
    return {
        **model.to_json(),
        "index": {
            "settings": {"kind": ExactIndex.kind} if index is None else index.settings,
            "measured": None if index is None else index.measured,
        },
        "query_id": recommender.query_id,
        "query_columns": [column.to_json() for column in recommender.query_columns],
        "item_columns": recommender.item_columns,
        "counts": {name: bundle.data[name] for name in ("users", "items", "train_events")},
        "notes": bundle.data["notes"],
        "experiment": bundle.experiment,
        "evaluation": bundle.evaluation,
    }
