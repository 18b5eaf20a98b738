"""Commands about data."""

from typing import Annotated, Any

import typer

import shortlist as sl
from shortlist.cli.choices import Data, choose_experiment, propose_experiment
from shortlist.cli.output import AsJson, show, table
from shortlist.cli.tables import Tables, table_flags
from shortlist.errors import SettingsError

__all__ = ["announce", "commands", "load"]

commands = typer.Typer()


def load(experiment: "sl.Experiment") -> "sl.Dataset":
    """The experiment's data; the terms of use of a known data set on stderr where this call downloads it."""
    if experiment.data.source is not None:
        sl.datasets.fetch(experiment.data.source, announce=announce)
    return experiment.data.load()


@commands.command(epilog="Example: shortlist fetch movielens-100k")
def fetch(
    source: Annotated[str, typer.Argument(help="A data set's name, such as movielens-100k.", metavar="NAME")],
    as_json: AsJson = False,
) -> None:
    """Download a data set into the cache, verify it, and show its terms of use once."""
    path = sl.datasets.fetch(source, announce=announce)
    show({"data": source, "path": str(path)}, as_json, lambda: typer.echo(f"{source} is at {path}"))


@commands.command(epilog="Example: shortlist init clicks.parquet --items items.parquet > experiment.toml")
@table_flags
def init(
    data: Annotated[str, typer.Argument(help="The table of events (Parquet, CSV, JSON lines).", metavar="EVENTS")],
    tables: Tables,
    as_json: AsJson = False,
) -> None:
    """Look at tables and print an experiment file for them: roles, features, a split, and every doubt as a comment."""
    if data in sl.datasets.NAMES or data.endswith(".toml"):
        raise SettingsError(f"init looks at tables, and {data} is none; shortlist preset {data} prints a preset.")
    proposal = propose_experiment(data, tables)
    experiment = sl.Experiment.read(proposal.tables, "the proposed experiment")
    experiment.data.load()  # raises now for tables that training would refuse
    show(
        {"experiment": proposal.tables, "doubts": proposal.doubts},
        as_json,
        lambda: typer.echo(proposal.to_toml(), nl=False),
    )


@commands.command(epilog="Example: shortlist preset tutorial > experiment.toml")
def preset(
    name: Annotated[str, typer.Argument(help="The preset's name.", metavar="NAME")], as_json: AsJson = False
) -> None:
    """Print a preset as an experiment file."""
    experiment = sl.load_preset(name)
    show(experiment.tables(), as_json, lambda: typer.echo(experiment.to_toml(), nl=False))


@commands.command(epilog="Example: shortlist describe movielens-100k --json")
@table_flags
def describe(
    data: Data,
    tables: Tables,
    as_json: AsJson = False,
) -> None:
    """Show what data holds: counts, roles, columns, missing values, time span, popularity."""
    described = sl.describe(load(choose_experiment(data, None, tables, {})))
    show(described, as_json, lambda: _show_description(data, described))


def _show_description(source: str, described: dict[str, Any]) -> None:
    roles = {column: role for role, column in described["roles"].items() if column}
    rows = [
        [f"{name}.{column}", facts["type"], f"{facts['missing']:,}", _count(facts["distinct"]), roles.get(column, "")]
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


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def announce(terms: str) -> None:
    """Say a data set's terms of use, on stderr."""
    typer.echo(terms, err=True)
