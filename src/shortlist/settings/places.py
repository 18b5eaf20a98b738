"""Where settings stand in an experiment, and which of them a search may vary."""

from typing import Any

from shortlist.errors import SettingsError
from shortlist.settings.experiment import Experiment

__all__ = ["FEATURES", "KINDED", "OPEN", "Place", "dotted", "feature_name", "nested", "refuse_closed", "value_at"]

Place = tuple[str, ...]
# Sections that name one kind: where a space names several, which of them is searched, too.
KINDED: tuple[Place, ...] = (("model",), ("training", "loss"), ("training", "optimizer"))
FEATURES: tuple[Place, ...] = (("features", "query"), ("features", "item"))
SCHEDULE: Place = ("training", "schedule")
OPEN: tuple[Place, ...] = (*KINDED, *FEATURES, SCHEDULE)
# Settings of the schedule that a search sets itself, or whose change would make trials incomparable.
CLOSED = ("seed", "refit", "watch", "metric", "validate_every")


def dotted(place: Place) -> str:
    """A place as a name.

    >>> dotted(("model", "two_tower", "layers"))
    'model.two_tower.layers'
    """
    return ".".join(place)


def nested(place: Place, value: Any) -> dict[str, Any]:
    """Tables with the value at the place.

    >>> nested(("model", "two_tower"), {})
    {'model': {'two_tower': {}}}
    """
    for key in reversed(place):
        value = {key: value}
    return dict(value)


def value_at(experiment: Experiment, place: Place) -> Any:
    """What the experiment has at a place, None where it has nothing there."""
    found: Any = experiment
    for depth, key in enumerate(place):
        if place[:depth] in FEATURES:
            found = next((feature for feature in found if feature_name(feature) == key), None)
        else:
            found = getattr(found, key, None)
    return found


def feature_name(feature: Any) -> str:
    """A feature's kind and column, as it is called once it is fitted."""
    return f"{feature.kind}_{feature.column}"


def refuse_closed(place: Place, name: str) -> None:
    """Raise `SettingsError`, beginning with `name`, for a setting that a search must leave alone."""
    if not any(place[: len(of)] == of[: len(place)] for of in OPEN):
        raise SettingsError(
            f"{name} cannot vary: data, split, evaluation and what the features are fitted on say what is measured, so "
            f"that trials could not be compared. Searched are {', '.join(map(dotted, OPEN))}."
        )
    if place[:-1] == SCHEDULE and place[-1] in CLOSED:
        raise SettingsError(
            f"{name} cannot vary: a search gives each trial its seed, does not refit, and compares all trials by one "
            "metric after the same share of their epochs. Take it out."
        )
