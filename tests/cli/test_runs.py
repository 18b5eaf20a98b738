"""The folder, the pictures and the references of training commands, without a training."""

import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from shortlist.cli.run_folder import output_folder
from shortlist.cli.runs import draw_curves, read_references
from shortlist.errors import DataError, SettingsError

METRIC = "top_5_accuracy/full/seen_excluded/ties_expected"
WANTED = (
    r'--reference wants a JSON file with "layers", "validate_every" and "top_5_accuracy" \(a list of numbers\), but '
)


def drawn(folder: Path) -> dict[str, list[tuple[int, float, bool]]]:
    """Epoch, mean and whether it is a reference, for each point of each curve in the page."""
    found = re.search(r'<script id="spec"[^>]*>(.*?)</script>', (folder / "curves.html").read_text("utf-8"), re.DOTALL)
    assert found is not None
    curves: dict[str, list[tuple[int, float, bool]]] = {}
    for rows in json.loads(found[1])["datasets"].values():
        for row in rows:
            if "mean" in row:
                curves.setdefault(row["curve"], []).append((row["epoch"], row["mean"], row["reference"]))
    return curves


def test_seeds_that_stopped_early_end_the_curve_of_their_depth(tmp_path: Path) -> None:
    curves = {
        "[8]": [{1: 0.25, 2: 0.5, 3: 0.75}, {1: 0.75, 2: 0.5}],
        "[8, 4]": [{1: 0.25}, {1: 0.5, 2: 0.5, 3: 0.5, 4: 0.5}],
    }
    files = draw_curves(tmp_path, curves, {"popularity": 0.125}, METRIC, "validation")
    assert [path.name for path in files] == ["curves.png", "curves.svg", "curves.html"]
    assert sorted(tmp_path.iterdir()) == sorted(files)
    assert drawn(tmp_path) == {"[8]": [(1, 0.5, False), (2, 0.5, False)], "[8, 4]": [(1, 0.375, False)]}
    picture = (tmp_path / "curves.svg").read_text("utf-8")
    assert "Top 5 accuracy against epoch" in picture
    assert "validation events · full · seen excluded · ties expected" in picture
    assert "popularity" in picture


def test_references_are_drawn_to_the_last_epoch_of_ours(tmp_path: Path) -> None:
    # Every second epoch: at 2, 4 and 6, of which the last two lie beyond ours; the second file has none in reach.
    near = {"layers": [8], "validate_every": 2, "top_5_accuracy": [0.5, 0.625, 0.75]}
    far = {"layers": [9], "validate_every": 4, "top_5_accuracy": [0.5]}
    for name, table in (("near", near), ("far", far)):
        (tmp_path / f"{name}.json").write_text(json.dumps(table))
    references = read_references([tmp_path / "near.json", tmp_path / "far.json"], "top_5_accuracy")
    assert references == {"near": near, "far": far}
    draw_curves(tmp_path, {"[8]": [{1: 0.25, 2: 0.5, 3: 0.75}]}, {}, METRIC, "test", references)
    assert drawn(tmp_path) == {"[8]": [(1, 0.25, False), (2, 0.5, False), (3, 0.75, False)], "near": [(2, 0.5, True)]}


@pytest.mark.parametrize(
    ("curves", "says"),
    [
        ({"[8]": [{}, {}]}, "No curves were drawn: no epoch was validated.\n"),
        ({"[8]": [{1: 0.5}, {2: 0.5}]}, "No curves were drawn: no epoch was validated.\n"),
        ({f"[{width}]": [{1: 0.5}] for width in range(1, 8)},
         "No curves were drawn. Expected at most 6 curves of their own colour, got 7: "
         "'[1]', '[2]', '[3]', '[4]', '[5]', … (7 in all). Draw them in two charts.\n"),
    ],
    ids=["nothing watched", "no epoch in common", "seven depths"],
)  # fmt: skip
def test_where_no_curves_can_be_drawn_stderr_says_so(
    curves: dict[str, list[dict[int, float]]], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert draw_curves(tmp_path, curves, {"popularity": 0.1}, METRIC, "test") == []
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", says)


def test_without_the_extra_stderr_names_the_command_that_installs_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "altair" else find(name, *rest)
    )
    for name in [name for name in sys.modules if name.startswith("shortlist.report")]:
        monkeypatch.delitem(sys.modules, name)
    assert draw_curves(tmp_path, {"[8]": [{1: 0.5}]}, {}, METRIC, "test") == []
    assert capsys.readouterr().err == (
        "No curves were drawn. This needs altair, which is not installed. "
        "Install it with: pip install 'shortlist[report]'\n"
    )


GOOD = {"layers": [8], "validate_every": 5, "top_5_accuracy": [0.2, 0.25]}
OTHER = "theirs.json has other values under it."


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, r"theirs\.json cannot be read: \[Errno 2\] No such file or directory: "),
        ("{", r"theirs\.json cannot be read: Expecting property name enclosed in double quotes: line 1 column 2"),
        (b"\xff", r"theirs\.json cannot be read: 'utf-8' codec can't decode byte 0xff in position 0"),
        ([GOOD], r"theirs\.json has not all of them\."),
        ({"layers": [8], "top_5_accuracy": [0.2]}, r"theirs\.json has not all of them\."),
        ({"layers": [8], "validate_every": 5, "top_100_accuracy": [0.2]}, r"theirs\.json has not all of them\."),
        (GOOD | {"top_5_accuracy": []}, OTHER),
        (GOOD | {"top_5_accuracy": 0.2}, OTHER),
        (GOOD | {"top_5_accuracy": [0.2, None]}, OTHER),
        (GOOD | {"top_5_accuracy": [0.2, "0.3"]}, OTHER),
        (GOOD | {"validate_every": 0}, r'in .*theirs\.json "validate_every" is 0\.'),
        (GOOD | {"validate_every": 2.5}, r'in .*theirs\.json "validate_every" is 2\.5\.'),
        (GOOD | {"validate_every": "5"}, r"in .*theirs\.json \"validate_every\" is '5'\."),
    ],
)
def test_a_reference_that_is_none_is_a_wrong_choice(content: Any, says: str, tmp_path: Path) -> None:
    path = tmp_path / "theirs.json"
    if content is not None:
        text = content if isinstance(content, str | bytes) else json.dumps(content)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsError, match=f"^{WANTED}.*{says}"):
        read_references([path], "top_5_accuracy")


def fail_in(out: Path, *, written: str | None = None) -> None:
    with output_folder(out) as folder:
        assert folder.is_dir()
        if written:
            (folder / written).touch()
        raise DataError("the work failed")


def test_a_folder_goes_again_where_the_work_fails_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the work failed"):
        fail_in(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_stays_with_what_was_written_before_the_work_failed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the work failed"):
        fail_in(tmp_path / "new", written="half")
    assert (tmp_path / "new" / "half").is_file()


def test_an_empty_folder_that_was_there_stays(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the work failed"):
        fail_in(tmp_path)
    assert tmp_path.is_dir()


def test_a_folder_without_a_name_is_one_of_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with output_folder(None) as folder:
        (folder / "made").touch()
    assert re.fullmatch(r"runs/\d{4}-\d\d-\d\d-\d{6}", str(folder))
    assert (tmp_path / folder / "made").is_file()


@pytest.mark.parametrize(
    ("out", "says"),
    [
        (".", r"is there already and not empty\. Name a new folder with --out\.$"),
        ("file", r"file is there already and not empty\. Name a new folder with --out\.$"),
        ("file/below", r"below cannot be made: \[Errno 20\] .*\. Name another folder with --out\."),
    ],
)
def test_a_folder_that_results_cannot_go_to_is_a_wrong_choice(out: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=says):
        fail_in(tmp_path / out)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
