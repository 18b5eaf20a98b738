import collections

import numpy as np
import pytest

from shortlist.data import Dataset
from shortlist.data.seen import Seen
from shortlist.data.splits import Split
from shortlist.data.synthetic import TasteWorld, permuted_items
from shortlist.errors import SettingsError

WORLD = TasteWorld(num_groups=3, users_per_group=4, items_per_group=7, train_events=3, test_events=2, seed=1)


def oracle_recall(world: TasteWorld, split: Split, k: int) -> float:
    """Recall at k of who knows the groups: a user's list is the group's unseen items, averaged over all rotations.

    Over the rotations every item stands at every place equally often, as over all orders.
    """
    seen, recalls = Seen.of(split.train), []
    for user in range(split.train.num_users):
        own = range(user % world.num_groups, split.train.num_items, world.num_groups)
        unseen = [item for item in own if item not in seen.by_user(user)]
        wanted = set(split.test.item_rows[split.test.user_rows == user].tolist())
        for turn in range(len(unseen)):
            shortlist = (unseen[turn:] + unseen[:turn])[:k]
            recalls.append(len(wanted & set(shortlist)) / len(wanted))
    return float(np.mean(recalls))


@pytest.mark.parametrize("k", [1, 2, 3, 4, 9])
def test_the_best_recall_is_that_of_an_oracle(k: int) -> None:
    assert WORLD.best_recall(k) == pytest.approx(oracle_recall(WORLD, WORLD.split(), k), rel=1e-12)


def test_users_touch_different_items_of_their_own_group_only() -> None:
    data = WORLD.data()
    assert (data.item_rows % 3 == data.user_rows % 3).all()
    assert len(set(zip(data.user_rows.tolist(), data.item_rows.tolist(), strict=True))) == data.num_events


def test_every_user_has_the_events_asked_for_in_each_part() -> None:
    split = WORLD.split()
    assert np.bincount(split.train.user_rows).tolist() == [3] * 12
    assert np.bincount(split.test.user_rows).tolist() == [2] * 12


def test_every_item_is_a_candidate() -> None:
    assert WORLD.split().train.num_items == 21


def test_the_seed_decides_the_world() -> None:
    one, same, other = (TasteWorld(seed=seed).data().fingerprint() for seed in (0, 0, 1))
    assert one == same != other


def test_more_events_than_a_group_has_items_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"cannot touch 10 \+ 5 different items of a group of 14; ask for fewer"):
        TasteWorld(items_per_group=14)


class TestPermutedItems:
    def test_every_item_keeps_its_count_and_every_other_cell_its_place(self) -> None:
        data = WORLD.data()
        permuted = permuted_items(data, seed=2)
        assert collections.Counter(permuted.item_rows.tolist()) == collections.Counter(data.item_rows.tolist())
        assert permuted.interactions.drop("item_id").equals(data.interactions.drop("item_id"))

    def test_ids_and_rows_still_agree(self) -> None:
        permuted = permuted_items(WORLD.data(), seed=2)
        assert (
            permuted.items["item_id"]
            .gather(permuted.item_rows)
            .equals(permuted.interactions["item_id"], check_names=False)
        )

    def test_taste_is_gone(self) -> None:
        permuted = permuted_items(WORLD.data(), seed=2)
        own = (permuted.item_rows % 3 == permuted.user_rows % 3).mean()
        assert own == pytest.approx(1 / 3, abs=0.15)  # 60 events: a standard error of 0.06

    def test_a_part_of_a_split_stays_over_the_same_users_and_items(self) -> None:
        train = WORLD.split().train.take(np.array([5, 6]))
        permuted = permuted_items(train)
        assert permuted.users.equals(train.users)
        assert permuted.items.equals(train.items)
        assert permuted.user_rows.tolist() == train.user_rows.tolist()

    def test_the_original_is_left_alone(self) -> None:
        data = Dataset({"u": [1, 2, 3], "i": [7, 8, 9]}, query_id="u", item_id="i")
        permuted_items(data, seed=1)
        assert data.interactions["i"].to_list() == [7, 8, 9]
