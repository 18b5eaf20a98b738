"""Worlds with a known answer, to tell a model that learns from one that does not."""

import copy
import dataclasses

import numpy as np

from shortlist.data.dataset import Dataset
from shortlist.data.events import EventTable
from shortlist.data.splits import Split, split_by_time
from shortlist.errors import SettingsError

__all__ = ["TasteWorld", "permuted_items"]


@dataclasses.dataclass(frozen=True)
class TasteWorld:
    """Users and items fall into groups, and users touch items of their own group only, all with equal chance.

    Each user touches `train_events` items of the group in training and `test_events` other ones in the test.
    Nothing tells the rest of the group apart, so the best shortlist, with seen items excluded, is the group's
    unseen items in any order, and its recall is known: see `best_recall`. The group is written on neither
    side; a model must find it from who touched what. Columns: user_id, item_id, time (training before test).
    """

    num_groups: int = 10
    users_per_group: int = 40
    items_per_group: int = 20
    train_events: int = 10
    test_events: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.train_events + self.test_events > self.items_per_group:
            raise SettingsError(
                f"A user cannot touch {self.train_events} + {self.test_events} different items of a group of "
                f"{self.items_per_group}; ask for fewer events or larger groups."
            )

    def best_recall(self, k: int) -> float:
        """The recall at k, seen items excluded, that no model can beat on average.

        >>> TasteWorld(items_per_group=20, train_events=10, test_events=5).best_recall(5)  # 5 of 10 unseen
        0.5
        """
        return min(k / (self.items_per_group - self.train_events), 1.0)

    def split(self) -> Split:
        """The world's events, cut in time into training and test.

        >>> TasteWorld(num_groups=2, users_per_group=3, items_per_group=4, train_events=2, test_events=1).split()
        Split(train=12, test=6)
        """
        per_user = self.train_events + self.test_events
        return split_by_time(self.data(), test=self.test_events / per_user)

    def data(self) -> Dataset:
        """The world's events, over an items table that holds every group's items."""
        generator = np.random.default_rng(self.seed)
        num_users = self.num_groups * self.users_per_group
        per_user = self.train_events + self.test_events
        group = np.arange(num_users) % self.num_groups
        within = np.argsort(generator.random((num_users, self.items_per_group)), axis=1)[:, :per_user]
        items = within * self.num_groups + group[:, None]  # [users, per_user]
        return Dataset(
            {
                "user_id": np.repeat(np.arange(num_users), per_user),
                "item_id": items.reshape(-1),
                "time": np.tile(np.arange(per_user), num_users),
            },
            items={"item_id": np.arange(self.num_groups * self.items_per_group)},
            query_id="user_id",
            item_id="item_id",
            time="time",
        )


def permuted_items(data: Dataset, *, seed: int = 0) -> Dataset:
    """The same events with their items shuffled over the rows: popularity stays, all taste is gone.

    What a model can still learn is how popular items are, so an honest evaluation calls it no better.

    >>> data = Dataset({"u": [1, 2, 3], "i": [7, 7, 8]}, query_id="u", item_id="i")
    >>> sorted(permuted_items(data).interactions["i"].to_list())
    [7, 7, 8]
    """
    order = np.random.default_rng(seed).permutation(data.num_events)
    shuffled = copy.copy(data)
    shuffled.events = EventTable(data.interactions.with_columns(data.events[data.roles.item_id][order]))
    shuffled.item_rows = data.item_rows[order]
    return shuffled
