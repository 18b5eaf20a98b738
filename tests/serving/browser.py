"""A real browser in front of a real server.

The tests of the page name it as their plugin; PYTEST_DONT_REWRITE, for the doctests have imported it by then.
"""

import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, sync_playwright

import shortlist as sl
from shortlist.bundle import save_bundle

__all__ = ["SCRIPT", "ServedBundle", "Watch", "launched", "opened", "serving"]

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCRIPT = "<script>alert(1)</script>"
SCRIPT_ITEM, RETIRED_ITEM = 3, 22
# What the page's policy forbade, told to Python as it happens.
TELL_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
  tellViolation(violatedDirective + " " + blockedURI));
"""


class ServedBundle:
    """A bundle behind a server of its own, in a child process."""

    def __init__(self, bundle: Path) -> None:
        self._bundle = bundle
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> None:
        """Start the server; the second time at the address of the first."""
        port = self.url.rpartition(":")[2].rstrip("/") or "0"
        program = "from shortlist.cli.main import main; main()"
        command = [sys.executable, "-c", program, "serve", str(self._bundle), "--port", port, "--json"]
        threads = {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | threads)
        assert self._process.stdout is not None
        told = self._process.stdout.readline()
        if not told:
            self.stop()
            pytest.fail("The server ended before it was ready.")
        self.url = json.loads(told)["url"] + "/"

    def stop(self) -> None:
        """End the server at once."""
        if self._process is None:
            return
        self._process.kill()
        self._process.communicate()
        self._process = None

    def ask(self, path: str, body: Any = None) -> Any:
        """What the API answers by itself."""
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 -- the address is our own
            self.url + path.lstrip("/"), content, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            return json.load(response)


@dataclasses.dataclass
class Watch:
    """What a page did that it should not: errors, dialogs, violations of its policy, requests to elsewhere."""

    origin: str
    seen: list[str] = dataclasses.field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        """Watch all pages of a context."""
        context.expose_function("tellViolation", lambda text: self.seen.append(f"policy: {text}"))
        context.add_init_script(TELL_VIOLATIONS)
        context.on("page", self._watch)

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.seen.append(f"error: {error}"))
        page.on("dialog", self._note_dialog)
        page.on("console", lambda message: self._note_console(message.type, message.text))
        page.on("request", lambda request: self._note_request(request.url))
        page.on("response", lambda response: self._note_response(response.url, response.status))

    def _note_dialog(self, dialog: Dialog) -> None:
        self.seen.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _note_console(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not text.startswith("Failed to load resource"):
            self.seen.append(f"console: {text}")

    def _note_request(self, url: str) -> None:
        if not url.startswith(self.origin):
            self.seen.append(f"elsewhere: {url}")

    def _note_response(self, url: str, status: int) -> None:
        if status >= 400 and ("/page/" in url or "favicon" in url):
            self.seen.append(f"{status}: {url}")


@contextlib.contextmanager
def serving(bundle: Path) -> Iterator[ServedBundle]:
    """A server of the bundle, ended at the end."""
    served = ServedBundle(bundle)
    served.start()
    try:
        yield served
    finally:
        served.stop()


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """The Chromium of this machine; fails where there is none."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.fail("The page is tested in a real browser, and none is here. Install it: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@contextlib.contextmanager
def opened(browser: Browser, origin: str, **settings: Any) -> Iterator[Page]:
    """A page in a fresh context; what it did that it should not fails at the end."""
    watch = Watch(origin)
    context = browser.new_context(
        **{"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce", **settings}
    )
    context.set_default_timeout(5_000)
    watch.over(context)
    try:
        yield context.new_page()
    finally:
        context.close()
    assert not watch.seen, "\n".join(watch.seen)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def page_bundle(shop_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop with one item whose label is a script, and one that is retired."""
    bundle = sl.load_bundle(shop_bundle)
    row = pl.int_range(pl.len())
    label = pl.when(row == SCRIPT_ITEM).then(pl.lit(SCRIPT))
    items = bundle.items.with_columns(
        label.otherwise("label").alias("label"), retired=pl.col("retired") | (row == RETIRED_ITEM)
    )
    columns = bundle.item_columns.with_columns(label.otherwise("title").alias("title"))
    changed = dataclasses.replace(bundle, items=items, item_columns=columns)
    return save_bundle(changed, tmp_path_factory.mktemp("pages") / "shop")


@pytest.fixture(scope="session")
def server(page_bundle: Path) -> Iterator[ServedBundle]:
    with serving(page_bundle) as served:
        yield served


@pytest.fixture
def page(browser: Browser, server: ServedBundle) -> Iterator[Page]:
    with opened(browser, server.url) as page:
        yield page
