import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import shortlist as sl
from shortlist.data.events import EventTable

FRAME = pl.DataFrame({"user": list("abcdef"), "when": [5, 4, 3, 2, 1, 0]})


@given(st.data())
def test_rows_of_rows_are_those_of_the_frame(data: st.DataObject) -> None:
    table, rows = EventTable(FRAME), np.arange(6)
    for _ in range(data.draw(st.integers(0, 3))):
        if len(rows) and data.draw(st.booleans()):
            taken = np.array(data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=8)), np.int64)
            table, rows = table.take(taken), rows[taken]
        else:
            part = data.draw(st.slices(len(rows)).filter(lambda part: part.step is None or part.step > 0))
            table, rows = table.take(part), rows[part]
    assert len(table) == len(rows)
    assert table.columns == FRAME.columns
    assert table.frame().equals(FRAME[rows])
    assert table["when"].to_list() == FRAME["when"][rows].to_list()


@pytest.mark.parametrize("how", [sl.split_random, sl.split_by_time, sl.split_leave_last_out])
def test_the_parts_of_a_split_share_one_table(how: object, shop_data: sl.Dataset) -> None:
    split = how(shop_data)  # type: ignore[operator]
    for part in (split.train, split.test):
        assert part.events._table is shop_data.events._table
        assert part.interactions.height == part.num_events
