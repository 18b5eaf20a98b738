"""The flags with which a command names tables and the roles of their columns: written once, for every command."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

__all__ = ["Tables", "table_flags"]

# The flags that were given, by name.
Tables = dict[str, Any]

FLAGS: dict[str, Any] = {
    "items": Annotated[str | None, typer.Option(help="The table of items.")],
    "users": Annotated[str | None, typer.Option(help="The table of users.")],
    "query_id": Annotated[
        str | None, typer.Option(help="The column that says who asked; found by itself where left out.")
    ],
    "item_id": Annotated[str | None, typer.Option(help="The column that says which item; found by itself.")],
    "label": Annotated[str | None, typer.Option(help="The items' column that says what an item is called.")],
    "time": Annotated[str | None, typer.Option(help="The column that says when.")],
    "time_unit": Annotated[
        Literal["s", "ms", "us", "ns"] | None,
        typer.Option(help="What whole numbers in the time column count since 1970."),
    ],
    "weight": Annotated[str | None, typer.Option(help="The column that says how much an event counts.")],
    "shown": Annotated[
        str | None, typer.Option(help="The column of the ids that were shown with each event and not touched.")
    ],
    "shown_separator": Annotated[
        str | None, typer.Option(help="What stands between the ids in --shown's column where it holds texts; | else.")
    ],
    "drop_unknown_items": Annotated[
        bool, typer.Option("--drop-unknown-items", help="Leave out events whose item the table of items does not hold.")
    ],
}


def table_flags(command: Callable[..., None]) -> Callable[..., None]:
    """The command with these flags in the place of its parameter `tables`, which gets those that were given."""

    @functools.wraps(command)
    def with_flags(*args: Any, **kwargs: Any) -> None:
        given = {name: kwargs.pop(name) for name in FLAGS}
        tables = {name: value for name, value in given.items() if value not in (None, False)}
        command(*args, tables=tables, **kwargs)

    flags = [
        inspect.Parameter(
            name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=False if name == "drop_unknown_items" else None,
            annotation=kind,
        )
        for name, kind in FLAGS.items()
    ]
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        parameters.extend(flags if parameter.name == "tables" else [parameter])
    # What Typer reads to build the command line.
    with_flags.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_flags.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return with_flags
