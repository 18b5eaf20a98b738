"""The made shop of the benchmarks: one seed gives one shop, and the package takes its tables."""

import json
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

import shortlist as sl
from made_retail import Shop, make_shop
from shortlist.cli.main import app


def small_shop(seed: int = 0) -> Shop:
    return make_shop(customers=150, products=120, orders=2_000, seed=seed)


@pytest.fixture(scope="module")
def shop() -> Shop:
    return small_shop()


@pytest.fixture(scope="module")
def folder(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    shop.write(folder)
    return folder


def test_one_seed_gives_one_shop(shop: Shop) -> None:
    again = small_shop()
    for name in ("orders", "products", "customers"):
        assert_frame_equal(getattr(shop, name), getattr(again, name))
    assert not small_shop(seed=1).orders.equals(shop.orders)


def test_a_shop_has_about_as_many_orders_as_were_asked_for(shop: Shop) -> None:
    assert 1_400 < shop.orders.height < 2_600
    assert (shop.products.height, shop.customers.height) == (120, 150)


def test_nothing_is_bought_before_it_is_on_sale_or_by_nobody(shop: Shop) -> None:
    lines = shop.orders.join(shop.products, on="sku").join(shop.customers, on="customer")
    assert lines.height == shop.orders.height
    day = pl.col("bought_at").dt.date()
    assert lines.filter((day < pl.col("launched")) | (day < pl.col("signed_up"))).is_empty()


def test_people_come_back_to_what_runs_out_and_fill_baskets(shop: Shop) -> None:
    orders = shop.orders
    assert orders.unique(["customer", "sku"]).height < 0.9 * orders.height
    assert orders.unique(["customer", "bought_at"]).height < 0.6 * orders.height


def test_a_proposal_reads_every_column(folder: Path) -> None:
    tables = [str(folder / name) for name in ("orders.parquet", "products.csv", "customers.parquet")]
    answer = CliRunner().invoke(app, ["init", tables[0], "--items", tables[1], "--users", tables[2], "--json"])
    found = json.loads(answer.stdout)["experiment"]
    assert found["data"]["roles"] == {"query_id": "customer", "item_id": "sku", "label": "name", "time": "bought_at"}
    read = {side: [next(iter(feature.items())) for feature in found["features"][side]] for side in ("query", "item")}
    assert read["query"] == [
        ("history", "sku"),
        ("bucketize", "signed_up"),
        ("lookup", "country"),
        ("lookup", "age_band"),
        ("lookup", "loyalty_tier"),
    ]
    assert read["item"] == [
        ("lookup", "sku"),
        ("text", "name"),
        ("lookup", "department"),
        ("lookup", "category"),
        ("lookup", "brand"),
        ("bucketize", "price"),
        ("bucketize", "launched"),
    ]
    data = sl.Experiment.read(found, "the proposal").data.load()
    assert (data.num_users, data.num_items) == (150, 120)
