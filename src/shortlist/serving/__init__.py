"""The HTTP server of a bundle: answers as JSON, figures for Prometheus, bundles swapped while it runs, and a page."""

from shortlist.serving.app import create_app
from shortlist.serving.bundles import Bundles, Snapshot
from shortlist.serving.keys import read_keys
from shortlist.serving.settings import Limits, ServerSettings

__all__ = ["Bundles", "Limits", "ServerSettings", "Snapshot", "create_app", "read_keys"]
