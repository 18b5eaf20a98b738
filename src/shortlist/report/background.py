"""The parts of the report behind the figures: health, findings, settings, time, notes, how to repeat it."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tomli_w

from shortlist.report.blocks import folded, listed, paragraph, table
from shortlist.report.markup import Child, Markup, element
from shortlist.report.runs import ReportedRun, setting
from shortlist.report.tables import FindingTable
from shortlist.report.words import count, percentage

__all__ = [
    "findings_part",
    "findings_summary",
    "health_part",
    "notes_part",
    "repeat_part",
    "settings_part",
    "time_part",
]

Blocks = list[Child]


def findings_summary(findings: Sequence[FindingTable]) -> str:
    """How many findings there are of each severity."""
    words = ("problem", "warning", "note")
    counts = {word: sum(finding.severity == word for finding in findings) for word in words}
    said = [count(number, word) for word, number in counts.items() if number]
    return ", ".join(said) if said else "nothing"


def findings_part(run: ReportedRun) -> Blocks:
    """What the doctor found in the data."""
    findings = run.checks.findings
    if findings is None:
        return [paragraph("The data was not examined for this report.")]
    if isinstance(findings, str):
        return [paragraph(findings)]
    if not findings:
        return [paragraph("The doctor found nothing in the data that makes results wrong or misleading.")]
    return [paragraph(f"The doctor found {findings_summary(findings)} in the data and its split."), _findings(findings)]


def health_part(run: ReportedRun, meanings: Mapping[str, str]) -> Blocks:
    """Figures of the vectors with what each means, and what stands out in them."""
    health = run.checks.health
    if health is None:
        return [paragraph("The vectors were not looked at for this report.")]
    if isinstance(health, str):
        return [paragraph(health)]
    stands_out: Child = paragraph("Nothing in the vectors stands out: they can tell items and users apart.")
    if health.findings:
        stands_out = _findings(health.findings)
    rows = [[name.replace("_", " "), _number(value), meanings.get(name, "")] for name, value in health.figures.items()]
    figures = table("Figures of the vectors", ["Figure", "Value", "What it is"], rows, left=frozenset({2}))
    return [stands_out, folded("The figures", figures)]


def _findings(findings: Sequence[FindingTable]) -> Markup:
    return element(
        "ul",
        *(
            element(
                "li",
                element(
                    "p",
                    element("span", finding.severity, class_=f"severity {finding.severity}"),
                    element("strong", finding.name),
                ),
                paragraph(finding.says),
                element("p", element("b", "What to do: "), finding.remedy) if finding.remedy else None,
            )
            for finding in findings
        ),
        class_="findings",
    )


def settings_part(run: ReportedRun) -> Blocks:
    """The settings by the names that --set takes, and as an experiment file."""
    rows = [[key, value] for key, value in _flat(run.experiment)]
    return [
        folded("All settings, by name", table("Settings as used", ["Setting", "Value"], rows, left=frozenset({1}))),
        folded("The same as an experiment file", element("pre", _toml(run), tabindex="0")),
    ]


def time_part(run: ReportedRun) -> Blocks:
    """What each seed of each model took."""
    costs = [(model, place, cost) for model in run.models for place, cost in enumerate(model.costs)]
    rows = [
        [
            f"{model.name}, seed {model.seeds[place]}",
            f"{cost.seconds:,.1f}",
            "" if cost.validation_seconds is None else f"{cost.validation_seconds:,.1f}",
            "" if cost.epochs is None else str(cost.epochs),
            "not measured" if cost.peak_memory_mib is None else f"{cost.peak_memory_mib:,.0f}",
        ]
        for model, place, cost in costs
    ]
    total = sum(cost.seconds for _, _, cost in costs)
    peaks = [cost.peak_memory_mib for _, _, cost in costs if cost.peak_memory_mib is not None]
    memory = f"at most {max(peaks):,.0f} MiB of memory" if peaks else "memory was not measured"
    seeds = count(len(costs), "training")
    included = "validations and refits" if setting(run.experiment, "training.schedule.refit") else "validations"
    head = ["Training", "Seconds", "Of these validation", "Epochs", "Peak MiB"]
    kept = [place for place in range(len(head)) if any(row[place] for row in rows)]
    shown = table(
        "Time and memory of each training",
        [head[place] for place in kept],
        [[row[place] for place in kept] for row in rows],
    )
    return [
        paragraph(f"{seeds} in {_duration(total)}, {included} included; {memory}."),
        folded("Each training", shown),
    ]


def notes_part(run: ReportedRun) -> Blocks:
    """What the reader should know, and what the evaluation left out."""
    odd = [
        f"{number:,} {says}"
        for number, says in (
            (run.counts.absent_targets, "test events name items that the catalogue does not hold and were not ranked."),
            (run.counts.repeated_targets, "test events repeat a user and item and were counted once."),
            (
                run.counts.seen_targets,
                "test events name items that their user had touched before; they were ranked all the same.",
            ),
        )
        if number
    ]
    notes = [*run.notes, *odd, *_about_pairs(run)]
    return [listed(notes)] if notes else [paragraph("There is nothing else to know.")]


def _about_pairs(run: ReportedRun) -> Iterator[str]:
    """How many of the pairs that the training compared were no honest negatives, and what became of them."""
    epoch, losses = run.last_epoch, setting(run.experiment, "training.loss")
    if epoch is None or not isinstance(losses, Mapping):
        return
    loss: Mapping[str, Any] = next(iter(losses.values()), {})
    kinds = (
        (epoch.accidental_hits, "the event's own item once more", "remove_accidental_hits"),
        (epoch.known_positives, "items that the event's user touched at other times", "remove_known_positives"),
    )
    for share, what, remedy in kinds:
        if not share:
            continue
        # A loss that has no such setting never compares an item with itself.
        fate = "were taken out" if loss.get(remedy, True) else f"counted as negatives; {remedy} = true takes them out"
        pairs = f"Of the pairs of an event and another candidate of its batch {percentage(share)}"
        yield f"{pairs} were {what}: they {fate}."


def repeat_part(run: ReportedRun) -> Blocks:
    """The commands that make the run and the page again."""
    if run.from_python:
        return [paragraph("The data came from Python, so that no command can repeat this run.")]
    words = ["shortlist", run.kind, "experiment.toml"]
    if run.kind == "compare":
        depths = [*(model.name for model in run.models), *(str(failure.layers) for failure in run.failed)]
        seeds = [*(seed for model in run.models for seed in model.seeds), *(failure.seed for failure in run.failed)]
        for depth in dict.fromkeys(depths):
            words += ["--layers", depth.strip("[]").replace(" ", "")]
        words += [word for seed in dict.fromkeys(seeds) for word in ("--seed", str(seed))]
    words += ["--out", "again"]
    take = "Take the run's experiment.toml, or save" if run.kind == "train" else "Save"
    return [
        paragraph(f"{take} the experiment file under “Settings” as experiment.toml, then:"),
        element("pre", f"{shlex.join(words)}\nshortlist report again", tabindex="0"),
    ]


def _toml(run: ReportedRun) -> str:
    return tomli_w.dumps(_without_none(run.experiment))


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _without_none(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_none(inner) for inner in value if inner is not None]
    return value


def _flat(tables: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tables.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list) and any(isinstance(entry, Mapping) for entry in value):
            for place, entry in enumerate(value):
                yield f"{prefix}{key}[{place}]", _inline(entry)
        else:
            yield f"{prefix}{key}", _inline(value)


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {_inline(inner)}" for key, inner in value.items())
    return str(value)


def _number(value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:,.0f}" if value == int(value) and abs(value) >= 1 else f"{value:,.3g}".replace("-", "−")


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:,.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
