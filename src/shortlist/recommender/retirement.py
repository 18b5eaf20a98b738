"""Items that never come back: taken out of service in a new bundle, and brought back in another."""

import dataclasses
from collections.abc import Collection

import polars as pl

from shortlist.bundle import Bundle
from shortlist.recommender.catalogue import Catalogue, Id

__all__ = ["retire_items"]


def retire_items(bundle: Bundle, item_ids: Collection[Id], *, bring_back: bool = False) -> Bundle:
    """The bundle with these items retired besides those that are, or with `bring_back` in service again.

    A retired item is in no list and no evaluation, whatever the index; it stays in the histories of those who touched
    it. Save what comes back as a new bundle. Raises `UnknownIdError` for ids that the catalogue does not hold.
    """
    catalogue = Catalogue(bundle)
    retired = catalogue.retired.copy()
    retired[catalogue.rows("item_ids", item_ids)] = not bring_back
    items = bundle.items.with_columns(pl.Series("retired", retired, dtype=pl.Boolean))
    return dataclasses.replace(bundle, items=items, version=None, index_version=None)
