"""From an experiment's settings to a trained model."""

from collections.abc import Callable

from shortlist.data import Dataset
from shortlist.data.splits import split as cut
from shortlist.experiment.run import Run
from shortlist.experiment.train import train
from shortlist.features import fit_features
from shortlist.models import TwoTower
from shortlist.settings import Checkpointing, Experiment
from shortlist.training import Epoch

__all__ = ["run_experiment"]


def run_experiment(
    experiment: Experiment,
    *,
    data: Dataset | None = None,
    progress: bool = True,
    on_epoch: Callable[[Epoch], None] | None = None,
    checkpointing: Checkpointing | None = None,
) -> Run:
    """Read the data that the experiment names (or take `data`), split it, fit the features, and train."""
    data = experiment.data.load() if data is None else data
    split = cut(data, experiment.split.chosen)
    chosen = experiment.features
    features = fit_features(chosen.query, chosen.item, on=split.train if chosen.fit_on == "train" else data)
    training = experiment.training
    return train(
        TwoTower.of(features, experiment.model.chosen),
        split,
        loss=training.loss.chosen,
        optimizer=training.optimizer.chosen,
        training=training.schedule,
        protocol=experiment.evaluation.protocol,
        progress=progress,
        on_epoch=on_epoch,
        checkpointing=checkpointing,
        fit_on=chosen.fit_on,
    )
