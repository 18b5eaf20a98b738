"""`shortlist space` and `shortlist tune`, on a small shop in files."""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import shortlist as sl
from shortlist.cli.main import app, main

EXPERIMENT = """
data = { interactions = "clicks.parquet", roles = { query_id = "user", item_id = "item", time = "time" } }
split = { leave_last_out = { validation = true } }
features = { query = [{ lookup = "user", width = 8 }], item = [{ lookup = "item", width = 8 }] }
model = { two_tower = { layers = [8] } }

[training]
optimizer = { adagrad = { learning_rate = 0.3 } }
schedule = { epochs = 3, batch_size = 64, patience = 3, refit = true }

[evaluation]
protocol = { ks = [1, 5], baselines = ["popularity"] }
"""
SPACE = """
model.two_tower.layers = { choices = [[8], [16, 8]] }
training.optimizer.adagrad.learning_rate = { low = 0.03, high = 1.0, log = true }
"""
METRIC = "top_5_accuracy/full/seen_excluded/ties_expected"


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = sl.synthetic.TasteWorld(num_groups=3, users_per_group=10, items_per_group=8, train_events=6, test_events=1)
    events.data().interactions.rename({"user_id": "user", "item_id": "item"}).write_parquet(tmp_path / "clicks.parquet")
    (tmp_path / "experiment.toml").write_text(EXPERIMENT)
    (tmp_path / "space.toml").write_text(SPACE)
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def tune(*arguments: str) -> str:
    return run("tune", "experiment.toml", "--space", "space.toml", "--out", "tuned", "--quiet", *arguments)


def test_training_the_best_experiment_comes_to_the_trials_value() -> None:
    found = json.loads(tune("--trials", "4", "--json"))
    trained = json.loads(run("train", "tuned/experiment.toml", "--out", "trained", "--quiet", "--json"))
    lines = [json.loads(line) for line in Path("trained/history.jsonl").read_text().splitlines()]
    assert lines[trained["history"]["best_epoch"] - 1]["metrics"][METRIC] == found["value"]
    assert found["metric"] == METRIC
    assert any("trained anew" in note for note in trained["notes"])  # the refit


def test_people_see_the_best_trials_and_what_to_do_next() -> None:
    printed = tune("--trials", "4")
    assert "4 trials: 4 finished · top_5_accuracy on validation events · full · seen_excluded" in printed
    columns = next(line for line in printed.splitlines() if "learning_rate" in line)
    assert columns.replace("┃", " ").split() == [
        "trial", "top_5_accuracy", "epoch", "seconds", "layers", "learning_rate",
    ]  # fmt: skip
    values = [float(line.split("│")[2]) for line in printed.splitlines() if line.startswith("│")]
    assert len(values) == 4
    assert values == sorted(values, reverse=True)
    assert f"wrote {Path('tuned/trials.csv')}\n" in printed
    assert printed.endswith(f"shortlist train {Path('tuned/experiment.toml')}\n")


def test_the_same_command_goes_on_and_another_is_refused() -> None:
    tune("--trials", "2")
    more = json.loads(tune("--trials", "3", "--json"))
    assert len(more["trials"]) == 3
    with pytest.raises(
        sl.errors.SettingsError, match="tuned holds a search that differs in its experiment, so it cannot"
    ):
        tune("--trials", "3", "--epochs", "2")


def test_failed_trials_are_told_of() -> None:
    Path("space.toml").write_text("training.optimizer.adagrad.learning_rate = { choices = [0.3, 1e29] }")
    printed = tune("--trials", "4")
    assert " finished, " in printed
    assert " failed · top_5_accuracy" in printed
    assert " failed: The loss became nan" in printed


def test_a_search_that_is_cut_off_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("shortlist.tuning.progress.SearchBar.hear", interrupt)
    arguments = ["tune", "experiment.toml", "--space", "space.toml", "--out", "tuned", "--quiet"]
    monkeypatch.setattr(sys, "argv", ["shortlist", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 130
    assert "Cut off. Go on with the same command and --out tuned\n" in capsys.readouterr().err
    assert pl.read_csv("tuned/trials.csv").height == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--space", "nowhere.toml"], "nowhere.toml cannot be read as a search space in TOML: [Errno 2] No such file"),
        (["--set", "split.leave_last_out.validation=false"], "chooses on validation events, and the split has none"),
        (["--trials", "0"], "tune wants at least 1 for trials, but got 0."),
    ],
)
def test_what_cannot_be_is_a_wrong_choice(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["shortlist", "tune", "experiment.toml", "--out", "tuned", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert says in capsys.readouterr().err
    assert not Path("tuned").exists()


def test_the_default_space_of_an_experiment_is_printed_as_a_file() -> None:
    printed = run("space", "experiment.toml")
    assert "learning_rate = { low = 0.01, high = 1.0, log = true }\n" in printed
    Path("default.toml").write_text(printed)
    assert sl.load_space("default.toml").names == sl.default_space(sl.load_experiment("experiment.toml")).names
    assert json.loads(run("space", "experiment.toml", "--json")) == tomllib.loads(printed)
