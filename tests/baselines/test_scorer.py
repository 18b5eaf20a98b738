import numpy as np

from shortlist.baselines.scorer import PersonalScorer, SharedScorer


def test_shared_scores_cost_one_row_however_many_users() -> None:
    scores = SharedScorer(np.array([2, 0, 1], np.float32))(np.arange(1_000_000))
    assert scores.shape == (1_000_000, 3)
    assert scores.strides[0] == 0


def test_personal_scores_go_to_users_with_events_and_popularity_to_all_others() -> None:
    asked: list[list[int]] = []

    def personal(user_rows: np.ndarray) -> np.ndarray:
        asked.append(user_rows.tolist())
        return np.stack([user_rows * 1.0, -user_rows], axis=1)

    score = PersonalScorer(personal, np.array([True, False, True]), np.array([5, 4], np.float32))
    rows = np.array([2, 1, -1, 3, 0, 2])  # -1 and 3 are no rows of the training
    assert score(rows).tolist() == [[2, -2], [5, 4], [5, 4], [5, 4], [0, 0], [2, -2]]
    assert asked == [[2, 0, 2]]


def test_no_user_is_a_block_too() -> None:
    score = PersonalScorer(lambda users: np.zeros((len(users), 2)), np.array([True]), np.array([5, 4], np.float32))
    assert score(np.empty(0, np.int64)).shape == (0, 2)
