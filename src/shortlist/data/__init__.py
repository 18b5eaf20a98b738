"""Tables and what their columns mean: the Dataset, where data comes from, and how it is split."""

from shortlist.data import datasets, synthetic
from shortlist.data.dataset import Dataset, Roles
from shortlist.data.describe import describe
from shortlist.data.readers import Query, read_table
from shortlist.data.sources import DataSource
from shortlist.data.split_choices import ColdItems, GivenParts, HeldOutUsers, LeaveLastOut, RandomSplit, TimeSplit
from shortlist.data.splits import (
    Split,
    split_as_given,
    split_by_time,
    split_cold_items,
    split_held_out_users,
    split_leave_last_out,
    split_random,
)

__all__ = [
    "ColdItems",
    "DataSource",
    "Dataset",
    "GivenParts",
    "HeldOutUsers",
    "LeaveLastOut",
    "Query",
    "RandomSplit",
    "Roles",
    "Split",
    "TimeSplit",
    "datasets",
    "describe",
    "read_table",
    "split_as_given",
    "split_by_time",
    "split_cold_items",
    "split_held_out_users",
    "split_leave_last_out",
    "split_random",
    "synthetic",
]
