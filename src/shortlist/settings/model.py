"""What a user decides about the model."""

from typing import Annotated, Literal

from pydantic import Field

from shortlist.choice import Number, Whole, choice

__all__ = ["Activation", "Init", "TwoTowerSettings"]

Activation = Literal["relu", "gelu", "tanh", "silu"]
Init = Literal["keras", "torch"]
# A bound that no layer needs, so that a slip of the keyboard is refused before it asks for terabytes.
Width = Annotated[Whole, Field(gt=0, le=65_536)]


@choice
class TwoTowerSettings:
    """Dense layers of both towers; see `shortlist.TwoTower`, which takes the same fields beside its features."""

    layers: Annotated[tuple[Width, ...], Field(min_length=1)] = (64, 32)
    activation: Activation = "relu"
    dropout: Annotated[Number, Field(ge=0, lt=1)] = 0.0
    normalize: bool = False
    learned_temperature: Annotated[Number, Field(gt=0, le=1e30)] | None = None
    item_bias: bool = False
    init: Init = "keras"
