"""The road of a user's own tables: from files to a shortlist, as the guide tells it."""

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from typer.testing import CliRunner

import shortlist as sl
from shortlist.cli.main import app
from shortlist.errors import CheckpointError, SettingsError

ROOT = Path(__file__).parents[2]
BERLIN = "Europe/Berlin"


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def shop(
    zone: str = "UTC", *, user: str = "user", item: str = "item", label: str = "title", time: str = "time"
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Clicks and items of a small shop with two tastes; ids have leading zeros, some values are missing."""
    start = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    rows = []
    for step in range(5):
        for number in range(40):
            sku = (number % 2) * 6 + (number // 2 + step) % 5  # items 5 and 11 are never sold
            rows.append((f"u{number:03}", f"i{sku:03}", start + dt.timedelta(hours=7 * step, minutes=number)))
    rows += [("u900", "i003", start + dt.timedelta(hours=1)), ("u901", "i009", start + dt.timedelta(hours=30))]
    clicks = pl.DataFrame(rows, schema=[user, item, time], orient="row")
    clicks = clicks.with_columns(pl.col(time).dt.convert_time_zone(zone))
    items = pl.DataFrame(
        {
            item: [f"i{row:03}" for row in range(12)],
            label: [f"Thing {row}" for row in range(12)],
            "kind": [None if row == 4 else "ab"[row // 6] for row in range(12)],
            "price": [None if row == 2 else row * 1.5 for row in range(12)],
        }
    )
    return clicks, items


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The guide's files, in the folder where commands run."""
    clicks, items = shop()
    clicks.write_parquet(tmp_path / "clicks.parquet")
    items.write_parquet(tmp_path / "items.parquet")
    clicks.tail(30).write_parquet(tmp_path / "later.parquet")
    clicks.select("user").unique(maintain_order=True).write_parquet(tmp_path / "users.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_guides_commands_run_one_after_the_other(folder: Path) -> None:
    guide = (ROOT / "docs" / "your-own-data.md").read_text("utf-8")
    blocks = re.findall(r"```bash\n(.*?)```", guide, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) == 12
    for line in lines:
        command, _, target = line.partition(" > ")
        printed = run(*command.split()[1:])
        if target:
            (folder / target).write_text(printed)
    assert {path.name for path in (folder / "first").iterdir()} >= {"bundle", "experiment.toml", "history.jsonl"}
    assert len((folder / "first" / "history.jsonl").read_text().splitlines()) == 5
    lists = pl.read_parquet(folder / "lists.parquet")
    assert lists.columns == ["query_row", "query_id", "kind", "unknown", "place", "item_id", "label", "score"]
    assert lists.group_by("query_row").len()["len"].max() == 5


def test_a_report_examines_the_users_own_tables_and_says_how_to_repeat_the_run(folder: Path) -> None:
    run("train", "clicks.parquet", "--items", "items.parquet", "--epochs", "1", "--out", "mine", "--quiet")
    run("report", "mine")
    page = (folder / "mine" / "report.html").read_text("utf-8")
    assert "The doctor found " in page
    assert "shortlist train experiment.toml --out again" in page
    assert "validations and refits included" in page
    assert "came from Python" not in page


def test_the_guides_python_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import runpy

    guide = (ROOT / "docs" / "your-own-data.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", guide, flags=re.DOTALL)
    (folder / "example.py").write_text(example)
    runpy.run_path("example.py")
    assert "query: known" in capsys.readouterr().out


def test_a_proposal_for_foreign_names_goes_to_a_shortlist_unedited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    clicks, items = shop(BERLIN, user="kunde", item="artikel", label="bezeichnung", time="gekauft_am")
    clicks.write_parquet("clicks.parquet")
    items.write_parquet("items.parquet")
    Path("experiment.toml").write_text(run("init", "clicks.parquet", "--items", "items.parquet"))
    text = Path("experiment.toml").read_text()
    assert 'roles = { query_id = "kunde", item_id = "artikel", label = "bezeichnung", time = "gekauft_am" }' in text
    assert "# query_id is a guess" in text
    trained = json.loads(run("train", "experiment.toml", "--epochs", "2", "--quiet", "--out", "out", "--json"))
    assert trained["counts"]["items"] == 12
    found = json.loads(run("recommend", "out", "--query", "kunde=u001", "-k", "3", "--json"))
    assert (found["query"], len(found["items"])) == ("known", 3)
    assert all(item["id"].startswith("i0") for item in found["items"])
    assert json.loads(run("evaluate", "out", "--json"))["metrics"] == pytest.approx(trained["metrics"], abs=1e-5)


def test_frames_of_every_library_give_the_same_model(folder: Path) -> None:
    clicks, items = shop(BERLIN)
    arrow_clicks, arrow_items = clicks.to_arrow(), items.to_arrow()
    frames: dict[str, tuple[Any, Any]] = {
        "polars": (clicks, items),
        "pyarrow": (arrow_clicks, arrow_items),
        "pandas": (clicks.to_pandas(), items.to_pandas()),
        "duckdb": (duckdb.sql("from arrow_clicks"), duckdb.sql("from arrow_items")),
    }
    metrics = {}
    for name, (events, catalogue) in frames.items():
        data = sl.Dataset(events, items=catalogue, query_id="user", item_id="item", label="title", time="time")
        split = sl.split_by_time(data, test=0.2)
        features = sl.fit_features([sl.Lookup("user")], [sl.Lookup("item"), sl.Bucketize("price", 4)], on=split.train)
        training = sl.Training(epochs=2, watch="nothing", batch_size=64)
        metrics[name] = (
            sl.train(sl.TwoTower(features, [8]), split, training=training, progress=False).evaluate().metrics
        )
    assert metrics["polars"] == metrics["pyarrow"] == metrics["pandas"] == metrics["duckdb"]


def test_what_was_shown_goes_from_a_flag_to_the_run_and_the_doctor(folder: Path) -> None:
    clicks, _ = shop()
    lists = pl.Series("list", ["i005;i011", "i011;i099", ""] * (clicks.height // 3) + [None] * (clicks.height % 3))
    clicks.with_columns(lists, pl.col("time").dt.replace_time_zone(None)).write_csv("clicks.csv")
    tables = ["clicks.csv", "--items", "items.parquet", "--shown", "list", "--shown-separator", ";"]
    Path("experiment.toml").write_text(run("init", *tables))
    assert 'shown = "list", shown_separator = ";"' in Path("experiment.toml").read_text()
    settings = ["--set", "training.loss.full_softmax.shown_weight=2.0", "--epochs", "2", "--quiet"]
    trained = json.loads(run("train", "experiment.toml", *settings, "--out", "out", "--json"))
    assert trained["history"]["accidental_hits"] == 0  # the whole catalogue holds each item once
    assert 0 < trained["history"]["known_positives"] < 1
    lines = [json.loads(line) for line in Path("out/history.jsonl").read_text().splitlines()]
    assert lines[-1]["known_positives"] == trained["history"]["known_positives"]
    plain = run("train", *tables, *settings, "--out", "again")
    assert re.search(
        r"Among the negatives of an event, before any is taken out: 0 % accidental hits and [\d.]+ % known", plain
    )
    again = ["train", *tables, "--epochs", "2", "--quiet", "--json", "--out"]
    run(*again, "without", "--set", "training.loss.full_softmax.shown_weight=0.0")
    others = [json.loads(line) for line in Path("without/history.jsonl").read_text().splitlines()]
    assert [line["loss"] for line in others] != [line["loss"] for line in lines]
    assert "note: unknown-shown-items" in run("doctor", "experiment.toml")


def test_a_column_that_may_hold_what_was_shown_is_a_doubt(folder: Path) -> None:
    shop()[0].with_columns(impressions=pl.lit(["i005"])).write_parquet("clicks.parquet")
    assert "# 'impressions' may hold what was shown: add shown = 'impressions'" in run("init", "clicks.parquet")


def test_a_run_resumes_by_its_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flags = ["clicks.parquet", "--items", "items.parquet", "--epochs", "3", "--quiet"]
    whole = json.loads(run("train", *flags, "--out", "whole", "--json"))

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sl.Run, "save", die)
        result = CliRunner().invoke(app, ["train", *flags, "--out", "cut", "--checkpoint-steps", "1"])
    assert result.exit_code != 0
    assert {path.name for path in Path("cut").iterdir()} == {
        "choices.json",
        "experiment.toml",
        "history.jsonl",
        "checkpoint.safetensors",
        "checkpoint-refit.safetensors",
    }
    resumed = json.loads(run("train", "--resume", "cut", "--quiet", "--json"))
    assert resumed["metrics"] == whole["metrics"]
    assert len(Path("cut/history.jsonl").read_text().splitlines()) == 3
    assert not list(Path("cut").glob("checkpoint*"))


def test_a_training_whose_evaluation_fails_is_not_lost(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise sl.errors.CollapsedError("all alike")

    flags = ["clicks.parquet", "--items", "items.parquet", "--epochs", "2", "--quiet", "--out", "cut"]
    with monkeypatch.context() as patch:
        patch.setattr(sl.Run, "evaluate", fail)
        assert CliRunner().invoke(app, ["train", *flags]).exit_code != 0
    assert not Path("cut/bundle").exists()
    resumed = json.loads(run("train", "--resume", "cut", "--quiet", "--json"))
    assert resumed["history"]["epochs"] == 2
    assert Path("cut/bundle").is_dir()


def test_a_run_that_cannot_be_resumed_keeps_its_history(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("train", "clicks.parquet", "--epochs", "2", "--quiet", "--out", "cut")
    Path("cut/bundle").rename("moved")
    Path("cut/checkpoint.safetensors").write_bytes(b"no checkpoint")
    before = Path("cut/history.jsonl").read_text()
    assert len(before.splitlines()) == 2
    with pytest.raises(CheckpointError, match="is no checkpoint that can be read"):
        run("train", "--resume", "cut", "--quiet")
    assert Path("cut/history.jsonl").read_text() == before


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("experiment.toml", "--items does not go with this: experiment.toml names its own tables and roles"),
        ("movielens-100k", "--items does not go with this: the data set movielens-100k brings its own tables"),
    ],
)
def test_describe_refuses_flags_that_it_would_not_use(folder: Path, data: str, says: str) -> None:
    Path("experiment.toml").write_text(run("init", "clicks.parquet"))
    with pytest.raises(SettingsError, match=says):
        run("describe", data, "--items", "items.parquet")


def test_a_run_is_told_to_tensorboard_too(folder: Path) -> None:
    run("train", "clicks.parquet", "--items", "items.parquet", "--epochs", "2", "--quiet", "--out", "told",
        "--track", "tensorboard")  # fmt: skip
    assert list(Path("told/tensorboard").iterdir())
    result = CliRunner().invoke(app, ["train", "clicks.parquet", "--track", "wandb", "--out", "other"])
    assert isinstance(result.exception, SettingsError)
    assert str(result.exception) == "--track knows 'mlflow', 'tensorboard', but 'wandb' came. Name one of these."
    assert not Path("other").exists()


def test_a_bundle_of_sql_is_evaluated_from_any_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = run("init", "clicks.parquet", "--items", "items.parquet")
    wanted = "interactions = { sql = \"select * from 'clicks.parquet' order by random()\" }"
    assert 'interactions = "clicks.parquet"' in text
    Path("experiment.toml").write_text(text.replace('interactions = "clicks.parquet"', wanted))
    trained = json.loads(run("train", "experiment.toml", "--epochs", "1", "--quiet", "--out", "out", "--json"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    evaluated = json.loads(run("evaluate", str(folder / "out"), "--json"))
    assert evaluated["metrics"] == pytest.approx(trained["metrics"], abs=1e-5)
