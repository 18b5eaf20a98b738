"""The application: routes behind one front, around the bundles."""

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.types import ASGIApp

from shortlist.serving.answers import Answers
from shortlist.serving.bundles import Bundles
from shortlist.serving.cards import Cards
from shortlist.serving.changes import Changes
from shortlist.serving.examples import Examples
from shortlist.serving.files import Files
from shortlist.serving.front import Front
from shortlist.serving.metrics import Metrics
from shortlist.serving.payloads import StageBody, payloads_within
from shortlist.serving.reply import Reply
from shortlist.serving.routes import Endpoints, routes_of
from shortlist.serving.routing import ByPath, route
from shortlist.serving.settings import ServerSettings
from shortlist.serving.shadow import Shadow
from shortlist.serving.status import Status

__all__ = ["Application", "create_app"]


class Application(FastAPI):
    """FastAPI describes the routes and finds the one that a path means; `Front` does what its middleware would."""

    def __init__(self, bundles: Bundles, settings: ServerSettings) -> None:
        self.bundles = bundles
        self._settings = settings
        self._metrics = Metrics()
        self._payloads = payloads_within(settings.limits)
        limits, payloads, metrics = settings.limits, self._payloads, self._metrics
        endpoints = Endpoints(
            Answers(bundles, payloads, limits, metrics),
            Cards(bundles, payloads),
            Status(bundles, limits, metrics),
            Changes(bundles, settings, metrics),
            Files.read(),
        )
        active = bundles.snapshot() if bundles.is_ready else None
        if active is not None:
            metrics.note_active(active)
        examples = Examples.about(active)
        super().__init__(
            title="shortlist",
            description="Shortlists of items for queries, from a bundle.",
            routes=[*routes_of(endpoints, payloads, examples), route("/openapi.json", self._describe)],
            redirect_slashes=False,
            # `Metrics` counts; looking whether OpenTelemetry would too takes 7 µs a request.
            telemetry={"tracing": False, "metrics": False, "logs": False},
            openapi_url=None,
            docs_url=None,
            redoc_url=None,
        )

    def build_middleware_stack(self) -> ASGIApp:
        routes = ByPath(self.router)
        return Front(routes, self._settings.limits, self._metrics, log_requests=self._settings.log_requests)

    def openapi(self) -> dict[str, Any]:
        """The description of all routes, with the bodies that they take."""
        if self.openapi_schema is None:
            # The look-up of an installed package takes as long as a hundred answers.
            self.version = version("shortlist")
            components = super().openapi().setdefault("components", {})
            taken = (self._payloads.recommend, self._payloads.batch, self._payloads.similar, StageBody)
            _, bodies = models_json_schema(
                [(body, "validation") for body in taken], ref_template="#/components/schemas/{model}"
            )
            components["schemas"].update(bodies["$defs"])
            components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        return super().openapi()

    async def _describe(self, _: Request) -> Reply:
        """Describe all routes."""
        return Reply(self.openapi())


def create_app(settings: ServerSettings) -> Application:
    """The server of a bundle as an ASGI application, with the bundle loaded.

    One process answers one request at a time, in one thread. More cores are for more processes, each with its own port,
    behind a proxy that shares out the requests. Raises `BundleError` for a bundle that is not whole.
    """
    bundles = Bundles(settings.bundles or settings.bundle.absolute().parent, Shadow(settings.shadow_share))
    bundles.load_active(settings.bundle)
    return Application(bundles, settings)
