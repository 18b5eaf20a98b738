"""A small world to search in, and a space in which the answer is known: a rate too low to learn loses."""

from typing import Any

import polars as pl

import shortlist as sl

WORLD = sl.synthetic.TasteWorld(num_groups=3, users_per_group=10, items_per_group=8, train_events=5, test_events=1)
METRIC = "top_1_accuracy/full/seen_excluded/ties_expected"
NOTHING, GOOD = 1e-6, 0.3


def base(**changes: Any) -> sl.Experiment:
    tables = {
        "data": {"source": "taste"},
        "split": {"leave_last_out": {"validation": True}},
        "features": {"query": [{"lookup": "user_id", "width": 8}], "item": [{"lookup": "item_id", "width": 8}]},
        "model": {"two_tower": {"layers": [8]}},
        "training": {
            "loss": {"in_batch_softmax": {"reduction": "sum"}},
            "optimizer": {"adagrad": {"learning_rate": GOOD}},
            "schedule": {"epochs": 4, "batch_size": 32, "patience": 4, "refit": True, "metric": "top_1_accuracy"},
        },
        "evaluation": {"protocol": {"ks": [1, 5], "baselines": ["popularity"]}},
    }
    return sl.Experiment.read(tables, "the test").override(changes)


def space(**sections: Any) -> sl.Space:
    """Two depths and a rate, and whatever else is named."""
    tables = {
        "model": {"two_tower": {"layers": {"choices": [[8], [16, 8]]}}},
        "training": {"optimizer": {"adagrad": {"learning_rate": {"low": 0.03, "high": 1.0, "log": True}}}},
    }
    return sl.Space.read(sl.settings.merge(tables, sections), "space.toml")


def rates(*choices: float) -> sl.Space:
    """Nothing but these rates."""
    tables = {"training": {"optimizer": {"adagrad": {"learning_rate": {"choices": list(choices)}}}}}
    return sl.Space.read(tables, "space.toml")


def timeless(trials: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows without what no two runs share."""
    return trials.drop("seconds").to_dicts()
