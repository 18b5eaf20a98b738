import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

import shortlist as sl
from shortlist.cli.main import app, main

ROOT = Path(__file__).parents[2]
TUTORIAL = "top_100_accuracy/full/seen_included/ties_optimistic"


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def _fails(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["shortlist", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert isinstance(end.value.code, int)
    return end.value.code, capsys.readouterr().err


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("films") / "run"
    printed = _run(
        "train", "movielens-100k", "--layers", "16,8", "--epochs", "2", "--seed", "1", "--out", str(folder), "--json"
    )
    return {"folder": folder, **json.loads(printed)}


@pytest.mark.network
def test_fetch_and_describe_say_what_is_there() -> None:
    assert Path(json.loads(_run("fetch", "movielens-100k", "--json"))["path"]).is_file()
    described = json.loads(_run("describe", "movielens-100k", "--json"))
    assert (described["events"], described["users"], described["items"]) == (100_000, 943, 1_682)
    assert described["distinct_labels"] == 1_664
    assert described["columns"]["items"]["year"]["missing"] == 1
    assert "1,682 items carry 1,664 distinct ones" in _run("describe", "movielens-100k")


@pytest.mark.network
def test_train_prints_its_bundle_metrics_and_baselines(films: dict[str, Any]) -> None:
    name = "top_100_accuracy/full/seen_excluded/ties_expected"
    assert 0 < films["metrics"][name] < 1
    assert films["baselines"]["popularity"][name] == pytest.approx(0.41, abs=0.02)
    assert Path(films["bundle"]) == films["folder"] / "bundle"
    names = {path.name for path in films["folder"].iterdir()}
    assert names == {"bundle", "experiment.toml", "curves.png", "curves.svg", "curves.html"}
    assert "popularity: top 100 accuracy" in films["verdict"]


@pytest.mark.network
def test_evaluate_repeats_what_train_measured(films: dict[str, Any]) -> None:
    again = json.loads(_run("evaluate", films["bundle"], "--json"))
    assert again["metrics"] == pytest.approx(films["metrics"], abs=1e-4)
    assert again["baselines"] == films["baselines"]
    assert films["verdict"].partition(":")[0] in _run("evaluate", films["bundle"])


@pytest.mark.network
def test_recommend_and_similar_answer_from_the_bundle(films: dict[str, Any]) -> None:
    found = json.loads(_run("recommend", films["bundle"], "--query", "user_id=42", "-k", "10", "--json"))
    assert len(found["items"]) == 10
    assert found["query"] == "known"
    assert set(found["items"][0]) == {"id", "label", "score"}
    by_label = json.loads(_run("similar", films["bundle"], "--item", "Star Wars (1977)", "-k", "5", "--json"))
    by_id = json.loads(_run("similar", str(films["folder"]), "--item", "50", "-k", "5", "--json"))
    assert by_label == by_id
    assert len(by_id["items"]) == 5
    stranger = json.loads(_run("recommend", films["bundle"], "--query", "user_id=nobody", "--json"))
    assert stranger["query"] == "fallback"
    assert " 1. " in _run("recommend", films["bundle"], "--query", "user_id=42")


@pytest.mark.network
def test_compare_writes_rows_curves_and_what_is_real(tmp_path: Path) -> None:
    reference = tmp_path / "peer.json"
    reference.write_text(json.dumps({"layers": [8], "validate_every": 5, "top_100_accuracy": [0.2, 0.25]}))
    out = tmp_path / "out"
    printed = _run(
        "compare", "movielens-100k", "--preset", "tutorial", "--layers", "8", "--layers", "16,8", "--epochs", "5",
        "--seed", "1", "--reference", str(reference), "--out", str(out), "--json",
    )  # fmt: skip
    result = json.loads(printed)
    assert [row["layers"] for row in result["rows"]] == [[8], [16, 8]]
    assert all(0 < row["metrics"][TUTORIAL] < 1 for row in result["rows"])
    assert result["baselines"]["popularity"][TUTORIAL] == pytest.approx(0.297, abs=0.001)
    assert [difference["real"] for difference in result["differences"]] == [None]
    assert {path.name for path in out.iterdir()} == {"comparison.json", "curves.png", "curves.svg", "curves.html"}


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["describe", "movielens-1g"], 2, "There is no data set 'movielens-1g'; the known ones are 'movielens-100k'."),
        (["train", "movielens-100k", "--preset", "best"], 2, "There is no preset 'best'; the known ones are"),
        (["train", "movielens-100k", "--layers", "64,x"], 2, "--layers wants whole numbers with commas between"),
        (["train", "movielens-100k", "--layers", "0"], 2, "layers.0 should be greater than 0, but it is 0."),
        (["train", "movielens-100k", "--epochs", "0"], 2, "epochs should be greater than 0, but it is 0."),
        (["train", "movielens-100k", "--set", "training.schedule.epoch=3"], 2, "epoch is not a known key"),
        (["train", "movielens-100k", "--set", "epochs"], 2, "--set wants a key and a value"),
        (["train", "movielens-100k", "--out", str(ROOT / "src")], 1, "is there already and not empty"),
        (["recommend", "nowhere", "--query", "user_id=1"], 1, "nowhere is no bundle: there is no manifest.json in it"),
        (["recommend", "nowhere", "--query", "user_id"], 1, "nowhere is no bundle"),
        (["trains"], 2, "No such command 'trains'"),
    ],
)
def test_an_error_is_one_sentence_and_a_code(
    arguments: list[str],
    code: int,
    says: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended, printed = _fails(arguments, capsys, monkeypatch)
    assert ended == code
    assert says in printed
    assert "Traceback" not in printed


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["shortlist", "--debug", "describe", "movielens-1g"])
    with pytest.raises(sl.errors.SettingsError, match="There is no data set"):
        main()


def test_every_command_has_help_that_ends_with_a_command_that_parses() -> None:
    commands = typer.main.get_group(app).commands
    assert set(commands) == {"fetch", "describe", "train", "compare", "evaluate", "recommend", "similar"}
    for name in commands:
        last = _run(name, "--help").strip().splitlines()[-1]
        assert re.match(rf" ?Example: shortlist {name} ", last), last


def test_the_command_line_page_is_what_help_prints() -> None:
    spec = importlib.util.spec_from_file_location("write_cli_reference", ROOT / "scripts" / "write_cli_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "command-line.md").read_text("utf-8") == module.reference(), "run scripts/docs"
