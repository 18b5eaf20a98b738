"""The experiment: everything a user decides, checked before anything runs; and the presets."""

from shortlist.settings.evaluation import Protocol, parse_metric
from shortlist.settings.experiment import RECIPE, Experiment, load_experiment, load_preset, merge, preset_names
from shortlist.settings.model import TwoTowerSettings
from shortlist.settings.proposal import Proposal, propose
from shortlist.settings.ranges import Choices, Range
from shortlist.settings.space import Space, default_space, load_space
from shortlist.settings.training import (
    Adagrad,
    AdamW,
    AnyLoss,
    AnyOptimizer,
    Bpr,
    Checkpointing,
    CosineContrastive,
    FullSoftmax,
    InBatchSoftmax,
    LazyAdam,
    PairwiseHinge,
    RowwiseAdagrad,
    SampledNegatives,
    Training,
    refuse_other_scores,
)

__all__ = [
    "RECIPE",
    "Adagrad",
    "AdamW",
    "AnyLoss",
    "AnyOptimizer",
    "Bpr",
    "Checkpointing",
    "Choices",
    "CosineContrastive",
    "Experiment",
    "FullSoftmax",
    "InBatchSoftmax",
    "LazyAdam",
    "PairwiseHinge",
    "Proposal",
    "Protocol",
    "Range",
    "RowwiseAdagrad",
    "SampledNegatives",
    "Space",
    "Training",
    "TwoTowerSettings",
    "default_space",
    "load_experiment",
    "load_preset",
    "load_space",
    "merge",
    "parse_metric",
    "preset_names",
    "propose",
    "refuse_other_scores",
]
