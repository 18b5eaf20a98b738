import errno
from pathlib import Path

import pytest

from shortlist.atomic import naming, new_folder, write_file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestWriteFile:
    def test_it_writes_a_new_file_and_gives_its_path_back(self, tmp_path: Path) -> None:
        path = tmp_path / "report.html"
        assert write_file(path, b"new") == path
        assert path.read_bytes() == b"new"
        assert names(tmp_path) == ["report.html"]

    def test_it_replaces_the_whole_of_what_stood_there(self, tmp_path: Path) -> None:
        path = tmp_path / "report.html"
        path.write_bytes(b"much longer than what comes")
        write_file(path, b"new")
        assert path.read_bytes() == b"new"
        assert names(tmp_path) == ["report.html"]

    def test_who_reads_the_old_file_keeps_it_whole(self, tmp_path: Path) -> None:
        path = tmp_path / "report.html"
        path.write_bytes(b"old")
        with path.open("rb") as reader:
            write_file(path, b"new")
            assert reader.read() == b"old"

    def test_without_its_folder_nothing_is_written(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"No such file or directory: .*absent"):
            write_file(tmp_path / "absent" / "report.html", b"new")
        assert names(tmp_path) == []

    def test_a_folder_is_not_replaced_and_no_draft_stays_beside_it(self, tmp_path: Path) -> None:
        (tmp_path / "report.html").mkdir()
        with pytest.raises(IsADirectoryError, match="Is a directory"):
            write_file(tmp_path / "report.html", b"new")
        assert names(tmp_path) == ["report.html"]
        assert (tmp_path / "report.html").is_dir()


def full(number: int, *names: str) -> None:
    raise OSError(number, "No space left on device", *names)


class TestNaming:
    def test_an_error_that_names_no_file_gets_the_name_and_stays_of_its_class(self) -> None:
        with (
            pytest.raises(PermissionError, match=r"^\[Errno 13\] No space left on device: 'here'$"),
            naming(Path("here")),
        ):
            full(errno.EACCES)

    def test_a_name_that_is_there_stays(self) -> None:
        with pytest.raises(OSError, match=r"device: 'there'$"), naming(Path("here")):
            full(errno.ENOSPC, "there")


class TestNewFolder:
    def test_it_appears_with_its_files_when_the_block_ends(self, tmp_path: Path) -> None:
        path = tmp_path / "deep" / "bundle"
        with new_folder(path) as draft:
            assert draft.parent == path.parent, "a rename within one file system never copies"
            write_file(draft / "a", b"1")
            assert not path.exists()
        assert (path / "a").read_bytes() == b"1"
        assert names(path.parent) == ["bundle"]

    def test_others_may_read_it(self, tmp_path: Path) -> None:
        with new_folder(tmp_path / "bundle"):
            pass
        assert (tmp_path / "bundle").stat().st_mode & 0o777 == 0o755

    def test_after_an_error_nothing_of_it_is_there(self, tmp_path: Path) -> None:
        with pytest.raises(KeyError, match="broken"), new_folder(tmp_path / "bundle") as draft:  # noqa: PT012
            write_file(draft / "a", b"1")
            raise KeyError("broken")
        assert names(tmp_path) == []

    @pytest.mark.parametrize("files", [[], ["old"]], ids=["empty", "full"])
    def test_a_folder_that_is_there_is_refused_and_stays_as_it_was(self, tmp_path: Path, files: list[str]) -> None:
        path = tmp_path / "bundle"
        path.mkdir(mode=0o700)
        for name in files:
            (path / name).write_bytes(b"old")
        with pytest.raises(FileExistsError, match="bundle is there already"), new_folder(path) as draft:
            write_file(draft / "a", b"1")
        assert names(tmp_path) == ["bundle"]
        assert names(path) == files
        assert path.stat().st_mode & 0o777 == 0o700

    def test_a_file_that_is_there_is_refused_and_stays_as_it_was(self, tmp_path: Path) -> None:
        path = tmp_path / "bundle"
        path.write_bytes(b"old")
        with pytest.raises(FileExistsError, match="bundle is there already"), new_folder(path):
            pass
        assert names(tmp_path) == ["bundle"]
        assert path.read_bytes() == b"old"
