"""Pretrained models of sentences, by the library sentence-transformers (the extra `text`)."""

import functools
import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from shortlist.errors import SettingsError, first_line, require_extra

__all__ = ["SentenceModel", "load_model"]


class SentenceModel:
    """A loaded model: texts [N] to vectors [N, width] float32.

    `identity` is a SHA-256 over the names and numbers of its weights, whatever folder or name it was loaded from.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self.width = self(["width"]).shape[1]
        self.identity = _identity(model)

    def __call__(self, texts: list[str]) -> npt.NDArray[np.float32]:
        vectors = self._model.encode(texts, convert_to_numpy=True, show_progress_bar=False)
        return np.asarray(vectors, np.float32)


@functools.lru_cache(maxsize=4)
def load_model(name: str) -> SentenceModel:
    """The model of this name, downloaded where it has to be, or in this folder; once a process.

    Raises `MissingExtraError` without the extra `text`, and `SettingsError` for what cannot be loaded.
    """
    require_extra("text", ["sentence_transformers"])
    from sentence_transformers import SentenceTransformer

    try:
        return SentenceModel(SentenceTransformer(name))
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise SettingsError(
            f"The model {name!r} cannot be loaded by sentence-transformers: {first_line(error)}. Give the folder of a "
            "saved model, or the name of a public one, which is downloaded when it is first used."
        ) from error


def _identity(model: Any) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        # As float32, for libraries differ in the precision that they load the same weights in.
        numbers = tensor.detach().cpu()
        numbers = numbers.float() if numbers.is_floating_point() else numbers
        digest.update(f"{name} {tuple(numbers.shape)}".encode())
        digest.update(numbers.contiguous().numpy().tobytes())
    return digest.hexdigest()
