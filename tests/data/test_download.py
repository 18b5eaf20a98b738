import dataclasses
import hashlib
import http.server
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shortlist.data.download import Archive, Source, Url, Wheel, fetch, fetch_first, find_cached, is_intact, stream
from shortlist.errors import DownloadError, SettingsError

CONTENT = b"one hundred thousand ratings"


@dataclasses.dataclass(frozen=True)
class Writer:
    """A source that does what it is told with the target."""

    write: Callable[[Path], object]

    def __str__(self) -> str:
        return "a writer"

    def fetch(self, target: Path) -> None:
        self.write(target)


@dataclasses.dataclass(frozen=True)
class PlainUrl:
    """An address without the rule that it be https, for a server on this machine."""

    address: str

    def fetch(self, target: Path) -> None:
        stream(self.address, target)


def giving(content: bytes) -> Writer:
    return Writer(lambda target: target.write_bytes(content))


def failing(reason: str, first: bytes = b"") -> Writer:
    def write(target: Path) -> None:
        target.write_bytes(first)
        raise DownloadError(reason)

    return Writer(write)


def archive(source: Source, name: str = "ratings.zip") -> Archive:
    return Archive(name, len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), source)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        moves = {"/moved": "/good", "/away": "ftp://127.0.0.1/good"}
        if self.path in moves:
            self.send_response(302)
            self.send_header("Location", moves[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path in ("/good", "/short"):
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT if self.path == "/good" else CONTENT[:10])
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        pass


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_what_arrives_is_kept_under_its_name_and_nothing_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "cache"
    path = fetch(archive(giving(CONTENT)), folder)
    assert path == folder / "ratings.zip"
    assert path.read_bytes() == CONTENT
    assert names(folder) == ["ratings.zip"]


@pytest.mark.parametrize(
    ("came", "says"),
    [
        (CONTENT[:-1], "with 28 bytes and SHA-256 .*, but 27 bytes with SHA-256 .* came from a writer"),
        (CONTENT[:-1] + b"?", "but 28 bytes with SHA-256 .* came from a writer: .* Nothing was kept; try again"),
        (CONTENT + b"!", "but 29 bytes with SHA-256"),
        (b"", "but 0 bytes with SHA-256"),
    ],
)
def test_another_size_or_hash_is_refused_and_nothing_is_kept(tmp_path: Path, came: bytes, says: str) -> None:
    with pytest.raises(DownloadError, match=says):
        fetch(archive(giving(came)), tmp_path)
    assert names(tmp_path) == []


def test_a_source_that_brings_another_file_is_refused(tmp_path: Path) -> None:
    source = Writer(lambda target: target.with_name("other.zip").write_bytes(CONTENT))
    with pytest.raises(DownloadError, match=r"Expected ratings\.zip .* but no such file came from a writer"):
        fetch(archive(source), tmp_path)
    assert names(tmp_path) == []


def test_a_source_that_breaks_off_leaves_the_old_file_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "ratings.zip").write_bytes(b"old")
    with pytest.raises(DownloadError, match=r"^the line went dead$"):
        fetch(archive(failing("the line went dead", first=CONTENT[:5])), tmp_path)
    assert names(tmp_path) == ["ratings.zip"]
    assert (tmp_path / "ratings.zip").read_bytes() == b"old"


def test_an_interrupted_download_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(target: Path) -> None:
        target.write_bytes(CONTENT[:5])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(archive(Writer(interrupt)), tmp_path)
    assert names(tmp_path) == []


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    held = tmp_path / "ratings.zip"
    held.write_bytes(b"old")
    seen = []

    def write(target: Path) -> None:
        for end in (5, len(CONTENT)):
            target.write_bytes(CONTENT[:end])
            seen.append(held.read_bytes())

    fetch(archive(Writer(write)), tmp_path)
    assert seen == [b"old", b"old"]
    assert held.read_bytes() == CONTENT


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"a file")
    with pytest.raises(DownloadError, match=r"ratings\.zip could not be written: .* Choose another cache folder"):
        fetch(archive(giving(CONTENT)), tmp_path / "cache")


@pytest.mark.parametrize("held", [None, CONTENT[:-1], CONTENT[:-1] + b"?"], ids=["absent", "truncated", "altered"])
def test_an_absent_or_damaged_file_is_not_intact(tmp_path: Path, held: bytes | None) -> None:
    path = tmp_path / "ratings.zip"
    if held is not None:
        path.write_bytes(held)
    assert not is_intact(archive(giving(CONTENT)), path)
    assert find_cached([archive(giving(CONTENT))], tmp_path) is None


def test_the_first_intact_archive_is_found(tmp_path: Path) -> None:
    wanted = [archive(failing("not asked"), name) for name in ("a.zip", "b.zip", "c.zip")]
    (tmp_path / "a.zip").write_bytes(b"damaged")
    (tmp_path / "b.zip").write_bytes(CONTENT)
    (tmp_path / "c.zip").write_bytes(CONTENT)
    assert find_cached(wanted, tmp_path) == tmp_path / "b.zip"


def test_the_next_source_is_asked_where_the_first_fails(tmp_path: Path) -> None:
    path = fetch_first([archive(failing("no route"), "a.zip"), archive(giving(CONTENT), "b.zip")], tmp_path)
    assert path == tmp_path / "b.zip"
    assert names(tmp_path) == ["b.zip"]


def test_the_next_source_is_not_asked_where_the_first_works(tmp_path: Path) -> None:
    path = fetch_first([archive(giving(CONTENT), "a.zip"), archive(failing("asked in vain"), "b.zip")], tmp_path)
    assert path == tmp_path / "a.zip"


def test_every_reason_is_given_where_all_sources_fail(tmp_path: Path) -> None:
    wanted = [archive(failing("no route."), "a.zip"), archive(giving(b"a login page"), "b.zip")]
    with pytest.raises(DownloadError) as caught:
        fetch_first(wanted, tmp_path)
    said = str(caught.value)
    assert "could not be fetched from any of its 2 sources. (1) no route. (2) Expected b.zip with 28 bytes" in said
    assert f"put a.zip or b.zip into {tmp_path} by hand" in said
    assert names(tmp_path) == []


@pytest.mark.parametrize("address", ["http://example.org/a.zip", "file:///etc/passwd", "ftp://example.org/a", "a.zip"])
def test_an_address_that_is_not_https_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match=f"should come over https, but the address is '{address}'"):
        Url(address)


@pytest.mark.parametrize("page", ["/good", "/moved"])
def test_what_a_server_sends_arrives(server: str, tmp_path: Path, page: str) -> None:
    assert fetch(archive(PlainUrl(server + page)), tmp_path).read_bytes() == CONTENT


def test_a_missing_page_names_address_and_status(server: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=f"{server}/nowhere could not be fetched: HTTP Error 404"):
        fetch(archive(PlainUrl(f"{server}/nowhere")), tmp_path)
    assert names(tmp_path) == []


def test_an_answer_that_breaks_off_is_refused(server: str, tmp_path: Path) -> None:
    # Some versions of Python report the short answer themselves.
    with pytest.raises(DownloadError, match=r"but 10 bytes with SHA-256|IncompleteRead"):
        fetch(archive(PlainUrl(f"{server}/short")), tmp_path)
    assert names(tmp_path) == []


def test_a_redirect_to_another_scheme_is_refused(server: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"redirects to ftp://127\.0\.0\.1/good, and leaving http is refused"):
        fetch(archive(PlainUrl(f"{server}/away")), tmp_path)


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as gone:
        address = f"http://127.0.0.1:{gone.server_port}/good"
    with pytest.raises(DownloadError, match=f"{address} could not be fetched: .*refused"):
        fetch(archive(PlainUrl(address)), tmp_path)


def test_pip_brings_a_wheel_without_installing_it(tmp_path: Path) -> None:
    wheel = tmp_path / "ratings-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as made:
        made.writestr("ratings-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: ratings\nVersion: 1.0\n")
        made.writestr("ratings-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        made.writestr("ratings-1.0.dist-info/RECORD", "")
    content = wheel.read_bytes()
    wanted = Archive(wheel.name, len(content), hashlib.sha256(content).hexdigest(), Wheel(str(wheel)))
    path = fetch(wanted, tmp_path / "cache")
    assert path.read_bytes() == content
    assert names(tmp_path / "cache") == [wheel.name]


def test_what_pip_says_stands_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"pip could not download no such thing; it said: .*Invalid requirement"):
        fetch(archive(Wheel("no such thing")), tmp_path)
    assert names(tmp_path) == []
