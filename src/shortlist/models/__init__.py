"""Towers: feature embeddings, then dense layers of any depth, in PyTorch; and their form in ONNX."""

from shortlist.models.embeddings import EmbeddingTable, PooledHistory
from shortlist.models.inputs import Bag, Columns, SharedHistory, TowerInput
from shortlist.models.onnx import ExportedTowers, export_towers
from shortlist.models.tower import Tower
from shortlist.models.two_tower import TwoTower

__all__ = [
    "Bag",
    "Columns",
    "EmbeddingTable",
    "ExportedTowers",
    "PooledHistory",
    "SharedHistory",
    "Tower",
    "TowerInput",
    "TwoTower",
    "export_towers",
]
