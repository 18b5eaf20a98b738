"""Text as a pretrained model of sentences understands it: one vector a text, which enters a tower as numbers."""

import dataclasses
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from shortlist.choice import choice
from shortlist.errors import DataError
from shortlist.features.encoded import Numbers
from shortlist.features.feature import FittedFeature, as_text, refuse_missing
from shortlist.features.sentence_model import load_model
from shortlist.features.sentence_store import SentenceStore
from shortlist.features.vectors import Floats, Scale, Scaling

__all__ = ["FittedSentenceEncoder", "SentenceEncoder"]

# Texts encoded before their vectors are written down.
BLOCK_TEXTS = 4_096


@choice
class SentenceEncoder:
    """The vector that a pretrained model of the library sentence-transformers makes of a text.

    `model` is the name of one on https://huggingface.co/models?library=sentence-transformers, which the library
    downloads when it is first used, or the folder of one (`SentenceTransformer.save` writes it). The model is not
    trained further. `scaling` is as in `Vectors`; a missing or empty text gives zeros.

    It wants the extra `text`, torch with it, where a text is encoded: in training, and for a query that brings or has a
    text that this machine has not met. Vectors are kept on disk in the user's cache, by the text and the model's
    weights, so that none is made twice; a bundle holds no model, only what identifies it, and another is refused. Items
    of a bundle have their vectors already. A vector made on another machine or among other texts may differ in its last
    bits.

    Use it where items have words but few events: the model knows that "sofa" and "couch" are near, which `Text` has to
    learn from events. Source: Reimers and Gurevych 2019, https://doi.org/10.18653/v1/D19-1410.

    >>> SentenceEncoder("title", model="all-MiniLM-L6-v2", scaling="unit").column
    'title'
    """

    kind: ClassVar[str] = "sentence_encoder"

    column: str
    model: Annotated[str, Field(min_length=1)]
    scaling: Scaling = "none"
    missing: Literal["zeros", "error"] = "zeros"

    def fit(self, values: pl.Series) -> "FittedSentenceEncoder":
        refuse_missing(values, self.column, self.missing)
        texts, _ = distinct_texts(values, self.column)
        if not texts:
            raise DataError(
                f"Column {self.column!r} holds no text at all in the rows that features are fitted on; drop it."
            )
        model = load_model(self.model)
        fitted = FittedSentenceEncoder(self, model.width, model.identity, Scale("none"))
        of_rows = fitted.encode(values).values[fitted.known(values)]
        return FittedSentenceEncoder(self, model.width, model.identity, Scale.fit(self.scaling, of_rows))

    def restore(self, state: dict[str, Any]) -> "FittedSentenceEncoder":
        return FittedSentenceEncoder(self, state["width"], state["model"], Scale(self.scaling, **state["scale"]))

    def relative_to(self, folder: Path) -> Self:
        """The same with the model's folder taken from this one, and whole, where there is one."""
        found = (folder / self.model).absolute()
        return dataclasses.replace(self, model=str(found)) if found.is_dir() else self


class FittedSentenceEncoder(FittedFeature):
    """A `SentenceEncoder` with the width and the identity of its model, which is loaded once it is needed."""

    choice: SentenceEncoder

    def __init__(self, choice: SentenceEncoder, width: int, identity: str, scale: Scale) -> None:
        super().__init__(choice, num_rows=0, width=width)
        self.identity = identity
        self._scale = scale
        self._store = SentenceStore(identity, width)

    def encode(self, values: pl.Series) -> Numbers:
        refuse_missing(values, self.column, self.choice.missing)
        texts, place_of = distinct_texts(values, self.column)
        vectors = np.zeros((len(texts) + 1, self.width), np.float32)  # the last is that of no text
        if texts:
            vectors[:-1] = self._scale(self._vectors(texts))
        return Numbers(vectors[place_of])

    def _vectors(self, texts: list[str]) -> Floats:
        vectors, absent = self._store.find(texts)
        for start in range(0, len(absent), BLOCK_TEXTS):
            places = absent[start : start + BLOCK_TEXTS]
            block = [texts[place] for place in places]
            vectors[places] = self._model_vectors(block)
            self._store.keep(block, vectors[places])
        return vectors

    def _model_vectors(self, texts: list[str]) -> Floats:
        model = load_model(self.choice.model)
        if model.identity != self.identity:
            raise DataError(
                f"The model {self.choice.model!r} is not the one that this feature was fitted with, for its weights "
                "are others. Put that one there, or train anew."
            )
        vectors = model(texts)
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if bad.size:
            raise DataError(f"The model {self.choice.model!r} makes NaN or infinity of the text {texts[bad[0]]!r}.")
        return vectors

    def known(self, values: pl.Series) -> npt.NDArray[np.bool_]:
        return distinct_texts(values, self.column)[1] >= 0

    def state(self) -> dict[str, Any]:
        return {"width": self.width, "model": self.identity, "scale": self._scale.state()}


def distinct_texts(values: pl.Series, column: str) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The different texts of a column, and which of them each value [N] is: -1 for a missing or empty one.

    >>> distinct_texts(pl.Series(["tea", None, "jam", "", "tea"]), "title")
    (['jam', 'tea'], array([ 1, -1,  0, -1,  1]))
    """
    texts = as_text(values, column).replace("", None)
    distinct = texts.drop_nulls().unique().sort()
    places = texts.to_frame("text").join(
        distinct.to_frame("text").with_row_index("place"), on="text", how="left", maintain_order="left"
    )["place"]
    return distinct.to_list(), places.cast(pl.Int64).fill_null(-1).to_numpy()
