"""Routes that FastAPI describes and that answer by themselves."""

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from shortlist.serving.problems import RefusedError
from shortlist.serving.replies import ProblemReply

__all__ = ["ByPath", "DirectRoute", "Endpoint", "Take", "route"]

Endpoint = Callable[[Request], Awaitable[Response]]

REFUSALS = {
    401: "No key, or none of this server's.",
    403: "This server has no keys, and changes no bundles.",
    404: "Nothing has this id.",
    408: "The body did not arrive in time.",
    409: "The bundles are in no state for this.",
    413: "The body is too long.",
    415: "The body does not say that it is JSON.",
    422: "Something in the request is not as it should be, or names what the model does not know.",
    503: "Too much to do, or nothing loaded yet: ask again after the seconds in Retry-After.",
}


@dataclasses.dataclass(frozen=True)
class Take:
    """What a route takes: a body or a query string, examples of the body by name, and whether it wants a key."""

    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    examples: dict[str, Any] = dataclasses.field(default_factory=dict)
    key: bool = False


class DirectRoute(APIRoute):
    """A route whose endpoint takes the request and gives the response, with nothing between.

    FastAPI's own way reads a body into Python objects before pydantic sees it, and keeps three stacks for dependencies
    that there are none of: 60 µs a request, which is what a recommendation by id takes. FastAPI still describes it.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        methods = self.methods or set()
        if scope["method"] not in methods:
            allowed = "GET, HEAD" if "GET" in methods else "POST"
            raise RefusedError(
                405,
                f"This path takes {allowed}, not {scope['method']}. GET /openapi.json lists what each path takes.",
                headers=((b"allow", allowed.encode()),),
            )
        response = await self.endpoint(Request(scope, receive))
        await response(scope, receive, send)


class ByPath:
    """Finds the route of a path: at once where the path names it, else as the router does, which compares each."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._routes = {
            route.path: route for route in router.routes if isinstance(route, DirectRoute) and "{" not in route.path
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get(scope["path"]) if scope["type"] == "http" else None
        if route is None:
            await self._router(scope, receive, send)
        else:
            scope["route"] = route
            await route.handle(scope, receive, send)


def route(
    path: str,
    endpoint: Endpoint,
    take: Take | None = None,
    *,
    gives: type[BaseModel] | None = None,
    refuses: tuple[int, ...] = (),
) -> DirectRoute:
    """A route that is described: GET, or POST for one that takes a body or a key.

    `gives` is what its JSON looks like; a route without it is no part of the description. `refuses` are the statuses of
    refusals, beside 503, which every route may give.
    """
    take = take or Take()
    is_post = take.body is not None or take.key
    return DirectRoute(
        path,
        endpoint,
        methods=["POST" if is_post else "GET"],
        response_model=gives,
        summary=(endpoint.__doc__ or "").strip().rstrip("."),
        description="",
        operation_id=endpoint.__name__,
        include_in_schema=gives is not None,
        responses={
            status: {"model": ProblemReply, "description": REFUSALS[status]} for status in sorted({*refuses, 503})
        },
        openapi_extra=_described(path, take),
    )


def _described(path: str, take: Take) -> dict[str, Any]:
    """The part of a route's description that FastAPI would take from an endpoint's arguments."""
    names = [part.strip("{}") for part in path.split("/") if part.startswith("{")]
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
    ]
    if take.query is not None:
        fields = take.query.model_json_schema().get("properties", {})
        parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in fields.items()]
    described: dict[str, Any] = {"parameters": parameters} if parameters else {}
    if take.body is not None:
        content: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{take.body.__name__}"}}
        content["examples"] = {name: {"value": value} for name, value in take.examples.items()}
        described["requestBody"] = {"required": True, "content": {"application/json": content}}
    if take.key:
        described["security"] = [{"key": []}]
    return described
