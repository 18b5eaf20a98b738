"""A trained model as one folder: written whole or not at all, checked when it is read, free of torch."""

from shortlist.bundle.contents import Bundle, SavedIndex
from shortlist.bundle.files import WEIGHTS
from shortlist.bundle.load import load_bundle
from shortlist.bundle.save import refuse_existing, save_bundle
from shortlist.bundle.towers import OnnxTower

__all__ = ["WEIGHTS", "Bundle", "OnnxTower", "SavedIndex", "load_bundle", "refuse_existing", "save_bundle"]
