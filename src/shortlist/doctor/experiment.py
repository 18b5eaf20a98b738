"""The examination that an experiment asks for: its tables as they come, its split, the columns that it reads."""

import dataclasses
import datetime as dt

from shortlist.data import Dataset, Split
from shortlist.data.splits import split as cut
from shortlist.doctor.columns import find_in_column
from shortlist.doctor.examine import examine
from shortlist.doctor.finding import Finding, by_severity
from shortlist.doctor.tables import examine_tables
from shortlist.errors import DataError, SettingsError
from shortlist.features import columns_of
from shortlist.settings import Experiment

__all__ = ["examine_experiment"]


def examine_experiment(experiment: Experiment, *, now: dt.datetime | None = None) -> list[Finding]:
    """Findings about the data that an experiment names, cut as it says, for the columns that it reads.

    Where training would refuse the tables, the examination says so and goes on without what is wrong, as far as
    possible. Raises `DataError` for files that cannot be read at all.
    """
    findings, data = _load(experiment)
    if data is None:
        return by_severity(findings)
    parts: Split | None = None
    try:
        parts = cut(data, experiment.split.chosen)
    except (DataError, SettingsError) as error:
        findings.append(
            Finding("problem", "split-impossible", f"The split cannot be made: {error}", "Choose another in [split].")
        )
    return by_severity(
        findings
        + examine(
            data,
            parts,
            query=[column for f in experiment.features.query if f.kind != "history" for column in columns_of(f)],
            item=[column for feature in experiment.features.item for column in columns_of(feature)],
            protocol=experiment.evaluation.protocol,
            now=now,
        )
    )


def _load(experiment: Experiment) -> tuple[list[Finding], Dataset | None]:
    """The dataset, None where there can be none, with what was found on the way."""
    source = experiment.data
    if source.roles is None:
        return [], source.load()
    tables = source.tables()
    findings, repaired = examine_tables(tables, source.roles, drop_unknown=source.unknown_items == "drop")
    try:
        data = Dataset(
            repaired["interactions"],
            items=repaired.get("items"),
            users=repaired.get("users"),
            **dataclasses.asdict(source.roles),
        )
    except DataError as error:
        refused = Finding(
            "problem", "refused-tables", f"Training would refuse these tables: {error}", "Correct that first."
        )
        in_columns = [
            finding for table, frame in tables.items() for column in frame for finding in find_in_column(table, column)
        ]
        return [*findings, refused, *in_columns], None
    return findings, data
