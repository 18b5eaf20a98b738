"""Everything that the doctor looks at in a dataset."""

import datetime as dt
import itertools
from collections.abc import Iterable

from shortlist.data import Dataset, Split
from shortlist.doctor.case import Case
from shortlist.doctor.columns import find_in_columns
from shortlist.doctor.finding import Finding, by_severity
from shortlist.doctor.keys import find_in_events, find_in_keys
from shortlist.doctor.kindness import find_kindness
from shortlist.doctor.leaks import find_leaks
from shortlist.doctor.parts import find_in_parts
from shortlist.doctor.statistics import find_summaries
from shortlist.doctor.times import find_in_times
from shortlist.settings import Protocol

__all__ = ["examine"]


def examine(
    data: Dataset,
    split: Split | None = None,
    *,
    query: Iterable[str] | None = None,
    item: Iterable[str] | None = None,
    protocol: Protocol | None = None,
    now: dt.datetime | None = None,
) -> list[Finding]:
    """What is wrong, misleading or good to know about data and its split, the gravest first.

    `query` and `item` are the columns that the towers read; a column that gives the answer away is a problem where one
    is read, a note where it is not, and a warning where that is not said. `protocol` says at which K a random split is
    set against a split by time. `now` is when the future begins. Clean data gives an empty list.

    >>> data = Dataset({"u": [1, 2, 1, 2], "i": [7, 7, 8, 8], "day": [1, 1, 1, 1]}, query_id="u", item_id="i")
    >>> for finding in examine(data):
    ...     print(finding.severity, finding.name, finding.says)
    note constant-column interactions.day holds one value only: 1.
    """
    case = Case(
        data=data,
        split=split,
        query=None if query is None else frozenset(query),
        item=None if item is None else frozenset(item),
        now=now or dt.datetime.now(dt.UTC),
    )
    found = itertools.chain(
        find_leaks(case),
        find_summaries(case),
        find_in_parts(case),
        find_in_times(case),
        find_kindness(case, protocol or Protocol()),
        find_in_keys(case),
        find_in_events(case),
        find_in_columns(case),
    )
    return by_severity(found)
