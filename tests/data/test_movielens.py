import zipfile
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from shortlist.data import datasets
from shortlist.data.dataset import Dataset, Roles
from shortlist.data.download import fetch, find_cached, is_intact
from shortlist.data.movielens import (
    GROUPLENS,
    RECBOLE,
    TERMS,
    fetch_movielens_100k,
    movielens_100k,
    read_grouplens,
    read_recbole,
)
from shortlist.errors import DownloadError, SettingsError

# Made-up films, ratings and users in the form of each archive. Item 1 has quotes and two brackets, item 2 no
# year, item 3 a trailing blank, item 4 a mark after the year, item 5 letters beyond ASCII.
GENRE_NAMES = (
    "unknown Action Adventure Animation Children's Comedy Crime Documentary Drama Fantasy Film-Noir Horror Musical "
    "Mystery Romance Sci-Fi Thriller War Western"
)
GENRES = GENRE_NAMES.split()
RATINGS = ["3\t5\t4\t881250949", "1\t2\t1\t891717742", "3\t1\t5\t878887116", "2\t4\t3\t881250949"]
ITEMS = [
    ('"Tea" and Jam (Thé, Le) (1994)', '"Tea" and Jam (Thé, Le)\t1994', ["Comedy", "Sci-Fi"]),
    ("unknown", "unkonwn\tunkonwn", ["unknown"]),
    ("Kettle of 1996, The (1995) ", "Kettle of 1996, The\t1995", ["Documentary"]),
    ("Teapot III (1990) (V)", "Teapot III (1990)\tV", ["Animation", "Children's"]),
    ("Élégie à Zoë (1931)", "Élégie à Zoë\t1931", ["Drama", "Film-Noir", "War"]),
]
USERS = ["1|24|M|technician|85711", "2|53|F|other|01002", "3|31|F|none|T8H1N"]


def write_grouplens(path: Path) -> Path:
    genres = "".join(f"{genre}|{number}\n" for number, genre in enumerate(GENRES)) + "\n"
    items = ""
    for number, (title, _, kinds) in enumerate(ITEMS, start=1):
        flags = "|".join("1" if genre in kinds else "0" for genre in GENRES)
        items += f"{number}|{title}|01-Jan-1995||http://example.org/?{number}|{flags}\n"
    texts = {"data": "\n".join(RATINGS) + "\n", "item": items, "user": "\n".join(USERS) + "\n", "genre": genres}
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in texts.items():
            archive.writestr(f"ml-100k/u.{name}", text.encode("latin-1"))
    return path


def write_recbole(path: Path) -> Path:
    items = "".join(f"{n}\t{title}\t{' '.join(kinds)}\n" for n, (_, title, kinds) in enumerate(ITEMS, start=1))
    users = "".join(user.replace("|", "\t") + "\n" for user in USERS)
    texts = {
        "inter": "user_id:token\titem_id:token\trating:float\ttimestamp:float\n" + "\n".join(RATINGS) + "\n",
        "item": "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n" + items,
        "user": "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n" + users,
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in texts.items():
            archive.writestr(f"recbole/dataset_example/ml-100k/ml-100k.{name}", text.encode())
    return path


@pytest.fixture(params=["grouplens", "recbole"])
def sample(request: pytest.FixtureRequest, tmp_path: Path) -> Dataset:
    if request.param == "grouplens":
        return read_grouplens(write_grouplens(tmp_path / "sample.zip"))
    return read_recbole(write_recbole(tmp_path / "sample.whl"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that holds the wheel, fetched through pip."""
    return fetch(RECBOLE, tmp_path_factory.mktemp("cache")).parent


def test_both_archives_give_the_same_dataset(tmp_path: Path) -> None:
    one, other = read_grouplens(write_grouplens(tmp_path / "a.zip")), read_recbole(write_recbole(tmp_path / "b.whl"))
    for table in ("interactions", "items", "users"):
        assert_frame_equal(getattr(one, table), getattr(other, table))
    assert one.roles == other.roles
    assert one.fingerprint() == other.fingerprint()


def test_ratings_stand_in_file_order(sample: Dataset) -> None:
    assert sample.interactions.rows() == [
        ("3", "5", 4.0, 881250949),
        ("1", "2", 1.0, 891717742),
        ("3", "1", 5.0, 878887116),
        ("2", "4", 3.0, 881250949),
    ]


def test_titles_years_and_genres_have_one_form(sample: Dataset) -> None:
    assert sample.items.rows() == [
        ("1", '"Tea" and Jam (Thé, Le) (1994)', 1994, ["Comedy", "Sci-Fi"]),
        ("2", "unknown", None, ["unknown"]),
        ("3", "Kettle of 1996, The (1995)", 1995, ["Documentary"]),
        ("4", "Teapot III (1990) (V)", 1990, ["Animation", "Children's"]),
        ("5", "Élégie à Zoë (1931)", 1931, ["Drama", "Film-Noir", "War"]),
    ]


def test_users_keep_leading_zeros_and_letters_of_their_zip_codes(sample: Dataset) -> None:
    assert sample.users.rows() == [
        ("1", 24, "M", "technician", "85711"),
        ("2", 53, "F", "other", "01002"),
        ("3", 31, "F", "none", "T8H1N"),
    ]


def test_columns_have_the_promised_types_and_roles(sample: Dataset) -> None:
    text = pl.String()
    assert sample.interactions.schema == {
        "user_id": text,
        "item_id": text,
        "rating": pl.Float32(),
        "timestamp": pl.Int64(),
    }
    assert sample.items.schema == {"item_id": text, "title": text, "year": pl.Int64(), "genres": pl.List(pl.String)}
    assert sample.users.schema == {
        "user_id": text,
        "age": pl.Int64(),
        "gender": text,
        "occupation": text,
        "zip_code": text,
    }
    assert sample.roles == Roles(query_id="user_id", item_id="item_id", label="title", time="timestamp")


def test_archives_of_other_content_do_not_count_as_cached(tmp_path: Path) -> None:
    write_grouplens(tmp_path / GROUPLENS.name)
    write_recbole(tmp_path / RECBOLE.name)
    assert find_cached([GROUPLENS, RECBOLE], tmp_path) is None


def test_nothing_is_announced_where_nothing_can_be_fetched(tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"a file where the folder should be")
    told: list[str] = []
    with pytest.raises(DownloadError, match=r"any of its 2 sources\. \(1\) .*ml-100k\.zip .*\(2\) .*recbole.*\.whl"):
        fetch_movielens_100k(tmp_path / "cache", told.append)
    assert told == []


def test_the_terms_name_research_and_the_paper() -> None:
    assert "research" in TERMS
    assert "https://doi.org/10.1145/2827872" in TERMS


def test_data_sets_have_names() -> None:
    assert datasets.NAMES["movielens-100k"][1] is movielens_100k
    with pytest.raises(SettingsError, match=r"no data set 'movielens'; the known ones are 'movielens-100k'"):
        datasets.load("movielens")


@pytest.mark.network
def test_the_published_counts_come_out(cache: Path) -> None:
    data = movielens_100k(cache)
    assert (data.num_events, data.num_users, data.num_items) == (100_000, 943, 1_682)
    assert data.items["title"].n_unique() == 1_664
    assert data.items["item_id"].to_list() == [str(number) for number in range(1, 1_683)]
    assert data.users["user_id"].to_list() == [str(number) for number in range(1, 944)]
    assert data.interactions.row(0) == ("196", "242", 3.0, 881250949)


@pytest.mark.network
def test_odd_titles_are_repaired(cache: Path) -> None:
    odd = movielens_100k(cache).items.filter(pl.col("item_id").is_in(["267", "1128", "1201", "1412", "1635"]))
    assert odd.select("item_id", "title", "year").rows() == [
        ("267", "unknown", None),
        ("1128", "Heidi Fleiss: Hollywood Madam (1995)", 1995),
        ("1201", "Marlene Dietrich: Shadow and Light (1996)", 1996),
        ("1412", "Land Before Time III: The Time of the Great Giving (1995) (V)", 1995),
        ("1635", "Two Friends (1986)", 1986),
    ]


@pytest.mark.network
def test_what_is_cached_is_neither_fetched_nor_announced_again(cache: Path) -> None:
    before = (cache / RECBOLE.name).stat()
    told: list[str] = []
    assert fetch_movielens_100k(cache, told.append) == cache / RECBOLE.name
    assert told == []
    after = (cache / RECBOLE.name).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.network
def test_a_damaged_archive_is_fetched_again_with_the_terms(tmp_path: Path) -> None:
    for archive in (GROUPLENS, RECBOLE):
        (tmp_path / archive.name).write_bytes(b"damaged")
    told: list[str] = []
    path = fetch_movielens_100k(tmp_path, told.append)
    assert told == [TERMS]
    assert any(is_intact(archive, path) for archive in (GROUPLENS, RECBOLE))
