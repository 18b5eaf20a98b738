"""Commands about data, and how a command names the data that it works on."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

import shortlist as sl
from shortlist.cli.output import AsJson, show, table
from shortlist.errors import SettingsError

__all__ = [
    "DATA_HELP",
    "Data",
    "DropUnknownItems",
    "ItemId",
    "Items",
    "Label",
    "QueryId",
    "Time",
    "TimeUnit",
    "Users",
    "Weight",
    "commands",
    "load",
    "propose_experiment",
    "table_options",
]

commands = typer.Typer()
DATA_HELP = "The name of a data set, a table of events (Parquet, CSV, JSON lines), or an experiment.toml."
Data = Annotated[str, typer.Argument(help=DATA_HELP, metavar="DATA")]
Items = Annotated[str | None, typer.Option(help="The table of items.")]
Users = Annotated[str | None, typer.Option(help="The table of users.")]
QueryId = Annotated[str | None, typer.Option(help="The column that says who asked; found by itself where left out.")]
ItemId = Annotated[str | None, typer.Option(help="The column that says which item; found by itself.")]
Label = Annotated[str | None, typer.Option(help="The items' column that says what an item is called.")]
Time = Annotated[str | None, typer.Option(help="The column that says when.")]
TimeUnit = Annotated[
    Literal["s", "ms", "us", "ns"] | None, typer.Option(help="What whole numbers in the time column count since 1970.")
]
Weight = Annotated[str | None, typer.Option(help="The column that says how much an event counts.")]
DropUnknownItems = Annotated[
    bool, typer.Option("--drop-unknown-items", help="Leave out events whose item the table of items does not hold.")
]


def table_options(**options: Any) -> dict[str, Any]:
    """The table flags that were given, by name."""
    return {name: value for name, value in options.items() if value not in (None, False)}


def load(experiment: "sl.Experiment") -> "sl.Dataset":
    """The experiment's data; the terms of use of a known data set on stderr where this call downloads it."""
    if experiment.data.source is not None:
        sl.datasets.fetch(experiment.data.source, announce=_announce)
    return experiment.data.load()


def propose_experiment(data: str, options: dict[str, Any]) -> "sl.settings.Proposal":
    """An experiment for tables: columns looked at, flags kept."""
    if not Path(data).suffix and not Path(data).exists() and "*" not in data:
        sl.datasets.load(data)  # it looks like a name, and raises naming the known ones
    sources: dict[str, Any] = {"interactions": data}
    sources |= {name: options[name] for name in ("items", "users") if name in options}
    frames = {name: sl.read_table(source) for name, source in sources.items()}
    roles: dict[str, str | None] = {
        name: options[name] for name in ("query_id", "item_id", "label", "time", "weight") if name in options
    }
    proposal = sl.propose(frames, sources, roles)
    if "time_unit" in options:
        proposal.tables["data"]["roles"]["time_unit"] = options["time_unit"]
    if "drop_unknown_items" in options:
        proposal.tables["data"]["unknown_items"] = "drop"
    return proposal


@commands.command(epilog="Example: shortlist fetch movielens-100k")
def fetch(
    source: Annotated[str, typer.Argument(help="A data set's name, such as movielens-100k.", metavar="NAME")],
    as_json: AsJson = False,
) -> None:
    """Download a data set into the cache, verify it, and show its terms of use once."""
    path = sl.datasets.fetch(source, announce=_announce)
    show({"data": source, "path": str(path)}, as_json, lambda: typer.echo(f"{source} is at {path}"))


@commands.command(epilog="Example: shortlist init clicks.parquet --items items.parquet > experiment.toml")
def init(
    data: Annotated[str, typer.Argument(help="The table of events (Parquet, CSV, JSON lines).", metavar="EVENTS")],
    items: Items = None,
    users: Users = None,
    query_id: QueryId = None,
    item_id: ItemId = None,
    label: Label = None,
    time: Time = None,
    time_unit: TimeUnit = None,
    weight: Weight = None,
    drop_unknown_items: DropUnknownItems = False,
    as_json: AsJson = False,
) -> None:
    """Look at tables and print an experiment file for them: roles, features, a split, and every doubt as a comment."""
    options = table_options(
        items=items, users=users, query_id=query_id, item_id=item_id, label=label, time=time, time_unit=time_unit,
        weight=weight, drop_unknown_items=drop_unknown_items,
    )  # fmt: skip
    if data in sl.datasets.NAMES or data.endswith(".toml"):
        raise SettingsError(f"init looks at tables, and {data} is none; shortlist preset {data} prints a preset.")
    proposal = propose_experiment(data, options)
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
def describe(
    data: Data,
    items: Items = None,
    users: Users = None,
    query_id: QueryId = None,
    item_id: ItemId = None,
    label: Label = None,
    time: Time = None,
    time_unit: TimeUnit = None,
    weight: Weight = None,
    drop_unknown_items: DropUnknownItems = False,
    as_json: AsJson = False,
) -> None:
    """Show what data holds: counts, roles, columns, missing values, time span, popularity."""
    options = table_options(
        items=items, users=users, query_id=query_id, item_id=item_id, label=label, time=time, time_unit=time_unit,
        weight=weight, drop_unknown_items=drop_unknown_items,
    )  # fmt: skip
    described = sl.describe(_dataset(data, options))
    show(described, as_json, lambda: _show_description(data, described))


def _dataset(data: str, options: dict[str, Any]) -> "sl.Dataset":
    if data in sl.datasets.NAMES:
        sl.datasets.fetch(data, announce=_announce)
        return sl.datasets.load(data)
    if Path(data).suffix == ".toml":
        return load(sl.load_experiment(data))
    return load(sl.Experiment.read(propose_experiment(data, options).tables, "the proposed experiment"))


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


def _announce(terms: str) -> None:
    typer.echo(terms, err=True)
