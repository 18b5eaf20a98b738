from pathlib import Path
from typing import Any

import polars as pl
import pytest

import shortlist as sl
from shortlist.errors import DataError, SettingsError


@pytest.fixture(scope="module")
def recommender(shop_bundle: Path) -> sl.Recommender:
    return sl.Recommender.load(shop_bundle)


QUERIES: dict[str, list[Any]] = {
    "user_id": [3, 999, None, 4, 3],
    "age": [None, 30, None, 61, 20],
    "city": [None, None, None, "city1", "nowhere"],
    "time": [None, None, None, 5, 7],
}


@pytest.mark.parametrize("exclude_seen", [True, False])
def test_a_table_of_queries_gets_what_each_query_gets_alone(recommender: sl.Recommender, exclude_seen: bool) -> None:
    table = pl.DataFrame(QUERIES)
    lists = recommender.recommend_table(table, 6, exclude_seen=exclude_seen)
    for row, values in enumerate(table.iter_rows(named=True)):
        alone = recommender.recommend(values, 6, exclude_seen=exclude_seen)
        its = lists.filter(pl.col("query_row") == row)
        assert its["item_id"].to_list() == [item.id for item in alone.items]
        assert its["label"].to_list() == [item.label for item in alone.items]
        assert its["score"].to_list() == pytest.approx([item.score for item in alone.items], abs=1e-5)
        assert its["kind"].unique().to_list() == [alone.query]
        assert its["place"].to_list() == list(range(1, len(alone.items) + 1))
        assert its["query_id"].unique().to_list() == [values["user_id"]]


def test_a_parquet_file_is_answered_batch_by_batch(
    recommender: sl.Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shortlist.recommender.bulk.BATCH_ROWS", 2)
    table = pl.DataFrame(QUERIES)
    table.write_parquet(tmp_path / "queries.parquet", row_group_size=1)
    heard: list[int] = []
    out = tmp_path / "lists.parquet"
    assert sl.recommend_file(recommender, str(tmp_path / "queries.parquet"), out, 4, on_batch=heard.append) == 5
    assert sum(heard) == 5
    assert len(heard) > 1
    streamed, whole = pl.read_parquet(out), recommender.recommend_table(table, 4)
    assert streamed.drop("score").equals(whole.drop("score"))
    assert streamed["score"].to_list() == pytest.approx(whole["score"].to_list(), abs=1e-5)


def test_a_csv_file_is_answered_too(recommender: sl.Recommender, tmp_path: Path) -> None:
    pl.DataFrame({"user_id": [3, 4], "age": [None, 61]}).write_csv(tmp_path / "queries.csv")
    assert sl.recommend_file(recommender, str(tmp_path / "queries.csv"), tmp_path / "lists.parquet", 4) == 2
    lists = pl.read_parquet(tmp_path / "lists.parquet")
    first = recommender.recommend({"user_id": 3}, 4)
    assert lists.filter(pl.col("query_row") == 0)["item_id"].to_list() == [item.id for item in first.items]


@pytest.mark.parametrize(
    ("queries", "error", "says"),
    [
        (
            {"colour": ["red"]},
            DataError,
            r"The model reads none of the columns 'colour' from a query; it reads 'user_id'",
        ),
        (
            {"user_id": [3, 4], "age": ["old", "1"]},
            DataError,
            r"'age' should be a number or a time .*, but it is 'old'",
        ),
        ({"user_id": [3.5]}, DataError, r"An id should be a string or a whole number, but it is 3\.5"),
    ],
    ids=["column", "value", "id"],
)
def test_queries_that_cannot_be_read_leave_nothing(
    recommender: sl.Recommender, tmp_path: Path, queries: dict[str, list[Any]], error: type[Exception], says: str
) -> None:
    pl.DataFrame(queries).write_parquet(tmp_path / "queries.parquet")
    with pytest.raises(error, match=says):
        sl.recommend_file(recommender, str(tmp_path / "queries.parquet"), tmp_path / "lists.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["queries.parquet"]


def test_lists_are_never_written_over(recommender: sl.Recommender, tmp_path: Path) -> None:
    (tmp_path / "lists.parquet").write_text("mine")
    with pytest.raises(SettingsError, match=r"lists\.parquet is there already, and lists are never written over"):
        sl.recommend_file(recommender, "nothing.parquet", tmp_path / "lists.parquet")
    assert (tmp_path / "lists.parquet").read_text() == "mine"


def test_a_history_counts_as_seen_and_answers_for_a_stranger(recommender: sl.Recommender) -> None:
    nearest = recommender.similar(0, 5)
    stranger = recommender.recommend({}, 5, history=[0])
    assert stranger.query == "history"
    assert [item.id for item in stranger.items] == [item.id for item in nearest.items]
    known = recommender.recommend({"user_id": 3}, 99, history=[0], exclude_seen=True)
    assert known.query == "known"
    assert 0 not in [item.id for item in known.items]
    assert recommender.recommend({}, 5).query == "fallback"


def test_a_table_of_any_library_and_of_any_length_is_answered(recommender: sl.Recommender) -> None:
    queries = pl.DataFrame({"user_id": [3, 4], "shoe_size": [40, 41]})  # what no feature reads is passed over
    answers = recommender.recommend_table(queries, 2)
    assert recommender.recommend_table(queries.to_pandas(), 2).equals(answers)
    assert answers["unknown"].to_list() == [[]] * 4
    nobody = recommender.recommend_table(queries.head(0), 2)
    assert (nobody.height, nobody.schema) == (0, answers.schema)
    with pytest.raises(SettingsError, match="k should be a whole number of at least 1, but it is 0"):
        recommender.recommend_table(queries.head(0), 0)
    stranger = recommender.recommend_table(pl.DataFrame({"user_id": [999]}), 1)
    assert (stranger["kind"].to_list(), stranger["unknown"].to_list()) == (["fallback"], [["user_id"]])


def test_what_can_be_no_id_is_not_in_the_catalogue(recommender: sl.Recommender) -> None:
    assert 3 in recommender
    for value in (1.5, None, [3]):
        assert value not in recommender  # type: ignore[operator]
