from typing import Any

import pytest

import shortlist as sl
from shortlist.data import LeaveLastOut, TimeSplit

WORLD = sl.synthetic.TasteWorld(num_groups=2, users_per_group=10, items_per_group=8, train_events=4, test_events=2)


def experiment(**changes: Any) -> sl.Experiment:
    """Every section says something else than its default."""
    chosen = sl.Experiment.read(
        {
            "data": {"source": "movielens-100k"},
            "split": {"time": {"test": 1 / 3}},
            "features": {
                "query": [{"lookup": "user_id", "width": 4}, {"normalize": "time"}],
                "item": [{"lookup": "item_id", "width": 4}],
            },
            "model": {"two_tower": {"layers": [6, 3], "item_bias": True}},
            "training": {
                "loss": {"in_batch_softmax": {"log_q": True, "temperature": 0.5}},
                "optimizer": {"adamw": {"learning_rate": 0.01}},
                "schedule": {"epochs": 2, "batch_size": 16, "watch": "test", "seed": 3},
            },
            "evaluation": {"protocol": {"ks": [1, 4], "ties": "pessimistic"}},
        },
        "the test",
    )
    return chosen.override(changes)


def test_a_run_is_what_the_experiment_says() -> None:
    chosen, heard = experiment(), list[int]()
    run = sl.run_experiment(
        chosen, data=WORLD.data(), progress=False, on_epoch=lambda epoch: heard.append(epoch.number)
    )
    assert heard == [1, 2]
    assert run.split.choice == TimeSplit(test=1 / 3)
    assert repr(run.split) == "Split(train=80, test=40)"  # 20 users with 4 and 2 events
    assert [feature.name for feature in run.model.features.query] == ["lookup_user_id", "normalize_time"]
    assert [feature.name for feature in run.model.features.item] == ["lookup_item_id"]
    assert run.model.settings == chosen.model.chosen
    assert run.loss == sl.InBatchSoftmax(log_q=True, temperature=0.5)
    assert run.optimizer == sl.AdamW(learning_rate=0.01)
    assert run.training == sl.Training(epochs=2, batch_size=16, watch="test", seed=3)
    assert run.protocol == sl.Protocol(ks=(1, 4), ties="pessimistic")
    assert run.item_vectors().shape == (16, 4)  # width 3, and the item bias
    assert run.evaluate().metrics.items() >= run.history.epochs[-1].metrics.items()


def test_another_split_is_cut_as_it_says() -> None:
    schedule = {"epochs": 1, "watch": "validation"}
    run = sl.run_experiment(
        experiment(split={"leave_last_out": {"validation": True}}, training={"schedule": schedule}),
        data=WORLD.data(),
        progress=False,
    )
    assert run.split.choice == LeaveLastOut(validation=True)
    assert repr(run.split) == "Split(train=80, validation=20, test=20)"


@pytest.mark.parametrize(
    ("fit_on", "mean", "notes"),
    [
        # Each user's events are at times 0 to 5, the training's at 0 to 3.
        ("train", 1.5, []),
        (
            "all",
            2.5,
            ["The features were fitted on all events, test events too: their vocabularies and statistics leak."],
        ),
    ],
)
def test_features_learn_from_the_rows_that_fit_on_names(fit_on: str, mean: float, notes: list[str]) -> None:
    run = sl.run_experiment(experiment(features={"fit_on": fit_on}), data=WORLD.data(), progress=False)
    (normalize,) = run.model.features.event
    assert normalize.state()["mean"] == mean
    assert run.fit_on == fit_on
    assert run.notes == notes


def test_notes_of_the_split_come_first() -> None:
    # User 9 has one event.
    data = sl.Dataset(
        {"user_id": [1, 1, 2, 2, 9], "item_id": [7, 8, 8, 7, 7], "time": [1, 2, 1, 2, 1]},
        query_id="user_id",
        item_id="item_id",
        time="time",
    )
    run = sl.run_experiment(
        experiment(split={"leave_last_out": {}}, features={"fit_on": "all"}), data=data, progress=False
    )
    assert run.notes == [
        "1 users have too few events to leave one out and stay in training whole.",
        "The features were fitted on all events, test events too: their vocabularies and statistics leak.",
    ]
