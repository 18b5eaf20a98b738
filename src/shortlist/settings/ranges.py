"""What one setting may be in a search: one of several values, or a number between two."""

import json
from typing import Annotated, Any

from pydantic import Field

from shortlist.choice import Number, Positive, Whole, choice
from shortlist.errors import SettingsError, shorten

__all__ = ["Choices", "Range", "label"]


@choice
class Choices:
    """One of several values, without an order between them; for depths, activations, truth values.

    >>> Choices([[64], [256, 64]]).labels
    ('[64]', '[256, 64]')
    """

    choices: Annotated[tuple[Any, ...], Field(min_length=1)]

    def __post_init__(self) -> None:
        if len(set(self.labels)) < len(self.labels):
            raise SettingsError(f"choices should name each value once, but they are {shorten(self.labels, 12)}.")

    @property
    def labels(self) -> tuple[str, ...]:
        """Each value as a study and a table show it."""
        return tuple(label(value) for value in self.choices)

    @property
    def tried(self) -> tuple[Any, ...]:
        """Values that the setting must all take for the whole to be possible."""
        return self.choices

    def holds(self, value: Any) -> bool:
        """Whether the value is one of them."""
        return label(value) in self.labels


@choice
class Range:
    """Numbers from `low` to `high`, both included: whole ones for a setting that counts, and any for the others.

    With `log` each tenfold is as likely as the next, as suits rates and temperatures. Whole numbers may go in a `step`.

    >>> Range(0.001, 0.1, log=True).holds(0.05), Range(32, 128, step=32).holds(48)
    (True, False)
    """

    low: Whole | Number
    high: Whole | Number
    log: bool = False
    step: Positive | None = None

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise SettingsError(f"low should be below high, but they are {self.low} and {self.high}.")
        if self.log and self.low <= 0:
            raise SettingsError(f"low should be above 0 where log = true, but it is {self.low}.")
        if self.step is None:
            return
        if self.log:
            raise SettingsError("step does not go with log = true; take one of them out.")
        if not self.whole:
            raise SettingsError("step is for whole numbers; take it out, or name choices = [...].")
        if (self.high - self.low) % self.step:
            raise SettingsError(
                f"high should be low and whole steps, but {self.low} to {self.high} are no multiple of {self.step}."
            )

    @property
    def whole(self) -> bool:
        """Whether both ends are whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def tried(self) -> tuple[Any, ...]:
        """Values that the setting must all take for the whole to be possible."""
        return self.low, self.high

    def holds(self, value: Any) -> bool:
        """Whether the number lies in the range."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        return self.step is None or (value - self.low) % self.step == 0


def label(value: Any) -> str:
    """A value as text: texts as they are, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, default=str)
