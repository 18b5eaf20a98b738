"""Towers: feature embeddings, then dense layers of any depth, in PyTorch; and their form in ONNX."""

from shortlist.models.inputs import Bag, Columns, TowerInput
from shortlist.models.onnx import export_tower
from shortlist.models.tower import Tower
from shortlist.models.two_tower import TwoTower

__all__ = ["Bag", "Columns", "Tower", "TowerInput", "TwoTower", "export_tower"]
