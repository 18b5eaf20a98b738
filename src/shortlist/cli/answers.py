"""Commands that answer from a bundle; none of them needs torch."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

import shortlist as sl
from shortlist.cli.output import AsJson, counter, show, show_metrics
from shortlist.errors import DataError, SettingsError

__all__ = ["BundlePath", "commands"]

commands = typer.Typer()
BundlePath = Annotated[Path, typer.Argument(help="The folder that train wrote, or the bundle in it.", metavar="BUNDLE")]
Length = Annotated[int, typer.Option("-k", "--k", help="How many items at most.")]
Exclude = Annotated[list[str] | None, typer.Option(help="The id of an item to leave out. Repeat it.")]
Allow = Annotated[list[str] | None, typer.Option(help="The id of an item that may come back. Repeat it.")]
Where = Annotated[
    str | None,
    typer.Option(help='A condition on the items\' columns in JSON, such as {"column": "year", "at_least": 1990}.'),
]


@commands.command(epilog="Example: shortlist evaluate films --json")
def evaluate(
    bundle: BundlePath,
    data: Annotated[
        str | None, typer.Option(help="A table of later events, each a test event; the bundle's own where left out.")
    ] = None,
    where: Where = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate a bundle beside baselines, on the test events of the data that it was trained on or on later events."""
    loaded = sl.load_bundle(bundle)
    roles = loaded.data["roles"]
    events = None if data is None else sl.read_table(data, ids=(roles["query_id"], roles["item_id"]))
    try:
        assessment = {
            **sl.evaluate_bundle(loaded, events=events, where=_condition(where)).to_json(),
            "notes": loaded.data["notes"],
        }
    except DataError as error:
        if data is None:
            raise
        raise type(error)(f"{error} (events: {data})") from error
    show(assessment, as_json, lambda: show_metrics(assessment))


@commands.command(epilog="Example: shortlist recommend films --query user_id=42 -k 10")
def recommend(
    bundle: BundlePath,
    query: Annotated[
        list[str] | None, typer.Option(help="One value of the query, such as user_id=42. Repeat it.")
    ] = None,
    queries: Annotated[str | None, typer.Option(help="A table of queries, one a row; the lists go to --out.")] = None,
    out: Annotated[Path | None, typer.Option(help="A new Parquet file for the lists of --queries.")] = None,
    k: Length = 10,
    history: Annotated[
        list[str] | None, typer.Option(help="The id of an item touched since training. Repeat it.")
    ] = None,
    include_seen: Annotated[bool, typer.Option("--include-seen", help="Let seen items come back too.")] = False,
    exclude: Exclude = None,
    allow: Allow = None,
    where: Where = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say of each item why it stands there.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Draw no progress bar on stderr.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the best items for one query, or write the lists of a whole table of queries."""
    rules = sl.Rules(not include_seen, exclude or (), allow or None, _condition(where))
    if queries is not None:
        if query or history or explain or out is None:
            raise SettingsError(
                "--queries wants --out with a new Parquet file, without --query, --history and --explain."
            )
        recommender = sl.Recommender.load(bundle)
        with counter("queries", shown=not quiet) as advance:
            count = sl.recommend_file(recommender, queries, out, k, rules=rules, on_batch=advance)
        result = {"queries": count, "file": str(out)}
        show(result, as_json, lambda: typer.echo(f"wrote the lists of {count:,} queries: {out}"))
        return
    if out is not None or not (query or history):
        raise SettingsError("recommend wants --query such as user_id=42, or --queries with a table and --out.")
    recommender = sl.Recommender.load(bundle)
    found = recommender.recommend(
        _query(query or []),
        k,
        history=history or (),
        exclude_seen=rules.exclude_seen,
        exclude=rules.exclude,
        allow=rules.allow,
        where=rules.where,
        explain=explain,
    )
    show(found.to_json(), as_json, lambda: typer.echo(found))


@commands.command(epilog='Example: shortlist similar films --item "Star Wars (1977)" -k 5')
def similar(
    bundle: BundlePath,
    item: Annotated[str, typer.Option(help="An item's id; or its label, where no other item has the same.")],
    k: Length = 10,
    exclude: Exclude = None,
    allow: Allow = None,
    where: Where = None,
    as_json: AsJson = False,
) -> None:
    """Print the items whose vectors point most in the same direction as one item's."""
    recommender = sl.Recommender.load(bundle)
    identifier = item if item in recommender else recommender.find(item)
    found = recommender.similar(identifier, k, exclude=exclude or (), allow=allow or None, where=_condition(where))
    show(
        {"item": recommender.id_at(recommender.row(identifier)), **found.to_json()}, as_json, lambda: typer.echo(found)
    )


def _condition(text: str | None) -> Any:
    """The condition that --where gives in JSON; whether it is one is for the Recommender to say."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except RecursionError:
        raise SettingsError("--where is nested too deep to be read; a condition is at most 8 deep.") from None
    except ValueError as error:
        raise SettingsError(
            f'--where wants a condition in JSON, such as {{"column": "year", "at_least": 1990}}, not {text!r}: {error}.'
        ) from error


def _query(values: list[str]) -> dict[str, Any]:
    query: dict[str, Any] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name:
            raise SettingsError(f"--query wants a column and a value, such as user_id=42, not {value!r}.")
        if name in query:
            raise SettingsError(f"--query gives {name!r} twice; keep one.")
        query[name] = text
    return query
