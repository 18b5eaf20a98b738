import warnings
from pathlib import Path

import numpy as np
import pytest

from shortlist.features.sentence_store import SentenceStore

TEA = np.array([[1.5, -2.0]], np.float32)


def test_what_is_kept_is_found_again_by_another_store_of_the_model(tmp_path: Path) -> None:
    SentenceStore("model", 2, folder=tmp_path).keep(["tea"], TEA)
    vectors, absent = SentenceStore("model", 2, folder=tmp_path).find(["jam", "tea"])
    assert (vectors.tolist(), absent.tolist()) == ([[0.0, 0.0], [1.5, -2.0]], [0])
    assert vectors.dtype == np.float32


def test_another_model_knows_nothing_of_it(tmp_path: Path) -> None:
    SentenceStore("model", 2, folder=tmp_path).keep(["tea"], TEA)
    assert SentenceStore("other", 2, folder=tmp_path).find(["tea"])[1].tolist() == [0]


def test_the_texts_themselves_are_not_kept(tmp_path: Path) -> None:
    store = SentenceStore("model", 2, folder=tmp_path)
    store.keep(["a secret"], TEA)
    assert b"secret" not in store.path.read_bytes()


def test_a_full_store_is_read_and_no_longer_written(tmp_path: Path) -> None:
    SentenceStore("model", 2, folder=tmp_path).keep(["tea"], TEA)
    full = SentenceStore("model", 2, folder=tmp_path, max_bytes=1)
    full.keep(["jam"], TEA)
    assert full.find(["tea", "jam"])[1].tolist() == [1]


def test_a_damaged_store_is_told_of_once_and_the_work_goes_on(tmp_path: Path) -> None:
    store = SentenceStore("model", 2, folder=tmp_path)
    store.path.write_bytes(b"no database at all, but long enough" * 9)
    with pytest.warns(UserWarning, match="The vectors of texts cannot be kept in .*not a database.*delete it"):
        assert store.find(["tea"])[1].tolist() == [0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.keep(["tea"], TEA)
        assert store.find(["tea"])[1].tolist() == [0]


def test_a_folder_that_cannot_be_made_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = SentenceStore("model", 2, folder=tmp_path / "file" / "folder")
    with pytest.warns(UserWarning, match="The vectors of texts cannot be kept in"):
        store.keep(["tea"], TEA)
