"""shortlist: deep two-tower retrieval, from tables of events to a served shortlist.

Names load on first use: nothing heavy is imported before it is needed, and torch not before something trains.
"""

import importlib
from typing import TYPE_CHECKING, Any

from shortlist.errors import require_extra

if TYPE_CHECKING:
    from shortlist import doctor, errors, settings, tracking
    from shortlist.bundle import load_bundle, save_bundle
    from shortlist.comparison import compare, decisive_metric
    from shortlist.data import (
        Dataset,
        DataSource,
        Query,
        Split,
        datasets,
        describe,
        read_table,
        split_as_given,
        split_by_time,
        split_cold_items,
        split_held_out_users,
        split_leave_last_out,
        split_random,
        synthetic,
    )
    from shortlist.experiment import Run, run_experiment, train
    from shortlist.features import (
        Bucketize,
        Categories,
        Cross,
        Features,
        Hash,
        History,
        Hour,
        Lookup,
        Normalize,
        SentenceEncoder,
        Since,
        Text,
        Vectors,
        Weekday,
        fit_features,
    )
    from shortlist.models import TwoTower
    from shortlist.recommender import (
        Recommender,
        Rules,
        bundle_health,
        evaluate_bundle,
        recommend_file,
        retire_items,
        with_exact_index,
        with_tuned_index,
    )
    from shortlist.settings import (
        Adagrad,
        AdamW,
        Bpr,
        Checkpointing,
        CosineContrastive,
        Experiment,
        FullSoftmax,
        InBatchSoftmax,
        LazyAdam,
        PairwiseHinge,
        Protocol,
        RowwiseAdagrad,
        Space,
        Training,
        default_space,
        load_experiment,
        load_preset,
        load_space,
        propose,
    )
    from shortlist.tuning import Tuned, tune

__all__ = [
    "Adagrad",
    "AdamW",
    "Bpr",
    "Bucketize",
    "Categories",
    "Checkpointing",
    "CosineContrastive",
    "Cross",
    "DataSource",
    "Dataset",
    "Experiment",
    "Features",
    "FullSoftmax",
    "Hash",
    "History",
    "Hour",
    "InBatchSoftmax",
    "LazyAdam",
    "Lookup",
    "Normalize",
    "PairwiseHinge",
    "Protocol",
    "Query",
    "Recommender",
    "RowwiseAdagrad",
    "Rules",
    "Run",
    "SentenceEncoder",
    "Since",
    "Space",
    "Split",
    "Text",
    "Training",
    "Tuned",
    "TwoTower",
    "Vectors",
    "Weekday",
    "bundle_health",
    "compare",
    "datasets",
    "decisive_metric",
    "default_space",
    "describe",
    "doctor",
    "errors",
    "evaluate_bundle",
    "fit_features",
    "load_bundle",
    "load_experiment",
    "load_preset",
    "load_space",
    "propose",
    "read_table",
    "recommend_file",
    "retire_items",
    "run_experiment",
    "save_bundle",
    "settings",
    "split_as_given",
    "split_by_time",
    "split_cold_items",
    "split_held_out_users",
    "split_leave_last_out",
    "split_random",
    "synthetic",
    "tracking",
    "train",
    "tune",
    "with_exact_index",
    "with_tuned_index",
]

_HOMES = {
    "bundle": ["load_bundle", "save_bundle"],
    "comparison": ["compare", "decisive_metric"],
    "data": [
        "DataSource",
        "Dataset",
        "Query",
        "Split",
        "datasets",
        "describe",
        "read_table",
        "split_as_given",
        "split_by_time",
        "split_cold_items",
        "split_held_out_users",
        "split_leave_last_out",
        "split_random",
        "synthetic",
    ],
    "experiment": ["Run", "run_experiment", "train"],
    "features": [
        "Bucketize",
        "Categories",
        "Cross",
        "Features",
        "Hash",
        "History",
        "Hour",
        "Lookup",
        "Normalize",
        "SentenceEncoder",
        "Since",
        "Text",
        "Vectors",
        "Weekday",
        "fit_features",
    ],
    "models": ["TwoTower"],
    "recommender": [
        "Recommender",
        "Rules",
        "bundle_health",
        "evaluate_bundle",
        "recommend_file",
        "retire_items",
        "with_exact_index",
        "with_tuned_index",
    ],
    "settings": [
        "Adagrad",
        "AdamW",
        "Bpr",
        "Checkpointing",
        "CosineContrastive",
        "Experiment",
        "FullSoftmax",
        "InBatchSoftmax",
        "LazyAdam",
        "PairwiseHinge",
        "Protocol",
        "RowwiseAdagrad",
        "Space",
        "Training",
        "default_space",
        "load_experiment",
        "load_preset",
        "load_space",
        "propose",
    ],
    "tuning": ["Tuned", "tune"],
}
_HOME_OF = {name: f"shortlist.{room}" for room, names in _HOMES.items() for name in names}
# Rooms that need more than the core install, and the extra that brings it.
_EXTRAS = {
    f"shortlist.{room}": ("train", ["torch", "onnx", "onnxscript", "scipy"])
    for room in ("models", "experiment", "comparison", "tuning")
}


def __getattr__(name: str) -> Any:
    if name in ("doctor", "settings", "tracking"):
        return importlib.import_module(f"shortlist.{name}")
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'shortlist' has no attribute {name!r}")
    if home in _EXTRAS:
        require_extra(*_EXTRAS[home])
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
