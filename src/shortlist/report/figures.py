"""The parts of the report that hold a run's figures: depths, metrics, slices."""

import statistics
from collections.abc import Sequence

from shortlist.report.blocks import dot, dot_key, folded, listed, paragraph, table
from shortlist.report.markup import Child, Markup, element
from shortlist.report.runs import Model, ReportedRun
from shortlist.report.tables import DifferenceTable, SliceTable
from shortlist.report.words import baseline_name, bounds, figure, gap, is_accuracy, metric_k, metric_name

__all__ = ["metrics_part", "models_part", "overview", "slices_part"]

Blocks = list[Child]
MANY_PAIRS = 10  # more are folded
LONG = 20  # letters that a narrow screen shows in one line


def models_part(run: ReportedRun) -> Blocks:
    """The table of depths with the baselines as rows, what failed, and which depths differ."""
    metric = run.decisive
    rows: list[list[Child]] = []
    for model in run.models:
        values, costs = model.values(metric), model.costs
        memory = [cost.peak_memory_mib for cost in costs if cost.peak_memory_mib is not None]
        rows.append(
            [
                _marked(model.name, model is run.best and len(run.models) > 1),
                figure(model.mean(metric)),
                "one seed" if len(values) == 1 else f"±{statistics.stdev(values):.4f}",
                "" if len(values) == 1 else bounds(min(values), max(values)),
                ", ".join(map(str, model.seeds)),
                "not known" if costs[0].parameters is None else f"{costs[0].parameters:,}",
                f"{statistics.fmean(cost.seconds for cost in costs):,.0f}",
                f"{max(memory):,.0f}" if memory else "not measured",
            ]
        )
    beside: list[list[Child]] = [
        [_baseline(name, name == run.best_baseline), figure(values[metric]), *[""] * 6]
        for name, values in run.beside.metrics.items()
    ]
    beside += [[_baseline(name, False), f"not computed: {why}"] for name, why in run.beside.not_computed.items()]
    one = "Model" if run.kind == "train" else "Layers"
    head = [one, "Mean", "Deviation", "Lowest to highest", "Seeds", "Parameters", "Seconds a seed", "Peak MiB"]
    blocks: Blocks = [table(f"{_capital(metric_name(metric))}, with what each model cost", head, rows, beside)]
    if run.failed:
        blocks += [
            paragraph("These seeds failed and are in no figure:", "warning"),
            listed(f"{failure.layers} with seed {failure.seed}: {failure.error}" for failure in run.failed),
        ]
    if run.differences:
        pairs = _differences(run.differences)
        many = len(run.differences) > MANY_PAIRS
        blocks.append(folded(f"All {len(run.differences)} pairs of depths", pairs) if many else pairs)
    verdicts = [verdict for model in run.models for verdict in model.verdicts.values()]
    if len(verdicts) > 1:
        blocks.append(folded("Against every baseline", listed(verdicts)))
    return blocks


def _differences(differences: Sequence[DifferenceTable]) -> Markup:
    rows = [
        [
            f"{difference.first} − {difference.second}",
            gap(difference.difference),
            bounds(difference.users_low, difference.users_high, signed=True) or "too few users",
            "too few seeds" if difference.p_seeds is None else f"{difference.p_seeds:.3f}",
            {True: "real", False: "could be chance", None: "unknown"}[difference.real],
        ]
        for difference in differences
    ]
    head = ["Difference of", "Mean", "95 % over users", "p over seeds", "Is it real?"]
    return table(
        "Do the depths differ? Real means that neither chance among users nor among seeds explains it",
        head,
        rows,
        left=frozenset({4}),
    )


def metrics_part(run: ReportedRun) -> Blocks:
    """Accuracy at each K, and everything else that was measured, folded."""
    names = list(dict.fromkeys(name for model in run.models for seed in model.metrics for name in seed))
    first = [name for name in names if is_accuracy(name) or name == run.decisive]
    others = [name for name in names if name not in first]
    seeds = max(len(model.seeds) for model in run.models)
    small = "mean over seeds, and in small type the lowest to the highest" if seeds > 1 else ""
    if any(model.intervals for model in run.models):
        small = "in small type the 95 % interval over users"
    blocks: Blocks = []
    if first:
        blocks.append(_metrics(run, f"Accuracy at each length of list{small and '; '}{small}", [first]))
    if others:
        by_k = [[name for name in others if metric_k(name) == k] for k in sorted({metric_k(name) for name in others})]
        unit = "1 more metric" if len(others) == 1 else f"{len(others)} more metrics"
        blocks.append(folded(unit, _metrics(run, f"All other metrics{small and '; '}{small}", by_k)))
    return blocks


def _metrics(run: ReportedRun, caption: str, groups: Sequence[Sequence[str]]) -> Markup:
    head = ["Metric", *(model.name for model in run.models), *map(baseline_name, run.beside.metrics)]
    bodies = [
        [
            [
                _marked(metric_name(name), name == run.decisive, "decides"),
                *(_measured(model, name) for model in run.models),
                *(figure(values.get(name)) for values in run.beside.metrics.values()),
            ]
            for name in group
        ]
        for group in groups
    ]
    return table(caption, head, *bodies)


def _measured(model: Model, name: str) -> Markup:
    values = model.values(name)
    limits = model.intervals.get(name)
    small = bounds(*limits) if limits else bounds(min(values), max(values)) if len(values) > 1 else ""
    return _with_small(figure(model.mean(name)), small)


def _with_small(value: str, small: str) -> Markup:
    return element("span", value, element("small", small) if small else None, class_="measured")


def slices_part(run: ReportedRun) -> Blocks:
    """The best model on each slice, beside the baseline that is best there; the other depths folded."""
    if not run.best.slices:
        return [paragraph("This run has no slices.")]
    others = [model for model in run.models if model is not run.best and model.slices]
    return [
        element(
            "p",
            dot(0.7, 0.5, 0.9, 0.25, 1.0),
            element(
                "span", "The dot is the model, its line the 95 % interval over users, the diamond the best baseline."
            ),
            class_="dot-key",
        ),
        _slices(run.best, run.decisive),
        *(folded(f"The same for {model.name}", _slices(model, run.decisive)) for model in others),
    ]


def _slices(model: Model, decisive: str) -> Markup:
    top = max(max(part.value, part.high or 0.0, part.baseline_value) for part in model.slices) or 1.0
    groups = list(dict.fromkeys(part.group for part in model.slices))
    head: list[Child] = [
        "Part of the test events", dot_key(top), model.name, "Best baseline there", "Difference", "Verdict", "Events",
        "Users",
    ]  # fmt: skip
    bodies = [[_slice(part, top) for part in model.slices if part.group == group] for group in groups]
    caption = (
        f"{_capital(metric_name(decisive))} of {model.name} on parts of the test events; in small type 95 % intervals "
        "over users"
    )
    return table(caption, head, *bodies, left=frozenset({1, 5}))


def _slice(part: SliceTable, top: float) -> list[Child]:
    low, high = part.difference_low, part.difference_high
    verdict = "too few users to tell"
    if low is not None and high is not None:
        verdict = "better" if low > 0 else "worse" if high < 0 else "cannot be told apart"
    return [
        part.name,
        dot(part.value, part.low, part.high, part.baseline_value, top),
        _with_small(figure(part.value), bounds(part.low, part.high)),
        f"{baseline_name(part.baseline)} {figure(part.baseline_value)}",
        _with_small(gap(part.difference), bounds(low, high, signed=True)),
        element("span", verdict, class_=f"says {verdict.partition(' ')[0]}"),
        f"{part.targets:,}",
        f"{part.users:,}",
    ]


def overview(runs: Sequence[ReportedRun]) -> Markup:
    """Several runs in a table, a column each."""
    facts: list[tuple[str, list[Child]]] = [
        ("Made by", [f"shortlist {run.kind}" for run in runs]),
        ("Metric that decides", [metric_name(run.decisive) for run in runs]),
        ("Best model", [run.best.name for run in runs]),
        ("Its mean", [figure(run.best.mean(run.decisive)) for run in runs]),
        ("Seeds", [str(len(run.best.seeds)) for run in runs]),
        ("Best baseline", [baseline_name(run.best_baseline) for run in runs]),
        ("Its value", [figure(run.beside.metrics[run.best_baseline][run.decisive]) for run in runs]),
        ("Test events", [f"{run.counts.targets:,}" for run in runs]),
        ("Users among them", [f"{run.counts.users:,}" for run in runs]),
        ("Items in the catalogue", [f"{run.counts.items:,}" for run in runs]),
        ("Seconds of all seeds", [f"{total_seconds(run):,.0f}" for run in runs]),
    ]
    return table("The runs side by side", ["", *(run.name for run in runs)], [[name, *cells] for name, cells in facts])


def total_seconds(run: ReportedRun) -> float:
    """Training and validations of every seed of every model."""
    return sum(cost.seconds for model in run.models for cost in model.costs)


def _marked(name: str, marked: bool, mark: str = "highest") -> Markup:
    return element("span", _whole(name), element("span", mark, class_="mark") if marked else None)


def _baseline(name: str, best: bool) -> Markup:
    mark = element("span", "best baseline" if best else "baseline", class_="mark quiet")
    return element("span", _whole(baseline_name(name)), mark)


def _whole(name: str) -> Markup:
    """A name that is not broken into lines, unless it is long."""
    return element("span", name, class_="name" if len(name) <= LONG else None)


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
