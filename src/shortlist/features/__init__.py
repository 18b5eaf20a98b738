"""What a column is and how it becomes arrays: fitted once on training rows, saved with the model, used everywhere."""

from shortlist.features.categories import Categories
from shortlist.features.clock import Hour, Weekday
from shortlist.features.encoded import Encoded, Numbers, RowLists, Rows
from shortlist.features.encoder import FEATURE_KINDS, AnyFeature, Features, encode, fit_features
from shortlist.features.feature import FeatureChoice, FittedFeature
from shortlist.features.history import FittedHistory, History
from shortlist.features.lookup import Hash, Lookup
from shortlist.features.numeric import Bucketize, Normalize
from shortlist.features.store import EncodedStore
from shortlist.features.text import Text

__all__ = [
    "FEATURE_KINDS",
    "AnyFeature",
    "Bucketize",
    "Categories",
    "Encoded",
    "EncodedStore",
    "FeatureChoice",
    "Features",
    "FittedFeature",
    "FittedHistory",
    "Hash",
    "History",
    "Hour",
    "Lookup",
    "Normalize",
    "Numbers",
    "RowLists",
    "Rows",
    "Text",
    "Weekday",
    "encode",
    "fit_features",
]
