"""Labels, ids and events that come more than once, or only once."""

from typing import Any

import polars as pl
import pytest
from doctor_worlds import EVENTS, ITEMS, USERS, WORLD, by_time, names, only, world

import shortlist as sl


def test_labels_of_several_items_are_found_with_their_ids() -> None:
    titles = [f"Film {row}" for row in range(ITEMS)]
    titles[7], titles[9] = "Twin", "Twin"
    finding = only(sl.doctor.examine(world(items={"title": titles}, label="title")))
    assert (finding.severity, finding.name) == ("note", "duplicate-labels")
    assert finding.says == (
        "200 items carry 199 distinct values of 'title': 1 stand for several items ('Twin' is 7, 9)."
    )


def test_missing_labels_are_no_duplicates() -> None:
    titles = [f"Film {row}" if row > 1 else None for row in range(ITEMS)]
    assert sl.doctor.examine(world(items={"title": titles}, label="title")) == []


def test_items_that_the_item_tower_cannot_tell_apart_are_found() -> None:
    data = world(items={"kind": [f"k{row}" if row < 197 else "odd" for row in range(ITEMS)]})
    finding = only(sl.doctor.examine(data, item=["kind"], query=["user_id"])[:1])
    assert (finding.severity, finding.name) == ("warning", "indistinguishable-items")
    assert finding.says == (
        "3 items have the same values as another in all that the item tower reads (kind), so that they get one vector; "
        "one such group is 197, 198, 199."
    )
    assert "indistinguishable-items" not in names(sl.doctor.examine(data, item=["kind", "item_id"]))


def test_users_whom_the_table_of_users_lacks_are_found() -> None:
    data = WORLD.data()
    users = data.users.head(300).with_columns(age=pl.int_range(300) % 50 + 20)
    data = sl.Dataset(data.interactions, users=users, query_id="user_id", item_id="item_id", time="time")
    unlisted, missing = sl.doctor.examine(data)
    assert unlisted.name == "unlisted-users"
    assert unlisted.says == "100 of 400 users (25 %) have no value in the table of users: 300, 301, 302."
    assert missing.name == "missing-values"  # so their age is missing


def test_shown_items_that_the_catalogue_lacks_are_counted_and_named() -> None:
    clicks = {
        "user": [1, 2, 3, 4], "item": ["tea", "jam", "tea", "jam"],
        "list": [["jam", "ale"], ["ale", "rum"], [], ["jam"]],
    }  # fmt: skip
    data = sl.Dataset(clicks, query_id="user", item_id="item", shown="list")
    found = {finding.name: finding for finding in sl.doctor.examine(data)}
    assert found["unknown-shown-items"].severity == "note"
    assert found["unknown-shown-items"].says == (
        "interactions.list names 2 items that the catalogue does not hold, in 3 of 4 places (75 %): 'ale', 'rum'."
    )
    # The second has nothing known, the third nothing at all, the fourth its own item.
    assert found["events-without-shown-items"].says.startswith("3 of 4 events (75 %) have nothing in interactions.list")


def test_lists_of_which_no_item_is_known_are_a_problem() -> None:
    lists = {"list": [[ITEMS + 7]] * EVENTS}
    finding = only(sl.doctor.examine(world(events=lists, shown="list")))
    assert (finding.severity, finding.name) == ("problem", "unreadable-shown-items")
    assert finding.says.startswith("None of the items that interactions.list says were shown is in the catalogue: 207.")


def test_whole_lists_of_known_items_are_no_finding() -> None:
    lists = {"list": [[(row + 7) % ITEMS] for row in WORLD.data().item_rows]}
    assert sl.doctor.examine(world(events=lists, shown="list")) == []


def test_a_query_that_reads_what_was_shown_beside_the_event_is_found() -> None:
    lists = {"list": [[(row + 7) % ITEMS] for row in WORLD.data().item_rows]}
    finding = only(sl.doctor.examine(world(events=lists, shown="list"), query=["list"], item=["item_id"]))
    assert finding.name == "feature-known-too-late"


def _clicks(rows: list[tuple[str, str, int]], **roles: Any) -> sl.Dataset:
    frame = pl.DataFrame(rows, schema=["user", "item", "time"], orient="row")
    return sl.Dataset(frame, query_id="user", item_id="item", **roles)


ROWS = [("a", "x", 1), ("a", "x", 1), ("a", "x", 2), ("a", "y", 3), ("b", "x", 4), ("b", "y", 5)]


def test_events_written_twice_and_repeated_pairs_are_told_apart() -> None:
    found = {finding.name: finding for finding in sl.doctor.examine(_clicks(ROWS, time="time"))}
    # a, x at 1 stands twice: one double of six events; a, x at 2 is a repeat at another time. Both at 1 are tied.
    assert found["duplicate-events"].says == "1 events (17 %) have the user, the item and the time of another."
    assert found["duplicate-events"].severity == "warning"
    assert found["repeated-events"].says == "1 events (17 %) repeat a user and an item at another time."
    assert found["time-ties"].says.startswith("2 events (33 %) share the moment of another event of their user")


def test_a_few_events_written_twice_are_a_note() -> None:
    data = WORLD.data()
    data = sl.Dataset(
        pl.concat([data.interactions, data.interactions.head(5)]), query_id="user_id", item_id="item_id", time="time"
    )
    assert [(f.severity, f.name) for f in sl.doctor.examine(data)] == [("note", "duplicate-events")]


def test_without_a_time_repeats_are_all_that_can_be_told() -> None:
    found = sl.doctor.examine(_clicks(ROWS))
    assert [f.says for f in found if f.name == "repeated-events"] == ["2 events (33 %) repeat a user and an item."]
    assert "duplicate-events" not in names(found)


@pytest.mark.parametrize(("single", "found"), [(80, []), (81, ["single-event-users"])])
def test_many_users_of_one_event_are_a_note(single: int, found: list[str]) -> None:
    # 400 users; a fifth of them is the edge.
    data = WORLD.data()
    table = data.interactions.filter((pl.col("user_id") >= single) | (pl.col("time") == pl.col("user_id") % 15))
    data = sl.Dataset(table, query_id="user_id", item_id="item_id", time="time")
    assert names(sl.doctor.examine(data)) == found
    assert data.num_users == USERS


def test_new_users_and_items_are_counted_against_training_alone() -> None:
    data = WORLD.data()
    # Users 0 to 39 only have their last five events, all in the test.
    data = data.take(((data.user_rows >= 40) | (data.times >= 10)).nonzero()[0])
    split = by_time(data)
    assert split.test.num_events == 2_000
    finding = only([f for f in sl.doctor.examine(data, split) if "new" in f.name])
    assert (finding.severity, finding.name) == ("note", "new-users-in-test")
    assert finding.says == "200 of 2,000 test events (10 %) have a user whom training never saw."
