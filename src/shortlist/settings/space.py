"""A search space: which settings of an experiment may vary, and between what."""

import dataclasses
import importlib.resources
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from shortlist.errors import SettingsError, shorten
from shortlist.settings.experiment import Experiment, merge
from shortlist.settings.inline import inline, key_of
from shortlist.settings.places import (
    FEATURES,
    KINDED,
    OPEN,
    Place,
    dotted,
    feature_name,
    nested,
    refuse_closed,
    value_at,
)
from shortlist.settings.ranges import Choices, Range

__all__ = ["Space", "default_space", "load_space"]

NO_SETTING = "is a table of settings, not one of them; let these vary one by one."
OF_A_RANGE = {field.name for made in (Choices, Range) for field in dataclasses.fields(made)}


@dataclasses.dataclass(frozen=True)
class Space:
    """What `shortlist.tune` searches: a table of the form of an experiment file, with ranges in the place of values.

    A setting takes `{ choices = [...] }` or `{ low = ..., high = ... }`, with `log = true` or a `step`; see `Choices`
    and `Range`. Where several kinds of loss, optimiser or model are named, the kind is searched too, each with its own
    settings. Features are named by kind and column, such as `features.item.lookup_item_id.width`. `where` names the
    space in errors.

    >>> space = Space.read({"model": {"two_tower": {"dropout": {"low": 0.0, "high": 0.5}}}}, "space.toml")
    >>> space.names
    ['model.two_tower.dropout']
    """

    ranges: Mapping[Place, Choices | Range]
    kinds: Mapping[Place, tuple[str, ...]]
    where: str = "the search space"

    @classmethod
    def read(cls, tables: Mapping[str, Any], where: str) -> Self:
        """The space in these nested tables; `where` names their source in errors.

        Raises `SettingsError` for a value that is no range, a range that cannot be, a setting that a search must leave
        alone, and for nothing that varies.
        """
        ranges: dict[Place, Choices | Range] = {}
        kinds: dict[Place, list[str]] = {}
        _collect(tables, (), ranges, kinds, where)
        if not ranges and not any(len(named) > 1 for named in kinds.values()):
            raise SettingsError(
                f"{where}: no setting varies. Name one, such as model.two_tower.dropout = {{ low = 0.0, high = 0.5 }}."
            )
        return cls(ranges, {section: tuple(named) for section, named in kinds.items()}, where)

    @property
    def searched_kinds(self) -> dict[Place, tuple[str, ...]]:
        """The sections of which several kinds are named."""
        return {section: named for section, named in self.kinds.items() if len(named) > 1}

    @property
    def names(self) -> list[str]:
        """What varies, by dotted names: kinds first, then settings in the order of the file."""
        return [dotted(place) for place in (*self.searched_kinds, *self.ranges)]

    def on(self, experiment: Experiment) -> Self:
        """The same space with every value as this experiment holds it, and each tried in it.

        Raises `SettingsError` for a setting that the experiment does not have, for a range where there is no number,
        and for a value that the setting refuses, while everything else has its first value.
        """
        for place in self.ranges:
            self._refuse_words(place, value_at(experiment, place))
        for section, named in self.kinds.items():
            for kind in named:
                self.apply(experiment, self._first({section: kind}))
        return dataclasses.replace(self, ranges={place: self._as_read(experiment, place) for place in self.ranges})

    def active(self, kinds: Mapping[Place, str]) -> dict[Place, Choices | Range]:
        """The settings that count where these kinds are chosen; of a section without a chosen one, the first kind's."""
        chosen = {section: kinds.get(section, named[0]) for section, named in self.kinds.items()}
        return {
            place: values
            for place, values in self.ranges.items()
            if all(place[: len(of)] != of or place[len(of)] == kind for of, kind in chosen.items())
        }

    def apply(self, experiment: Experiment, drawn: Mapping[Place, Any]) -> Experiment:
        """The experiment with these values; a section of kinds is given the kind's name.

        Raises `SettingsError` for values that cannot be together.
        """
        changes: dict[str, Any] = {}
        kinds = {section: named[0] for section, named in self.kinds.items()}
        for place, value in drawn.items():
            if place in self.kinds:
                kinds[place] = value
            else:
                changes = merge(changes, nested(place, value))
        for section, kind in kinds.items():
            changes = merge(nested((*section, kind), {}), changes)
        for _, side in FEATURES:
            if side in changes.get("features", {}):
                changes["features"][side] = self._features(experiment, side, changes["features"][side])
        return experiment.override(changes, self.where)

    def drawn_from(self, experiment: Experiment) -> dict[Place, Any]:
        """What the experiment itself has of the space: kinds and values that the space holds, and no others."""
        kinds = {
            section: kind
            for section, named in self.searched_kinds.items()
            for kind in named
            if value_at(experiment, (*section, kind)) is not None
        }
        values = {place: value_at(experiment, place) for place in self.active(kinds)}
        return kinds | {place: value for place, value in values.items() if self.ranges[place].holds(value)}

    def tables(self) -> dict[str, Any]:
        """The space as nested tables, as `read` takes them."""
        tables: dict[str, Any] = {}
        for section, named in self.kinds.items():
            for kind in named:
                tables = merge(tables, nested((*section, kind), {}))
        for place, values in self.ranges.items():
            tables = merge(tables, nested(place, _written(values)))
        return tables

    def to_toml(self) -> str:
        """The space as a file: a section for each table of settings, a line for each setting."""
        sections: dict[Place, list[str]] = {(*of, kind): [] for of, named in self.kinds.items() for kind in named}
        for place, values in self.ranges.items():
            sections.setdefault(place[:-1], []).append(f"{key_of(place[-1])} = {inline(_written(values))}\n")
        return "\n".join(f"[{'.'.join(map(key_of, section))}]\n{''.join(lines)}" for section, lines in sections.items())

    def _first(self, kinds: Mapping[Place, str]) -> dict[Place, Any]:
        """The first value of everything, under these kinds and else the first ones."""
        return {**kinds, **{place: values.tried[0] for place, values in self.active(kinds).items()}}

    def _as_read(self, experiment: Experiment, place: Place) -> Choices | Range:
        """The range of one setting with its values as the experiment holds them: 1 is 1.0 for what is no count."""
        values = self.ranges[place]
        kinds = {of: place[len(of)] for of in self.kinds if place[: len(of)] == of}
        read = [value_at(self.apply(experiment, {**self._first(kinds), place: value}), place) for value in values.tried]
        for value in read:
            self._refuse_words(place, value)
            if dataclasses.is_dataclass(value):
                raise SettingsError(f"{self.where}: {dotted(place)} {NO_SETTING}")
        ends = {"choices": read} if isinstance(values, Choices) else dict(zip(("low", "high"), read, strict=True))
        return _range({**_written(values), **ends}, f"{self.where}: {dotted(place)}")

    def _refuse_words(self, place: Place, value: Any) -> None:
        """Raise `SettingsError` where a range stands for a setting that has such a value."""
        if isinstance(self.ranges[place], Range) and isinstance(value, str | bool | tuple):
            raise SettingsError(
                f"{self.where}: {dotted(place)} is no number, for it may be {inline(value)}; a range is for numbers. "
                "Name choices = [...] instead."
            )

    def _features(self, experiment: Experiment, side: str, changes: Mapping[str, Any]) -> list[dict[str, Any]]:
        """One side's features, those that are named with their changes."""
        names = [feature_name(feature) for feature in getattr(experiment.features, side)]
        unknown = changes.keys() - set(names)
        if unknown:
            raise SettingsError(
                f"{self.where}: features.{side} has no {sorted(unknown)[0]!r}; it has {shorten(names, 20)}."
            )
        tables = experiment.tables()["features"][side]
        return [{**table, **changes.get(name, {})} for name, table in zip(names, tables, strict=True)]


def load_space(path: str | Path) -> Space:
    """The search space in a TOML file.

    Raises `SettingsError` for a file that cannot be read, is no TOML, or holds what cannot be.
    """
    try:
        tables = tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read as a search space in TOML: {error}.") from error
    return Space.read(tables, str(path))


def default_space(experiment: Experiment) -> Space:
    """The space that is searched where none is given: depth, width, activation, dropout, and the settings of the
    experiment's own kinds of loss and optimiser.

    It was written for the preset `recommended`.

    >>> from shortlist.settings import load_preset
    >>> default_space(load_preset("tutorial")).names[:2]
    ['model.two_tower.layers', 'model.two_tower.activation']
    """
    text = (importlib.resources.files("shortlist.settings") / "spaces" / "default.toml").read_text("utf-8")
    tables = tomllib.loads(text)
    for section in KINDED:
        parent = tables
        for key in section[:-1]:
            parent = parent[key]
        kinds = parent[section[-1]]
        parent[section[-1]] = {k: of for k, of in kinds.items() if value_at(experiment, (*section, k)) is not None}
    return Space.read(tables, "the default search space")


def _collect(
    tables: Mapping[str, Any],
    above: Place,
    ranges: dict[Place, Choices | Range],
    kinds: dict[Place, list[str]],
    where: str,
) -> None:
    """Put what stands in the tables into `ranges` and `kinds`."""
    for key, value in tables.items():
        place = (*above, key)
        name = f"{where}: {dotted(place)}"
        if not isinstance(value, Mapping):
            raise SettingsError(
                f"{name} is {value!r}, which does not vary. Write {{ choices = [...] }} or "
                "{ low = ..., high = ... }, or put the value into the experiment."
            )
        refuse_closed(place, name)
        if above in KINDED:
            kinds.setdefault(above, []).append(key)
        if not value.keys() & OF_A_RANGE:
            _collect(value, place, ranges, kinds, where)
        elif any(of[: len(place)] == place for of in OPEN):
            raise SettingsError(f"{name} {NO_SETTING}")
        else:
            ranges[place] = _range(value, name)


def _range(fields: Mapping[str, Any], name: str) -> Choices | Range:
    """What these fields say; `name` stands before the words of an error."""
    try:
        return Choices(**fields) if "choices" in fields else Range(**fields)
    except SettingsError as error:
        raise SettingsError(f"{name}: {str(error).partition(': ')[2]}") from None


def _written(values: Choices | Range) -> dict[str, Any]:
    if isinstance(values, Choices):
        return {"choices": list(values.choices)}
    return {
        "low": values.low,
        "high": values.high,
        **({"log": True} if values.log else {}),
        **({"step": values.step} if values.step else {}),
    }
