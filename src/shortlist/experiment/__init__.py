"""One experiment from settings to a trained, evaluated model that can be saved."""

from shortlist.experiment.experiment import run_experiment
from shortlist.experiment.run import Run
from shortlist.experiment.train import train

__all__ = ["Run", "run_experiment", "train"]
