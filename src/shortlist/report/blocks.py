"""What the report's parts are built from: tables, folded details, columns, a dot with its interval."""

from collections.abc import Iterable, Sequence

from shortlist.report.markup import Child, Markup, element
from shortlist.report.words import figure

__all__ = ["columns", "dot", "dot_key", "folded", "listed", "paragraph", "part", "table"]

Row = Sequence[Child]
DOT_WIDTH, DOT_HEIGHT, DOT_MARGIN = 150, 20, 7


def part(identifier: str, title: str, *children: Child) -> Markup:
    """A part of the page with its heading, which links can name."""
    heading = element("h2", title, id=f"{identifier}-title")
    return element("section", heading, *children, id=identifier, aria_labelledby=f"{identifier}-title")


def paragraph(text: Child, class_: str | None = None) -> Markup:
    """A paragraph."""
    return element("p", text, class_=class_)


def listed(items: Iterable[Child]) -> Markup:
    """A list, an entry an item."""
    return element("ul", *(element("li", item) for item in items))


def folded(summary: str, *children: Child) -> Markup:
    """Details that open at a click or a key."""
    return element("details", element("summary", summary), *children, class_="folded")


def table(caption: str, head: Sequence[Child], *bodies: Sequence[Row], left: frozenset[int] = frozenset()) -> Markup:
    """A table that scrolls in a box of its own; each row's first cell is its heading.

    A row shorter than the head lets its last cell span the rest. Columns stand to the right but for the first and
    those in `left`.
    """
    columns = [
        element("th", cell, scope="col", class_="text" if place in left or not place else None)
        for place, cell in enumerate(head)
    ]
    groups = [element("tbody", *(_row(row, len(head), left) for row in body)) for body in bodies if body]
    whole = element("table", element("caption", caption), element("thead", element("tr", *columns)), *groups)
    return element("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def columns(blocks: Sequence[tuple[str, Sequence[Child]]]) -> Markup:
    """Blocks side by side, each under its name; one alone needs none."""
    if len(blocks) == 1:
        return element("div", *blocks[0][1])
    return element(
        "div",
        *(element("div", element("h3", name), *children, class_="column") for name, children in blocks),
        class_="columns",
    )


def dot(value: float, low: float | None, high: float | None, other: float, top: float) -> Markup:
    """A value as a dot with its interval as a line, and another value as a diamond, from zero to `top`.

    It repeats what the numbers beside it say, so that it is hidden from screen readers.
    """
    middle = DOT_HEIGHT / 2

    def x(number: float) -> float:
        share = min(max(number / top, 0.0), 1.0) if top > 0 else 0.0
        return round(DOT_MARGIN + share * (DOT_WIDTH - 2 * DOT_MARGIN), 1)

    line = None
    if low is not None and high is not None:
        line = element("line", x1=x(low), x2=x(high), y1=middle, y2=middle, class_="interval")
    return element(
        "svg",
        element("line", x1=x(0), x2=x(top), y1=middle, y2=middle, class_="base"),
        line,
        element("path", d=f"M{x(other)} 4l5 6l-5 6l-5 -6z", class_="other"),
        element("circle", cx=x(value), cy=middle, r="4", class_="value"),
        class_="dot",
        viewBox=f"0 0 {DOT_WIDTH} {DOT_HEIGHT}",
        width=DOT_WIDTH,
        height=DOT_HEIGHT,
        aria_hidden="true",
    )


def dot_key(top: float) -> Markup:
    """The head of a column of dots: from zero to `top`."""
    return element("span", element("span", "0"), element("span", figure(top)), class_="scale")


def _row(row: Row, width: int, left: frozenset[int]) -> Markup:
    cells = [element("th", row[0], scope="row", class_="text")]
    for place, cell in enumerate(row[1:], 1):
        last = place == len(row) - 1
        span = width - place if last and len(row) < width else None
        cells.append(element("td", cell, colspan=span, class_="text" if place in left or span else None))
    return element("tr", *cells)
