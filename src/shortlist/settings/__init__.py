"""The experiment: everything a user decides, checked before anything runs; and the presets."""

from shortlist.settings.evaluation import Protocol
from shortlist.settings.experiment import Experiment, load_preset, merge, preset_names
from shortlist.settings.model import TwoTowerSettings
from shortlist.settings.training import Adagrad, AdamW, InBatchSoftmax, Training

__all__ = [
    "Adagrad",
    "AdamW",
    "Experiment",
    "InBatchSoftmax",
    "Protocol",
    "Training",
    "TwoTowerSettings",
    "load_preset",
    "merge",
    "preset_names",
]
