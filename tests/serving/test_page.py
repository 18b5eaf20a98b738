"""The page, in a real browser."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from browser import RETIRED_ITEM, SCRIPT, SCRIPT_ITEM, ServedBundle, opened, serving
from playwright.sync_api import Browser, Locator, Page, Route, expect

pytest_plugins = ["browser"]


def labels(page: Page) -> list[str]:
    return page.locator("#items .row > .item").all_inner_texts()


def open_at(page: Page, server: ServedBundle, fragment: str = "") -> None:
    """Open the page and wait for its list."""
    page.goto(server.url + fragment)
    expect(page.locator("#items .row").first).to_be_visible()
    expect(page.locator("#shortlist")).to_have_attribute("aria-busy", "false")


def expect_list(page: Page, answer: Any) -> None:
    expect(page.locator("#items .row > .item")).to_have_text([item["label"] for item in answer["items"]])


def named(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def moves(before: Any, after: Any) -> list[str]:
    """What a comparison says of each item of a list of as many."""
    places = {item["id"]: place for place, item in enumerate(before["items"])}
    said = []
    for place, item in enumerate(after["items"]):
        by = places.get(item["id"], place) - place
        said.append("new" if item["id"] not in places else f"▲ {by}" if by > 0 else f"▼ {-by}" if by < 0 else "=")
    return said


def test_a_query_by_id_shows_the_history_and_the_list_of_the_api(page: Page, server: ServedBundle) -> None:
    open_at(page, server)
    page.get_by_label("user_id", exact=True).fill("7")
    answer = server.ask("/recommend", {"query": {"user_id": 7}})
    expect_list(page, answer)
    scores = page.locator("#items .score .figure").all_inner_texts()
    assert [text.split()[-1] for text in scores] == [f"{i['score']:.3f}".replace("-", "−") for i in answer["items"]]
    touched = server.ask("/users/7/items")["items"]
    expect(page.locator("#touched .item")).to_have_text([card["label"] for card in touched])
    expect(page.locator("#says")).to_contain_text("User 7 is known to the model.")
    expect(page.locator("#facts")).to_contain_text(f"{answer['excluded']} of 24 items: touched before and retired")


def test_the_head_says_which_model_answers_and_how_good_it_was(page: Page, server: ServedBundle) -> None:
    open_at(page, server)
    model = server.ask("/model")
    expect(page.locator("#model")).to_contain_text(model["version"])
    expect(page.locator("#model")).to_contain_text("60 users · 24 items · 240 training events")
    value = model["evaluation"]["metrics"][model["evaluation"]["decisive"]]
    expect(page.locator("#evaluation .figure").first).to_have_text(f"{value:.3f}")
    expect(page.locator("#evaluation")).to_contain_text("popularity")


def test_a_stranger_is_told_what_the_list_rests_on(page: Page, server: ServedBundle) -> None:
    open_at(page, server, "#q.user_id=nobody")
    expect(page.locator("#says")).to_contain_text("User nobody is a stranger")
    expect(page.locator("#says")).to_contain_text("most popular")
    expect(page.locator("#facts")).to_contain_text("user_id nobody: training had no such value")
    page.get_by_label("age", exact=True).fill("33")
    expect(page.locator("#says")).to_contain_text("The list rests on what is given: age 33.")
    expect_list(page, server.ask("/recommend", {"query": {"user_id": "nobody", "age": 33}}))


def test_what_if_marks_what_moved(page: Page, server: ServedBundle) -> None:
    open_at(page, server, "#q.user_id=1")
    expect(page.locator("#items .mark")).to_have_count(0)
    page.get_by_label("age", exact=True).fill("61")
    before = server.ask("/recommend", {"query": {"user_id": 1}})
    after = server.ask("/recommend", {"query": {"user_id": 1, "age": 61}})
    expect_list(page, after)
    marks = page.locator("#items .mark [aria-hidden]")
    expect(marks).to_have_text(moves(before, after))
    expect(page.locator("#moved")).to_contain_text("against the list before age changed")
    assert set(moves(before, after)) != {"="}
    page.get_by_label("age", exact=True).fill("61.0")
    expect(marks).to_have_text(moves(before, after))
    named(page, "Reset to what is known").click()
    expect_list(page, before)
    assert "q.age" not in page.url


def test_what_the_bundle_knows_stands_in_the_form_until_something_else_is_given(
    page: Page, server: ServedBundle
) -> None:
    open_at(page, server, "#q.user_id=1")
    age = page.get_by_label("age", exact=True)
    expect(age).to_have_attribute("placeholder", "21")
    expect(page.get_by_label("city", exact=True)).to_have_attribute("placeholder", "city1")
    expect(page.locator("#facts")).to_contain_text("From the bundle\nage 21, city city1", use_inner_text=True)
    expect(page.locator("#facts")).to_contain_text("Not given\ntime", use_inner_text=True)
    age.fill("50")
    expect(age).to_have_accessible_description("known: 21")
    expect(page.locator("#says")).to_contain_text("as if this held: age 50.")


def test_a_kept_list_stays_the_comparison_until_it_is_let_go(page: Page, server: ServedBundle) -> None:
    open_at(page, server, "#q.user_id=1&k=5")
    named(page, "Keep as comparison").click()
    page.get_by_label("user_id", exact=True).fill("2")
    before, after = (server.ask("/recommend", {"query": {"user_id": user}, "k": 5}) for user in (1, 2))
    expect_list(page, after)
    expect(page.locator("#moved")).to_contain_text("against the kept list (user 1)")
    expect(page.locator("#items .mark [aria-hidden]")).to_have_text(moves(before, after))
    here = {item["id"] for item in after["items"]}
    gone = [item["label"] for item in before["items"] if item["id"] not in here]
    assert gone
    expect(page.locator("#fallen .item")).to_have_text(gone)
    named(page, "Stop comparing").click()
    expect(page.locator("#items .mark")).to_have_count(0)
    expect(page.locator("#fallen .item")).to_have_count(0)


def test_a_longer_list_calls_nothing_new_that_stands_beyond_the_kept_one(page: Page, server: ServedBundle) -> None:
    open_at(page, server, "#q.user_id=1&k=3")
    named(page, "Keep as comparison").click()
    page.get_by_label("items in the list", exact=True).fill("6")
    expect(page.locator("#items .row")).to_have_count(6)
    expect(page.locator("#items .mark [aria-hidden]")).to_have_text(["=", "=", "=", "", "", ""])
    expect(page.locator("#moved")).to_contain_text("Nothing moved")


def test_reasons_come_when_they_are_asked_for(page: Page, server: ServedBundle) -> None:
    open_at(page, server, "#q.user_id=1&q.age=25")
    page.locator("#items .why").first.click()
    answer = server.ask("/recommend", {"query": {"user_id": 1, "age": 25}, "explain": True})
    why = answer["items"][0]["why"]
    expect(page.locator("#items .near .item")).to_have_text([near["label"] for near in why["near"]])
    told = page.locator("#items .effects .figure").all_inner_texts()
    largest = max(why["features"].values(), key=abs)
    assert told[0] == f"{largest:+.2f}".replace("-", "−")
    assert page.locator("#items .why").first.get_attribute("aria-expanded") == "true"
    expect(page.locator("#items .why").first).to_be_focused()
    page.locator("#items .why").first.click()
    expect(page.locator("#items .reasons")).to_have_count(0)


def test_an_item_opens_with_its_neighbours_back_and_escape(page: Page, server: ServedBundle) -> None:
    open_at(page, server, "#q.user_id=1")
    first = page.locator("#items .row > .item").first
    name = first.inner_text()
    first.click()
    dialog = page.get_by_role("dialog", name=name, exact=True)
    item = server.ask("/recommend", {"query": {"user_id": 1}, "k": 1})["items"][0]["id"]
    near = server.ask(f"/items/{item}/similar?k=8")["items"]
    expect(dialog.locator(".near .item")).to_have_text([one["label"] for one in near])
    expect(dialog).to_contain_text("times in training")
    dialog.locator(".near .item").first.click()
    expect(page.get_by_role("dialog", name=near[0]["label"], exact=True)).to_be_visible()
    named(page, "← Back").click()
    expect(dialog.locator(".near .item").first).to_have_text(near[0]["label"])
    expect(named(page, "← Back")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator("#item")).to_be_hidden()
    expect(first).to_be_focused()


def test_a_retired_item_says_so(page: Page, server: ServedBundle) -> None:
    open_at(page, server, f"#q.user_id=1&item={RETIRED_ITEM}")
    expect(page.locator("#item")).to_contain_text("It never comes back in a list.")


def test_an_item_is_added_to_the_history_and_left_out(page: Page, server: ServedBundle) -> None:
    open_at(page, server, "#q.user_id=stranger")
    page.locator("#items .row > .item").nth(1).click()
    named(page, "Add to the history").click()
    expect(named(page, "Take off the history")).to_be_visible()
    page.keyboard.press("Escape")
    second = server.ask("/recommend", {"query": {}})["items"][1]["id"]
    expect_list(page, server.ask("/recommend", {"query": {"user_id": "stranger"}, "history": [second]}))
    expect(page.locator("#says")).to_contain_text("The list rests on 1 item of a history")
    first = server.ask("/recommend", {"query": {}, "history": [second]})["items"][0]
    page.locator("#items .row > .item").first.click()
    named(page, "Leave it out").click()
    page.keyboard.press("Escape")
    expect_list(page, server.ask("/recommend", {"query": {}, "history": [second], "exclude": [first["id"]]}))
    page.get_by_role("button", name=f"Let {first['label']} back in").click()
    expect(page.locator("#items .row > .item").first).to_have_text(first["label"])


def test_filters_hold_together(page: Page, server: ServedBundle) -> None:
    open_at(page, server, "#q.user_id=1")
    named(page, "Add a filter").click()
    page.get_by_label("Column of filter 1").select_option("price")
    page.get_by_label("Comparison of filter 1").select_option("at least")
    page.get_by_label("Value of filter 1").fill("10")
    named(page, "Add a filter").click()
    page.get_by_label("Column of filter 2").select_option("tags")
    page.get_by_label("Comparison of filter 2").select_option("has not")
    page.get_by_label("Value of filter 2").fill("a")
    where = {"all": [{"column": "price", "at_least": 10}, {"not": {"column": "tags", "has": "a"}}]}
    answer = server.ask("/recommend", {"query": {"user_id": 1}, "where": where})
    expect_list(page, answer)
    expect(page.locator("#facts")).to_contain_text("outside the filters")
    expect(page.locator("#notice")).to_contain_text(f"Only {len(answer['items'])} of the 10")


@pytest.mark.parametrize(
    ("type_", "text", "held"),
    [
        ("list of number", "3", 3),
        ("list of truth", "True", True),
        ("list of truth", "perhaps", "perhaps"),
        ("list of text", "3", "3"),
        ("number", "3", 3),
    ],
)
def test_a_filter_gives_a_value_of_the_type_that_a_list_holds(
    page: Page, server: ServedBundle, type_: str, text: str, held: object
) -> None:
    open_at(page, server, "#q.user_id=1")
    comparison = "has" if type_.startswith("list") else "at_least"
    body = page.evaluate(
        """async ([type, comparison, text]) => {
          const { bodyOf, readState } = await import("/page/state.js");
          const model = { item_columns: { column: type }, query_columns: [], query_id: "user_id" };
          const filters = [{ column: "column", comparison, text }];
          return bodyOf({ ...readState("#k=3", model), filters }, model);
        }""",
        [type_, comparison, text],
    )
    assert body["where"] == {"column": "column", comparison: held}


def test_an_empty_list_says_which_rules_took_all_and_what_to_do(page: Page, server: ServedBundle) -> None:
    open_at(page, server, "#q.user_id=1")
    named(page, "Add a filter").click()
    page.get_by_label("Column of filter 1").select_option("price")
    page.get_by_label("Comparison of filter 1").select_option("above")
    page.get_by_label("Value of filter 1").fill("1000")
    expect(page.locator("#notice")).to_contain_text("Nothing is allowed under these rules")
    expect(page.locator("#notice")).to_contain_text("outside the filters")
    expect(page.locator("#items .row")).to_have_count(0)
    named(page, "Take the filters away").click()
    expect_list(page, server.ask("/recommend", {"query": {"user_id": 1}}))


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("age", "abc", "The query's 'age' should be a number or a time"),
        ("items in the list", "5000", "k should be less than or equal to 1000, but it is 5000"),
    ],
)
def test_a_refused_value_is_marked_where_it_stands(
    page: Page, server: ServedBundle, field: str, text: str, sentence: str
) -> None:
    open_at(page, server, "#q.user_id=1")
    box = page.get_by_label(field, exact=True)
    box.fill(text)
    expect(page.get_by_role("alert")).to_contain_text(sentence)
    assert box.get_attribute("aria-invalid") == ""
    expect(box).to_have_accessible_description(re.compile(re.escape(sentence)))
    box.fill("3")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("#items .row").first).to_be_visible()
    assert box.get_attribute("aria-invalid") is None


def test_a_column_that_the_model_does_not_read_is_refused_with_those_that_it_does(
    page: Page, server: ServedBundle
) -> None:
    page.goto(server.url + "#q.colour=red")
    expect(page.get_by_role("alert")).to_contain_text("The model reads no 'colour' from a query")
    expect(page.get_by_role("alert")).to_contain_text("Known: user_id, age, city, time")


def test_a_server_that_is_gone_is_said_and_asked_again(
    browser: Browser, server: ServedBundle, page_bundle: Any
) -> None:
    with serving(page_bundle) as own, opened(browser, own.url) as page:
        open_at(page, own, "#q.user_id=1")
        own.stop()
        page.get_by_label("age", exact=True).fill("44")
        expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached.")
        own.start()
        named(page, "Try again").click()
        expect_list(page, server.ask("/recommend", {"query": {"user_id": 1, "age": 44}}))


def test_a_server_that_has_too_much_to_do_is_asked_again(page: Page, server: ServedBundle) -> None:
    def refuse(route: Route) -> None:
        route.fulfill(status=503, json={"error": "The server has too much to do.", "where": None, "known": None})

    page.route("**/recommend", refuse)
    page.goto(server.url + "#q.user_id=1")
    expect(page.get_by_role("alert")).to_contain_text("Not now")
    expect(page.get_by_role("alert")).to_contain_text("The server has too much to do.")
    page.unroute("**/recommend")
    named(page, "Try again").click()
    expect_list(page, server.ask("/recommend", {"query": {"user_id": 1}}))


def test_a_server_without_a_bundle_is_asked_again(page: Page, server: ServedBundle) -> None:
    def refuse(route: Route) -> None:
        route.fulfill(status=503, json={"error": "No bundle is loaded yet.", "where": None, "known": None})

    page.route("**/model", refuse)
    page.goto(server.url + "#q.user_id=1")
    expect(page.get_by_role("alert")).to_contain_text("No bundle is loaded yet.")
    page.unroute("**/model")
    named(page, "Try again").click()
    expect_list(page, server.ask("/recommend", {"query": {"user_id": 1}}))


def test_an_answer_that_comes_late_is_dropped(page: Page, server: ServedBundle) -> None:
    open_at(page, server, "#q.user_id=1")
    held: list[Route] = []
    page.route("**/recommend", lambda route: held.append(route) if not held else route.continue_())
    page.get_by_label("age", exact=True).fill("21")
    page.wait_for_timeout(450)
    assert len(held) == 1
    page.get_by_label("age", exact=True).fill("60")
    wanted = server.ask("/recommend", {"query": {"user_id": 1, "age": 60}})
    expect_list(page, wanted)
    held[0].continue_()
    page.wait_for_timeout(150)
    expect_list(page, wanted)


def test_what_the_page_should_not_do_is_noticed(browser: Browser, server: ServedBundle) -> None:
    def misbehave() -> None:
        with opened(browser, server.url) as page:
            open_at(page, server)
            page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'alert(1)'}))")
            page.wait_for_timeout(100)

    with pytest.raises(AssertionError, match="policy: script-src-elem inline"):
        misbehave()


def test_a_script_as_a_title_is_text_everywhere(page: Page, server: ServedBundle) -> None:
    open_at(page, server, "#q.user_id=" + SCRIPT + "&k=24")
    expect(page.locator("#says")).to_contain_text(f"User {SCRIPT} is a stranger")
    row = page.locator(f'#items [data-id="{SCRIPT_ITEM}"]')
    expect(row.locator("> .item")).to_have_text(SCRIPT)
    expect(row.get_by_role("button", name=f"Why? {SCRIPT}", exact=True)).to_be_visible()
    box = page.get_by_role("combobox", name="Add an item to the history")
    box.fill("<script")
    expect(page.get_by_role("option")).to_have_count(1)
    expect(page.get_by_role("option")).to_contain_text(SCRIPT)
    page.keyboard.press("Enter")
    expect(page.locator("#touched .item")).to_have_text([SCRIPT])
    page.locator("#touched .item").click()
    expect(page.get_by_role("dialog", name=SCRIPT, exact=True)).to_be_visible()
    named(page, "Leave it out").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name=f"Let {SCRIPT} back in")).to_be_visible()
    page.locator("#items .why").first.click()
    expect(page.locator("#items .near .item").first).to_have_text(SCRIPT)
    assert page.locator("main script, dialog script").count() == 0


def test_the_page_is_walked_with_the_keyboard_alone(page: Page, server: ServedBundle) -> None:
    open_at(page, server, "#q.user_id=1")
    press = page.keyboard.press
    tab_to(page, lambda at: at == "Skip to the shortlist")
    press("Enter")
    expect(page.get_by_role("heading", name="Shortlist")).to_be_focused()
    tab_to(page, lambda at: at == "Keep as comparison")
    press("Enter")
    expect(named(page, "Stop comparing")).to_be_visible()
    first = labels(page)[0]
    tab_to(page, lambda at: at == first)
    press("Enter")
    expect(page.get_by_role("dialog", name=first, exact=True)).to_be_visible()
    tab_to(page, lambda at: at == "Add to the history")
    press("Space")
    expect(named(page, "Take off the history")).to_be_focused()
    press("Escape")
    expect(page.locator("#touched .tag").first).to_have_text("added")
    page.get_by_role("combobox", name="Add an item to the history").focus()
    page.keyboard.type("thing 1")
    expect(page.get_by_role("option").first).to_be_visible()
    press("ArrowDown")
    press("ArrowDown")
    chosen = page.get_by_role("option").nth(1)
    expect(chosen).to_have_attribute("aria-selected", "true")
    text = chosen.locator("span").first.inner_text()
    press("Enter")
    expect(page.locator("#touched .item").first).to_have_text(text)
    page.keyboard.type("thing")
    expect(page.get_by_role("option").first).to_be_visible()
    press("Escape")
    expect(page.get_by_role("listbox", name="Add an item to the history")).to_be_hidden()


def tab_to(page: Page, is_there: Callable[[str], bool]) -> None:
    """Press Tab until the focus is where it should be."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if is_there(page.evaluate("document.activeElement.innerText || ''")):
            return
    raise AssertionError("The Tab key never came there.")


def test_a_link_shows_the_same_view(page: Page, browser: Browser, server: ServedBundle) -> None:
    open_at(page, server, "#q.user_id=1")
    named(page, "Keep as comparison").click()
    page.get_by_label("age", exact=True).fill("61")
    page.get_by_label("leave out what was seen").uncheck()
    named(page, "Add a filter").click()
    page.get_by_label("Value of filter 1").wait_for()
    page.get_by_label("Column of filter 1").select_option("price")
    page.get_by_label("Comparison of filter 1").select_option("at most")
    page.get_by_label("Value of filter 1").fill("15")
    expect(page.locator("#facts")).to_contain_text("outside the filters")
    page.locator("#items .why").first.click()
    expect(page.locator("#items .effects")).to_be_visible()
    page.locator("#items .row > .item").nth(2).click()
    expect(page.locator("#item .near .item").first).to_be_visible()
    with opened(browser, server.url) as other:
        other.goto(page.url)
        expect(other.locator("#item .near .item").first).to_be_visible()
        expect(other.locator("#items .effects")).to_be_visible()
        assert view_of(other) == view_of(page)


def view_of(page: Page) -> list[str]:
    places = ("#items", "#says", "#facts", "#moved", "#fallen", "#touched", "#item")
    return [page.locator(place).inner_text() for place in places] + [page.get_by_label("age", exact=True).input_value()]


def test_another_link_in_the_same_tab_is_followed(page: Page, server: ServedBundle) -> None:
    open_at(page, server, "#q.user_id=1")
    page.evaluate("location.hash = '#q.user_id=2&k=4'")
    expect_list(page, server.ask("/recommend", {"query": {"user_id": 2}, "k": 4}))


@pytest.mark.parametrize("width", [360, 800, 1100])
def test_nothing_scrolls_sideways(browser: Browser, server: ServedBundle, width: int) -> None:
    def fits() -> bool:
        return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))

    with opened(browser, server.url, viewport={"width": width, "height": 740}) as page:
        open_at(page, server, "#q.user_id=1&q.age=40&history=3&exclude=4&where=%5B%22price%22,%22below%22,%2220%22%5D")
        page.evaluate("for (const group of document.querySelectorAll('#query > details')) group.open = true")
        named(page, "Keep as comparison").click()
        page.locator("#items .why").first.click()
        expect(page.locator("#items .effects")).to_be_visible()
        assert fits()
        page.locator("#items .row > .item").first.click()
        expect(page.locator("#item .near .item").first).to_be_visible()
        assert fits()
        page.goto(server.url + "docs#recommend")
        expect(page.locator(".reply").first).to_contain_text("items")
        assert fits()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(browser: Browser, server: ServedBundle, scheme: str) -> None:
    with opened(browser, server.url, color_scheme=scheme) as page:
        open_at(page, server, "#q.user_id=1&q.age=61&history=3&exclude=4&q.city=nowhere")
        named(page, "Keep as comparison").click()
        page.get_by_label("age", exact=True).fill("22")
        expect(page.locator("#moved")).to_contain_text("kept list")
        page.locator("#items .why").first.click()
        expect(page.locator("#items .effects")).to_be_visible()
        assert page.evaluate(FAINT) == []
        back = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", back)[:3])) < 200) == (scheme == "dark")
        page.locator("#items .row > .item").first.click()
        expect(page.locator("#item .near .item").first).to_be_visible()
        assert page.evaluate(FAINT) == []
        page.goto(server.url + "docs#recommend")
        expect(page.locator(".reply").first).to_contain_text("items")
        assert page.evaluate(FAINT) == []


# Texts whose contrast with the colour behind them is below 4.5, the bound of WCAG's level AA.
FAINT = """() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = numbers(colour).map((part) => part / 255).map((part) =>
      part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (one) => {
    const colour = getComputedStyle(one).backgroundColor;
    return numbers(colour)[3] === 0 && one.parentElement ? behind(one.parentElement) : colour;
  };
  const faint = [];
  for (const one of document.querySelectorAll("body *")) {
    const hasText = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!hasText || !one.checkVisibility() || one.closest(":disabled, .unseen, option, datalist")) continue;
    const [high, low] = [light(getComputedStyle(one).color), light(behind(one))].sort((a, b) => b - a);
    if ((high + 0.05) / (low + 0.05) < 4.5) faint.push(`${one.className}: ${one.textContent}`);
  }
  return faint;
}"""


def test_every_control_has_a_name(page: Page, server: ServedBundle) -> None:
    open_at(
        page, server, "#q.user_id=1&q.city=x&history=3&exclude=4&where=%5B%22price%22,%22below%22,%2220%22%5D&item=5"
    )
    expect(page.locator("#item .near .item").first).to_be_visible()
    nameless = """() => [...document.querySelectorAll("input, select, textarea, button, summary")]
      .filter((one) => one.checkVisibility() && !(one.labels?.length || one.ariaLabel || one.innerText.trim()))
      .map((one) => one.outerHTML)"""
    assert page.evaluate(nameless) == []
    assert page.locator("html").get_attribute("lang") == "en"


def test_the_page_of_routes_lists_every_route_and_tries_them(page: Page, server: ServedBundle) -> None:
    page.goto(server.url + "docs")
    description = server.ask("/openapi.json")
    routes = [f"{method.upper()}{path}" for path, methods in description["paths"].items() for method in methods]
    expect(page.locator(".route")).to_have_count(len(routes))
    shown = [
        route.locator(".method").inner_text() + route.locator("summary code").inner_text()
        for route in page.locator(".route").all()
    ]
    assert shown == routes
    named(page, "Open all").click()
    expect(page.locator(".route .curl")).to_have_count(len(routes))
    recommend = page.locator("#recommend")
    expect(recommend).to_contain_text(
        "How many items at most. whole number; at least 1, at most 1,000, 10 where left out"
    )
    expect(recommend.locator(".reply")).to_contain_text('"query": "known"')
    body = '{"query":{"user_id":0},"k":10}'
    line = f"curl -H 'Content-Type: application/json' -d '{body}' '{server.url}recommend'"
    expect(recommend.locator(".curl")).to_have_text(line)
    recommend.get_by_label("The body, as JSON").fill('{"k": 0}')
    recommend.get_by_role("button", name="Send").click()
    expect(recommend.locator(".reply")).to_contain_text("k should be greater than or equal to 1")
    expect(recommend.get_by_role("status")).to_have_text("Answer: status 422")
    expect(page.locator("#stage").get_by_role("button", name="Send")).to_have_count(0)


def test_the_page_opens_with_somebody_whom_the_model_knows(page: Page, server: ServedBundle) -> None:
    open_at(page, server)
    expect(page.get_by_label("user_id", exact=True)).to_have_value("0")
    expect(page.locator("#says")).to_contain_text("User 0 is known")
    named(page, "Another known user").click()
    expect(page.locator("#says")).to_contain_text("User 1 is known")
    page.get_by_label("user_id", exact=True).fill("")
    expect(page.locator("#says")).to_contain_text("Nobody in particular asks.")
    page.reload()
    expect(page.locator("#says")).to_contain_text("Nobody in particular asks.")
