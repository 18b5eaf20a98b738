import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from baseline_worlds import random_world

import shortlist as sl
from shortlist.baselines import BASELINES, fit_ease


def test_every_baseline_ranks_a_world_of_tastes_as_well_as_can_be_but_those_without_users() -> None:
    world = sl.synthetic.TasteWorld(num_groups=3, users_per_group=30, items_per_group=12, train_events=8, test_events=2)
    split = world.split()
    num_items = split.train.num_items
    users = split.test.user_rows
    for name, settings in (("item_knn", {}), ("ease", {}), ("ials", {"width": 3})):
        scores = BASELINES[name].fit(split.train, **settings)(users).copy()
        seen = np.zeros((split.train.num_users, num_items), bool)
        seen[split.train.user_rows, split.train.item_rows] = True
        scores[seen[users]] = -np.inf
        best = np.argsort(-scores, axis=1)[:, :4]  # the four unseen items of the user's group
        assert (best % 3 == (users % 3)[:, None]).all(), name


def test_a_missing_library_is_named_with_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in ("scipy", "implicit") else found(name)
    )
    world = random_world()
    assert BASELINES["ials"].why_not(world) == (
        "This needs scipy, implicit, which is not installed. Install it with: pip install 'shortlist[train]'"
    )
    assert BASELINES["popularity"].why_not(world) is None
    with pytest.raises(sl.errors.MissingExtraError, match=r"needs scipy, .* pip install 'shortlist\[train\]'"):
        fit_ease(world)


def test_popularity_and_the_table_load_no_scientific_library() -> None:
    code = (
        "import sys, numpy as np, shortlist as sl\n"
        "from shortlist.baselines import BASELINES\n"
        "data = sl.Dataset({'u': [1], 'i': [7], 't': [1]}, query_id='u', item_id='i', time='t')\n"
        "for name in ('popularity', 'recent_popularity'):\n"
        "    assert BASELINES[name].why_not(data) is None\n"
        "    assert BASELINES[name].fit(data)(np.array([0])).tolist() == [[1.0]]\n"
        "print(*sorted({'scipy', 'implicit', 'threadpoolctl', 'torch'} & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.split() == []
