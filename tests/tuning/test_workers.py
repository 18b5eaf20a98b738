"""Several processes at one study, each reading the data from files."""

import time
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import FrozenTrial
from searched import WORLD, base, space

import shortlist as sl
from shortlist.errors import TuningError
from shortlist.tuning.progress import SearchBar
from shortlist.tuning.sampler import SampledByPlace
from shortlist.tuning.study import STUDY, begun, open_study

pytestmark = pytest.mark.slow  # each starts two processes that load torch
FOREVER = 100_000


@pytest.fixture
def experiment(tmp_path: Path) -> sl.Experiment:
    """The small world in files."""
    data = WORLD.data()
    data.interactions.write_parquet(tmp_path / "events.parquet")
    data.items.write_parquet(tmp_path / "items.parquet")
    source: dict[str, Any] = {name: str(tmp_path / f"{name}.parquet") for name in ("events", "items")}
    roles = {"query_id": "user_id", "item_id": "item_id", "time": "time"}
    tables = {"interactions": source["events"], "items": source["items"], "roles": roles}
    return sl.Experiment.read({**base().tables(), "data": tables}, "the test")


def test_workers_share_the_trials_of_one_search(experiment: sl.Experiment, tmp_path: Path) -> None:
    folder = tmp_path / "tuned"
    found = sl.tune(experiment, space(), trials=6, workers=2, folder=folder, progress=False)
    assert found.trials["trial"].to_list() == found.trials["seed"].to_list() == list(range(6))
    assert set(found.trials["state"]) <= {"finished", "pruned"}
    assert set(found.trials["threads"]) == {1}
    assert {path.name for path in folder.iterdir()} == {
        "study.journal", "trials.csv", "experiment.toml", "base.toml", "space.toml",
    }  # fmt: skip


def test_a_worker_that_fails_ends_the_search_with_its_words(experiment: sl.Experiment, tmp_path: Path) -> None:
    data = experiment.data.load()
    (tmp_path / "events.parquet").unlink()
    with pytest.raises(TuningError, match=r"A worker of the search ended early: .*events\.parquet.*worker-\d\.log has"):
        sl.tune(experiment, space(), trials=2, workers=2, folder=tmp_path / "tuned", data=data, progress=False)


def test_workers_end_with_the_search(
    experiment: sl.Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt_once_both_train(_: SearchBar, trials: list[FrozenTrial]) -> None:
        if len(trials) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(SearchBar, "show", interrupt_once_both_train)
    folder = tmp_path / "tuned"
    long = experiment.override({"training": {"schedule": {"epochs": FOREVER, "patience": None, "refit": False}}})
    with pytest.raises(KeyboardInterrupt):
        sl.tune(long, space(), trials=5, workers=2, folder=folder, progress=False)
    assert begun(open_study(folder, SampledByPlace(0), "none")) == []
    written = (folder / STUDY).read_bytes()
    time.sleep(1)
    assert (folder / STUDY).read_bytes() == written
