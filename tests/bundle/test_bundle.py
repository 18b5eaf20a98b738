import dataclasses
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import shortlist as sl
from shortlist.bundle import OnnxTower, save_bundle
from shortlist.bundle.files import REQUIRED
from shortlist.errors import BundleError
from shortlist.features import encode


@pytest.fixture
def copied(shop_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shop_bundle, tmp_path / "copy"))


def test_a_loaded_bundle_holds_what_was_saved(shop_run: sl.Run, shop_bundle: Path) -> None:
    bundle = sl.load_bundle(shop_bundle)
    assert bundle.features.to_json() == shop_run.model.features.to_json()
    np.testing.assert_array_equal(bundle.item_vectors, shop_run.item_vectors())
    assert bundle.evaluation == json.loads(json.dumps(shop_run.evaluate().to_json()))
    assert bundle.data["fingerprint"] == shop_run.split.fingerprint
    assert len(bundle.history) == 15
    assert bundle.user_events.tolist() == [4] * 60
    assert bundle.seen is not None
    expected = shop_run.split.seen
    np.testing.assert_array_equal(bundle.seen.item_rows, expected.item_rows)


def test_the_folder_of_a_run_stands_for_the_bundle_in_it(shop_bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(shop_bundle, tmp_path / "run" / "bundle")
    (tmp_path / "run" / "curves.svg").write_text("<svg/>")
    assert sl.load_bundle(tmp_path / "run").data == sl.load_bundle(shop_bundle).data
    shutil.rmtree(tmp_path / "run" / "bundle")
    (tmp_path / "run" / "bundle").mkdir()
    with pytest.raises(BundleError, match=r"run is no bundle: there is no manifest\.json in it\. Name the folder that"):
        sl.load_bundle(tmp_path / "run")


def test_what_a_bundle_may_leave_out_is_none_again(shop_bundle: Path, tmp_path: Path) -> None:
    bare = dataclasses.replace(sl.load_bundle(shop_bundle), seen=None, evaluation=None)
    folder = save_bundle(bare, tmp_path / "bare")
    assert {path.name for path in folder.iterdir()} == {*REQUIRED, "manifest.json", "manifest.sha256"}
    again = sl.load_bundle(folder)
    assert (again.seen, again.evaluation) == (None, None)


def test_saved_towers_give_the_trained_models_vectors(shop_run: sl.Run, shop_bundle: Path) -> None:
    bundle = sl.load_bundle(shop_bundle)
    encoded = encode(bundle.features.item, shop_run.split.train.items)
    vectors = OnnxTower(bundle.item_tower, bundle.weights)(encoded)
    np.testing.assert_allclose(vectors, shop_run.item_vectors(), rtol=1e-5, atol=1e-6)


def test_a_bundle_is_never_written_over(shop_run: sl.Run, shop_bundle: Path) -> None:
    before = {path.name: path.read_bytes() for path in shop_bundle.iterdir()}
    with pytest.raises(BundleError, match=r"is there already, and a bundle is never written over. Name a new folder\."):
        shop_run.save(shop_bundle)
    assert {path.name: path.read_bytes() for path in shop_bundle.iterdir()} == before


def test_a_failed_save_leaves_nothing(shop_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = sl.load_bundle(shop_bundle)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shortlist.atomic.os.fsync", full)
    with pytest.raises(BundleError, match=r"could not be written to .*No space left on device.*Nothing was left"):
        save_bundle(bundle, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


# Saves the bundle of argv[1] at argv[2] in forked processes, the n-th of which is killed before the n-th line of our
# own code that it comes to, until one lives; prints how many were killed.
KILLED_WHILE_SAVING = """
import os, shutil, signal, sys
from pathlib import Path
from shortlist.bundle import save
source, target = Path(sys.argv[1]), Path(sys.argv[2])
files = {path.name: path.read_bytes() for path in source.iterdir()}
whole = sorted(files)
for line in range(1, 10_000):
    child = os.fork()
    if child == 0:
        lines = 0
        def trace(frame, event, argument):
            global lines
            if Path(frame.f_code.co_filename).name not in ("atomic.py", "save.py"):
                return None
            lines += event == "line"
            if lines == line:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace
        sys.settrace(trace)
        save.write_bundle(files, target)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    there = sorted(path.name for path in target.iterdir()) if target.exists() else []
    assert there == [] and not target.exists() or there == whole, there
    assert all((target / name).read_bytes() == files[name] for name in there)
    if status == 0:
        assert there == whole
        print(line - 1)
        break
    shutil.rmtree(target, ignore_errors=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no processes")
def test_a_kill_at_any_moment_of_saving_leaves_nothing_or_the_whole_bundle(shop_bundle: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED_WHILE_SAVING, str(shop_bundle), str(tmp_path / "new" / "bundle")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100


def test_a_loaded_bundles_numbers_stay_in_its_files(shop_bundle: Path) -> None:
    bundle = sl.load_bundle(shop_bundle)
    assert bundle.weights == shop_bundle / "weights.safetensors"
    assert bundle.seen is not None
    for numbers in (bundle.item_vectors, bundle.user_events, bundle.seen.offsets, bundle.seen.item_rows):
        assert not numbers.flags.owndata
        assert not numbers.flags.writeable


def test_a_bundle_that_was_loaded_is_saved_the_same(shop_bundle: Path, tmp_path: Path) -> None:
    again = save_bundle(sl.load_bundle(shop_bundle), tmp_path / "again")
    assert {path.name: path.read_bytes() for path in again.iterdir()} == {
        path.name: path.read_bytes() for path in shop_bundle.iterdir()
    }


def test_a_changed_byte_in_any_file_is_refused(copied: Path) -> None:
    for path in sorted(copied.iterdir()):
        good = path.read_bytes()
        for place in {0, len(good) // 2, len(good) - 1}:
            damaged = bytearray(good)
            damaged[place] ^= 1
            path.write_bytes(damaged)
            with pytest.raises(BundleError, match="is damaged"):
                sl.load_bundle(copied)
        path.write_bytes(good)
    sl.load_bundle(copied)


def test_a_missing_file_is_refused_by_name(copied: Path) -> None:
    (copied / "query.onnx").unlink()
    with pytest.raises(BundleError, match=r"lacks its file query\.onnx"):
        sl.load_bundle(copied)


@pytest.mark.parametrize("name", ["query.onnx", "manifest.sha256"])
@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_a_file_that_is_no_plain_one_is_refused(copied: Path, tmp_path: Path, name: str, kind: str) -> None:
    moved = (copied / name).rename(tmp_path / "elsewhere")
    if kind == "link":
        (copied / name).symlink_to(moved)
    elif kind == "folder":
        (copied / name).mkdir()
    else:
        os.mkfifo(copied / name)  # to read it would wait for ever
    with pytest.raises(BundleError, match=rf"{name} is no plain file of its own\. Do not use this bundle; copy the"):
        sl.load_bundle(copied)


@pytest.mark.parametrize("name", REQUIRED)
def test_a_manifest_that_does_not_list_every_part_is_refused(copied: Path, name: str) -> None:
    listed = json.loads((copied / "manifest.json").read_text())["files"]
    (copied / name).unlink()
    _rewrite(copied, files={other: digest for other, digest in listed.items() if other != name})
    with pytest.raises(BundleError, match=rf"is not whole: its manifest\.json does not list {name}\. Train anew\."):
        sl.load_bundle(copied)


def test_a_manifest_without_files_is_no_bundles(copied: Path) -> None:
    _rewrite(copied, files=["query.onnx"])
    with pytest.raises(BundleError, match=r"is no bundle: its manifest\.json lists no files\. Name the folder that"):
        sl.load_bundle(copied)


def test_a_file_that_the_manifest_does_not_list_is_refused(copied: Path) -> None:
    (copied / "extra.txt").write_text("?")
    with pytest.raises(BundleError, match=r"holds 'extra\.txt', which its manifest does not list"):
        sl.load_bundle(copied)


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"is no bundle: there is no manifest\.json in it"):
        sl.load_bundle(tmp_path)


def _rewrite(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text()) | changes
    text = json.dumps(manifest).encode()
    (folder / "manifest.json").write_bytes(text)
    (folder / "manifest.sha256").write_text(hashlib.sha256(text).hexdigest() + "\n")


def test_a_newer_format_is_refused(copied: Path) -> None:
    _rewrite(copied, format=4)
    with pytest.raises(BundleError, match="has format 4, and this shortlist reads format 3"):
        sl.load_bundle(copied)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "..", ".", ""])
def test_a_file_name_that_leaves_the_folder_is_refused(copied: Path, name: str) -> None:
    listed = json.loads((copied / "manifest.json").read_text())["files"]
    _rewrite(copied, files=listed | {name: "0" * 64})
    with pytest.raises(BundleError, match=re.escape(f"names a file outside of itself: {name!r}.")):
        sl.load_bundle(copied)


def test_every_byte_of_every_file_is_guarded(shop_bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(shop_bundle, copy)
    places = np.random.default_rng(0)
    for path in sorted(copy.iterdir()):
        whole = path.read_bytes()
        if path.name == "manifest.sha256":
            flips = np.arange(len(whole))
        else:
            flips = np.unique(np.append(places.integers(len(whole), size=12), [0, len(whole) - 1]))
        for place in flips.tolist():
            for bit in (0, 7):
                damaged = bytearray(whole)
                damaged[place] ^= 1 << bit
                path.write_bytes(damaged)
                with pytest.raises(BundleError, match="is damaged"):
                    sl.load_bundle(copy)
        path.write_bytes(whole)
    sl.load_bundle(copy)
