"""Values of TOML on one line, as people write them."""

from collections.abc import Mapping, Sequence
from typing import Any

import tomli_w

__all__ = ["inline", "key_of"]


def inline(value: Any) -> str:
    """A value as it stands behind an equals sign.

    >>> inline({"lookup": "user id", "widths": [16, 32]})
    '{ lookup = "user id", widths = [16, 32] }'
    """
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key_of(key)} = {inline(inner)}" for key, inner in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(inline, value)) + "]"
    return tomli_w.dumps({"value": value}).removeprefix("value = ").rstrip("\n")


def key_of(name: str) -> str:
    """A name as a key, in quotes where it needs them.

    >>> key_of("user_id"), key_of("user id")
    ('user_id', '"user id"')
    """
    return tomli_w.dumps({name: 0}).removesuffix(" = 0\n")
