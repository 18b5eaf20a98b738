"""MovieLens 100K: 100,000 ratings of 1,682 films by 943 users, fetched on first use and kept in the cache.

Two archives carry it: GroupLens' own, and a wheel of the package index for networks that reach nothing else.
Both give the same Dataset, column by column and row by row.
"""

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import platformdirs
import polars as pl

from shortlist.data.dataset import Dataset
from shortlist.data.download import Archive, Url, Wheel, fetch_first, find_cached

__all__ = ["GROUPLENS", "RECBOLE", "TERMS", "fetch_movielens_100k", "movielens_100k", "read_grouplens", "read_recbole"]

TERMS = (
    "MovieLens 100K was collected by GroupLens Research at the University of Minnesota. It is free to use for "
    "research. Do not pass it on, and do not earn money with it, unless GroupLens agrees; do not suggest that "
    "GroupLens stands behind your results. Work that uses it should cite F. M. Harper and J. A. Konstan, "
    "The MovieLens Datasets: History and Context, 2015, https://doi.org/10.1145/2827872"
)

GROUPLENS = Archive(
    name="ml-100k.zip",
    size=4_924_029,
    sha256="50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
    source=Url("https://files.grouplens.org/datasets/movielens/ml-100k.zip"),
)
RECBOLE = Archive(
    name="recbole-1.2.1-py3-none-any.whl",
    size=2_130_151,
    sha256="9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
    source=Wheel("recbole==1.2.1"),
)

RATINGS = {"user_id": pl.String, "item_id": pl.String, "rating": pl.Float32, "timestamp": pl.Int64}
USERS = {"user_id": pl.String, "age": pl.Int64, "gender": pl.String, "occupation": pl.String, "zip_code": pl.String}


def movielens_100k(cache: Path | None = None) -> Dataset:
    """100,000 film ratings with their times, the films' titles and genres, and the users' ages and occupations.

    Events (`user_id`, `item_id`, `rating` from 1 to 5, `timestamp` in Unix seconds) stand in the order of the
    published file; ids are strings, items "1" to "1682", users "1" to "943". The label is the `title`, such as
    `Star Wars (1977)`; 18 titles name two items each. `year` is null where the title has none, `genres` is
    a list. The first call downloads 2 to 5 MB into `cache`, by default the user's cache folder; later calls need
    no network. See `TERMS` for what you may do with the data.

    Raises `DownloadError` where the data is not in the cache and no source can be reached.
    """
    path = fetch_movielens_100k(cache)
    return read_recbole(path) if path.name == RECBOLE.name else read_grouplens(path)


def fetch_movielens_100k(cache: Path | None = None, announce: Callable[[str], None] | None = None) -> Path:
    """The verified archive in the cache, downloaded first where it is missing or damaged.

    `announce` is called with `TERMS` after a download, and not where the archive was already there.
    """
    folder = platformdirs.user_cache_path("shortlist") / "movielens-100k" if cache is None else cache
    archives = [GROUPLENS, RECBOLE]
    path = find_cached(archives, folder)
    if path is None:
        path = fetch_first(archives, folder)
        if announce is not None:
            announce(TERMS)
    return path


def read_grouplens(path: Path) -> Dataset:
    """The Dataset in an archive of GroupLens' form: Latin-1 text without headers, a flag for each genre."""
    with zipfile.ZipFile(path) as archive:
        files = {
            name: archive.read(f"ml-100k/u.{name}").decode("latin-1") for name in ("data", "item", "user", "genre")
        }
    genres = [line.split("|")[0] for line in files["genre"].splitlines() if line]
    texts = ["item_id", "title", "release_date", "video_release_date", "url"]
    flags = pl.concat_list(pl.when(pl.col(genre) == "1").then(pl.lit(genre)) for genre in genres)
    items = _read(files["item"], "|", dict.fromkeys(texts + genres, pl.String)).select(
        "item_id",
        # Three titles end in a blank, which the other archive has lost.
        pl.col("title").str.strip_chars_end(" "),
        flags.list.drop_nulls().alias("genres"),
    )
    return _dataset(_read(files["data"], "\t", RATINGS), items, _read(files["user"], "|", USERS))


def read_recbole(path: Path) -> Dataset:
    """The Dataset in a wheel of RecBole's form: tables with headers, title and year apart, genres as words."""
    with zipfile.ZipFile(path) as archive:
        folder = "recbole/dataset_example/ml-100k/ml-100k"
        # The headers name types in RecBole's own words and are cut off.
        files = {
            name: archive.read(f"{folder}.{name}").decode("utf-8").partition("\n")[2]
            for name in ("inter", "item", "user")
        }
    columns = dict.fromkeys(["item_id", "name", "year", "genres"], pl.String)
    items = _read(files["item"], "\t", columns).select(
        "item_id",
        # The film that GroupLens calls `unknown`, without a year, is `unkonwn` of the year `unkonwn` here.
        pl.when(pl.col("year") == "unkonwn")
        .then(pl.lit("unknown"))
        .otherwise(pl.format("{} ({})", "name", "year"))
        .alias("title"),
        pl.col("genres").str.split(" "),
    )
    return _dataset(_read(files["inter"], "\t", RATINGS), items, _read(files["user"], "\t", USERS))


def _read(text: str, separator: str, schema: Mapping[str, type[pl.DataType]]) -> pl.DataFrame:
    source = io.BytesIO(text.encode())
    return pl.read_csv(source, has_header=False, separator=separator, quote_char=None, schema=schema)


def _dataset(ratings: pl.DataFrame, items: pl.DataFrame, users: pl.DataFrame) -> Dataset:
    # The year is the last number in brackets: item 1412 ends in `(1995) (V)`, and RecBole takes its year for `V`.
    year = pl.col("title").str.extract(r".*\((\d{4})\)").cast(pl.Int64)
    return Dataset(
        ratings,
        items=items.select("item_id", "title", year.alias("year"), "genres"),
        users=users,
        query_id="user_id",
        item_id="item_id",
        label="title",
        time="timestamp",
        source="movielens-100k",
    )
