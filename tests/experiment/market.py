"""A market in which everybody buys tea in training and validation, and jam in the test."""

import shortlist as sl
from shortlist.data.splits import Split

# Lists of one of the two goods, where what was bought before may be recommended again.
ALL_GOODS = sl.Protocol(ks=(1,), seen="included", baselines=("popularity",))


def market() -> Split:
    """Training: user 0 buys jam, users 1 to 20 tea. Validation: they buy tea again; test: they buy jam.

    Whoever learns that tea sells finds every validation event first in a list of one, and no test event.
    """
    people = list(range(1, 21))
    sales = {
        "user": [0, *people, *people, *people],
        "sku": ["jam", *["tea"] * 40, *["jam"] * 20],
        "ts": [1] * 21 + [2] * 20 + [3] * 20,
    }
    data = sl.Dataset(sales, items={"sku": ["jam", "tea"]}, query_id="user", item_id="sku", time="ts")
    return sl.split_by_time(data, test=20 / 61, validation=20 / 61)


def features_of(split: Split) -> sl.Features:
    roles = split.train.roles
    return sl.fit_features([sl.Lookup(roles.query_id)], [sl.Lookup(roles.item_id)], on=split.train)


def small_model(split: Split) -> sl.TwoTower:
    return sl.TwoTower(features_of(split), layers=[8])
