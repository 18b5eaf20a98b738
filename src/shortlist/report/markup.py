"""HTML and SVG built from calls, so that text can only ever be text."""

import html

__all__ = ["Child", "Markup", "element"]


class Markup(str):
    """Text that is markup already. Only `element` and the templates of this room make it."""

    __slots__ = ()


Child = str | Markup | None


def element(tag: str, /, *children: Child, **attributes: str | float | bool | None) -> Markup:
    """An element with its children; a plain string among them is escaped, None is left out.

    An underscore in an attribute's name is a hyphen, one at its end keeps it from being a word of Python. An
    attribute that is True has no value; one that is None or False is left out.

    >>> element("th", "a < b", element("b", "c"), scope="row", class_="wide", hidden=None)
    '<th scope="row" class="wide">a &lt; b<b>c</b></th>'
    """
    written = "".join(
        f" {name.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{html.escape(str(value))}"')
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    inner = "".join(_escaped(child) for child in children)
    return Markup(f"<{tag}{written}>{inner}</{tag}>")


def _escaped(child: Child) -> str:
    if child is None:
        return ""
    return child if isinstance(child, Markup) else html.escape(child)
