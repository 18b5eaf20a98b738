"""The command: one request without a socket, and what it refuses before it begins."""

import importlib.util
import json
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from asking import ask, in_thread
from fastapi import FastAPI

from shortlist.cli.main import main

pytest_plugins = ["served"]


class Ended:
    """How a command ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def command(bundles: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs `shortlist serve` on the first bundle with more arguments."""

    def run(*arguments: str, bundle: Path = bundles / "first") -> Ended:
        monkeypatch.setattr(sys, "argv", ["shortlist", "serve", str(bundle), *arguments])
        with pytest.raises(SystemExit) as ended:
            in_thread(main)
        printed = capsys.readouterr()
        return Ended(int(ended.value.code or 0), printed.out, printed.err)

    return run


@pytest.mark.parametrize("target", ["/recommend/1?k=3&explain=true", "/items?search=group1", "/", "/health"])
def test_get_prints_what_the_server_would_answer(command: Any, app: FastAPI, target: str) -> None:
    ended = command("--get", target)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == ask(app, target).body.decode() + "\n"


def test_get_takes_a_path_as_a_browser_does(command: Any) -> None:
    expected = command("--get", "/recommend/Mis%C3%A9rables%20%281%29?k=3").out
    assert json.loads(expected)["query"] == "fallback"
    assert command("--get", "/recommend/Misérables (1)?k=3#items").out == expected
    assert command("--get", "/items/é").err.startswith("shortlist: No item has the id 'é'")
    assert "'é'" in command("--get", "/recommend/1?k=é").err


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("/items/none", "No item has the id 'none'; the catalogue holds"),
        ("/recommend", "This path takes POST, not GET."),
        ("/recommend/1?k=0", "The query string is not as it should be: k should be greater than or equal to 1"),
        ("/nothing", "Nothing is at this path."),
    ],
)
def test_get_ends_with_1_and_the_errors_text_for_what_is_refused(command: Any, target: str, text: str) -> None:
    ended = command("--get", target)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"shortlist: {text}")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--get", "health"], 2, "--get wants a path such as /health, but it is 'health'. Begin it with a slash."),
        (["--get", "/items?search=\udcff"], 2, "--get wants a path in UTF-8, but it is '/items?search=\\udcff'. Write"),
        (["--api-keys", "nowhere", "--get", "/health"], 2, "The keys in nowhere cannot be read"),
        (["--host", "nowhere.invalid"], 1, "The server cannot listen at nowhere.invalid, port 8000: "),
    ],
)
def test_what_cannot_be_is_one_sentence(command: Any, arguments: Sequence[str], code: int, text: str) -> None:
    ended = command(*arguments)
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith(f"shortlist: {text}")


def test_a_port_that_is_taken_is_one_sentence(command: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = command("--port", str(port))
    assert ended.code == 1
    assert ended.err == (
        f"shortlist: The server cannot listen at 127.0.0.1, port {port}: Address already in use. "
        "Name another with --host or --port.\n"
    )


@pytest.mark.parametrize("arguments", [["--get", "/health"], ["--port", "0"]])
def test_a_folder_that_is_no_bundle_is_one_sentence(command: Any, tmp_path: Path, arguments: Sequence[str]) -> None:
    ended = command(*arguments, bundle=tmp_path)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        f"shortlist: {tmp_path} is no bundle: there is no manifest.json in it. Name the folder that train wrote.\n"
    )


def test_another_folder_of_bundles_can_be_named(command: Any, tmp_path: Path) -> None:
    ended = command("--bundles", str(tmp_path), "--get", "/bundles")
    assert json.loads(ended.out)["available"] == []


def test_a_missing_library_names_the_install_command(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "httptools" else found(name))
    ended = command("--get", "/health")
    assert ended.code == 1
    assert ended.err == (
        "shortlist: This needs httptools, which is not installed. Install it with: pip install 'shortlist[serve]'\n"
    )
