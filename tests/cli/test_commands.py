import dataclasses
import importlib.util
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer.main
from typer.testing import CliRunner

import shortlist as sl
from shortlist.bundle import save_bundle
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
    curves = {"curves.png", "curves.svg", "curves.html"}
    assert names == {"bundle", "choices.json", "experiment.toml", "history.jsonl", *curves}
    assert films["verdict"] in {verdict["says"] for verdict in films["verdicts"].values()}
    assert set(films["baselines"]) == {
        "popularity", "recent_popularity", "item_knn", "ease", "ials", "content_knn",
    }  # fmt: skip


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


def test_an_unknown_command_is_a_wrong_choice(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, printed = _fails(["trains"], capsys, monkeypatch)
    assert ended == 2
    assert "No such command 'trains'" in printed
    assert "Traceback" not in printed


ONE_EPOCH = ["compare", "movielens-100k", "--preset", "tutorial", "--layers", "4", "--epochs", "1", "--seed", "1"]
UNWATCHED = ["--set", "training.schedule.watch=nothing", "--quiet"]
DIVERGES = ["--set", "training.optimizer.adagrad.learning_rate=1e30"]


@pytest.mark.network
def test_where_nothing_is_watched_compare_draws_nothing_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["shortlist", *ONE_EPOCH, *UNWATCHED, "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit, match=r"^0$"):
        main()
    printed, told = capsys.readouterr()
    assert told == "No curves were drawn: no epoch was validated.\n"
    title, *_, leak, written = printed.splitlines()
    assert title == f"{TUTORIAL} · seeds 1"
    assert "one seed" in printed
    assert leak.startswith("The features were fitted on all events, test events too")
    assert written == f"wrote {tmp_path / 'out' / 'comparison.json'}"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["comparison.json"]


@pytest.mark.network
@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        # The training would diverge, but the file is read before.
        ([*DIVERGES, "--reference", "nowhere.json"], 2, "but nowhere.json cannot be read: [Errno 2] No such file"),
        (["--layers", "4", "--layers", "[4]"], 2, "compare wants at least one layers and each once, but got [(4,), (4"),
        (DIVERGES, 1, "The loss became nan at step"),
    ],
    ids=["reference", "one depth twice", "diverged"],
)
def test_a_command_that_fails_leaves_no_empty_folder(
    options: list[str], code: int, says: str,
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    arguments = [*ONE_EPOCH, *UNWATCHED, *options, "--out", str(tmp_path / "out")]
    ended, printed = _fails(arguments, capsys, monkeypatch)
    assert ended == code
    assert says in printed
    assert printed.startswith("shortlist: ")
    assert printed.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.network
def test_an_error_of_the_system_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    ended, printed = _fails([*ONE_EPOCH, *UNWATCHED, "--out", str(tmp_path / "out")], capsys, monkeypatch)
    assert (ended, printed) == (
        1,
        f"shortlist: [Errno 28] No space left on device: '{tmp_path / 'out' / 'comparison.json'}'\n",
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.network
def test_a_folder_that_holds_something_is_a_wrong_choice(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, printed = _fails(["train", "movielens-100k", "--out", str(ROOT / "src")], capsys, monkeypatch)
    assert ended == 2
    assert printed == f"shortlist: {ROOT / 'src'} is there already and not empty. Name a new folder with --out.\n"


@pytest.fixture(scope="module")
def mixed(shop_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The shop, but item 3 is called "7", which is the id of another, and item 5 is called "5"."""
    bundle = sl.load_bundle(shop_bundle)
    labels = ["7" if row == 3 else "5" if row == 5 else label for row, label in enumerate(bundle.items["label"])]
    items = bundle.items.with_columns(label=pl.Series(labels))
    return str(save_bundle(dataclasses.replace(bundle, items=items), tmp_path_factory.mktemp("mixed") / "bundle"))


def test_text_that_is_the_id_of_one_item_and_the_label_of_another_is_the_id(mixed: str) -> None:
    assert json.loads(_run("similar", mixed, "--item", "7", "--json"))["item"] == 7


@pytest.mark.parametrize(("text", "item"), [("3", 3), ("5", 5), ("Thing 8 of group2", 8)])
def test_an_item_is_named_by_its_id_or_by_its_label(mixed: str, text: str, item: int) -> None:
    found = json.loads(_run("similar", mixed, "--item", text, "-k", "2", "--json"))
    assert found["item"] == item
    assert found == {"item": item, **json.loads(json.dumps(sl.Recommender.load(mixed).similar(item, 2).to_json()))}


def test_recommend_hands_every_option_on(shop_bundle: Path) -> None:
    shop = sl.Recommender.load(shop_bundle)
    assert shop.bundle.seen is not None
    one, two, three, *_ = map(str, shop.bundle.seen.by_user(7))
    query = ["--query", "user_id=7", "--query", "time=3", "--query", "city=a=b"]
    allow = ["--allow", one, "--allow", two, "--allow", three, "--exclude", one]
    printed = _run("recommend", str(shop_bundle), *query, *allow, "-k", "1", "--include-seen", "--json")
    asked = {"user_id": 7, "time": 3, "city": "a=b"}
    found = shop.recommend(asked, 1, exclude_seen=False, exclude=[one], allow=[one, two, three])
    assert json.loads(printed) == json.loads(json.dumps(found.to_json()))
    assert (len(found.items), found.excluded) == (1, 22)
    assert json.loads(_run("recommend", str(shop_bundle), *query, *allow, "--json"))["items"] == []


def test_conditions_and_reasons_are_handed_on(shop_bundle: Path) -> None:
    shop, where = sl.Recommender.load(shop_bundle), {"column": "price", "below": 9}
    text = json.dumps(where)
    printed = _run("recommend", str(shop_bundle), "--query", "user_id=7", "--where", text, "--explain", "--json")
    assert json.loads(printed) == shop.recommend({"user_id": 7}, where=where, explain=True).to_json()
    rules = ["--where", text, "--exclude", "2", "--allow", "2", "--allow", "3"]
    printed = json.loads(_run("similar", str(shop_bundle), "--item", "1", *rules, "--json"))
    assert printed == {"item": 1, **shop.similar(1, exclude=[2], allow=[2, 3], where=where).to_json()}


def test_an_evaluation_takes_a_condition(shop_bundle: Path, tmp_path: Path) -> None:
    events = pl.DataFrame({"user_id": [7, 8, 9], "item_id": [1, 2, 20], "time": [30, 31, 32]})
    events.write_parquet(tmp_path / "later.parquet")
    where = ["--where", '{"column": "price", "below": 9}']
    found = json.loads(_run("evaluate", str(shop_bundle), "--data", str(tmp_path / "later.parquet"), *where, "--json"))
    assert (found["counts"]["items"], found["counts"]["targets"], found["counts"]["absent_targets"]) == (8, 2, 1)


def test_a_retired_item_is_in_no_list_of_the_new_bundle(shop_bundle: Path, tmp_path: Path) -> None:
    new, back = str(tmp_path / "new"), str(tmp_path / "back")
    printed = _run("retire", str(shop_bundle), "--item", "1", "--item", "2", "--out", new)
    assert printed == f"2 of 24 items are retired.\nwrote {new}\n"
    found = json.loads(_run("recommend", new, "--query", "city=city1", "-k", "30", "--json"))
    assert {item["id"] for item in found["items"]} == set(range(24)) - {1, 2}
    assert json.loads(_run("retire", new, "--item", "2", "--bring-back", "--out", back, "--json"))["retired"] == 1


def test_an_index_is_tuned_measured_and_saved_with_a_new_bundle(shop_bundle: Path, tmp_path: Path) -> None:
    new = str(tmp_path / "new")
    printed = _run("index", str(shop_bundle), "--recall", "0.8", "-k", "3", "--out", new)
    assert re.search(r"recall@3: [01]\.\d{4} on 30 queries", printed)
    assert "NDCG@3: not computed: This bundle's data came from Python" in printed
    assert "keep the bundle as it was" in printed  # 24 items are searched as fast exactly
    assert sl.load_bundle(new).index is not None
    rounded = json.loads(
        _run("index", new, "--kind", "exact", "--precision", "int8", "--out", str(tmp_path / "rounded"), "--json")
    )
    assert rounded["settings"] == {"kind": "exact", "precision": "int8"}
    assert rounded["measured"]["recall"] > 0.9


def test_a_table_of_queries_is_answered_under_the_same_rules(shop_bundle: Path, tmp_path: Path) -> None:
    pl.DataFrame({"user_id": [7, 8]}).write_parquet(tmp_path / "queries.parquet")
    out, rules = tmp_path / "lists.parquet", ["--exclude", "2", "--where", '{"column": "price", "below": 9}']
    _run("recommend", str(shop_bundle), "--queries", str(tmp_path / "queries.parquet"), "--out", str(out), *rules)
    wanted = sl.Recommender.load(shop_bundle).recommend_table(
        {"user_id": [7, 8]}, exclude=[2], where={"column": "price", "below": 9}
    )
    assert pl.read_parquet(out).equals(wanted)


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["shortlist", "--debug", "describe", "movielens-1g"])
    with pytest.raises(sl.errors.SettingsError, match="There is no data set"):
        main()


def test_every_command_has_help_that_ends_with_a_command_that_parses() -> None:
    commands = typer.main.get_group(app).commands
    assert set(commands) == {
        "fetch", "init", "preset", "describe", "doctor", "health", "train", "compare", "space", "tune", "report",
        "evaluate", "recommend", "similar", "index", "retire", "serve",
    }  # fmt: skip
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
