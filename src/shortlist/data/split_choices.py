"""How a dataset is cut into training, validation and test events, as a choice that can stand in an experiment file."""

from typing import Annotated

from pydantic import Field

from shortlist.choice import Number, Seed, Share, choice

__all__ = ["ColdItems", "GivenParts", "HeldOutUsers", "LeaveLastOut", "RandomSplit", "SplitChoice", "TimeSplit"]

SomeShare = Annotated[Number, Field(gt=0, lt=1)]


@choice
class RandomSplit:
    """Shares of the events, after one seeded shuffle. It mixes past and future: easy, and kind to every model."""

    test: SomeShare = 0.2
    validation: Share = 0.0
    seed: Seed = 0


@choice
class TimeSplit:
    """The last share of the events in time is the test; a moment in time is never cut in two."""

    test: SomeShare = 0.2
    validation: Share = 0.0


@choice
class LeaveLastOut:
    """Each user's last event is the test, and with `validation` the one before it the validation event.

    Users with too few events to leave one for training stay in training whole, and are counted.
    """

    validation: bool = False


@choice
class ColdItems:
    """Shares of the items, drawn with the seed, whose events training never sees: only their features can find them."""

    test: SomeShare = 0.1
    validation: Share = 0.0
    seed: Seed = 0


@choice
class HeldOutUsers:
    """Shares of the users, drawn with the seed, of whom training sees nothing (strong generalisation).

    The first `known` of each one's events are their history, the others are to be found.
    """

    test: SomeShare = 0.1
    validation: Share = 0.0
    known: SomeShare = 0.8
    seed: Seed = 0


@choice
class GivenParts:
    """A column of the events says which part each belongs to: "train", "validation" or "test".

    Where nothing is a validation event, `validation` is the share of all events that is taken from the training events:
    the latest of them where each user's test events come after, else drawn with the seed. Published splits often bring
    a test alone.
    """

    column: str
    validation: Share = 0.0
    seed: Seed = 0


SplitChoice = RandomSplit | TimeSplit | LeaveLastOut | ColdItems | HeldOutUsers | GivenParts
