"""What all trials of a search share, and how a trial's draws become an experiment."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from optuna import Trial

from shortlist.data import Dataset
from shortlist.data.splits import split as cut
from shortlist.errors import SettingsError
from shortlist.settings import Experiment, Space, load_experiment, load_space
from shortlist.settings.places import dotted
from shortlist.settings.ranges import Choices, label

__all__ = ["BASE", "SPACE", "Search"]

# How a search's folder keeps what was asked for, for its workers and its reader.
BASE, SPACE = "base.toml", "space.toml"


@dataclasses.dataclass(frozen=True)
class Search:
    """An experiment, the space around it, and the data.

    `metric` is the full name of the one that trials are chosen by, on validation events; `identity` has a SHA-256 of
    each part, by which a study is known again.
    """

    experiment: Experiment
    space: Space
    data: Dataset
    metric: str
    identity: Mapping[str, str]

    @classmethod
    def of(cls, experiment: Experiment, space: Space, data: Dataset) -> Self:
        """The search of this space around the experiment, checked before anything trains.

        Raises `SettingsError` where nothing but the test could choose, and for what `Space.on` refuses.
        """
        space = space.on(experiment)
        schedule, protocol = experiment.training.schedule, experiment.evaluation.protocol
        if schedule.watch != "validation":
            raise SettingsError(
                f"A search chooses on validation events, but the experiment watches {schedule.watch!r}. Set "
                'training.schedule.watch = "validation".'
            )
        split = cut(data, experiment.split.chosen)
        if split.validation is None:
            raise SettingsError(
                "A search chooses on validation events, and the split has none; the test must choose nothing. Give it "
                "a share of them, such as validation = 0.1 beside test."
            )
        described = experiment.tables()
        del described["data"]  # its events are known by what they hold, not by where they lie
        identity = {
            "experiment": _digest(described),
            "space": _digest(space.tables()),
            "data": split.fingerprint,
        }
        metric = protocol.name(schedule.metric or protocol.decisive(split.train.num_items))
        return cls(experiment, space, data, metric, identity)

    @classmethod
    def in_folder(cls, folder: Path) -> Self:
        """The search that a folder keeps, its data read anew."""
        experiment = load_experiment(folder / BASE)
        return cls.of(experiment, load_space(folder / SPACE), experiment.data.load())

    @property
    def seed(self) -> int:
        """The first trial's; the others' follow it."""
        return self.experiment.training.schedule.seed

    def draw(self, trial: Trial) -> None:
        """Let the trial draw a value for everything that varies, kinds first."""
        kinds = {
            section: trial.suggest_categorical(dotted(section), named)
            for section, named in self.space.searched_kinds.items()
        }
        for place, values in self.space.active(kinds).items():
            name = dotted(place)
            if isinstance(values, Choices):
                trial.suggest_categorical(name, values.labels)
            elif values.whole:
                trial.suggest_int(name, int(values.low), int(values.high), step=values.step or 1, log=values.log)
            else:
                trial.suggest_float(name, values.low, values.high, log=values.log)

    def own_draws(self) -> dict[str, Any]:
        """What a trial would draw that is the experiment as it is, as far as the space holds it."""
        drawn = self.space.drawn_from(self.experiment)
        ranges = self.space.ranges
        return {
            dotted(place): label(value) if isinstance(ranges.get(place), Choices) else value
            for place, value in drawn.items()
        }

    def experiment_of(self, drawn: Mapping[str, Any], place: int) -> Experiment:
        """The experiment of the trial at this place (from 0) of the search: its draws, and a seed of its own.

        Raises `SettingsError` for values that cannot be together.
        """
        ranges = {dotted(where): (where, values) for where, values in self.space.ranges.items()}
        kinds = {dotted(section): section for section in self.space.searched_kinds}
        values: dict[tuple[str, ...], Any] = {}
        for name, value in drawn.items():
            if name in kinds:
                values[kinds[name]] = value
                continue
            where, among = ranges[name]
            values[where] = among.choices[among.labels.index(value)] if isinstance(among, Choices) else value
        chosen = self.space.apply(self.experiment, values)
        return chosen.override({"training": {"schedule": {"seed": self.seed + place}}})


def _digest(tables: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(tables, sort_keys=True).encode()).hexdigest()
