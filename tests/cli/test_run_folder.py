"""The folder of a run: its lock, its choices, and how it ends when somebody stops it."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from shortlist.cli.main import app
from shortlist.cli.run_folder import take_up_run
from shortlist.errors import SettingsError

CLICKS = pl.DataFrame(
    [(f"u{n % 50}", f"i{(n * 7 + n // 50) % 30}", 1_700_000_000 + 3_600 * n) for n in range(4_000)],
    schema=["user", "item", "time"],
    orient="row",
)
LONG = ["train", "clicks.parquet", "--epochs", "100000", "--quiet", "--out", "run"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    CLICKS.write_parquet(tmp_path / "clicks.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def start(*arguments: str) -> subprocess.Popen[str]:
    """A training in a process of its own, once it has finished its first epoch."""
    code = "from shortlist.cli.main import main; main()"
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if Path("run/history.jsonl").exists() or process.poll() is not None:
            return process
        time.sleep(0.1)
    process.kill()
    raise AssertionError("no epoch ended within a minute")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_a_training_that_is_stopped_writes_a_checkpoint_and_says_how_to_go_on(
    folder: Path, number: signal.Signals, code: int
) -> None:
    process = start(*LONG)
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == code, told
    assert "Cut off. Go on with: shortlist train --resume run" in told
    assert Path("run/checkpoint.safetensors").is_file()
    assert not Path("run/.lock").exists()


def test_nobody_else_trains_in_a_folder_that_is_in_use(folder: Path) -> None:
    process = start(*LONG)
    try:
        result = CliRunner().invoke(app, ["train", "--resume", "run"])
        assert isinstance(result.exception, SettingsError)
        assert str(result.exception) == "Another training is at work in run. Wait until it has ended."
    finally:
        process.kill()
        process.communicate()
    assert Path("run/.lock").exists()  # the dead hold nothing
    with take_up_run(Path("run")) as (experiment, _):
        assert experiment.training.schedule.epochs == 100_000
    assert not Path("run/.lock").exists()


def test_a_resumed_run_keeps_its_choices_and_clears_away_half_written_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shortlist as sl

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    flags = ["train", "clicks.parquet", "--epochs", "2", "--quiet", "--out", "run", "--checkpoint-steps", "1"]
    with monkeypatch.context() as patch:
        patch.setattr(sl.Run, "save", die)
        CliRunner().invoke(app, [*flags, "--without-history", "--track", "tensorboard"])
    assert json.loads(Path("run/choices.json").read_text()) == {"without_history": True, "track": ["tensorboard"]}
    Path("run/.bundle-ab12").mkdir()
    Path("run/.bundle-ab12/query.onnx").touch()
    Path("run/.checkpoint.safetensors.ab12").touch()
    for path in Path("run/tensorboard").iterdir():
        path.unlink()
    result = CliRunner().invoke(app, ["train", "--resume", "run", "--quiet"], catch_exceptions=False)
    assert result.exit_code == 0
    assert not Path("run/bundle/seen.safetensors").exists()
    assert list(Path("run/tensorboard").iterdir())
    assert not [path for path in Path("run").iterdir() if path.name.startswith(".")]
    Path("run/checkpoint.safetensors").touch()  # as a kill right after the bundle leaves it
    again = CliRunner().invoke(app, ["train", "--resume", "run"])
    assert str(again.exception) == "run is finished: its bundle is there. Train anew with another --out."
    assert not Path("run/checkpoint.safetensors").exists()
