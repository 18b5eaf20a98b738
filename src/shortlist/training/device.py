"""Where a training runs."""

from typing import Literal

import torch

from shortlist.errors import SettingsError

__all__ = ["pick_device"]


def pick_device(choice: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """The device of a choice: "auto" is a GPU where torch sees one, else the processor.

    Raises `SettingsError` where a GPU is asked for and torch sees none.

    >>> pick_device("cpu")
    device(type='cpu')
    """
    if choice == "cuda" and not torch.cuda.is_available():
        built = "sees no GPU" if torch.version.cuda else "was built without CUDA"
        raise SettingsError(
            f'device is "cuda", but torch {torch.__version__} {built}. Install a build of torch for your GPU '
            '(https://pytorch.org/get-started), or set device="cpu".'
        )
    if choice == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(choice)
