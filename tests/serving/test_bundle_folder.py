"""Names of bundles: plain folders of one folder, and nothing else."""

import os
import shutil
from pathlib import Path

import pytest
from asking import KEY, ask

from shortlist.serving import ServerSettings, create_app
from shortlist.serving.bundle_folder import BundleFolder
from shortlist.serving.problems import RefusedError

pytest_plugins = ["served"]


@pytest.fixture
def folder(bundles: Path, tmp_path: Path) -> BundleFolder:
    """A bundle, a run with a bundle in it, and what is no bundle or lies elsewhere."""
    inside, outside = tmp_path / "bundles", tmp_path / "outside"
    shutil.copytree(bundles / "first", inside / "films-1.2_b")
    shutil.copytree(bundles / "first", inside / "run" / "bundle")
    shutil.copytree(bundles / "first", inside / ".hidden")
    shutil.copytree(bundles / "first", outside / "other")
    (inside / "empty").mkdir()
    (inside / "file").write_text("")
    (inside / "current").symlink_to("films-1.2_b")
    (inside / "elsewhere").symlink_to(outside / "other")
    (inside / "half").mkdir()
    (inside / "half" / "bundle").symlink_to(outside / "other")
    (inside / "loop").symlink_to("loop")
    return BundleFolder(inside)


def test_bundles_and_runs_of_the_folder_are_listed(folder: BundleFolder) -> None:
    assert folder.names() == ["current", "films-1.2_b", "run"]


def test_a_name_leads_to_where_the_bundle_really_lies(folder: BundleFolder, tmp_path: Path) -> None:
    assert folder.find("run") == (tmp_path / "bundles" / "run" / "bundle").resolve()
    assert folder.find("current") == (tmp_path / "bundles" / "films-1.2_b").resolve()


PATHS = ("..", ".", "", ".hidden", "../outside/other", "run/bundle", "run\\bundle", "/etc", "%2e%2e", "~")
TEXTS = ("a b", "é", "run\n", "run\x00", "x" * 129)


@pytest.mark.parametrize("name", PATHS + TEXTS)
def test_a_name_that_is_no_plain_one_is_refused(folder: BundleFolder, name: str) -> None:
    with pytest.raises(
        RefusedError, match="A bundle's name should be the name of its folder: letters, digits"
    ) as raised:
        folder.find(name)
    assert raised.value.status == 422
    assert raised.value.known == ["current", "films-1.2_b", "run"]


@pytest.mark.parametrize("name", ["films-2", "empty", "file", "elsewhere", "half", "loop"])
def test_a_name_that_no_bundle_of_the_folder_has_is_refused(folder: BundleFolder, name: str) -> None:
    with pytest.raises(RefusedError, match=f"No bundle in this server's folder is called '{name}'. Copy it there"):
        folder.find(name)


def test_a_folder_that_is_not_there_has_no_names(tmp_path: Path) -> None:
    assert BundleFolder(tmp_path / "none").names() == []


def test_what_cannot_be_read_is_no_bundle(
    folder: BundleFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = tmp_path / "bundles" / "run"
    real = Path.stat

    def stat(self: Path, **how: bool) -> os.stat_result:
        if self.is_relative_to(locked) and self != locked:
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, **how)

    monkeypatch.setattr(Path, "stat", stat)
    assert folder.names() == ["current", "films-1.2_b"]
    with pytest.raises(RefusedError, match="No bundle in this server's folder is called 'run'") as raised:
        folder.find("run")
    assert raised.value.status == 422


def test_a_manifest_that_cannot_be_read_is_no_bundle(folder: BundleFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, _: "run" not in Path(path).parts)
    assert folder.names() == ["current", "films-1.2_b"]


def test_the_folder_is_the_bundles_own_or_the_one_that_is_named(settings: ServerSettings, tmp_path: Path) -> None:
    assert ask(create_app(settings), "/bundles").json["available"] == ["first", "second"]
    elsewhere = ServerSettings(settings.bundle, bundles=tmp_path, key_digests=settings.key_digests)
    got = ask(create_app(elsewhere), "/bundles/stage", {"name": "second"}, headers={"authorization": f"Bearer {KEY}"})
    assert (got.status, got.json["known"], got.json["where"]) == (422, [], ["body", "name"])
