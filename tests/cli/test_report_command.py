"""The command report: from folders to a page, and the sentences in which it refuses."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from shortlist.cli.main import main

METRIC = "top_5_accuracy/full/seen_excluded/ties_expected"
COMPARISON: dict[str, Any] = {
    "experiment": {"data": {"source": "gone.parquet"}},
    "rows": [
        {"layers": [8], "seed": 1, "metrics": {METRIC: 0.5}, "parameters": 9, "seconds": 1.5, "peak_memory_mib": None,
         "curve": {}}
    ],
    "failed": [],
    "decisive": METRIC,
    "counts": {"targets": 64, "users": 32, "items": 16},
    "baselines": {"popularity": {METRIC: 0.25}},
    "not_computed": {"ease": "too many items"},
    "curve_baselines": {},
    "slices": {},
    "verdicts": ["[8] beats popularity: top 5 accuracy 0.500 against 0.250, a difference of +0.250 (95 % interval over "
                 "users +0.125 to +0.375)."],
    "differences": [],
    "notes": [],
}  # fmt: skip
VERDICT = "[8] beats popularity. Top 5 accuracy 0.500 against 0.250, a difference of +0.250 (95 % interval over users "


@pytest.fixture
def compared(tmp_path: Path) -> Path:
    folder = tmp_path / "compared"
    folder.mkdir()
    (folder / "comparison.json").write_text(json.dumps(COMPARISON))
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """The exit code of `shortlist report` with these words."""
    monkeypatch.setattr(sys, "argv", ["shortlist", "report", *map(str, words)])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_a_comparison_becomes_a_page_in_its_folder_and_the_verdict_is_printed_first(
    compared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, compared) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(VERDICT)
    assert "popularity (baseline)" in printed
    assert "not computed: too many items" in printed
    assert printed.endswith(f"wrote {compared / 'report.html'}\n")
    page = (compared / "report.html").read_text("utf-8")
    assert "The data could not be examined: the settings of compared: " in page
    assert {path.name for path in compared.iterdir()} == {"comparison.json", "report.html"}


def test_a_bundle_becomes_a_page_with_findings_and_the_health_of_its_vectors(
    shop_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, shop_bundle, "--out", tmp_path / "new" / "page.html", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    (told,) = result["runs"]
    saved = json.loads((shop_bundle / "evaluation.json").read_text("utf-8"))
    assert told["metric"] == saved["decisive"]
    assert told["models"] == {"the model [16, 8]": saved["metrics"][saved["decisive"]]}
    assert told["baselines"].keys() == saved["baselines"].keys()
    assert result["across"] is None
    assert result["file"] == str(tmp_path / "new" / "page.html")
    page = (tmp_path / "new" / "page.html").read_text("utf-8")
    assert "effective rank" in page
    assert "The data could not be examined: it came from Python, and no file names it." in page
    assert f"{saved['metrics'][saved['decisive']]:.4f}" in page


def test_the_number_of_parameters_is_the_models(
    shop_bundle: Path, shop_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(monkeypatch, shop_bundle, "--out", tmp_path / "page.html", "--without-doctor") == 0
    page = (tmp_path / "page.html").read_text("utf-8")
    assert f"<td>{shop_run.model.num_parameters:,}</td>" in page
    assert "The data was not examined for this report." in page


def test_several_runs_share_a_page_in_the_first_ones_folder(
    compared: Path, shop_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, compared, shop_bundle, "--without-doctor") == 0
    printed = capsys.readouterr().out
    assert printed.startswith("These 2 runs ")
    assert f"compared: {VERDICT}" in printed
    assert (compared / "report.html").is_file()


def test_runs_of_the_same_name_are_told_apart_by_their_paths(
    compared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = shutil.copytree(compared, tmp_path / "other" / "compared")
    assert run(monkeypatch, compared, other, "--without-doctor") == 0
    assert f"{other}: {VERDICT}" in capsys.readouterr().out


def test_a_file_that_is_there_is_only_written_over_with_force(
    compared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (compared / "report.html").write_text("mine")
    assert run(monkeypatch, compared, "--without-doctor") == 2
    assert capsys.readouterr().err == (
        f"shortlist: {compared / 'report.html'} is there already. Name another file with --out, or write over it with "
        "--force.\n"
    )
    assert (compared / "report.html").read_text() == "mine"
    assert run(monkeypatch, compared, "--without-doctor", "--force") == 0
    assert VERDICT.partition(".")[0] in (compared / "report.html").read_text("utf-8")


def _empty(folder: Path) -> None:
    (folder / "comparison.json").unlink()


def _file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("x")


def _unfinished(folder: Path) -> None:
    _empty(folder)
    (folder / "experiment.toml").write_text("")


def _damaged(folder: Path) -> None:
    (folder / "comparison.json").write_text('{"rows": [')


def _not_text(folder: Path) -> None:
    (folder / "comparison.json").write_bytes(b"\xff\xfe\x00")


def _without_rows(folder: Path) -> None:
    (folder / "comparison.json").write_text(json.dumps({**COMPARISON, "rows": []}))


def _without_verdicts(folder: Path) -> None:
    (folder / "comparison.json").write_text(json.dumps({k: v for k, v in COMPARISON.items() if k != "verdicts"}))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (shutil.rmtree, "{run} is no run: there is no such folder. Name a folder that train or compare wrote."),
        (_file, "{run} is no run: it is a file. Name"),
        (_empty, "{run} is no run: it holds neither a bundle nor comparison.json. Name"),
        (_unfinished, "{run} is no run: its training is not finished, for there is no bundle in it. Name"),
        (_damaged, "{run}/comparison.json is damaged: Expecting value: line 1 column 11 (char 10). Compare anew."),
        (_not_text, "{run}/comparison.json is damaged: 'utf-16"),
        (_without_rows, "compared, comparison.json: rows should have at least 1 entry, but it is []. It was changed"),
        (_without_verdicts, "compared, comparison.json: verdicts is missing. It was changed, or another version wrote"),
    ],
)
def test_what_is_no_run_is_refused_in_one_sentence_and_nothing_is_written(
    compared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], spoil: Any, says: str
) -> None:
    spoil(compared)
    assert run(monkeypatch, compared, "--out", compared.parent / "page.html") == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(f"shortlist: {says.format(run=compared)}")
    assert printed.err.count("\n") == 1
    assert printed.out == ""
    assert not (compared.parent / "page.html").exists()


def test_a_damaged_bundle_is_refused(
    shop_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = shutil.copytree(shop_bundle, tmp_path / "run" / "bundle")
    (copied / "evaluation.json").write_text("{}")
    assert run(monkeypatch, tmp_path / "run") == 1
    assert "evaluation.json is not the file that was saved with it" in capsys.readouterr().err


def test_a_folder_is_no_page_and_a_run_is_named_once(
    compared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, compared, "--out", compared) == 2
    assert "is a folder, and the report is a file. Name one with --out, such as report.html." in capsys.readouterr().err
    assert run(monkeypatch, compared, compared) == 2
    assert "report wants each RUN once, but got" in capsys.readouterr().err
