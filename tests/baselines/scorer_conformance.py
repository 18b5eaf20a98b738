"""What every baseline must do: the same suite for each."""

from typing import Any

import numpy as np
import pytest
from baseline_worlds import everyone, random_world

import shortlist as sl
from shortlist.baselines import BASELINES, Scorer, popularity


class ScorerConformance:
    """Inherit, and say which baseline and settings are meant."""

    name: str
    settings: dict[str, Any]
    # Whether users without events get popularity, and whether the order of items in the table is of no matter.
    personal = True
    order_of_items_is_free = True

    def fit(self, data: sl.Dataset) -> Scorer:
        return BASELINES[self.name].fit(data, **self.settings)

    @pytest.fixture(params=range(5))
    def world(self, request: pytest.FixtureRequest) -> sl.Dataset:
        return random_world(seed=request.param)

    def test_every_score_is_a_finite_float32(self, world: sl.Dataset) -> None:
        scores = self.fit(world)(everyone(world))
        assert scores.dtype == np.float32
        assert scores.shape == (world.num_users, world.num_items)
        assert np.isfinite(scores).all()

    def test_a_block_of_users_gives_what_all_users_give(self, world: sl.Dataset) -> None:
        score = self.fit(world)
        whole = score(everyone(world))
        for block in ([0], [3, 1, 3], [], [11, 0, 5, 7]):
            assert np.array_equal(score(np.array(block, np.int64)), whole[np.array(block, np.int64)])

    def test_fitting_again_gives_the_same_scores(self, world: sl.Dataset) -> None:
        assert np.array_equal(self.fit(world)(everyone(world)), self.fit(world)(everyone(world)))

    def test_users_without_events_get_popularity(self, world: sl.Dataset) -> None:
        if self.personal:
            scores = self.fit(world)(np.array([world.num_users - 1, -1, world.num_users, 10**9]))
            assert np.array_equal(scores, np.tile(popularity(world), (4, 1)))

    def test_known_events_score_a_stranger_as_if_they_were_trained_on_and_change_nobody_else(
        self, world: sl.Dataset
    ) -> None:
        stranger = int(world.user_rows[0])
        mine = world.user_rows == stranger
        train, known = (world.take(np.flatnonzero(rows)) for rows in (~mine, mine))
        with_known = BASELINES[self.name].fit(train, known=known, **self.settings)
        without = self.fit(train)
        others = np.setdiff1d(everyone(world), [stranger])
        assert np.array_equal(with_known(others), without(others))
        same = np.array_equal(with_known(np.array([stranger])), without(np.array([stranger])))
        assert same != self.personal

    def test_shuffled_users_get_their_scores(self, world: sl.Dataset) -> None:
        order = np.random.default_rng(1).permutation(world.num_users)
        shuffled = _with(world, users=world.users[order])
        np.testing.assert_allclose(self.fit(shuffled)(everyone(world)), self.fit(world)(order), rtol=1e-6, atol=1e-7)

    def test_shuffled_items_get_their_scores(self, world: sl.Dataset) -> None:
        if self.order_of_items_is_free:
            order = np.random.default_rng(1).permutation(world.num_items)
            shuffled = _with(world, items=world.items[order])
            np.testing.assert_allclose(
                self.fit(shuffled)(everyone(world)), self.fit(world)(everyone(world))[:, order], rtol=1e-6, atol=1e-7
            )

    def test_items_of_which_the_same_is_known_tie_exactly(self, world: sl.Dataset) -> None:
        twin = world.items.with_columns(world.items["item"] + 100)
        events = world.interactions
        both = events.vstack(events.with_columns(events["item"] + 100))
        doubled = _with(world, items=world.items.vstack(twin), interactions=both)
        scores = self.fit(doubled)(everyone(world))
        assert np.array_equal(scores[:, : world.num_items], scores[:, world.num_items :])

    def test_events_outside_the_catalogue_are_passed_over(self, world: sl.Dataset) -> None:
        small = world.take(np.flatnonzero(world.item_rows < 4)).with_own_items()
        inside = world.take(np.flatnonzero(world.item_rows < 4)).with_items_of(small)
        assert (world.with_items_of(small).item_rows < 0).any()
        given = self.fit(world.with_items_of(small))(everyone(world))
        if self.name != "recent_popularity":  # the newest share is a share of all events
            assert np.array_equal(given, self.fit(inside)(everyone(world)))

    def test_it_may_be_computed_here(self, world: sl.Dataset) -> None:
        assert BASELINES[self.name].why_not(world) is None

    def test_the_settings_to_try_are_few_and_all_fit(self) -> None:
        world = random_world()
        grid = BASELINES[self.name].grid
        assert len(grid) <= 6
        for settings in grid:
            assert np.isfinite(BASELINES[self.name].fit(world, **settings)(everyone(world))).all()


def _with(world: sl.Dataset, **tables: Any) -> sl.Dataset:
    """The world with other tables."""
    given = {"interactions": world.interactions, "items": world.items, "users": world.users} | tables
    return sl.Dataset(given.pop("interactions"), **given, query_id="user", item_id="item", weight="weight", time="time")
