"""A trained model with all that it came from: it evaluates itself, and writes itself down as a bundle."""

import copy
import dataclasses
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import TypeAdapter

from shortlist.baselines import popularity
from shortlist.bundle import WEIGHTS, Bundle, refuse_existing, save_bundle
from shortlist.data import Dataset, DataSource, Split
from shortlist.data.matching import comparable_columns
from shortlist.errors import DataError, DivergedError
from shortlist.evaluation import Assessment, Beside, Targets, VectorScores, assess, evaluate_baselines
from shortlist.experiment.vectors import events_of, item_vectors, query_encoder, shared_vectors
from shortlist.features import FittedSince
from shortlist.models import TwoTower, export_towers
from shortlist.settings import AnyLoss, AnyOptimizer, Protocol, Training
from shortlist.settings.experiment import (
    EvaluationSettings,
    FeatureSettings,
    LossSettings,
    ModelSettings,
    OptimizerSettings,
    SplitSettings,
    TrainingSettings,
)
from shortlist.training import History, Tables

__all__ = ["FitOn", "Run"]

# Which rows taught the features: "unknown" where the caller fitted them by hand.
FitOn = Literal["train", "all", "unknown"]


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained model with all that it came from.

    `history` is the training's, or where the model was then refitted the one that chose the epoch; `split` is what the
    model learnt from, and `chosen_on` the split that a refitted model was chosen on.
    """

    model: TwoTower
    split: Split
    tables: Tables
    loss: AnyLoss
    optimizer: AnyOptimizer
    training: Training
    protocol: Protocol
    history: History
    fit_on: FitOn = "unknown"
    chosen_on: Split | None = None
    refit_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        """What the training took with its validations, a refit included."""
        return self.history.seconds + self.refit_seconds

    def evaluate(
        self, data: Dataset | None = None, protocol: Protocol | None = None, *, beside: Beside | None = None
    ) -> Assessment:
        """The model beside the baselines on `data`, the test events unless said otherwise.

        `beside` are the baselines where another run on the same split has ranked them already.

        Seen items are the training events' and, for the test, the validation events' too. Raises
        `CollapsedError` where ties decide the result, `DivergedError` for NaN or infinity in a vector, and
        `DataError` for events that do not belong to the run's split, and after a refit for those that it trained on.
        """
        data = self.split.test if data is None else data
        train = self.split.train
        own = (data.items is train.items or data.items.equals(train.items)) and (
            data.users is train.users or data.users.equals(train.users)
        )
        if not own:
            raise DataError(
                "The events to evaluate have other items or users than the run's split, so their rows mean others; "
                "give a part of run.split, or run.split.test.take(rows)."
            )
        if self.chosen_on is not None and data.events.shares_rows_with(train.events):
            raise DataError(
                "The refit trained on some of these events, so that they measure nothing; ask for run.split.test. What "
                "the validation events came to before the refit is in run.history."
            )
        targets = Targets.of(data, one_query=not self.model.features.event)
        return assess(
            VectorScores(
                query_encoder(self.model, events_of(self.split, data, self.tables), targets.event_rows),
                item_vectors(self.model, self.tables),
            ),
            data=data,
            split=self.split,
            targets=targets,
            seen=self.split.seen_before(data),
            protocol=protocol or self.protocol,
            beside=beside,
        )

    @property
    def watched(self) -> Dataset | None:
        """The events that the training's validations ranked."""
        split = self.chosen_on or self.split
        return {"validation": split.validation, "test": split.test}.get(self.training.watch)

    def curve_baselines(self, assessment: Assessment) -> dict[str, float]:
        """What the baselines have in the decisive metric on the watched events; `assessment` is the test's."""
        if self.watched is None:
            return {}
        if self.watched is self.split.test and assessment.model.protocol == self.protocol:
            measured = assessment.baselines
        else:
            targets = Targets.of(self.watched, one_query=not self.model.features.event)
            split = self.chosen_on or self.split
            settings, seen = assessment.beside.settings, split.seen_before(self.watched)
            measured = evaluate_baselines(split, targets, self.protocol, seen, settings).baselines
        metric = self.protocol.decisive((self.chosen_on or self.split).train.num_items)
        return {name: baseline.value(metric) for name, baseline in measured.items()}

    @property
    def notes(self) -> list[str]:
        """What the reader of this run's results should know, in sentences."""
        of_features = {
            "all": "The features were fitted on all events, test events too: their vocabularies and statistics leak.",
            "unknown": "The features were fitted by hand, and whether on training events alone is not known here.",
        }
        notes = [*self.split.notes, *([of_features[self.fit_on]] if self.fit_on in of_features else [])]
        if self.chosen_on is not None:
            notes.append(
                "Validation events chose the epoch; the model was then trained anew up to it, on training and "
                "validation events together."
            )
        return notes

    def item_vectors(self) -> npt.NDArray[np.float32]:
        """The vectors of the whole catalogue [N, D]."""
        vectors: npt.NDArray[np.float32] = item_vectors(self.model, self.tables).cpu().numpy()
        return vectors

    def save(self, path: str | Path, assessment: Assessment | None = None, *, with_history: bool = True) -> Path:
        """Write a bundle, a new folder that the core install can answer from; the path comes back.

        Without `with_history` it does not hold what each user had touched and when each was last active, which is
        personal data; it can leave out no seen items then, and to a model that reads histories its users are strangers
        until a query brings one.

        Raises `BundleError` where something stands there already, and `DivergedError` for a model whose item vectors
        hold NaN or infinity.
        """
        refuse_existing(Path(path))  # before the export, which takes seconds
        if not np.isfinite(self.item_vectors()).all():
            raise DivergedError(
                "Item vectors hold NaN or infinity, so the bundle could answer nothing; lower the learning rate and "
                "train anew."
            )
        bundle = _bundle(self, assessment)
        if not with_history:
            users = bundle.users.drop(_last_columns(self))
            bundle = dataclasses.replace(bundle, seen=None, histories=None, users=users)
        return save_bundle(bundle, Path(path))


def _bundle(run: Run, assessment: Assessment | None) -> Bundle:
    split, features = run.split, run.model.features
    model = run.model if run.tables.device.type == "cpu" else copy.deepcopy(run.model).cpu()
    shared = shared_vectors(run.model, run.tables)
    towers = export_towers(model, WEIGHTS, shared=None if shared is None else shared.cpu())
    return Bundle(
        experiment=_experiment(run),
        data=_describe(run),
        features=features,
        query_tower=towers.query,
        item_tower=towers.item,
        weights=towers.weights,
        items=pl.DataFrame(
            {
                "id": split.train.items[split.train.roles.item_id],
                "label": split.train.labels(),
                "popularity": popularity(split.train),
                "retired": np.zeros(split.train.num_items, np.bool_),
            }
        ),
        item_columns=comparable_columns(split.train.items),
        users=_users(run),
        user_events=np.bincount(split.train.user_rows, minlength=split.train.num_users).astype(np.int64),
        item_vectors=run.item_vectors(),
        seen=split.seen,
        histories=split.histories if features.history else None,
        history=[dataclasses.asdict(epoch) for epoch in run.history.epochs],
        evaluation=None if assessment is None else assessment.to_json(),
    )


def _users(run: Run) -> pl.DataFrame:
    """The id of every user, every column of users that a query feature reads, and when each was last active where a
    feature counts from that.
    """
    users, features = run.split.train.users, run.model.features
    read = [column for feature in features.user + features.event for column in feature.columns]
    columns = [run.split.train.roles.query_id, *(column for column in read if column in users.columns)]
    last = [run.split.last_times.alias(column) for column in _last_columns(run)]
    return users.select(list(dict.fromkeys(columns))).with_columns(last)


def _last_columns(run: Run) -> list[str]:
    """The columns that say when each user was last active; there is one, or none."""
    since = [feature for feature in run.model.features.event if isinstance(feature, FittedSince)]
    return [feature.columns[0] for feature in since if feature.of_last_event]


def _experiment(run: Run) -> dict[str, Any]:
    """The settings as an experiment file would hold them; `data.source` is None for data that came from Python."""
    features = run.model.features
    sections = {
        "split": SplitSettings.of(run.split.choice),
        "features": FeatureSettings.of(features),
        "model": ModelSettings(two_tower=run.model.settings),
        "training": TrainingSettings(
            loss=LossSettings.of(run.loss),
            optimizer=OptimizerSettings.of(run.optimizer),
            schedule=run.training,
        ),
        "evaluation": EvaluationSettings(protocol=run.protocol),
    }
    tables = {name: section.model_dump(mode="json", exclude_none=True) for name, section in sections.items()}
    tables["features"]["fit_on"] = run.fit_on
    source = run.split.train.source
    data = {"source": source}
    if isinstance(source, DataSource):
        data = TypeAdapter(DataSource).dump_python(source, mode="json", exclude_none=True)
    return {"data": data, **tables}


def _describe(run: Run) -> dict[str, Any]:
    train = run.split.train
    return {
        "fingerprint": run.split.fingerprint,
        "validation_joined": run.split.is_joined,
        "refit_seconds": run.refit_seconds,
        "roles": dataclasses.asdict(train.roles),
        "train_events": train.num_events,
        "users": train.num_users,
        "items": train.num_items,
        "notes": run.notes,
    }
