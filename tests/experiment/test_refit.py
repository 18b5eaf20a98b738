"""Training anew on validation events too, once they have chosen the epoch."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

import shortlist as sl
from shortlist.errors import CheckpointError, DataError, SettingsError
from shortlist.experiment.vectors import events_of
from shortlist.features import AnyFeature
from shortlist.losses import full_softmax
from shortlist.models import Bag
from shortlist.training import Tables, fit, make_optimizer

SCHEDULE = sl.Training(epochs=6, batch_size=32, patience=6, decay="cosine", seed=1, device="cpu")


def world() -> sl.Dataset:
    sizes = {"num_groups": 3, "users_per_group": 12, "items_per_group": 10, "train_events": 5, "test_events": 2}
    return sl.synthetic.TasteWorld(**sizes).data()


def train(split: sl.Split, training: sl.Training, **options: object) -> sl.Run:
    features = sl.fit_features(
        [sl.Lookup("user_id", width=4), sl.History("item_id", width=4)], [sl.Lookup("item_id", width=4)], on=split.train
    )
    return sl.train(
        sl.TwoTower(features, layers=[6, 4]), split, loss=sl.FullSoftmax(), optimizer=sl.AdamW(0.03),
        training=training, protocol=sl.Protocol(ks=(1, 5)), progress=False, **options,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.fixture(scope="module")
def split() -> sl.Split:
    return sl.split_random(world(), test=0.2, validation=0.1, seed=3)


@pytest.fixture(scope="module")
def refitted(split: sl.Split) -> sl.Run:
    return train(split, dataclasses.replace(SCHEDULE, refit=True))


def test_the_epoch_is_chosen_as_without_a_refit(split: sl.Split, refitted: sl.Run) -> None:
    plain = train(split, SCHEDULE)
    assert refitted.history.best_epoch == plain.history.best_epoch
    assert [epoch.loss for epoch in refitted.history.epochs] == [epoch.loss for epoch in plain.history.epochs]


def test_the_weights_are_those_of_a_training_on_both_parts_up_to_that_epoch(split: sl.Split, refitted: sl.Run) -> None:
    joined = split.joined()
    assert split.validation is not None
    assert joined.train.num_events == split.train.num_events + split.validation.num_events
    assert refitted.history.best_epoch < SCHEDULE.epochs  # else it could not be told from a whole training
    query: list[AnyFeature] = [sl.Lookup("user_id", width=4), sl.History("item_id", width=4)]
    features = sl.fit_features(query, [sl.Lookup("item_id", width=4)], on=joined.train)
    model = sl.TwoTower(features, layers=[6, 4])
    model.initialize(SCHEDULE.seed)
    fit(
        model,
        events_of(joined, joined.train, Tables(features, joined.train), sl.FullSoftmax()),
        loss=full_softmax,
        optimizer=make_optimizer(sl.AdamW(0.03), model),
        training=dataclasses.replace(SCHEDULE, watch="nothing", patience=None),
        stop_after=refitted.history.best_epoch,
    )
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, refitted.model.state_dict()[name])


def test_the_notes_say_so(refitted: sl.Run) -> None:
    assert refitted.notes[-1].startswith("Validation events chose the epoch; the model was then trained anew up to it")


def test_the_test_is_the_same_and_validation_events_count_as_seen(split: sl.Split, refitted: sl.Run) -> None:
    assert refitted.split.test.events.frame().equals(split.test.events.frame())
    assert refitted.split.validation is None
    before = split.seen_before(split.test)
    assert np.array_equal(refitted.split.seen_before(refitted.split.test).item_rows, before.item_rows)
    assert refitted.watched is split.validation


def test_the_bundle_evaluates_as_the_run_does(refitted: sl.Run, tmp_path: Path) -> None:
    bundle = sl.load_bundle(refitted.save(tmp_path / "bundle"))
    saved, ours = sl.evaluate_bundle(bundle, data=world()), refitted.evaluate()
    assert saved.model.metrics == pytest.approx(ours.model.metrics, abs=1e-6)


def test_a_training_on_a_joined_split_gives_a_bundle_that_evaluates_too(split: sl.Split, tmp_path: Path) -> None:
    run = train(split.joined(), dataclasses.replace(SCHEDULE, watch="nothing", patience=None))
    saved = sl.evaluate_bundle(sl.load_bundle(run.save(tmp_path / "bundle")), data=world())
    assert saved.model.metrics == pytest.approx(run.evaluate().model.metrics, abs=1e-6)


def test_both_trainings_resume_from_checkpoints_of_their_own(split: sl.Split, refitted: sl.Run, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    training = dataclasses.replace(SCHEDULE, refit=True)
    train(split, training, checkpointing=sl.Checkpointing(path))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["checkpoint", "checkpoint-refit"]
    again = train(split, training, checkpointing=sl.Checkpointing(path, resume=True))
    for name, tensor in refitted.model.state_dict().items():
        assert torch.equal(tensor, again.model.state_dict()[name])


def test_a_split_made_by_hand_is_refused_before_anything_trains(split: sl.Split) -> None:
    by_hand = sl.Split(split.train, split.validation, split.test, split.choice)
    with pytest.raises(SettingsError, match="a split made by hand cannot"):
        train(by_hand, dataclasses.replace(SCHEDULE, refit=True))


def test_rows_of_events_that_were_trained_on_do_not_see_themselves(split: sl.Split, refitted: sl.Run) -> None:
    for part in (refitted.split.train.take(np.arange(20)), split.validation):
        assert part is not None
        inputs = events_of(refitted.split, part, refitted.tables).query_inputs(torch.arange(20))["history_item_id"]
        assert isinstance(inputs, Bag)
        rows = refitted.model.features.history[0].rows_of(refitted.split.train.items["item_id"])
        own = torch.from_numpy(rows[part.item_rows[:20]])
        assert not bool((inputs.rows == own.index_select(0, inputs.owner)).any())


def test_a_refit_wants_something_to_choose_by() -> None:
    with pytest.raises(SettingsError, match="refit trains anew up to the epoch that the validation events chose"):
        sl.Training(refit=True)


def test_without_validation_events_nothing_is_joined() -> None:
    with pytest.raises(DataError, match="This split has no validation events to join to the training"):
        sl.split_random(world(), test=0.2).joined()


def test_held_out_users_of_the_validation_train_whole() -> None:
    split = sl.split_held_out_users(world(), test=0.2, validation=0.2, seed=1)
    joined = split.joined()
    assert split.validation is not None
    assert split.known is not None
    assert joined.known is not None
    asked = set(split.test.user_rows.tolist())
    assert set(joined.known.user_rows.tolist()) == asked
    assert set(joined.train.user_rows.tolist()) == set(range(36)) - asked
    whole = joined.train.num_events + joined.known.num_events + joined.test.num_events
    assert whole == world().num_events


def test_items_that_only_the_validation_knows_join_the_catalogue() -> None:
    clicks = {"user": [1, 1, 2, 2, 3], "item": [1, 2, 1, 3, 1], "at": [1, 1, 2, 3, 4]}
    split = sl.split_by_time(sl.Dataset(clicks, query_id="user", item_id="item", time="at"), test=0.2, validation=0.2)
    assert (split.train.num_items, split.joined().train.num_items) == (2, 3)


def test_some_rows_of_the_validation_part_see_what_that_part_sees(split: sl.Split) -> None:
    part = split.validation
    assert part is not None
    some = part.take(np.arange(5))
    assert [before is split.train for before in split.parts_before(some)] == [True]
    assert np.array_equal(split.seen_before(some).item_rows, split.seen_before(part).item_rows)
    assert np.array_equal(split.histories_before(some).item_rows, split.histories_before(part).item_rows)


def test_events_that_the_refit_trained_on_are_not_evaluated(split: sl.Split, refitted: sl.Run) -> None:
    assert split.validation is not None
    with pytest.raises(DataError, match=r"The refit trained on some of these events.*ask for run\.split\.test"):
        refitted.evaluate(split.validation)
    assert train(split, SCHEDULE).evaluate(split.validation).model.targets


def test_a_checkpoint_of_another_protocol_is_refused(split: sl.Split, tmp_path: Path) -> None:
    training, file = dataclasses.replace(SCHEDULE, epochs=1, patience=1), tmp_path / "checkpoint"
    checkpointing = sl.Checkpointing(file, every_steps=1, resume=True)
    features = sl.fit_features([sl.Lookup("user_id", width=4)], [sl.Lookup("item_id", width=4)], on=split.train)
    model = sl.TwoTower(features, layers=[4])
    first, other = (sl.Protocol(ks=(1, 5), seen=seen) for seen in ("excluded", "included"))
    sl.train(model, split, training=training, protocol=first, checkpointing=checkpointing, progress=False)
    with pytest.raises(CheckpointError, match="belongs to a training with other settings"):
        sl.train(model, split, training=training, protocol=other, checkpointing=checkpointing, progress=False)
