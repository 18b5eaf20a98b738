"""What the figures about a model's vectors and lists mean, where it is nothing good."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from shortlist.doctor.finding import Finding, percent
from shortlist.doctor.vectors import Alike
from shortlist.errors import shorten

__all__ = ["LIST_LENGTH", "find_in_lists", "find_in_vectors", "find_not_finite"]

# Lists of this length are looked at: what a person looks through.
LIST_LENGTH = 10
# Vectors that use fewer directions than this are one direction, which ranks alike for everybody.
ONE_DIRECTION = 1.5
# Fewer directions than a tenth of the width: the rest of it is paid for and not used.
FEW_DIRECTIONS = 0.1
# An item in half of all lists, where lists are a tenth of the catalogue at most.
HUB_LISTS, SHORT_LISTS = 0.5, 0.1
# What one list holds of another's: half says little of the user; nearly all nothing.
ALIKE_LISTS, SAME_LISTS = 0.5, 0.9
# Lengths in the order of popularity: the dot product is popularity first.
POPULAR_NORMS = 0.8
# The longest vectors (the 99th percentile) so many times the shortest (the first): the long ones win whatever is asked.
NORM_SPREAD = 100.0
# Identical vectors beyond a hundredth of the catalogue come from a model, fewer from a few twins in the data.
MANY_ALIKE = 0.01

Figures = dict[str, float | None]


def find_not_finite(
    figures: Figures, lost: int, queries: int, rows: npt.NDArray[np.int64], labels: Sequence[str] | None
) -> Iterator[Finding]:
    """NaN or infinity in item vectors, at `rows`, or in query vectors, of which `lost` hold some."""
    if len(rows) or lost:
        examples = shorten([f"row {row}" if labels is None else labels[row] for row in rows[:3].tolist()])
        yield Finding(
            "problem",
            "not-finite",
            f"NaN or infinity stands in {len(rows):,} of {figures['items']:,} item vectors"
            f"{f' ({examples})' if len(rows) else ''} and {lost:,} of {queries:,} query vectors.",
            "Train anew with a lower learning rate, and look for infinite values in number columns.",
        )


def find_in_vectors(figures: Figures, alike: Alike, name: Callable[[int], str]) -> Iterator[Finding]:
    """Vectors that are all one, lie in few directions, are zero, unknown or alike, or differ much in length."""
    items, width = (figures["items"] or 0) - (figures["not_finite"] or 0), figures["width"] or 0
    rank, zeros, unknown = (figures[key] or 0 for key in ("effective_rank", "zero_vectors", "unknown_vectors"))
    if items > 1 and len(alike.largest) == items:
        yield Finding(
            "problem",
            "collapsed",
            f"All {items:,} items have one and the same vector, so that no score tells them apart.",
            "Look at the loss over the epochs; lower the learning rate, and check that the item tower's features vary.",
        )
        return
    if rank < ONE_DIRECTION and width > 1 and items > 1:
        yield Finding(
            "problem",
            "collapsed",
            f"The vectors lie along one direction (effective rank {rank:.2f} of {width:.0f}), so that everybody gets "
            "nearly the same order.",
            "Lower the learning rate, or train with log-q correction and dropout; compare with popularity.",
        )
    elif rank < FEW_DIRECTIONS * width:
        yield Finding(
            "warning",
            "few-directions",
            f"The vectors use {rank:.1f} of {width:.0f} dimensions (effective rank).",
            "A narrower last layer may do as well; or let the towers read more, and train longer.",
        )
    if zeros:
        yield Finding(
            "warning",
            "zero-vectors",
            f"{zeros:,.0f} of {items:,.0f} vectors are zero, so that these items score the same for everyone.",
            "Check what their features hold (an empty text alone gives zeros), or add a lookup of the item's id.",
        )
    if unknown:
        yield Finding(
            "warning" if unknown > MANY_ALIKE * items else "note",
            "unknown-vectors",
            f"{unknown:,.0f} of {items:,.0f} items ({percent(unknown, items)}) have the vector of an item that "
            "nothing is known of.",
            "Training never touched them, and no feature says what they are: let the item tower read what they are.",
        )
    if alike.items:
        examples = ", ".join(name(row) for row in alike.largest[:3].tolist())
        yield Finding(
            "warning" if alike.items > MANY_ALIKE * items else "note",
            "identical-vectors",
            f"{alike.items:,} of {items:,.0f} items ({percent(alike.items, items)}) have the very vector of another, "
            f"in {alike.groups:,} groups; the largest has {len(alike.largest):,}, such as {examples}.",
            "They always stand side by side: let the item tower read what tells them apart, such as the id.",
        )
    yield from _in_lengths(figures)


def _in_lengths(figures: Figures) -> Iterator[Finding]:
    low, high, of_popularity = (figures[key] for key in ("norm_low", "norm_high", "popularity_norm"))
    if low is not None and high is not None and high > NORM_SPREAD * low > 0:
        yield Finding(
            "warning",
            "uneven-norms",
            f"The longest vectors are {high / low:,.0f} times as long as the shortest (99th against 1st percentile), "
            "so that length decides more than direction.",
            "Train with weight decay, or score by direction.",
        )
    if of_popularity is not None and of_popularity > POPULAR_NORMS:
        yield Finding(
            "note",
            "norms-follow-popularity",
            f"The lengths of the vectors have the order of popularity (rank correlation {of_popularity:.2f}).",
            "Popularity then weighs in every score: log-q correction takes it out of training, an item bias carries it "
            "apart.",
        )


def find_in_lists(figures: Figures, times: npt.NDArray[np.int64], name: Callable[[int], str]) -> Iterator[Finding]:
    """Lists that are alike, hold one item, or show few. `times` [N] says in how many lists each item stands."""
    queries, items = figures["queries"] or 0, len(times)
    most, overlap, never = (figures[key] or 0.0 for key in ("most_shown", "overlap", "never_shown"))
    if items * SHORT_LISTS < LIST_LENGTH or queries < 2:
        return  # lists of a large part of the catalogue are alike whatever the model
    hubs = np.flatnonzero(times > HUB_LISTS * queries)
    if overlap > ALIKE_LISTS:
        yield Finding(
            "problem" if overlap > SAME_LISTS else "warning",
            "same-lists",
            f"A user's list of {LIST_LENGTH} holds {percent(overlap, 1)} of what another's holds, on average over "
            f"{queries:,.0f} users: nearly everybody is shown the same.",
            "Compare with popularity before you serve it; check that the query tower's features vary, and train with "
            "log-q correction.",
        )
    elif len(hubs):
        top = hubs[np.argsort(-times[hubs], kind="stable")]
        yield Finding(
            "warning",
            "hub",
            f"{len(hubs):,} of {items:,} items stand in more than half of all lists of {LIST_LENGTH}, "
            f"{name(int(top[0]))} in {percent(most, 1)}.",
            "If it is no favourite of all, its vector is too long or lies in the middle: log-q correction and weight "
            "decay help.",
        )
    if (1 - never) * items < 2 * LIST_LENGTH and not overlap > SAME_LISTS:
        yield Finding(
            "warning",
            "few-items-shown",
            f"All lists together show {(1 - never) * items:,.0f} of {items:,} items.",
            "Compare coverage and lists with popularity's before you serve it.",
        )
