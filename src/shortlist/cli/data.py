"""Commands about data."""

from typing import Annotated, Any

import typer

import shortlist as sl
from shortlist.cli.output import AsJson, show, table

__all__ = ["Source", "commands", "load"]

commands = typer.Typer()
Source = Annotated[str, typer.Argument(help="The name of a data set, such as movielens-100k.", metavar="DATA")]


def load(source: str) -> "sl.Dataset":
    """The data set, its terms of use on stderr where this call downloads it."""
    sl.datasets.fetch(source, announce=_announce)
    return sl.datasets.load(source)


@commands.command(epilog="Example: shortlist fetch movielens-100k")
def fetch(source: Source, as_json: AsJson = False) -> None:
    """Download a data set into the cache, verify it, and show its terms of use once."""
    path = sl.datasets.fetch(source, announce=_announce)
    show({"data": source, "path": str(path)}, as_json, lambda: typer.echo(f"{source} is at {path}"))


@commands.command(epilog="Example: shortlist describe movielens-100k --json")
def describe(source: Source, as_json: AsJson = False) -> None:
    """Show what a data set holds: counts, roles, columns, missing values, time span, popularity."""
    described = sl.describe(load(source))
    show(described, as_json, lambda: _show_description(source, described))


def _show_description(source: str, described: dict[str, Any]) -> None:
    roles = {column: role for role, column in described["roles"].items() if column}
    rows = [
        [f"{name}.{column}", facts["type"], f"{facts['missing']:,}", f"{facts['distinct']:,}", roles.get(column, "")]
        for name, columns in described["columns"].items()
        for column, facts in columns.items()
    ]
    title = (
        f"{source}: {described['events']:,} events of {described['users']:,} users with {described['items']:,} items "
        f"({described['density']:.2%} of all pairs)"
    )
    table(title, ["column", "type", "missing", "distinct", "role"], rows)
    if described["time"]:
        first, last = (described["time"].get(f"{end}_utc", described["time"][end]) for end in ("first", "last"))
        typer.echo(f"Time: {first} to {last}, {described['time']['distinct']:,} distinct moments.")
    shares = ", ".join(f"{top} take {share:.1%}" for top, share in described["popularity"]["top_share"].items())
    typer.echo(f"Popularity: of all events, the top {shares}.")
    per_user = described["events_per_user"]
    typer.echo(
        f"Events of a user: {per_user['lowest']:.0f} to {per_user['highest']:.0f}, median {per_user['median']:.0f}."
    )
    labels = described["distinct_labels"]
    if labels is not None and labels < described["items"]:
        typer.echo(f"Labels: {described['items']:,} items carry {labels:,} distinct ones; look items up by id.")


def _announce(terms: str) -> None:
    typer.echo(terms, err=True)
