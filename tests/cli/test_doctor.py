"""`shortlist doctor` and `shortlist health`: what they print, and with what they end."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import shortlist as sl
from shortlist.bundle import save_bundle
from shortlist.cli.main import app


def _run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Events and items of a clean world; one item stands twice in the table of items."""
    monkeypatch.chdir(tmp_path)
    data = sl.synthetic.TasteWorld().data()
    data.interactions.write_parquet("events.parquet")
    data.items.write_parquet("items.parquet")
    pl.concat([data.items, data.items.head(1)]).write_parquet("doubled.parquet")
    return tmp_path


FLAGS = ["--query-id", "user_id", "--item-id", "item_id"]


def test_doctor_says_what_it_found_and_what_to_do(tables: Path) -> None:
    printed = _run("doctor", "events.parquet", "--items", "doubled.parquet", *FLAGS)
    lines = printed.splitlines()
    assert lines[0] == "problem: duplicate-keys"
    assert lines[1] == "  items.item_id should name each row once, but 1 ids stand in 2 rows: 0."
    assert lines[2].startswith("  What to do: Keep one row of each")
    assert lines[-1] == "1 problem, 0 warnings, 0 notes."


def test_doctor_has_nothing_to_say_of_clean_tables(tables: Path) -> None:
    assert _run("doctor", "events.parquet", "--items", "items.parquet", *FLAGS) == "0 problems, 0 warnings, 0 notes.\n"
    assert json.loads(_run("doctor", "events.parquet", "--items", "items.parquet", *FLAGS, "--json")) == []


def test_doctor_reads_the_split_and_the_features_of_an_experiment_file(tables: Path) -> None:
    experiment = _run("init", "events.parquet", "--items", "items.parquet")
    Path("experiment.toml").write_text(experiment.replace("test = 0.2", "test = 0.1"))
    found = json.loads(_run("doctor", "experiment.toml", "--json"))
    assert [finding["name"] for finding in found] == ["crowded-moment"]
    assert "10 % were asked for" in found[0]["says"]
    assert set(found[0]) == {"severity", "name", "says", "remedy"}


def test_strict_ends_with_1_where_there_is_a_problem_alone(tables: Path) -> None:
    _run("doctor", "events.parquet", "--items", "doubled.parquet", *FLAGS, "--strict", code=1)
    _run("doctor", "events.parquet", "--items", "items.parquet", *FLAGS, "--strict")


@pytest.mark.network
def test_doctor_takes_a_data_set_with_a_preset() -> None:
    found = json.loads(_run("doctor", "movielens-100k", "--preset", "tutorial", "--strict", "--json"))
    assert [finding["name"] for finding in found] == ["indistinguishable-items", "time-ties", "duplicate-labels"]


def test_health_prints_figures_and_findings(shop_bundle: Path) -> None:
    printed = _run("health", str(shop_bundle))
    assert "effective_rank" in printed
    assert "directions that the vectors use, 1 to the width" in printed
    told = json.loads(_run("health", str(shop_bundle), "--json"))
    assert list(told["figures"]) == list(sl.doctor.FIGURES)
    assert told["figures"]["items"] == 24


def test_health_of_a_collapsed_bundle_is_a_problem(shop_bundle: Path, tmp_path: Path) -> None:
    import dataclasses

    bundle = sl.load_bundle(shop_bundle)
    one = np.repeat(bundle.item_vectors[:1], 24, axis=0)
    whole = dataclasses.replace(bundle, item_vectors=one, weights=Path(str(bundle.weights)).read_bytes())
    sick = save_bundle(whole, tmp_path / "sick")
    assert "problem: collapsed" in _run("health", str(sick))
    _run("health", str(sick), "--strict", code=1)
