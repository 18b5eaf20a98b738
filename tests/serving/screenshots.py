"""Pictures of the page for the documentation: python tests/serving/screenshots.py BUNDLE OUT

BUNDLE is one of MovieLens 100k, served in a child process; OUT is the folder that gets page-*.png.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from browser import ServedBundle, launched, opened, serving
from playwright.sync_api import Browser, Page, expect

WIDE, PHONE = {"width": 1280, "height": 1040}, {"width": 390, "height": 844}
USER = "#q.user_id=3"


def query(page: Page) -> None:
    page.locator("#items .why").nth(1).click()
    expect(page.locator("#items .effects")).to_be_visible()


def what_if(page: Page) -> None:
    page.locator("#keeping").get_by_role("button").first.click()
    page.get_by_label("age", exact=True).fill("55")
    expect(page.locator("#says")).to_contain_text("age 55")
    expect(page.locator("#items .mark.up").first).to_be_visible()


def item(page: Page) -> None:
    expect(page.locator("#item .near .item").first).to_be_visible()
    page.locator("#item .near .item").first.click()
    expect(page.get_by_role("button", name="← Back")).to_be_visible()


def error(page: Page) -> None:
    page.get_by_label("age", exact=True).fill("thirty")
    expect(page.get_by_role("alert")).to_be_visible()


def docs(page: Page) -> None:
    page.locator("#similar summary").first.click()
    expect(page.locator("#similar .reply")).to_contain_text('"score"')


def phone(page: Page) -> None:
    expect(page.locator("#touched .row").first).to_be_visible()


def main(bundle: Path, out: Path) -> None:
    """Serve the bundle and take every picture."""
    pictures: list[tuple[str, str, Callable[[Page], None], dict[str, Any]]] = [
        ("query", USER, query, {"viewport": WIDE}),
        ("what-if", USER, what_if, {"viewport": WIDE}),
        ("item", f"{USER}&item=50", item, {"viewport": WIDE}),
        ("error", USER, error, {"viewport": {"width": 1280, "height": 720}}),
        ("dark", f"{USER}&q.age=50&history=50", query, {"viewport": WIDE, "color_scheme": "dark"}),
        ("phone", USER, phone, {"viewport": PHONE, "device_scale_factor": 2}),
        ("docs", "docs", docs, {"viewport": WIDE}),
    ]
    with serving(bundle) as served, launched() as browser:
        for name, where, prepare, settings in pictures:
            take(browser, served, where, prepare, out / f"page-{name}.png", settings)


def take(
    browser: Browser, served: ServedBundle, where: str, prepare: Callable[[Page], None], to: Path, settings: Any
) -> None:
    with opened(browser, served.url, **settings) as page:
        page.goto(served.url + where)
        expect(page.locator(".row, .route").first).to_be_visible()
        prepare(page)
        page.wait_for_load_state("networkidle")
        page.screenshot(path=to, full_page="phone" in to.name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
