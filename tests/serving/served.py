"""Bundles that lie side by side, and the application in front of them.

The tests of this folder name it as their plugin; PYTEST_DONT_REWRITE, for the doctests have imported it by then.
"""

import dataclasses
import hashlib
from pathlib import Path

import pytest
from asking import KEY

import shortlist as sl
from shortlist.bundle import save_bundle
from shortlist.serving import ServerSettings, create_app
from shortlist.serving.app import Application


@pytest.fixture(scope="session")
def bundles(shop_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two bundles: "second" likes least what "first" likes most."""
    folder = tmp_path_factory.mktemp("bundles")
    first = sl.load_bundle(shop_bundle)
    save_bundle(first, folder / "first")
    save_bundle(dataclasses.replace(first, item_vectors=-first.item_vectors), folder / "second")
    return folder


@pytest.fixture(scope="session")
def settings(bundles: Path) -> ServerSettings:
    digest = hashlib.sha256(KEY.encode()).digest()
    return ServerSettings(bundles / "first", key_digests=(digest,), shadow_share=1.0)


@pytest.fixture(scope="session")
def app(settings: ServerSettings) -> Application:
    """For tests that change nothing."""
    return create_app(settings)


@pytest.fixture
def fresh_app(settings: ServerSettings) -> Application:
    """For tests that change which bundle is active."""
    return create_app(settings)


@pytest.fixture(scope="session")
def recommender(bundles: Path) -> sl.Recommender:
    """What the application should answer with."""
    return sl.Recommender.load(bundles / "first")
