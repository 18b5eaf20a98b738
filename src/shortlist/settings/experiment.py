"""An experiment as a file: sections of choices, each under the word that names its kind."""

import dataclasses
import importlib.resources
import tomllib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError, model_validator

from shortlist.choice import explain
from shortlist.data import ColdItems, DataSource, GivenParts, HeldOutUsers, LeaveLastOut, RandomSplit, TimeSplit
from shortlist.errors import SettingsError, shorten
from shortlist.features import FEATURE_KINDS, AnyFeature, Features, SentenceEncoder
from shortlist.settings.evaluation import Protocol
from shortlist.settings.model import TwoTowerSettings
from shortlist.settings.training import (
    Adagrad,
    AdamW,
    Bpr,
    CosineContrastive,
    FullSoftmax,
    InBatchSoftmax,
    LazyAdam,
    PairwiseHinge,
    RowwiseAdagrad,
    Training,
    refuse_other_scores,
)

__all__ = ["RECIPE", "Experiment", "load_experiment", "load_preset", "merge", "preset_names", "preset_tables"]

# The preset that takes its features from the tables it is used on.
RECIPE = "recommended"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _OneOf(_Section):
    """A section in which exactly one kind is named, such as `random = { test = 0.2 }`."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        named = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(named) != 1:
            known = ", ".join(type(self).model_fields)
            raise ValueError(f"exactly one of {known} must be named, but {', '.join(named) or 'none'} is.")
        return self

    @classmethod
    def of(cls, choice: Any) -> Self:
        """The section that names this choice."""
        kinds = {typing.get_args(field.annotation)[0]: name for name, field in cls.model_fields.items()}
        return cls(**{kinds[type(choice)]: choice})

    @property
    def chosen(self) -> Any:
        """The choice that is named."""
        return next(value for value in self.__dict__.values() if value is not None)


class SplitSettings(_OneOf):
    """How events are divided into training, validation and test."""

    random: RandomSplit | None = None
    time: TimeSplit | None = None
    leave_last_out: LeaveLastOut | None = None
    cold_items: ColdItems | None = None
    held_out_users: HeldOutUsers | None = None
    given: GivenParts | None = None


def _read_feature(value: Any) -> Any:
    if isinstance(value, tuple(FEATURE_KINDS.values())):
        return value
    if not isinstance(value, Mapping):
        raise ValueError(f'a feature should be a table such as {{ lookup = "user_id" }}, but it is {value!r}.')
    kinds = [kind for kind in FEATURE_KINDS if kind in value]
    if len(kinds) != 1:
        raise ValueError(f"a feature names one of {', '.join(FEATURE_KINDS)} with its column, but it is {dict(value)}.")
    chosen = {key: setting for key, setting in value.items() if key != kinds[0]}
    # The word gives the first field: the column, or the columns.
    column, *settings = (field.name for field in dataclasses.fields(FEATURE_KINDS[kinds[0]]))
    unknown = chosen.keys() - set(settings)
    if unknown:
        raise ValueError(f"{kinds[0]} has no setting {shorten(sorted(unknown))}.")
    return FEATURE_KINDS[kinds[0]](**{column: value[kinds[0]], **chosen})


def _write_feature(feature: AnyFeature) -> dict[str, Any]:
    column, *settings = dataclasses.fields(feature)
    chosen: dict[str, Any] = {feature.kind: getattr(feature, column.name)}
    for field in settings:
        value = getattr(feature, field.name)
        if value != field.default:
            chosen[field.name] = value
    return chosen


FeatureEntry = Annotated[AnyFeature, BeforeValidator(_read_feature), PlainSerializer(_write_feature)]


class FeatureSettings(_Section):
    """What both towers read, and which rows teach it. `fit_on = "all"` leaks test rows, and results say so."""

    fit_on: Literal["train", "all"] = "train"
    query: Annotated[tuple[FeatureEntry, ...], Field(min_length=1)]
    item: Annotated[tuple[FeatureEntry, ...], Field(min_length=1)]

    @classmethod
    def of(cls, features: Features) -> Self:
        """The section that chooses these features."""
        choices = {"query": features.query, "item": features.item}
        return cls.model_validate({side: tuple(f.choice for f in fitted) for side, fitted in choices.items()})

    def relative_to(self, folder: Path) -> Self:
        """The same features, the folders of models of sentences taken from this one, and whole."""
        whole = {
            side: tuple(f.relative_to(folder) if isinstance(f, SentenceEncoder) else f for f in getattr(self, side))
            for side in ("query", "item")
        }
        return self.model_copy(update=whole)


class ModelSettings(_OneOf):
    """Which model."""

    two_tower: TwoTowerSettings | None = None


class LossSettings(_OneOf):
    """Which loss."""

    in_batch_softmax: InBatchSoftmax | None = None
    full_softmax: FullSoftmax | None = None
    bpr: Bpr | None = None
    pairwise_hinge: PairwiseHinge | None = None
    cosine_contrastive: CosineContrastive | None = None


class OptimizerSettings(_OneOf):
    """Which optimiser."""

    adagrad: Adagrad | None = None
    rowwise_adagrad: RowwiseAdagrad | None = None
    lazy_adam: LazyAdam | None = None
    adamw: AdamW | None = None


class TrainingSettings(_Section):
    """The loss, the optimiser and the schedule."""

    loss: LossSettings = LossSettings(in_batch_softmax=InBatchSoftmax())
    optimizer: OptimizerSettings = OptimizerSettings(adagrad=Adagrad())
    schedule: Training = Training()


class EvaluationSettings(_Section):
    """How the result is measured."""

    protocol: Protocol = Protocol()


class Experiment(_Section):
    """Everything that a result depends on, from the data's name to the protocol.

    Raises `SettingsError` for whatever cannot be, naming the key, what was expected and what came.

    >>> load_preset("tutorial").model.chosen.layers
    (64, 32)
    """

    data: DataSource
    split: SplitSettings
    features: FeatureSettings
    model: ModelSettings
    training: TrainingSettings = TrainingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()

    @model_validator(mode="after")
    def _metric_is_measured(self) -> Self:
        if self.training.schedule.metric is not None:
            self.evaluation.protocol.refuse_unmeasured(self.training.schedule.metric)
        return self

    @model_validator(mode="after")
    def _loss_suits_the_scores(self) -> Self:
        refuse_other_scores(self.training.loss.chosen, self.model.chosen)
        return self

    @classmethod
    def read(cls, tables: Mapping[str, Any], where: str) -> Self:
        """The experiment in these tables; `where` names their source in errors."""
        try:
            return cls.model_validate(tables)
        except ValidationError as error:
            raise SettingsError(f"{where}: {explain(error.errors())}") from None

    def tables(self) -> dict[str, Any]:
        """The experiment as plain tables, as `read` takes them and JSON and TOML hold them."""
        return self.model_dump(mode="json", exclude_none=True)

    def to_toml(self) -> str:
        """The experiment as a file."""
        return tomli_w.dumps(self.tables())

    def override(self, changes: Mapping[str, Any], where: str = "the changed experiment") -> Self:
        """The experiment with some keys changed, in nested tables; checked anew. `where` names the changes in errors.

        Where one of several kinds is named, such as the optimiser, naming another kind replaces it.

        >>> load_preset("tutorial").override({"training": {"schedule": {"epochs": 5}}}).training.schedule.epochs
        5
        >>> load_preset("tutorial").override({"training": {"optimizer": {"adamw": {}}}}).training.optimizer.chosen
        AdamW(learning_rate=0.001, weight_decay=0.01, beta1=0.9, beta2=0.999, epsilon=1e-08)
        """
        return type(self).read(_lay_over(type(self), self.tables(), changes), where)


def _lay_over(section: type[BaseModel], base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of a section with the changes merged in; a kind gives way to another that the changes name."""
    if issubclass(section, _OneOf):
        base = {kind: settings for kind, settings in base.items() if kind in changes}
    laid = merge(base, changes)
    for key, change in changes.items():
        inner = section.model_fields[key].annotation if key in section.model_fields else None
        if isinstance(inner, type) and issubclass(inner, _Section) and isinstance(change, Mapping):
            laid[key] = _lay_over(inner, base.get(key, {}), change)
    return laid


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Nested tables with the changes laid over them, key by key.

    >>> merge({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}})
    {'a': {'b': 1, 'c': 3}}
    """
    merged = dict(base)
    for key, value in changes.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def load_experiment(path: str | Path) -> Experiment:
    """The experiment in a TOML file; relative paths in it are taken from the file's folder.

    Raises `SettingsError` for a file that cannot be read, is no TOML, or holds what cannot be.
    """
    file = Path(path)
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{file} cannot be read as an experiment in TOML: {error}.") from error
    experiment = Experiment.read(tables, str(file))
    whole = {section: getattr(experiment, section).relative_to(file.parent) for section in ("data", "features")}
    return experiment.model_copy(update=whole)


def preset_names() -> list[str]:
    """The presets that come with shortlist."""
    folder = importlib.resources.files("shortlist.settings") / "presets"
    return sorted(path.name.removesuffix(".toml") for path in folder.iterdir() if path.name.endswith(".toml"))


def load_preset(name: str) -> Experiment:
    """A preset by its name; raises `SettingsError` naming the known ones."""
    tables = preset_tables(name)
    if name == RECIPE:
        raise SettingsError(
            f"The preset {name} is no whole experiment, for it takes its features from your tables; `shortlist init` "
            "and `shortlist.propose` fit it to them."
        )
    return Experiment.read(tables, f"preset {name}")


def preset_tables(name: str) -> dict[str, Any]:
    """A preset's file as nested tables."""
    if name not in preset_names():
        raise SettingsError(f"There is no preset {name!r}; the known ones are {shorten(preset_names())}.")
    text = (importlib.resources.files("shortlist.settings") / "presets" / f"{name}.toml").read_text("utf-8")
    return tomllib.loads(text)
