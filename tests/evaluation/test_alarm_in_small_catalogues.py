import numpy as np
import pytest

import shortlist as sl
from shortlist.data.seen import Seen
from shortlist.errors import CollapsedError, SettingsError
from shortlist.evaluation import Targets, VectorScores, evaluate


def test_a_collapsed_model_is_found_where_every_list_holds_the_whole_catalogue() -> None:
    data = sl.Dataset({"u": [1, 2, 3], "i": [7, 8, 9]}, query_id="u", item_id="i")
    queries, items = np.ones((3, 1, 2), np.float32), np.ones((3, 2), np.float32)
    protocol = sl.Protocol(ks=(5, 10), seen="included", ties="optimistic")
    scoring = VectorScores(lambda rows: queries[rows], items)
    with pytest.raises(CollapsedError, match=r"mrr is 1\.000 if ties go to the true item and 0\.333 if they go"):
        evaluate(scoring, Targets.of(data), protocol=protocol, seen=Seen.of(data))


def test_a_protocol_names_at_least_one_baseline() -> None:
    with pytest.raises(SettingsError, match="baselines"):
        sl.Protocol(baselines=())
