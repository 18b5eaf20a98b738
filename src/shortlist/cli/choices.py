"""From flags to an experiment: the one place where text becomes choices."""

import tomllib
from typing import Annotated, Any

import typer

import shortlist as sl
from shortlist.errors import SettingsError

__all__ = ["Epochs", "Preset", "Set", "changes", "choose_experiment", "parse_layers"]

Preset = Annotated[
    str | None, typer.Option(help="The preset to start from; the data set's own where this is left out.")
]
Epochs = Annotated[int | None, typer.Option(help="How many times training goes over all events.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any other setting, such as training.schedule.batch_size=512. May be repeated."),
]


def choose_experiment(source: str, preset: str | None, changed: dict[str, Any]) -> "sl.Experiment":
    """The preset's experiment on this data with the flags laid over it."""
    experiment = sl.load_preset(preset or source)
    return experiment.override(sl.settings.merge({"data": {"source": source}}, changed))


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
