"""Findings: what is wrong, misleading or good to know about data and about a model's vectors."""

from shortlist.doctor.examine import examine
from shortlist.doctor.experiment import examine_experiment
from shortlist.doctor.finding import Finding
from shortlist.doctor.health import FIGURES, Health, vector_health
from shortlist.doctor.tables import examine_tables

__all__ = ["FIGURES", "Finding", "Health", "examine", "examine_experiment", "examine_tables", "vector_health"]
