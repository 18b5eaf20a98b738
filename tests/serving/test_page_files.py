"""The page's files: a closed table, read at the start."""

import pytest
from asking import ask
from fastapi import FastAPI

from shortlist.serving.files import Files

pytest_plugins = ["served"]


def test_the_page_stands_at_the_root(app: FastAPI) -> None:
    got = ask(app, "/")
    assert got.status == 200
    assert got.headers["content-type"] == "text/html; charset=utf-8"
    assert got.body.startswith(b"<!doctype html>")
    assert ask(app, "/page/index.html").body == got.body


def test_every_file_has_a_type_that_a_browser_knows() -> None:
    files = Files.read()
    assert "index.html" in files.contents
    assert all(name.endswith((".html", ".js", ".css", ".svg", ".png")) for name in files.contents)


@pytest.mark.parametrize(
    "name", ["other.js", "..%2fapp.py", "..", "%2e%2e%2fapp.py", "app.py", "index.html%00", "INDEX.HTML"]
)
def test_nothing_else_is_given(app: FastAPI, name: str) -> None:
    assert ask(app, f"/page/{name}").status == 404


def test_a_file_that_is_not_there_is_told_with_those_that_are(app: FastAPI) -> None:
    got = ask(app, "/page/other.js")
    assert got.error == "The page has no such file."
    assert "index.html" in got.json["known"]
