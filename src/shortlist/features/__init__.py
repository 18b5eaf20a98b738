"""What a column is and how it becomes arrays: fitted once on training rows, saved with the model, used everywhere."""

from shortlist.features.categories import Categories
from shortlist.features.clock import Hour, Weekday
from shortlist.features.cross import Cross
from shortlist.features.encoded import Encoded, Numbers, RowLists, Rows
from shortlist.features.encoder import FEATURE_KINDS, AnyFeature, Features, columns_of, encode, fit_features
from shortlist.features.feature import FeatureChoice, FittedFeature, values_of
from shortlist.features.history import FittedHistory, History
from shortlist.features.lookup import Hash, Lookup
from shortlist.features.moments import event_table
from shortlist.features.numeric import Bucketize, Normalize
from shortlist.features.sentences import SentenceEncoder
from shortlist.features.since import FittedSince, Since, last_column
from shortlist.features.store import EncodedStore
from shortlist.features.text import Text
from shortlist.features.vectors import Vectors

__all__ = [
    "FEATURE_KINDS",
    "AnyFeature",
    "Bucketize",
    "Categories",
    "Cross",
    "Encoded",
    "EncodedStore",
    "FeatureChoice",
    "Features",
    "FittedFeature",
    "FittedHistory",
    "FittedSince",
    "Hash",
    "History",
    "Hour",
    "Lookup",
    "Normalize",
    "Numbers",
    "RowLists",
    "Rows",
    "SentenceEncoder",
    "Since",
    "Text",
    "Vectors",
    "Weekday",
    "columns_of",
    "encode",
    "event_table",
    "fit_features",
    "last_column",
    "values_of",
]
