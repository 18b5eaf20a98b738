"""From flags to an experiment: the one place where text becomes choices."""

import dataclasses
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

import shortlist as sl
from shortlist.cli.tables import Tables
from shortlist.errors import SettingsError

__all__ = [
    "DATA_HELP",
    "Data",
    "Epochs",
    "Preset",
    "Set",
    "changes",
    "choose_experiment",
    "parse_layers",
    "propose_experiment",
]

ROLES = ("query_id", "item_id", "label", "time", "weight", "time_unit", "shown", "shown_separator")
DATA_HELP = "The name of a data set, a table of events (Parquet, CSV, JSON lines), or an experiment.toml."
Data = Annotated[str, typer.Argument(help=DATA_HELP, metavar="DATA")]

Preset = Annotated[
    str | None,
    typer.Option(
        help='The preset to start from; where this is left out, the data set\'s own, and for tables "recommended".'
    ),
]
Epochs = Annotated[int | None, typer.Option(help="How many times training goes over all events.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any other setting, such as training.schedule.batch_size=512. May be repeated."),
]


def choose_experiment(data: str, preset: str | None, tables: Tables, changed: dict[str, Any]) -> "sl.Experiment":
    """The experiment that a command names, with the flags laid over it.

    DATA is an experiment file, a data set's name (with its own preset or the one named), or a table of events, for
    which an experiment is proposed and its doubts are said on stderr. Raises `SettingsError` for flags that do not
    go together.
    """
    if Path(data).suffix == ".toml":
        _refuse(tables, f"{data} names its own tables and roles")
        _refuse({"preset": preset} if preset else {}, f"{data} is a whole experiment")
        return sl.load_experiment(data).override(changed)
    if data in sl.datasets.NAMES:
        _refuse(tables, f"the data set {data} brings its own tables and roles")
        if preset == sl.settings.RECIPE:
            return _read_proposal(_propose_for(data)).override(changed)
        return sl.load_preset(preset or data).override(sl.settings.merge({"data": {"source": data}}, changed))
    _refuse(
        {"preset": preset} if preset not in (None, sl.settings.RECIPE) else {},
        "a preset is for the data set that it names",
    )
    experiment = _read_proposal(propose_experiment(data, tables))
    return experiment.model_copy(update={"data": experiment.data.relative_to(Path())}).override(changed)


def _read_proposal(proposal: "sl.settings.Proposal") -> "sl.Experiment":
    """The experiment that is proposed, its doubts said on stderr."""
    for doubt in (doubt for doubts in proposal.doubts.values() for doubt in doubts):
        typer.echo(f"Note: {doubt}", err=True)
    return sl.Experiment.read(proposal.tables, "the proposed experiment")


def _propose_for(name: str) -> "sl.settings.Proposal":
    """The recommended experiment for a data set with a name, whose roles are known."""
    data = sl.datasets.load(name)
    frames = {"interactions": data.interactions, "items": data.items, "users": data.users}
    proposal = sl.propose(frames, {"source": name}, dataclasses.asdict(data.roles))
    del proposal.tables["data"]["roles"]
    return proposal


def propose_experiment(data: str, tables: Tables) -> "sl.settings.Proposal":
    """An experiment for tables: columns looked at, flags kept."""
    if not Path(data).suffix and not Path(data).exists() and "*" not in data:
        sl.datasets.load(data)  # it looks like a name, and raises naming the known ones
    sources: dict[str, Any] = {"interactions": data}
    sources |= {name: tables[name] for name in ("items", "users") if name in tables}
    roles: dict[str, str | None] = {name: tables[name] for name in ROLES if name in tables}
    ids = [column for role, column in roles.items() if role in ("query_id", "item_id", "shown") and column]
    frames = {name: sl.read_table(source, ids=ids) for name, source in sources.items()}
    proposal = sl.propose(frames, sources, roles)
    if "drop_unknown_items" in tables:
        proposal.tables["data"]["unknown_items"] = "drop"
    return proposal


def _refuse(options: dict[str, Any], reason: str) -> None:
    if options:
        flag = next(iter(options)).replace("_", "-")
        raise SettingsError(f"--{flag} does not go with this: {reason}. Leave it out.")


def changes(epochs: int | None, settings: list[str] | None) -> dict[str, Any]:
    """The flags that change an experiment, as nested tables; a named flag wins over --set."""
    changed: dict[str, Any] = {}
    for setting in settings or []:
        key, equals, value = setting.partition("=")
        if key.partition(".")[0] == "data":
            raise SettingsError(f"--set does not name the data ({setting!r}); the command's argument does.")
        if not equals or not all(key.split(".")):
            raise SettingsError(f"--set wants a key and a value, such as training.schedule.epochs=20, not {setting!r}.")
        changed = sl.settings.merge(changed, _nested(key.split("."), _value(value)))
    if epochs is not None:
        changed = sl.settings.merge(changed, _nested(["training", "schedule", "epochs"], epochs))
    return changed


def parse_layers(text: str) -> list[int]:
    """The widths in a text such as `128,64,32`; raises `SettingsError` for anything else."""
    parts = text.strip("[] ").split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise SettingsError(f"--layers wants whole numbers with commas between, such as 64,32, not {text!r}.")
    return [int(part) for part in parts]


def _nested(keys: list[str], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    return dict(value)


def _value(text: str) -> Any:
    """A value as TOML would read it; a bare word is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
