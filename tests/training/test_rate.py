from typing import Any

import pytest
import torch

import shortlist as sl
from shortlist.errors import SettingsError
from shortlist.training.optimizers import KerasAdagrad
from shortlist.training.rate import LearningRate


def rates(num_steps: int, **fields: Any) -> list[float]:
    optimizer = KerasAdagrad([torch.zeros(1)], 0.5, 0.1, 1e-7)
    rate = LearningRate(optimizer, sl.Training(**fields), num_steps)
    found = []
    for step in range(num_steps):
        rate.set(step)
        found.append(optimizer.param_groups[0]["lr"])
    return found


def test_the_rate_stays_unless_told_otherwise() -> None:
    assert rates(3) == [0.5] * 3


def test_a_linear_decay_falls_evenly_to_nothing() -> None:
    assert rates(4, decay="linear") == [0.5, 0.375, 0.25, 0.125]


def test_a_cosine_is_half_way_down_at_half_time() -> None:
    found = rates(4, decay="cosine")
    assert found == pytest.approx([0.5, 0.5 * (2 + 2**0.5) / 4, 0.25, 0.5 * (2 - 2**0.5) / 4])


def test_the_warm_up_grows_evenly_to_the_full_rate_and_the_decay_follows() -> None:
    assert rates(8, decay="linear", warmup=0.5) == [0.125, 0.25, 0.375, 0.5, 0.5, 0.375, 0.25, 0.125]
    assert rates(4, warmup=0.5) == [0.25, 0.5, 0.5, 0.5]


def test_a_warm_up_of_less_than_a_step_changes_nothing() -> None:
    assert rates(3, warmup=0.1) == [0.5] * 3


def test_a_rate_that_a_captured_step_reads_is_changed_in_place() -> None:
    optimizer = KerasAdagrad([torch.zeros(1)], 0.5, 0.1, 1e-7)
    optimizer.param_groups[0]["lr"] = kept = torch.tensor(0.5)
    LearningRate(optimizer, sl.Training(decay="linear"), 4).set(2)
    assert kept.item() == 0.25


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"warmup should be less than 1, but it is 1\.0"):
        sl.Training(warmup=1.0)
    with pytest.raises(SettingsError, match="decay should be 'none', 'linear' or 'cosine', but it is 'step'"):
        sl.Training(decay="step")  # type: ignore[arg-type]
