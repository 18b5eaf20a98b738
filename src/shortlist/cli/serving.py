"""The command that answers over HTTP; it needs no torch."""

import asyncio
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shortlist.cli.answers import BundlePath
from shortlist.cli.output import AsJson
from shortlist.errors import SettingsError, require_extra

if TYPE_CHECKING:
    from shortlist.serving import ServerSettings

__all__ = ["commands"]

commands = typer.Typer()
LIBRARIES = ("fastapi", "uvicorn", "httptools", "prometheus_client")


@commands.command(epilog='Example: shortlist serve films --get "/recommend/42?k=3"')
def serve(
    bundle: BundlePath,
    host: Annotated[str, typer.Option(help="The address to listen at; 0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="The port; 0 takes a free one.")] = 8000,
    bundles: Annotated[
        Path | None, typer.Option(help="The folder whose bundles may be changed to; BUNDLE's own where left out.")
    ] = None,
    api_keys: Annotated[
        Path | None, typer.Option(help="A file of keys, one a line, that let a request change bundles.")
    ] = None,
    max_concurrent: Annotated[
        int | None, typer.Option(min=1, help="How many requests may wait; more are told to come back.")
    ] = None,
    log_requests: Annotated[
        bool, typer.Option("--log-requests", help="Write each request's route, status and time to stderr.")
    ] = False,
    get: Annotated[str | None, typer.Option(help="Answer this path on stdout, without a server.")] = None,
    as_json: AsJson = False,
) -> None:
    """Answer over HTTP from a bundle: a page, JSON, and figures for Prometheus.

    One process uses one core. For more, start one a core, each with its own --port, behind a proxy.
    """
    require_extra("serve", LIBRARIES)
    from shortlist.serving import Limits, ServerSettings, read_keys

    limits = Limits() if max_concurrent is None else Limits(max_concurrent=max_concurrent)
    digests = () if api_keys is None else read_keys(api_keys)
    settings = ServerSettings(
        bundle=bundle, bundles=bundles, key_digests=digests, limits=limits, log_requests=log_requests
    )
    if get is not None:
        _get(settings, get)
    else:
        _listen(settings, host, port, as_json)


def _get(settings: "ServerSettings", path: str) -> None:
    from shortlist.serving import create_app
    from shortlist.serving.server import get_once

    if not path.startswith("/"):
        raise SettingsError(f"--get wants a path such as /health, but it is {path!r}. Begin it with a slash.")
    try:
        path.encode()
    except UnicodeEncodeError:
        raise SettingsError(
            f"--get wants a path in UTF-8, but it is {path!r}. Write what is no ASCII in it as %XX."
        ) from None
    status, body = asyncio.run(get_once(create_app(settings), path))
    text = body.decode()
    if status >= 300:
        typer.echo(f"shortlist: {json.loads(text)['error']}", err=True)
        raise typer.Exit(1)
    typer.echo(text)


def _listen(settings: "ServerSettings", host: str, port: int, as_json: bool) -> None:
    from shortlist.serving import create_app
    from shortlist.serving.server import bind, serve, url_of

    if settings.log_requests:
        _log_to_stderr()
    with bind(host, port) as bound:  # before the bundle, which takes longer
        app = create_app(settings)
        told = {"url": url_of(bound), "bundle": str(settings.bundle)}
        line = json.dumps(told) if as_json else f"{told['bundle']} answers at {told['url']}"
        serve(app, bound, lambda: typer.echo(line, err=not as_json))


def _log_to_stderr() -> None:
    log = logging.getLogger("shortlist.serving.requests")
    log.addHandler(logging.StreamHandler())
    log.setLevel(logging.INFO)
    log.propagate = False
