"""The report's first words: what came out, in sentences."""

from collections.abc import Sequence

from shortlist.report.runs import ReportedRun
from shortlist.report.tables import DifferenceTable
from shortlist.report.words import baseline_name, count, figure, joined, metric_name

__all__ = ["about_depths", "across_runs", "headline", "standing"]

FEW = 3  # of so many depths all are named in a sentence


def headline(run: ReportedRun) -> tuple[str, str]:
    """The verdict on a run in a sentence, and the rest of it: the figures.

    A comparison's verdict is about the depth with the highest mean.
    """
    says, colon, figures = run.verdict.removeprefix(run.best.name).partition(": ")
    if says.endswith(f" {run.best_baseline}"):
        says = says.removesuffix(run.best_baseline) + baseline_name(run.best_baseline)
    if run.kind == "train":
        return f"{says[:1].upper()}{says[1:]}.", _as_sentence(figures) if colon else ""
    depths = f"Of {len(run.models)} depths, {run.best.name} has the highest mean on the test. It"
    start = depths if len(run.models) > 1 else run.best.name
    return f"{start}{says}.", _as_sentence(figures) if colon else ""


def standing(verdict: str) -> str:
    """Whether a verdict's sentence says "better", "worse" or "unclear"."""
    says = verdict.partition(": ")[0]
    return "better" if " beats " in says else "worse" if " is worse than " in says else "unclear"


def about_depths(run: ReportedRun) -> str:
    """Which depths really differ, in a sentence; empty where there is nothing to compare."""
    if not run.differences:
        return ""
    best = run.best.name
    mine = [difference for difference in run.differences if best in (difference.first, difference.second)]
    above = [_other(difference, best) for difference in mine if difference.real]
    alike = [_other(difference, best) for difference in mine if difference.real is False]
    unknown = [_other(difference, best) for difference in mine if difference.real is None]
    parts = []
    if above:
        parts.append(f"{best} is really better than {_few(above)}.")
    if alike:
        parts.append(f"The lead of {best} over {_few(alike)} could be chance.")
    if unknown:
        parts.append(
            f"Whether {best} is really better than {_few(unknown)} is unknown: too few seeds or users to tell."
        )
    others = [difference for difference in run.differences if difference not in mine and difference.real]
    return " ".join([*parts, *(_real(difference) for difference in others[:FEW])])


def across_runs(runs: Sequence[ReportedRun]) -> str:
    """What several runs say together: which is highest, or why their figures do not compare."""
    first = runs[0]
    what = metric_name(first.decisive)
    if any(run.decisive != first.decisive for run in runs):
        return (
            f"These {count(len(runs), 'run')} were measured in different ways, so their figures do not compare: the "
            "metric that decides, seen items or ties differ. Each stands beside its own baselines."
        )
    if any(_measured(run) != _measured(first) for run in runs):
        return (
            f"These {count(len(runs), 'run')} were measured on different events, so their figures do not compare. "
            "Each stands beside its own baselines."
        )
    best = max(runs, key=lambda run: run.best.mean(run.decisive) or 0.0)
    value = best.best.mean(best.decisive)
    text = f"{best.name} has the highest {what} of {count(len(runs), 'run')}, {figure(value)} ({best.best.name})."
    return f"{text} Whether it is really better than another run is not tested here."


def _measured(run: ReportedRun) -> tuple[object, ...]:
    """What runs on the same targets have in common."""
    counts = run.counts
    popularity = run.beside.metrics.get("popularity", {}).get(run.decisive)
    # The same split of the same data gives the same targets; popularity tells where data changed under its name.
    cut = (run.experiment.get("data"), run.experiment.get("split"))
    return counts.targets, counts.users, counts.items, None if popularity is None else round(popularity, 9), cut


def _other(difference: DifferenceTable, name: str) -> str:
    return difference.second if difference.first == name else difference.first


def _few(names: Sequence[str]) -> str:
    return joined(names) if len(names) <= FEW else f"{len(names)} other depths"


def _real(difference: DifferenceTable) -> str:
    pair = (difference.first, difference.second)
    better, worse = pair if difference.difference > 0 else pair[::-1]
    return f"{better} is really better than {worse}."


def _as_sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}".replace("-0.", "−0.")
