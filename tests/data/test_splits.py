import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shortlist.data import (
    Dataset,
    LeaveLastOut,
    RandomSplit,
    Split,
    TimeSplit,
    split_by_time,
    split_leave_last_out,
    split_random,
)
from shortlist.data.split_choices import SplitChoice
from shortlist.data.splits import split
from shortlist.errors import DataError, SettingsError


def events(users: list[int], items: list[int], times: list[int] | None = None) -> Dataset:
    table = {"user": users, "sku": items, "place": list(range(len(users)))}
    if times is None:
        return Dataset(table, query_id="user", item_id="sku")
    return Dataset(table | {"ts": times}, query_id="user", item_id="sku", time="ts")


def numbered(count: int) -> Dataset:
    return events([place % 3 for place in range(count)], [0] * count, list(range(count)))


def places(data: Dataset | None) -> list[int]:
    assert data is not None
    return data.interactions["place"].to_list()


class TestRandom:
    @pytest.mark.parametrize("seed", [0, 42])
    def test_it_is_numpys_permutation_with_train_first_and_test_last(self, seed: int) -> None:
        cut = split_random(numbered(50), test=0.2, seed=seed)
        order = np.random.default_rng(seed).permutation(50).tolist()
        assert places(cut.train) == order[:40]
        assert places(cut.test) == order[40:]
        assert cut.validation is None

    def test_validation_lies_between_train_and_test(self) -> None:
        cut = split_random(numbered(50), test=0.2, validation=0.1, seed=3)
        order = np.random.default_rng(3).permutation(50).tolist()
        assert (places(cut.train), places(cut.validation), places(cut.test)) == (order[:35], order[35:40], order[40:])

    def test_validation_does_not_move_the_test_events(self) -> None:
        without, with_it = (split_random(numbered(50), test=0.2, validation=v, seed=3) for v in (0.0, 0.3))
        assert places(without.test) == places(with_it.test)

    def test_it_needs_no_times(self) -> None:
        assert repr(split_random(events([1, 1], [7, 8]), test=0.5)) == "Split(train=1, test=1)"

    def test_another_seed_gives_another_split(self) -> None:
        assert places(split_random(numbered(50), seed=1).test) != places(split_random(numbered(50), seed=2).test)

    @pytest.mark.parametrize(("test", "validation"), [(0.01, 0.0), (0.2, 0.01), (0.99, 0.0), (0.5, 0.5)])
    def test_a_part_without_events_is_refused(self, test: float, validation: float) -> None:
        text = f"10 events cannot be cut into test={test}, validation={validation} and training: one part would be"
        with pytest.raises(DataError, match=text):
            split_random(numbered(10), test=test, validation=validation)

    @pytest.mark.parametrize("test", [0.0, 1.0, -0.1, float("nan")])
    def test_a_share_outside_zero_and_one_is_refused(self, test: float) -> None:
        with pytest.raises(SettingsError, match="RandomSplit: test should be"):
            split_random(numbered(10), test=test)

    def test_a_negative_seed_is_refused(self) -> None:
        with pytest.raises(SettingsError, match="RandomSplit: seed should be greater than or equal to 0, but it is -1"):
            split_random(numbered(10), seed=-1)

    def test_a_seed_that_64_bits_with_a_sign_cannot_hold_is_refused(self) -> None:
        text = "RandomSplit: seed should be less than 9223372036854775808, but it is 9223372036854775808"
        with pytest.raises(SettingsError, match=text):
            split_random(numbered(10), seed=2**63)


class TestByTime:
    def test_the_cut_moves_back_to_the_nearest_change_of_time(self) -> None:
        # Two of five events would be the test, at 3 and 4; the other event at 3 goes with its moment.
        cut = split_by_time(events([1] * 5, [7] * 5, [3, 1, 4, 3, 2]), test=0.4)
        assert places(cut.train) == [1, 4]
        assert places(cut.test) == [0, 3, 2]

    def test_validation_ends_at_its_own_change_of_time(self) -> None:
        # Times 1 2 2 3 4: test from 4, and one validation event before it, at 3.
        cut = split_by_time(events([1] * 5, [7] * 5, [1, 2, 2, 3, 4]), test=0.2, validation=0.2)
        assert (places(cut.train), places(cut.validation), places(cut.test)) == ([0, 1, 2], [3], [4])

    def test_validation_takes_the_whole_moment_that_it_begins_in(self) -> None:
        # Two validation events would be one at 2 and the one at 3; both events at 2 go with them.
        cut = split_by_time(events([1] * 5, [7] * 5, [1, 2, 2, 3, 4]), test=0.2, validation=0.4)
        assert (places(cut.train), places(cut.validation), places(cut.test)) == ([0], [1, 2, 3], [4])

    @settings(deadline=None, max_examples=100)
    @given(
        times=st.lists(st.integers(-5, 5), min_size=3, max_size=30),
        test=st.sampled_from([0.1, 0.2, 0.34, 0.5]),
        validation=st.sampled_from([0.0, 0.1, 0.3]),
    )
    def test_a_moment_is_never_cut_in_two(self, times: list[int], test: float, validation: float) -> None:
        data = events([1] * len(times), [7] * len(times), times)
        try:
            cut = split_by_time(data, test=test, validation=validation)
        except DataError:
            assume(False)
        parts = [part for part in (cut.train, cut.validation, cut.test) if part is not None]
        for before, after in itertools.pairwise(parts):
            assert before.times.max() < after.times.min()
        assert sorted(place for part in parts for place in places(part)) == list(range(len(times)))
        assert cut.test.num_events >= round(len(times) * test)

    @pytest.mark.parametrize(
        ("times", "test", "validation"),
        [([5, 5, 5, 5], 0.25, 0.0), ([5, 5, 5, 9], 0.5, 0.0), ([5, 5, 5, 9], 0.25, 0.25)],
        ids=["one moment", "test reaches the first moment", "validation reaches the first moment"],
    )
    def test_times_without_such_a_cut_are_refused(self, times: list[int], test: float, validation: float) -> None:
        text = f"The times leave no cut with test={test} and validation={validation}: too many of the 4 events share"
        with pytest.raises(DataError, match=text):
            split_by_time(events([1] * 4, [7] * 4, times), test=test, validation=validation)

    def test_without_times_it_says_how_to_give_them(self) -> None:
        with pytest.raises(SettingsError, match='no column has the role time; pass time="<column>"'):
            split_by_time(events([1, 1], [7, 8]), test=0.5)


class TestNanoseconds:
    """Four times 1 ns apart, in the table as 3, 1, 4, 2: float seconds of 2026 would all be the same."""

    DATA = Dataset(
        pl.DataFrame({"user": [1, 1, 1, 1], "sku": [7, 7, 7, 7], "place": [0, 1, 2, 3]}).with_columns(
            ts=pl.Series([1_767_225_600_000_000_000 + nanosecond for nanosecond in (3, 1, 4, 2)]).cast(
                pl.Datetime("ns")
            )
        ),
        query_id="user",
        item_id="sku",
        time="ts",
    )

    def test_a_cut_in_time_keeps_their_order(self) -> None:
        cut = split_by_time(self.DATA, test=0.25, validation=0.25)
        assert (places(cut.train), places(cut.validation), places(cut.test)) == ([1, 3], [0], [2])

    def test_the_last_event_is_the_latest(self) -> None:
        cut = split_leave_last_out(self.DATA, validation=True)
        assert (places(cut.train), places(cut.validation), places(cut.test)) == ([1, 3], [0], [2])


class TestLeaveLastOut:
    # User 1: times 5 3 9 3; user 2: a tie of 4 and 4; user 3: one event.
    DATA = ([1, 1, 2, 1, 2, 3, 1], [70, 71, 70, 72, 71, 70, 73], [5, 3, 4, 9, 4, 1, 3])

    def test_the_last_event_of_each_user_is_the_test(self) -> None:
        cut = split_leave_last_out(events(*self.DATA))
        # User 2's tie goes by the order in the table: place 4 comes after place 2.
        assert places(cut.test) == [3, 4]
        assert sorted(places(cut.train)) == [0, 1, 2, 5, 6]
        assert cut.validation is None
        assert cut.notes == ("1 users have too few events to leave one out and stay in training whole.",)

    def test_the_event_before_it_is_the_validation(self) -> None:
        cut = split_leave_last_out(events(*self.DATA), validation=True)
        # Only user 1 has the three events that this takes: 3 3 5 9.
        assert (places(cut.validation), places(cut.test)) == ([0], [3])
        assert sorted(places(cut.train)) == [1, 2, 4, 5, 6]
        assert cut.notes == ("2 users have too few events to leave one out and stay in training whole.",)

    def test_of_ties_at_the_end_the_last_in_the_table_is_the_test(self) -> None:
        cut = split_leave_last_out(events([1, 1, 1], [70, 71, 72], [4, 4, 4]), validation=True)
        assert (places(cut.train), places(cut.validation), places(cut.test)) == ([0], [1], [2])

    def test_with_no_short_user_there_is_no_note(self) -> None:
        assert split_leave_last_out(events([1, 1], [7, 8], [1, 2])).notes == ()

    def test_listed_users_without_events_are_not_counted_as_short(self) -> None:
        table = {"user": [1, 1], "sku": [7, 8], "ts": [1, 2]}
        data = Dataset(table, users={"user": [1, 2]}, query_id="user", item_id="sku", time="ts")
        assert split_leave_last_out(data).notes == ()

    def test_users_who_all_have_too_few_events_are_refused(self) -> None:
        with pytest.raises(DataError, match="No user has enough events to leave one out; choose a random split"):
            split_leave_last_out(events([1, 1, 2], [7, 8, 7], [1, 2, 3]), validation=True)

    @settings(deadline=None, max_examples=50)
    @given(
        rows=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=2, max_size=30),
        validation=st.booleans(),
    )
    def test_it_agrees_with_sorting_each_users_events(self, rows: list[tuple[int, int]], validation: bool) -> None:
        needed = 3 if validation else 2
        wanted: list[int] = []
        for user in {user for user, _ in rows}:
            own = sorted((time, place) for place, (someone, time) in enumerate(rows) if someone == user)
            wanted += [own[-1][1]] if len(own) >= needed else []
        assume(wanted)
        data = events([user for user, _ in rows], [7] * len(rows), [time for _, time in rows])
        cut = split_leave_last_out(data, validation=validation)
        assert sorted(places(cut.test)) == sorted(wanted)


class TestCatalogue:
    def test_without_an_items_table_it_is_the_training_ids(self) -> None:
        cut = split_by_time(events([1, 1, 1, 1], [9, 7, 8, 9], [1, 2, 3, 4]), test=0.5)
        assert cut.train.items["sku"].to_list() == [7, 9]
        assert cut.train.item_rows.tolist() == [1, 0]
        # Item 8 was never there to be recommended.
        assert cut.test.items["sku"].to_list() == [7, 9]
        assert cut.test.item_rows.tolist() == [-1, 1]

    def test_validation_stands_over_the_training_ids_too(self) -> None:
        cut = split_by_time(events([1, 1, 1], [7, 8, 7], [1, 2, 3]), test=1 / 3, validation=1 / 3)
        assert cut.validation is not None
        assert cut.validation.item_rows.tolist() == [-1]
        assert cut.validation.items["sku"].to_list() == [7]

    def test_an_items_table_stays_whole(self) -> None:
        table = {"user": [1, 1], "sku": [7, 8], "ts": [1, 2]}
        data = Dataset(table, items={"sku": [9, 8, 7]}, query_id="user", item_id="sku", time="ts")
        cut = split_by_time(data, test=0.5)
        assert cut.train.num_items == 3
        assert cut.test.item_rows.tolist() == [1]

    def test_all_parts_share_the_users(self) -> None:
        cut = split_by_time(events([3, 1, 2], [7, 7, 7], [1, 2, 3]), test=0.4)
        assert cut.train.users["user"].to_list() == cut.test.users["user"].to_list() == [1, 2, 3]

    def test_a_test_part_that_is_split_again_leaves_foreign_items_out(self) -> None:
        cut = split_by_time(events([1] * 6, [7, 7, 7, 9, 7, 9], [1, 2, 3, 4, 5, 6]), test=0.5)
        again = split_by_time(cut.test, test=0.3)
        assert again.train.items["sku"].to_list() == [7]
        assert again.train.item_rows.tolist() == [-1, 0]


class TestSplit:
    @pytest.mark.parametrize(
        ("how", "text"),
        [
            (RandomSplit(test=0.3, validation=0.1, seed=5), "Split(train=18, validation=3, test=9)"),
            (TimeSplit(test=0.3, validation=0.1), "Split(train=18, validation=3, test=9)"),
            (LeaveLastOut(validation=True), "Split(train=24, validation=3, test=3)"),
        ],
    )
    def test_a_choice_does_what_its_function_does(self, how: SplitChoice, text: str) -> None:
        cut = split(numbered(30), how)
        assert cut.choice == how
        assert repr(cut) == text

    def test_before_the_test_come_training_and_validation(self) -> None:
        cut = self.three_parts()
        assert cut.seen_before(cut.test).by_user(0).tolist() == [0, 1]

    def test_before_the_validation_comes_training_alone(self) -> None:
        cut = self.three_parts()
        assert cut.validation is not None
        assert cut.seen_before(cut.validation).by_user(0).tolist() == [0]

    def test_its_fingerprint_is_the_same_for_the_same_cut_and_differs_for_another(self) -> None:
        one, same, other = (split_random(numbered(20), seed=seed).fingerprint for seed in (1, 1, 2))
        assert one == same != other

    def three_parts(self) -> Split:
        table = {"user": [1, 1, 1], "sku": [7, 8, 9], "ts": [1, 2, 3]}
        data = Dataset(table, items={"sku": [7, 8, 9]}, query_id="user", item_id="sku", time="ts")
        return split_by_time(data, test=1 / 3, validation=1 / 3)
