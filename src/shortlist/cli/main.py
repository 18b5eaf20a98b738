"""The command `shortlist`. Nothing heavy loads here: names come from the package's root when a command runs."""

import os
import sys
from typing import Annotated

import typer

from shortlist.cli import answers, bundles, data, doctor, report, serving, training, tuning
from shortlist.errors import SettingsError, ShortlistError

__all__ = ["app", "main"]

app = typer.Typer(
    name="shortlist",
    help="Deep two-tower retrieval: from tables of events to a trained, honestly evaluated, served shortlist.",
    epilog="Example: shortlist describe movielens-100k",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (data, doctor, training, tuning, report, answers, bundles, serving):
    app.registered_commands.extend(group.commands.registered_commands)


def _show_version(wanted: bool) -> None:
    if wanted:
        # Here, because the look-up of installed packages costs more than all of --help.
        from importlib.metadata import version

        typer.echo(f"shortlist {version('shortlist')}")
        raise typer.Exit


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options that stand before a command; `main` reads --debug where an error arrives."""


def main() -> None:
    """Run the command line; an error is one sentence on stderr, with exit code 2 for a wrong choice and else 1."""
    # How often a thread of GNU's OpenMP looks for work before it sleeps (300,000 times by default); read once, when
    # torch loads. Beside other work on the same cores that much spinning made training over ten times slower; sleeping
    # at once makes it up to twice as slow on quiet ones (docs/experiments.md).
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    try:
        app()
    except (ShortlistError, OSError) as error:  # OSError: a full disk says so itself
        if "--debug" in sys.argv:
            raise
        typer.echo(f"shortlist: {error}", err=True)
        sys.exit(2 if isinstance(error, SettingsError) else 1)
