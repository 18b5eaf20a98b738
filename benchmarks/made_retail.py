"""A made shop: its products, its customers and what they bought in a year and a half. Not a benchmark itself.

The tables are what a shop would export; what is behind them are habits of customers, written down before any model was
measured on them and left as they were. A line of an order comes about in one of these ways:

- A visit. Customers differ in how often they come (log-normal), come more at weekends and before Christmas, begin with
  their sign-up and stay away for good one day.
- What has run out. The coffee in the house lasts some weeks: at a visit after that coffee is bought again, mostly the
  very same.
- A wish. A household (a garden, children, a cat …) favours some categories, which change over the months, and some are
  wanted in their season. A category brings another that goes with it now and then.
- A gift: anything that sells, whoever buys it.

Within a category one product is taken by a multinomial logit (McFadden 1974): how appealing it is to all, whether it is
new, whether it is on offer this week, its price for this customer's thrift, the brands that this customer likes now,
whether it is from the customer's country, whether it is organic for those who care; what lasts is not bought twice.

    python benchmarks/made_retail.py FOLDER  # writes orders.parquet, products.csv and customers.parquet
"""

import dataclasses
import datetime as dt
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_catalogue import ADJECTIVES, AGEING, SYLLABLES, TRAITS, Category, read_categories

__all__ = ["Shop", "make_shop"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

OPENING, DAYS = dt.date(2024, 1, 1), 547
YEAR = 365.25
COUNTRIES, OF_COUNTRIES = ("DE", "FR", "NL", "AT", "CH"), (0.42, 0.24, 0.16, 0.1, 0.08)
AGES, OF_AGES = ("18-24", "25-34", "35-44", "45-54", "55-64", "65+"), (0.1, 0.22, 0.22, 0.19, 0.16, 0.11)
TIERS = ("bronze", "silver", "gold")
CHANNELS, OF_CHANNELS = ("web", "app", "store"), (4.0, 3.0, 2.0)
WEEKDAYS = (0.9, 0.85, 0.9, 0.95, 1.1, 1.3, 1.0)
NUM_BRANDS = 150
# How many lines a visit has on average, which sets the number of visits.
LINES_OF_VISIT = 2.75


@dataclasses.dataclass(frozen=True)
class Shop:
    """The three tables of a shop."""

    orders: pl.DataFrame
    products: pl.DataFrame
    customers: pl.DataFrame

    def write(self, folder: Path) -> tuple[Path, Path, Path]:
        """Write orders.parquet, products.csv and customers.parquet into a folder; their paths come back."""
        folder.mkdir(parents=True, exist_ok=True)
        orders, products, customers = (
            folder / name for name in ("orders.parquet", "products.csv", "customers.parquet")
        )
        self.orders.write_parquet(orders)
        self.products.write_csv(products)
        self.customers.write_parquet(customers)
        return orders, products, customers


def make_shop(*, customers: int = 5_000, products: int = 3_000, orders: int = 150_000, seed: int = 0) -> Shop:
    """A shop with so many customers and products, and about so many lines of orders; one seed, one shop."""
    world = np.random.default_rng([seed, 0])
    categories = read_categories()
    stock = _stock(categories, products, world)
    people = _people(customers, orders, world)
    lines = [
        line
        for row in range(customers)
        for line in _Customer(row, people, stock, categories, np.random.default_rng([seed, 1, row])).lines()
    ]
    return Shop(_orders(lines, people, stock), _products(stock, categories, world), _customers(people, world))


# --- The shop's side ---------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Stock:
    """What is on sale: an entry a product [P], or a brand [B]. `dearness` is the log of the price over its category's
    usual one, `launched` a day that is negative before the opening, `offers` [weeks, P] what is on offer, and `season`
    [days, C] how much each category is wanted.
    """

    sku: list[str]
    category: Ints
    brand: Ints
    dearness: Floats
    launched: Floats
    appeal: Floats
    ageing: Floats
    organic: Flags
    offers: Flags
    brand_names: list[str]
    brand_country: Ints
    of_category: list[Ints]
    season: Floats


def _stock(categories: Sequence[Category], count: int, rng: np.random.Generator) -> _Stock:
    share = np.array([category.share for category in categories])
    category = rng.choice(len(categories), count, p=share / share.sum())
    # A brand belongs to one department, has a level of prices and a name that counts for something everywhere.
    departments = sorted({category.department for category in categories})
    home = rng.integers(len(departments), size=NUM_BRANDS)
    strength, level = rng.normal(0, 0.7, NUM_BRANDS), rng.normal(0, 0.3, NUM_BRANDS)
    brand = np.empty(count, np.int64)
    for row, one in enumerate(category):
        possible = np.flatnonzero(home == departments.index(categories[one].department))
        weight = np.exp(strength[possible])
        brand[row] = rng.choice(possible, p=weight / weight.sum()) if len(possible) else rng.integers(NUM_BRANDS)
    new = rng.random(count) < 0.35
    launched = np.where(new, rng.uniform(0, DAYS, count), -rng.exponential(500, count))
    return _Stock(
        sku=[f"SKU-{number:05}" for number in rng.permutation(np.arange(1, count + 1))],
        category=category,
        brand=brand,
        dearness=level[brand] + rng.normal(0, 0.35, count),
        launched=launched,
        appeal=strength[brand] + rng.normal(0, 1, count),
        ageing=np.array([AGEING.get(categories[one].department, 0.1) for one in category]),
        organic=(rng.random(count) < 0.2) & np.array([categories[one].lasts > 0 for one in category]),
        offers=rng.random((DAYS // 7 + 1, count)) < 0.02,
        brand_names=_brand_names(rng),
        brand_country=rng.choice(len(COUNTRIES), NUM_BRANDS, p=OF_COUNTRIES),
        of_category=[np.flatnonzero(category == one) for one in range(len(categories))],
        season=np.array([[_season(one.peak, day) for one in categories] for day in range(DAYS)]),
    )


def _brand_names(rng: np.random.Generator) -> list[str]:
    names: list[str] = []
    while len(names) < NUM_BRANDS:
        name = "".join(rng.choice(SYLLABLES.split(), rng.integers(2, 4))).capitalize()
        if name not in names:
            names.append(name)
    return names


# --- The customers' side -----------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _People:
    """An entry a customer [U]; `traits` [U, T]. `since` and `until` are days, `visits` how many to expect a day."""

    id: list[str]
    country: Ints
    age: Ints
    traits: Flags
    signed_up: Floats
    since: Floats
    until: Floats
    visits: Floats


def _people(count: int, orders: int, rng: np.random.Generator) -> _People:
    age = rng.choice(len(AGES), count, p=OF_AGES)
    signed_up = np.where(rng.random(count) < 0.55, -rng.uniform(0, 3 * YEAR, count), rng.uniform(0, DAYS, count))
    since = np.maximum(signed_up, 0)
    until = np.minimum(since + rng.exponential(500, count), DAYS)
    often = rng.lognormal(0, 1, count)
    return _People(
        id=[f"C{number:06}" for number in rng.choice(np.arange(100_000, 999_999), count, replace=False)],
        country=rng.choice(len(COUNTRIES), count, p=OF_COUNTRIES),
        age=age,
        traits=rng.random((count, len(TRAITS))) < np.array(list(TRAITS.values())).T[age],
        signed_up=signed_up,
        since=since,
        until=until,
        visits=often * orders / LINES_OF_VISIT / (often * (until - since)).sum(),
    )


class _Customer:
    """One customer, from the first visit to the last."""

    def __init__(
        self, row: int, people: _People, stock: _Stock, categories: Sequence[Category], rng: np.random.Generator
    ) -> None:
        self.row, self.people, self.stock, self.categories, self.rng = row, people, stock, categories, rng
        traits = dict(zip(TRAITS, people.traits[row], strict=True))
        share = np.array([category.share for category in categories])
        fits = np.array([1.0 if traits.get(category.trait, True) else 0.05 for category in categories])
        self.wanted = share * fits / (share * fits).sum()
        self.favourites = rng.choice(len(categories), rng.integers(4, 10), replace=False, p=self.wanted)
        self.eagerness = rng.gamma(1.0, 1.0, len(self.favourites)) + 0.1
        self.brands = np.isin(np.arange(NUM_BRANDS), rng.choice(NUM_BRANDS, 8, replace=False))
        self.thrift = rng.normal(0.7, 0.8)
        self.green = 1.5 if rng.random() < 0.25 else 0.0
        self.loyalty = rng.beta(5, 2)
        self.channels = rng.dirichlet(OF_CHANNELS)
        self.house: dict[int, tuple[int, float]] = {}  # by category: what was bought last, and when it runs out
        self.owned = np.zeros(len(stock.sku), np.bool_)

    def lines(self) -> list[tuple[int, int, float, int, int]]:
        """Customer, product, day, quantity and channel of everything that is bought, a visit after another."""
        found = []
        drifted = float(self.people.since[self.row])
        for day in self._visits():
            while drifted + 30 < day:
                drifted += 30
                self._drift()
            channel = int(self.rng.choice(len(CHANNELS), p=self.channels))
            for product in dict.fromkeys(self._basket(day)):
                quantity = 1 + int(self.rng.poisson(0.4 if self._category(product).lasts else 0.05))
                self._take(product, day, quantity)
                found.append((self.row, product, day, quantity, channel))
        return found

    def _visits(self) -> Floats:
        """When the customer comes, in days since the opening, the hours by daylight and evenings."""
        since, until, rate = (x[self.row] for x in (self.people.since, self.people.until, self.people.visits))
        days = np.arange(int(since), int(np.ceil(until)))
        weight = np.array([_intensity(int(day)) for day in days])
        counts = self.rng.poisson(rate * weight)
        evening = self.rng.random(counts.sum()) < 0.6
        hours = np.clip(np.where(evening, self.rng.normal(19.5, 1.8, len(evening)),
                                 self.rng.normal(12.5, 2.0, len(evening))), 6, 23.9)  # fmt: skip
        moments = np.sort(np.repeat(days, counts) + hours / 24)
        inside: Floats = moments[(moments >= since) & (moments < until)]
        return inside

    def _drift(self) -> None:
        """A month goes by: a favourite category or brand gives way to another now and then."""
        for place in range(len(self.favourites)):
            if self.rng.random() < 0.04:
                self.favourites[place] = self.rng.choice(len(self.categories), p=self.wanted)
        for brand in np.flatnonzero(self.brands):
            if self.rng.random() < 0.05:
                self.brands[brand] = False
                self.brands[self.rng.integers(NUM_BRANDS)] = True

    def _basket(self, day: float) -> list[int]:
        basket = []
        for category, (product, runs_out) in list(self.house.items()):
            if runs_out < day - 120:
                del self.house[category]  # done without for so long
            elif runs_out < day and self.rng.random() < 0.6:
                same = self.rng.random() < self.loyalty
                basket.append(product if same else self._choose(category, day))
        for _ in range(self.rng.poisson(1.2) + (not basket)):
            if self.rng.random() < 0.07:
                basket.append(self._gift(day))
                continue
            category = self._wish(day)
            basket.append(self._choose(category, day))
            other = self.categories[category].goes_with
            if other is not None and self.rng.random() < 0.25:
                basket.append(self._choose(other, day))
        return [product for product in basket if product >= 0]

    def _wish(self, day: float) -> int:
        """A category: mostly a favourite, and rather one whose season it is."""
        if self.rng.random() < 0.8:
            possible, weight = self.favourites, self.eagerness
        else:
            possible, weight = np.arange(len(self.categories)), self.wanted
        now = weight * self.stock.season[int(day), possible]
        return int(self.rng.choice(possible, p=now / now.sum()))

    def _choose(self, category: int, day: float) -> int:
        """A product of the category by a multinomial logit, -1 where none is on sale yet."""
        stock = self.stock
        rows = stock.of_category[category]
        rows = rows[stock.launched[rows] <= day]
        if not len(rows):
            return -1
        utility = (
            self._appeal(rows, day)
            + 1.8 * self.brands[stock.brand[rows]]
            + 0.5 * (stock.brand_country[stock.brand[rows]] == self.people.country[self.row])
            - self.thrift * stock.dearness[rows]
            + self.green * stock.organic[rows]
            - 4.0 * self.owned[rows]
        )
        return int(rows[np.argmax(utility + self.rng.gumbel(size=len(rows)))])

    def _gift(self, day: float) -> int:
        rows = np.flatnonzero(self.stock.launched <= day)
        if not len(rows):
            return -1
        return int(rows[np.argmax(self._appeal(rows, day) + self.rng.gumbel(size=len(rows)))])

    def _appeal(self, rows: Ints, day: float) -> Floats:
        """What products have for everyone today: their own, being new, being old, being on offer."""
        stock = self.stock
        age = day - stock.launched[rows]
        offer = 1.2 * stock.offers[int(day) // 7, rows]
        appeal: Floats = stock.appeal[rows] + np.exp(-age / 45) - stock.ageing[rows] * np.minimum(age / YEAR, 3) + offer
        return appeal

    def _take(self, product: int, day: float, quantity: int) -> None:
        category = int(self.stock.category[product])
        if lasts := self.categories[category].lasts:
            _, runs_out = self.house.get(category, (product, day))
            more = lasts * quantity * self.rng.lognormal(0, 0.3)
            self.house[category] = (product, max(runs_out, day) + more)
        else:
            self.owned[product] = True

    def _category(self, product: int) -> Category:
        return self.categories[int(self.stock.category[product])]


def _intensity(day: int) -> float:
    """How many come on this day, 1 on average: weekends, and the weeks from the end of November to Christmas."""
    date = OPENING + dt.timedelta(days=day)
    christmas = 1.7 if (date.month, date.day) >= (11, 22) and (date.month, date.day) <= (12, 22) else 1.0
    return WEEKDAYS[date.weekday()] * christmas


def _season(peak: int, day: float) -> float:
    """How much a category is wanted: 5 times as much in the middle of its month as half a year later, 1 on average."""
    if not peak:
        return 1.0
    turn = 2 * np.pi * (day / YEAR - (peak - 0.5) / 12)
    return float(np.exp(0.8 * np.cos(turn)) / 1.167)  # 1.167 is the mean of exp(0.8 cos)


# --- What is written down ----------------------------------------------------------------------------------------


def _orders(lines: Sequence[tuple[int, int, float, int, int]], people: _People, stock: _Stock) -> pl.DataFrame:
    customer, product, day, quantity, channel = zip(*lines, strict=True)
    opening = dt.datetime(OPENING.year, OPENING.month, OPENING.day)
    return pl.DataFrame(
        {
            "customer": [people.id[row] for row in customer],
            "sku": [stock.sku[row] for row in product],
            "bought_at": [opening + dt.timedelta(seconds=round(one * 86_400)) for one in day],
            "quantity": quantity,
            "channel": [CHANNELS[one] for one in channel],
        }
    ).sort("bought_at", "customer", "sku")


def _products(stock: _Stock, categories: Sequence[Category], rng: np.random.Generator) -> pl.DataFrame:
    count = len(stock.sku)
    of = [categories[one] for one in stock.category]
    usual = np.array([category.price for category in of])
    adjectives = ADJECTIVES.split()
    names = [
        f"{'Organic ' if organic else ''}{rng.choice(adjectives)} {rng.choice(category.nouns)} {rng.integers(1, 40)}"
        for category, organic in zip(of, stock.organic, strict=True)
    ]
    price = np.maximum(np.floor(usual * np.exp(stock.dearness)) + 0.99, 0.99)
    launched = [OPENING + dt.timedelta(days=int(np.floor(day))) for day in stock.launched]
    return pl.DataFrame(
        {
            "sku": stock.sku,
            "name": names,
            "department": [category.department for category in of],
            "category": [category.name for category in of],
            "brand": _some_missing([stock.brand_names[one] for one in stock.brand], 0.05, rng),
            "price": _some_missing(price.round(2).tolist(), 0.02, rng),
            "launched": _some_missing(launched, 0.04, rng),
        }
    ).sample(count, shuffle=True, seed=int(rng.integers(1 << 31)))


def _customers(people: _People, rng: np.random.Generator) -> pl.DataFrame:
    """Tiers go by how often somebody comes, roughly; a third has none."""
    noisy = np.log(people.visits) + rng.normal(0, 0.5, len(people.visits))
    tier = np.searchsorted(np.quantile(noisy, [0.6, 0.88]), noisy)
    signed_up = [OPENING + dt.timedelta(days=int(np.floor(day))) for day in people.signed_up]
    return pl.DataFrame(
        {
            "customer": people.id,
            "signed_up": _some_missing(signed_up, 0.01, rng),
            "country": _some_missing([COUNTRIES[one] for one in people.country], 0.03, rng),
            "age_band": _some_missing([AGES[one] for one in people.age], 0.12, rng),
            "loyalty_tier": _some_missing([TIERS[one] for one in tier], 0.33, rng),
        }
    )


def _some_missing(values: Sequence[Any], share: float, rng: np.random.Generator) -> list[Any]:
    absent = rng.random(len(values)) < share
    return [None if gone else value for value, gone in zip(values, absent, strict=True)]


if __name__ == "__main__":
    for path in make_shop().write(Path(sys.argv[1])):
        print(path)
