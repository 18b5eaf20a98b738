"""Keys: read from a file, kept as digests, wanted by every route that changes something."""

import dataclasses
import hashlib
from pathlib import Path

import pytest
from asking import KEY, ask
from fastapi import FastAPI

from shortlist.errors import SettingsError
from shortlist.serving import ServerSettings, create_app, read_keys

pytest_plugins = ["served"]

CHANGES = ("/bundles/stage", "/bundles/promote", "/bundles/rollback", "/bundles/unstage")


def test_keys_are_read_as_digests_and_comments_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# of the operators\n\n  {KEY}  \nanother-key-0123456\n")
    assert read_keys(file) == tuple(hashlib.sha256(key).digest() for key in (KEY.encode(), b"another-key-0123456"))


def test_a_byte_order_mark_is_no_part_of_a_key(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(KEY, "utf-8-sig")
    assert read_keys(file) == (hashlib.sha256(KEY.encode()).digest(),)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"# nothing\n", "has no key. Write one a line, each of at least 16 characters."),
        (
            b"# short\nmy-key",
            "line 2: a key should have at least 16 characters, but it has 6. Make one with: python -c",
        ),
        (b"\xff" * 20, "cannot be read: 'utf-8' codec can't decode"),
        (None, "cannot be read: .* Name a text file with one key a line."),
    ],
)
def test_a_file_without_proper_keys_is_refused(tmp_path: Path, content: bytes | None, text: str) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=text) as raised:
        read_keys(file)
    assert "my-key" not in str(raised.value)


@pytest.mark.parametrize("target", CHANGES)
def test_a_server_without_keys_changes_nothing(settings: ServerSettings, target: str) -> None:
    app = create_app(dataclasses.replace(settings, key_digests=()))
    got = ask(app, target, {}, headers={"authorization": f"Bearer {KEY}"})
    assert got.status == 403
    assert got.error == (
        "This server changes no bundles, for it has no keys. Write one key a line into a file and start it with "
        "--api-keys FILE."
    )


@pytest.mark.parametrize("target", CHANGES)
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "A key was expected, but none came. Send it as: Authorization: Bearer KEY."),
        ("Bearer another-key-0123456", "The key is none of this server's."),
        (f"Bearer {KEY}x", "The key is none of this server's."),
        (f"Basic {KEY}", "The key is none of this server's."),
        (KEY, "The key is none of this server's."),
        ("Bearer ", "The key is none of this server's."),
    ],
)
def test_a_change_wants_a_key(app: FastAPI, target: str, value: str | None, text: str) -> None:
    got = ask(app, target, {}, headers={} if value is None else {"authorization": value})
    assert got.status == 401
    assert got.headers["www-authenticate"] == 'Bearer realm="bundles"'
    assert text in got.error


def test_a_key_opens_the_routes(app: FastAPI) -> None:
    got = ask(app, "/bundles/promote", {}, headers={"authorization": f"bearer {KEY}"})
    assert got.status == 409
