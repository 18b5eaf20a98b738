"""Commands that answer from a bundle; none of them needs torch."""

from pathlib import Path
from typing import Annotated, Any

import typer

import shortlist as sl
from shortlist.cli.output import AsJson, show, show_metrics
from shortlist.errors import SettingsError, UnknownIdError

__all__ = ["commands"]

commands = typer.Typer()
BundlePath = Annotated[Path, typer.Argument(help="The folder that train wrote, or the bundle in it.", metavar="BUNDLE")]
Length = Annotated[int, typer.Option("-k", "--k", help="How many items at most.")]


@commands.command(epilog="Example: shortlist evaluate films --json")
def evaluate(bundle: BundlePath, as_json: AsJson = False) -> None:
    """Evaluate a bundle on the test events of the data that it was trained on, beside popularity."""
    loaded = sl.load_bundle(bundle)
    assessment = {**sl.evaluate_bundle(loaded).to_json(), "notes": loaded.data["notes"]}
    show(assessment, as_json, lambda: show_metrics(assessment))


@commands.command(epilog="Example: shortlist recommend films --query user_id=42 -k 10")
def recommend(
    bundle: BundlePath,
    query: Annotated[list[str], typer.Option(help="One value of the query, such as user_id=42. Repeat it.")],
    k: Length = 10,
    include_seen: Annotated[bool, typer.Option("--include-seen", help="Let seen items come back too.")] = False,
    exclude: Annotated[list[str] | None, typer.Option(help="The id of an item to leave out. Repeat it.")] = None,
    allow: Annotated[list[str] | None, typer.Option(help="The id of an item that may come back. Repeat it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the best items for one query."""
    recommender = sl.Recommender.load(bundle)
    found = recommender.recommend(
        _query(query), k, exclude_seen=not include_seen, exclude=exclude or (), allow=allow or None
    )
    show(found.to_json(), as_json, lambda: typer.echo(found))


@commands.command(epilog='Example: shortlist similar films --item "Star Wars (1977)" -k 5')
def similar(
    bundle: BundlePath,
    item: Annotated[str, typer.Option(help="An item's id, or its label where no other item has the same.")],
    k: Length = 10,
    as_json: AsJson = False,
) -> None:
    """Print the items whose vectors point most in the same direction as one item's."""
    recommender = sl.Recommender.load(bundle)
    identifier = _identify(recommender, item)
    found = recommender.similar(identifier, k)
    show({"item": identifier, **found.to_json()}, as_json, lambda: typer.echo(found))


def _identify(recommender: "sl.Recommender", item: str) -> str | int:
    """The id that a text means: an id as it is, or a unique label; both at once is refused."""
    by_id = recommender.id_at(recommender.row(item)) if item in recommender else None
    try:
        by_label = recommender.find(item)
    except UnknownIdError:
        if by_id is None:
            raise
        return by_id
    if by_id is not None and by_id != by_label:
        raise UnknownIdError(f"{item!r} is the id of one item and the label of another, {by_label!r}; name its id.")
    return by_label


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
