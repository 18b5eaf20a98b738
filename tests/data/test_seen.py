import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.data import Dataset
from shortlist.data.seen import Seen

NUM_USERS, NUM_ITEMS = 5, 6
Pair = tuple[int, int]
PAIRS = st.lists(st.tuples(st.integers(0, NUM_USERS - 1), st.integers(0, NUM_ITEMS - 1)), max_size=30)


def touches(pairs: list[Pair]) -> Dataset:
    """Events over five users and six items; the first event of the table is there only so that it has one."""
    users, items = zip((0, 0), *pairs, strict=True)
    data = Dataset(
        {"user": users, "sku": items},
        items={"sku": range(NUM_ITEMS)},
        users={"user": range(NUM_USERS)},
        query_id="user",
        item_id="sku",
    )
    return data.take(np.arange(1, len(users)))


@settings(deadline=None, max_examples=60)
@given(train=PAIRS, validation=PAIRS)
def test_each_users_items_are_those_of_a_set_in_ascending_order(train: list[Pair], validation: list[Pair]) -> None:
    seen = Seen.of(touches(train), touches(validation))
    for user in range(NUM_USERS):
        wanted = {item for someone, item in train + validation if someone == user}
        assert seen.by_user(user).tolist() == sorted(wanted)


@settings(deadline=None, max_examples=60)
@given(pairs=PAIRS, asked=st.lists(st.integers(0, NUM_USERS - 1), max_size=8))
def test_pairs_are_the_sets_of_the_users_asked_for_place_by_place(pairs: list[Pair], asked: list[int]) -> None:
    places, items = Seen.of(touches(pairs)).pairs(np.array(asked, np.int64))
    wanted = [
        (place, item)
        for place, user in enumerate(asked)
        for item in sorted({item for someone, item in pairs if someone == user})
    ]
    assert list(zip(places.tolist(), items.tolist(), strict=True)) == wanted


@settings(deadline=None, max_examples=60)
@given(pairs=PAIRS, asked=PAIRS)
def test_a_user_holds_exactly_the_items_of_the_set(pairs: list[Pair], asked: list[Pair]) -> None:
    users, items = (np.array([pair[side] for pair in asked], np.int64) for side in (0, 1))
    held = Seen.of(touches(pairs)).holds(users, items, NUM_ITEMS)
    assert held.tolist() == [pair in pairs for pair in asked]


def test_what_lies_outside_the_catalogue_is_not_seen() -> None:
    catalogue = Dataset({"user": [1], "sku": ["tea"]}, query_id="user", item_id="sku")
    events = Dataset({"user": [1, 2, 2], "sku": ["zinc", "tea", "zinc"]}, query_id="user", item_id="sku")
    seen = Seen.of(events.with_items_of(catalogue))
    assert (seen.by_user(0).tolist(), seen.by_user(1).tolist()) == ([], [0])


def test_users_who_touched_nothing_have_seen_nothing() -> None:
    seen = Seen.of(touches([]))
    assert seen.offsets.tolist() == [0] * (NUM_USERS + 1)
    assert [len(part) for part in seen.pairs(np.array([0, 4]))] == [0, 0]
