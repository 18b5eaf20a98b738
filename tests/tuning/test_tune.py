"""A search on a small world: what it chooses by, what it leaves alone, and how it goes on."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import polars as pl
import pytest
import torch
from searched import GOOD, METRIC, NOTHING, WORLD, base, rates, space, timeless

import shortlist as sl
from shortlist.atomic import locked
from shortlist.errors import SettingsError, TuningError
from shortlist.training import Epoch
from shortlist.tuning.progress import SearchBar
from shortlist.tuning.sampler import SampledByPlace
from shortlist.tuning.study import STUDY, begun, open_study

DATA = WORLD.data()
FILES = {"study.journal", "trials.csv", "experiment.toml", "base.toml", "space.toml"}


def tune(searched: sl.Space, trials: int, experiment: sl.Experiment | None = None, **options: Any) -> sl.Tuned:
    return sl.tune(experiment or base(), searched, trials=trials, data=DATA, progress=False, **options)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("search") / "tuned"


@pytest.fixture(scope="module")
def tuned(folder: Path) -> sl.Tuned:
    return tune(space(), 6, folder=folder)


def validation(experiment: sl.Experiment) -> float:
    """What a run of the experiment comes to on validation events."""
    history = sl.run_experiment(experiment, data=DATA, progress=False).history
    return history.curve(METRIC)[history.best_epoch]


class TestWhatItFinds:
    def test_the_first_trial_is_the_experiment_as_it_is(self, tuned: sl.Tuned) -> None:
        first = tuned.trials.row(0, named=True)
        assert first["model.two_tower.layers"] == "[8]"
        assert first["training.optimizer.adagrad.learning_rate"] == GOOD
        assert first["value"] == validation(base())

    def test_the_best_experiment_comes_to_the_trials_value(self, tuned: sl.Tuned, folder: Path) -> None:
        assert tuned.metric == METRIC
        assert tuned.value == max(tuned.trials["value"])
        written = sl.load_experiment(folder / "experiment.toml")
        assert written == tuned.experiment
        assert written.training.schedule.refit
        assert validation(written) == tuned.value

    def test_the_best_experiment_has_the_trials_values_and_seed(self, tuned: sl.Tuned) -> None:
        best = tuned.best
        assert (best["value"], best["state"]) == (tuned.value, "finished")
        assert str(list(tuned.experiment.model.chosen.layers)) == best["model.two_tower.layers"]
        rate = tuned.experiment.training.optimizer.chosen.learning_rate
        assert rate == best["training.optimizer.adagrad.learning_rate"]
        assert tuned.experiment.training.schedule.seed == best["seed"] == best["trial"]

    def test_a_rate_that_learns_nothing_loses(self) -> None:
        found = tune(rates(NOTHING, GOOD), 6)
        assert set(found.trials["training.optimizer.adagrad.learning_rate"]) == {str(NOTHING), str(GOOD)}
        assert found.experiment.training.optimizer.chosen.learning_rate == GOOD

    def test_the_folder_holds_the_table_and_what_was_asked_for(self, tuned: sl.Tuned, folder: Path) -> None:
        assert {path.name for path in folder.iterdir()} == FILES
        table = pl.read_csv(folder / "trials.csv")
        assert table["value"].to_list() == tuned.trials["value"].to_list()
        assert sl.load_experiment(folder / "base.toml") == base()
        assert sl.load_space(folder / "space.toml").ranges == space().ranges

    def test_the_test_events_change_nothing(self) -> None:
        given = DATA.interactions.with_columns(
            part=pl.Series([("train", "validation", "test")[max(0, time - 3)] for time in DATA.interactions["time"]])
        )
        shuffled = pl.concat(
            [given.filter(part="train"), given.filter(part="validation"),
             given.filter(part="test").with_columns(pl.col("item_id").reverse())]
        )  # fmt: skip
        found = []
        for events in (given, shuffled):
            data = sl.Dataset(events, items=DATA.items, query_id="user_id", item_id="item_id", time="time")
            parts = base().override({"split": {"given": {"column": "part"}}})
            found.append(sl.tune(parts, space(), trials=3, data=data, progress=False))
        assert timeless(found[0].trials) == timeless(found[1].trials)

    def test_features_and_kinds_are_searched_too(self) -> None:
        searched = sl.Space.read(
            {
                "features": {"item": {"lookup_item_id": {"width": {"low": 4, "high": 8, "step": 4}}}},
                "training": {
                    "optimizer": {"adagrad": {}, "lazy_adam": {"learning_rate": {"low": 0.01, "high": 0.1}}},
                    "loss": {"in_batch_softmax": {}, "full_softmax": {}},
                },
            },
            "space.toml",
        )
        found = tune(searched, 8, pruning="none")
        assert set(found.trials["training.loss"]) == {"in_batch_softmax", "full_softmax"}
        assert set(found.trials["features.item.lookup_item_id.width"]) == {4, 8}
        rate = found.trials["training.optimizer.lazy_adam.learning_rate"]
        assert (rate.is_not_null() == (found.trials["training.optimizer"] == "lazy_adam")).all()
        assert validation(found.experiment) == found.value

    def test_plain_values_say_it_all(self, tuned: sl.Tuned) -> None:
        told = tuned.to_json()
        assert (told["value"], told["metric"], told["best"]) == (tuned.value, METRIC, tuned.best["trial"])
        assert told["experiment"] == tuned.experiment.tables()
        assert len(told["trials"]) == 6
        assert told["importance"] == {}


class TestGoingOn:
    def test_one_worker_comes_to_the_same_again(self, tuned: sl.Tuned) -> None:
        assert timeless(tune(space(), 6).trials) == timeless(tuned.trials)

    def test_more_trials_go_on_from_those_that_are_there(self, tuned: sl.Tuned, tmp_path: Path) -> None:
        for trials in (2, 6):
            found = tune(space(), trials, folder=tmp_path / "tuned")
        assert timeless(found.trials) == timeless(tuned.trials)

    def test_a_search_that_is_finished_trains_nothing_more(
        self, tuned: sl.Tuned, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("shortlist.tuning.trial.run_experiment", None)
        again = tune(space(), 6, folder=folder)
        assert again.trials.equals(tuned.trials)
        assert dataclasses.replace(again, trials=tuned.trials) == tuned

    @pytest.mark.parametrize(("at_trial", "at_epoch"), [(0, 1), (3, 2)])
    def test_a_search_that_was_cut_off_comes_to_what_it_would_have(
        self, tuned: sl.Tuned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_trial: int, at_epoch: int
    ) -> None:
        def interrupt(bar: SearchBar, place: int, epoch: Epoch, epochs: int) -> None:
            if (place, epoch.number) == (at_trial, at_epoch):
                raise KeyboardInterrupt

        cut = tmp_path / "cut"
        for _ in range(2):  # twice at the same place
            with monkeypatch.context() as patch:
                patch.setattr(SearchBar, "hear", interrupt)
                with pytest.raises(KeyboardInterrupt):
                    tune(space(), 6, folder=cut)
            assert pl.read_csv(cut / "trials.csv").height == at_trial
            assert (cut / "experiment.toml").exists() == (at_trial > 0)
        assert timeless(tune(space(), 6, folder=cut).trials) == timeless(tuned.trials)

    def test_what_a_kill_left_is_put_right(self, tuned: sl.Tuned, tmp_path: Path) -> None:
        killed = tmp_path / "killed"
        tune(space(), 3, folder=killed)
        open_study(killed, SampledByPlace(0), "median").ask()  # under way, and nobody at work
        with (killed / STUDY).open("ab") as journal:
            journal.write(b'{"op_code": 4, "half a li')
        (killed / f"{STUDY}.lock").touch()
        (killed / "worker-1.log").touch()
        assert timeless(tune(space(), 6, folder=killed).trials) == timeless(tuned.trials)
        assert {path.name for path in killed.iterdir()} == FILES

    @pytest.mark.parametrize(
        ("experiment", "searched", "data", "says"),
        [
            (base(model={"two_tower": {"init": "torch"}}), space(), DATA, "its experiment"),
            (base(), rates(0.1, 0.2), DATA, "its space"),
            (base(), space(), dataclasses.replace(WORLD, seed=1).data(), "its data"),
            (base(model={"two_tower": {"dropout": 0.5}}), rates(0.1, 0.2), DATA,
             "its experiment and its space"),
        ],
    )  # fmt: skip
    @pytest.mark.usefixtures("tuned")
    def test_another_search_is_refused_the_folder(
        self, folder: Path, experiment: sl.Experiment, searched: sl.Space, data: sl.Dataset, says: str
    ) -> None:
        with pytest.raises(
            SettingsError, match=f"holds a search that differs in {says}, so it cannot go on with this. Give"
        ):
            sl.tune(experiment, searched, trials=9, folder=folder, data=data, progress=False)


class TestTrialsThatEnd:
    def test_numbers_that_diverge_fail_a_trial_and_the_search_goes_on(self) -> None:
        found = tune(rates(1e30, GOOD), 6)
        failed = found.trials.filter(state="failed")
        assert 0 < failed.height < 6
        assert set(failed["training.optimizer.adagrad.learning_rate"]) == {"1e+30"}
        assert all("Lower the learning rate" in error for error in failed["error"])
        assert failed["value"].null_count() == failed.height
        assert found.experiment.training.optimizer.chosen.learning_rate == GOOD

    def test_where_all_fail_the_last_one_says_why(self, tmp_path: Path) -> None:
        with pytest.raises(TuningError, match=r"^No trial finished: 2 failed\. The last that failed said: The loss"):
            tune(rates(1e29, 1e30), 2, folder=tmp_path / "failed")
        assert pl.read_csv(tmp_path / "failed" / "trials.csv")["state"].to_list() == ["failed", "failed"]

    def test_values_that_cannot_be_together_fail_a_trial(self) -> None:
        searched = sl.Space.read(
            {
                "model": {"two_tower": {"normalize": {"choices": [True, False]}}},
                "training": {"loss": {"in_batch_softmax": {}, "cosine_contrastive": {}}},
            },
            "space.toml",
        )
        found = tune(searched, 8)
        failed = found.trials.filter(state="failed")
        assert failed.height > 0
        assert set(failed["training.loss"]) == {"cosine_contrastive"}
        assert set(failed["model.two_tower.normalize"]) == {"false"}
        assert all("the model needs normalize = true" in error for error in failed["error"])

    def test_a_feature_that_its_column_refuses_fails_a_trial(self) -> None:
        ages = pl.Series([None if row == 3 else float(row) for row in range(DATA.num_users)])
        data = sl.Dataset(
            DATA.interactions,
            items=DATA.items,
            users=DATA.users.with_columns(age=ages),
            query_id="user_id",
            item_id="item_id",
            time="time",
        )
        aged = base(features={"query": [{"lookup": "user_id"}, {"normalize": "age"}]})
        searched = {"features": {"query": {"normalize_age": {"missing": {"choices": ["mean", "error"]}}}}}
        found = sl.tune(aged, sl.Space.read(searched, "space.toml"), trials=5, data=data, progress=False)
        failed = found.trials.filter(state="failed")
        assert set(failed["features.query.normalize_age.missing"]) == {"error"}
        assert all("Column 'age' has 1 missing values, the first in row 3" in error for error in failed["error"])

    def test_the_median_prunes_what_promises_little(self) -> None:
        found = tune(rates(*[GOOD + 0.001 * n for n in range(5)], *[NOTHING * n for n in range(1, 6)]), 16)
        pruned = found.trials.filter(state="pruned")
        assert pruned.height > 0
        assert all(epoch < 4 for epoch in pruned["epoch"])
        assert pruned["trial"].min() >= 5  # type: ignore[operator]
        assert pruned["value"].null_count() == 0

    def test_halving_prunes_from_the_second_trial_on(self) -> None:
        assert "pruned" in set(tune(rates(GOOD, NOTHING), 6, pruning="halving").trials["state"][:5])

    def test_none_prunes_none(self) -> None:
        assert set(tune(rates(GOOD, NOTHING), 8, pruning="none").trials["state"]) == {"finished"}


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("experiment", "options", "says"),
        [
            (base(split={"leave_last_out": {"validation": False}}), {},
             r"chooses on validation events, and the split has none; .* such as validation = 0.1 beside test"),
            (base(training={"schedule": {"watch": "test", "patience": None, "refit": False}}), {},
             "chooses on validation events, but the experiment watches 'test'"),
            (base(), {"trials": 0}, "tune wants at least 1 for trials, but got 0"),
            (base(), {"workers": 0}, "tune wants at least 1 for workers, but got 0"),
            (base(), {"pruning": "hard"}, "tune wants one of 'median', 'halving', 'none' for pruning, but got 'hard'"),
            (base(), {"workers": 2}, "Several workers meet in a folder; name one"),
        ],
    )  # fmt: skip
    def test_before_anything_trains(
        self, experiment: sl.Experiment, options: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("shortlist.tuning.trial.run_experiment", None)
        with pytest.raises(SettingsError, match=says):
            tune(space(), **{"trials": 1, **options}, experiment=experiment)

    def test_a_folder_with_something_else_in_it(self, tmp_path: Path) -> None:
        (tmp_path / "letters.txt").touch()
        with pytest.raises(SettingsError, match=r"is there already, not empty, and holds no search\."):
            tune(space(), 1, folder=tmp_path)

    def test_a_folder_that_is_in_use(self, tmp_path: Path) -> None:
        with locked(tmp_path, "search"), pytest.raises(SettingsError, match="Another search is at work in"):
            tune(space(), 1, folder=tmp_path)

    def test_a_study_that_cannot_be_read(self, tmp_path: Path) -> None:
        (tmp_path / STUDY).write_text("no journal\n")
        with pytest.raises(TuningError, match=r"study.journal is no study that can be read .* Name a new folder"):
            tune(space(), 1, folder=tmp_path)


@pytest.mark.usefixtures("tuned")
def test_a_search_leaves_optunas_messages_as_they_were() -> None:
    assert optuna.logging.get_verbosity() == optuna.logging.INFO


def test_the_seeds_follow_the_experiments(tmp_path: Path) -> None:
    found = tune(space(), 3, base(training={"schedule": {"seed": 40}}), folder=tmp_path / "tuned")
    assert found.trials["seed"].to_list() == [40, 41, 42]
    study = open_study(tmp_path / "tuned", SampledByPlace(40), "median")
    assert [trial.number for trial in begun(study)] == [0, 1, 2]
