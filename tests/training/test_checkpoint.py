import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from subprocess import PIPE
from typing import Any

import numpy as np
import pytest
import torch

import shortlist as sl
from shortlist.data.splits import Split
from shortlist.errors import CheckpointError, SettingsError
from shortlist.training import Checkpoints, Epoch

TRAINING = sl.Training(epochs=4, batch_size=64, watch="validation", patience=3, seed=5)


class CutOff(Exception):  # noqa: N818 - it stands for a process that dies
    """Raised in the middle of a training."""


@pytest.fixture(scope="module")
def parts(shop_data: sl.Dataset) -> Split:
    return sl.split_random(shop_data, test=0.3, validation=0.2, seed=2)


def trained(parts: Split, optimizer: Any, *, stop_after: int | None = None, **settings: Any) -> sl.Run:
    """A run with dropout, early stopping and features of several kinds; it dies after some validated epochs."""
    query: list[Any] = [sl.Lookup("user_id", width=4), sl.Normalize("age")]
    features = sl.fit_features(query, [sl.Lookup("item_id", width=4), sl.Text("title", width=4)], on=parts.train)
    heard: list[Epoch] = []

    def hear(epoch: Epoch) -> None:
        heard.append(epoch)
        if len(heard) == stop_after:
            raise CutOff

    model = sl.TwoTower(features, layers=[8, 4], dropout=0.3, item_bias=True)
    return sl.train(model, parts, optimizer=optimizer, training=TRAINING, progress=False, on_epoch=hear, **settings)


def weights(run: sl.Run) -> list[Any]:
    return [tensor.tolist() for tensor in run.model.state_dict().values()]


@pytest.mark.parametrize("optimizer", [sl.Adagrad(0.3), sl.AdamW(0.01)], ids=["adagrad", "adamw"])
@pytest.mark.parametrize("every", [1, 2, 5])
def test_a_training_that_was_cut_off_ends_with_the_very_same_weights(
    parts: Split, tmp_path: Path, optimizer: Any, every: int
) -> None:
    whole = trained(parts, optimizer)
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(CutOff):
        trained(parts, optimizer, stop_after=3, checkpointing=sl.Checkpointing(path, every_steps=every))
    heard: list[int] = []
    resumed = trained(parts, optimizer, checkpointing=sl.Checkpointing(path, every_steps=every, resume=True))
    heard.extend(epoch.number for epoch in resumed.history.epochs)
    assert weights(resumed) == weights(whole)
    assert heard == [epoch.number for epoch in whole.history.epochs]
    assert [e.loss for e in resumed.history.epochs] == [e.loss for e in whole.history.epochs]
    assert [e.metrics for e in resumed.history.epochs] == [e.metrics for e in whole.history.epochs]
    assert resumed.history.best_epoch == whole.history.best_epoch


@pytest.mark.parametrize("every", [1, 3])
def test_what_was_remembered_and_learnt_of_frequencies_is_taken_up_again(
    parts: Split, tmp_path: Path, every: int
) -> None:
    loss = sl.InBatchSoftmax(
        memory_batches=3, log_q="streaming", uniform_negatives=4, remove_known_positives=True, hard_negatives=10
    )
    whole = trained(parts, sl.AdamW(0.01), loss=loss)
    path = tmp_path / "c.safetensors"
    with pytest.raises(CutOff):
        trained(parts, sl.AdamW(0.01), stop_after=2, loss=loss, checkpointing=sl.Checkpointing(path, every_steps=every))
    resumed = trained(parts, sl.AdamW(0.01), loss=loss, checkpointing=sl.Checkpointing(path, resume=True))
    assert weights(resumed) == weights(whole)
    plain = [dataclasses.replace(e, seconds=0.0, validation_seconds=0.0) for e in resumed.history.epochs]
    assert plain == [dataclasses.replace(e, seconds=0.0, validation_seconds=0.0) for e in whole.history.epochs]
    assert plain[0].known_positives is not None
    forgetful = trained(parts, sl.AdamW(0.01), loss=dataclasses.replace(loss, memory_batches=0))
    assert weights(forgetful) != weights(whole)


def test_a_training_cut_off_between_its_last_step_and_the_validation_goes_on_with_the_validation(
    parts: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise CutOff

    path = tmp_path / "c.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["shortlist.experiment.train"], "evaluate", die)
        with pytest.raises(CutOff):
            trained(parts, sl.AdamW(0.01), checkpointing=sl.Checkpointing(path, every_steps=1))
    resumed = trained(parts, sl.AdamW(0.01), checkpointing=sl.Checkpointing(path, resume=True))
    assert weights(resumed) == weights(trained(parts, sl.AdamW(0.01)))
    assert resumed.history.epochs[0].metrics


def test_checkpoints_change_nothing_in_the_result(parts: Split, tmp_path: Path) -> None:
    with_checkpoints = trained(
        parts, sl.AdamW(0.01), checkpointing=sl.Checkpointing(tmp_path / "c.safetensors", every_steps=1)
    )
    assert weights(with_checkpoints) == weights(trained(parts, sl.AdamW(0.01)))


def test_without_resume_a_checkpoint_is_not_read(parts: Split, tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    with pytest.raises(CutOff):
        trained(parts, sl.AdamW(0.01), stop_after=2, checkpointing=sl.Checkpointing(path, every_steps=1))
    again = trained(parts, sl.AdamW(0.01), checkpointing=sl.Checkpointing(path, every_minutes=None))
    assert weights(again) == weights(trained(parts, sl.AdamW(0.01)))


def test_rates_of_an_epoch_that_was_cut_off_are_those_of_the_whole(
    parts: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is masked, so that only the first batch of an epoch is looked at: before the cut."""
    whole, path = trained(parts, sl.AdamW(0.01)), tmp_path / "c.safetensors"

    def stop(_: Checkpoints) -> None:
        raise CutOff

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "due", lambda _, step: step == 2)
        patch.setattr(Checkpoints, "stop_if_asked", stop)
        with pytest.raises(CutOff):
            trained(parts, sl.AdamW(0.01), checkpointing=sl.Checkpointing(path))
    resumed = trained(parts, sl.AdamW(0.01), checkpointing=sl.Checkpointing(path, resume=True))
    for one, other in zip(resumed.history.epochs, whole.history.epochs, strict=True):
        assert one.known_positives == other.known_positives is not None
        assert one.accidental_hits == other.accidental_hits


class TestRefused:
    @pytest.fixture
    def path(self, parts: Split, tmp_path: Path) -> Path:
        path = tmp_path / "c.safetensors"
        with pytest.raises(CutOff):
            trained(parts, sl.AdamW(0.01), stop_after=1, checkpointing=sl.Checkpointing(path, every_steps=1))
        return path

    def test_the_checkpoint_of_other_settings(self, parts: Split, path: Path) -> None:
        with pytest.raises(CheckpointError, match="belongs to a training with other settings or other data"):
            trained(parts, sl.AdamW(0.02), checkpointing=sl.Checkpointing(path, resume=True))

    def test_the_checkpoint_of_other_data(self, shop_data: sl.Dataset, path: Path) -> None:
        other = sl.split_random(shop_data, test=0.3, validation=0.2, seed=3)
        with pytest.raises(CheckpointError, match="belongs to a training with other settings or other data"):
            trained(other, sl.AdamW(0.01), checkpointing=sl.Checkpointing(path, resume=True))

    def test_a_damaged_checkpoint(self, parts: Split, path: Path) -> None:
        path.write_bytes(path.read_bytes()[:100])
        with pytest.raises(CheckpointError, match=r"is no checkpoint that can be read \(.*\)\. Train from the start\."):
            trained(parts, sl.AdamW(0.01), checkpointing=sl.Checkpointing(path, resume=True))

    def test_another_number_of_threads(self, parts: Split, path: Path) -> None:
        before = torch.get_num_threads()
        torch.set_num_threads(before + 1)
        try:
            with pytest.raises(CheckpointError, match=rf"Set OMP_NUM_THREADS={before} and resume again"):
                trained(parts, sl.AdamW(0.01), checkpointing=sl.Checkpointing(path, resume=True))
        finally:
            torch.set_num_threads(before)

    def test_steps_and_minutes_that_are_not_positive(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="every_steps should be greater than 0, but it is 0"):
            sl.Checkpointing(tmp_path / "c", every_steps=0)


# Trains in a process of its own for each line of stdin, with the libraries loaded once; prints the process, and how it
# ended.
PROGRAM = """
import os
import sys
import numpy as np
import torch
import shortlist as sl

def train(threads, checkpoint, vectors):
    torch.set_num_threads(threads)
    world = sl.synthetic.TasteWorld(num_groups=3, users_per_group=30, items_per_group=10, train_events=6, test_events=2)
    split = sl.split_random(world.data(), test=0.2, seed=1)
    features = sl.fit_features([sl.Lookup("user_id", width=8)], [sl.Lookup("item_id", width=8)], on=split.train)
    run = sl.train(
        sl.TwoTower(features, layers=[16, 8], dropout=0.2), split, optimizer=sl.AdamW(0.01),
        training=sl.Training(epochs=30, batch_size=32, validate_every=30, watch="test", seed=4), progress=False,
        checkpointing=sl.Checkpointing(checkpoint, every_steps=3, resume=True),
    )
    np.save(vectors, run.item_vectors())

sl.train, sl.TwoTower  # what is loaded on first use
for line in sys.stdin:
    process = os.fork()
    if process == 0:
        train(int(sys.argv[1]), *line.split())
        os._exit(0)
    print(process, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no processes")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_process_killed_at_random_moments_ends_as_one_never_disturbed(threads: int, tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "passive"}
    command = [sys.executable, "-c", PROGRAM, str(threads)]
    moments = np.random.default_rng(threads)
    checkpoint, kills = tmp_path / "cut.safetensors", 0

    def written() -> int:
        return checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0

    def alive(process: int) -> bool:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
        return True

    with subprocess.Popen(command, env=environment, stdin=PIPE, stdout=PIPE, text=True) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None

        def start(name: str) -> int:
            print(tmp_path / f"{name}.safetensors", tmp_path / f"{name}.npy", file=parent.stdin, flush=True)
            return int(parent.stdout.readline())  # type: ignore[union-attr]

        start("whole")
        assert int(parent.stdout.readline()) == 0
        while True:
            before = written()
            process = start("cut")
            if kills < int(os.environ.get("SHORTLIST_TEST_KILLS", "2")):
                # Until it has written a checkpoint of its own, so that each kill falls in training.
                while written() == before and alive(process):
                    time.sleep(0.002)
                time.sleep(float(moments.uniform(0, 0.15)))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
                kills += 1
            ended = int(parent.stdout.readline())
            assert ended in (0, -signal.SIGKILL)
            if ended == 0:
                break
        parent.stdin.close()
    assert np.array_equal(np.load(tmp_path / "cut.npy"), np.load(tmp_path / "whole.npy"))
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".whole")]


def test_the_epochs_of_a_checkpoint_are_plain_values(parts: Split, tmp_path: Path) -> None:
    run = trained(parts, sl.AdamW(0.01), checkpointing=sl.Checkpointing(tmp_path / "c.safetensors", every_steps=1))
    assert Epoch(**dataclasses.asdict(run.history.epochs[0])) == run.history.epochs[0]
