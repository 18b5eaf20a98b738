"""The sections of docs/performance.md: a table, a picture and the bars of each benchmark's row. Not a benchmark."""

import statistics
from collections.abc import Callable, Mapping, Sequence

from measure import Part, Rates
from performance_charts import Growth, Mark, bars_chart, growth_chart
from performance_gpu import gpu
from performance_page import (
    NOT_RUN_LINE,
    Bar,
    Page,
    Results,
    Row,
    layers_text,
    machine,
    rates_sentence,
    seconds_text,
)
from performance_serving import million_items, serving, under_load

__all__ = ["SECTIONS"]

SIDES = {
    "tfrs": "TensorFlow Recommenders",
    "keras_rs": "keras-rs",
    "torch_port": "plain PyTorch port",
    "shortlist": "shortlist",
}


# --- Beside others -----------------------------------------------------------------------------------------------


def peers(results: Results, page: Page) -> None:
    """The tutorial's epochs, validations and memory on each side."""
    row = results.get("peers")
    page.head("How long do an epoch and a validation take beside other libraries?", "peers_side_by_side", row)
    medians = {} if row is None else _peer_medians(row["rows"])

    def ratio(layers: str, side: str, field: str) -> float | None:
        """How many times shortlist's figure a side's is."""
        theirs, ours = medians.get((layers, side)), medians.get((layers, "shortlist"))
        return None if theirs is None or ours is None else theirs[field] / ours[field]

    depths = list(dict.fromkeys(layers for layers, _ in medians)) or ["32", "128,64,32"]
    memory = [1 / found for layers in depths if (found := ratio(layers, "tfrs", "peak_memory_mib"))]
    page.bars += [
        Bar("epoch of [32], TensorFlow Recommenders' time over ours", 5, ratio("32", "tfrs", "epoch_s")),
        Bar("epoch of [32], the PyTorch port's time over ours", 2, ratio("32", "torch_port", "epoch_s")),
        Bar("epoch of [128, 64, 32], TensorFlow Recommenders' over ours", 4, ratio("128,64,32", "tfrs", "epoch_s")),
        *(
            Bar(
                f"validation of {layers_text(depth)}, TensorFlow Recommenders' over ours",
                40,
                ratio(depth, "tfrs", field),
            )
            for depth, field in ((depth, "validation_s") for depth in depths)
        ),
        Bar("peak memory over TensorFlow Recommenders'", 0.5, max(memory, default=None), at_most=True),
    ]
    if row is None:
        return
    fields = ["epoch_s", "validation_s", "fit_s", "startup_s", "peak_memory_mib"]
    rows = []
    for (layers, side), figures in medians.items():
        cells = [layers_text(layers), SIDES.get(side, side)]
        for field in fields:
            text = f"{figures[field]:,.0f}" if field == "peak_memory_mib" else seconds_text(figures[field])
            found = ratio(layers, side, field)
            cells.append(text if side == "shortlist" or found is None else f"{text} ({found:.1f} ×)")
        rows.append(cells)
    runs = min(sum(r["layers"] == layers and r["side"] == side for r in row["rows"]) for layers, side in medians)
    page.say(
        "The tutorial on MovieLens 100K: an epoch is 80,000 rows in batches of 2,048, a validation ranks 20,000 rows",
        f"over the catalogue. Medians of at least {runs} runs; in brackets how many times shortlist's figure.",
    )
    page.table(["layers", "side", "epoch", "validation", "whole fit", "start-up", "peak MiB"], rows)
    _tutorial_limits(results, page, medians)
    marks = [
        Mark(SIDES.get(side, side), figures["epoch_s"], group=f"layers {layers_text(layers)}")
        for (layers, side), figures in medians.items()
    ]
    svg = bars_chart(marks, unit="seconds", title="An epoch of the tutorial", subtitle="80,000 rows; shorter is better")
    told = "; ".join(f"{mark.group}, {mark.name} {seconds_text(mark.value)}" for mark in marks)
    page.picture("peers", svg, f"Bars: seconds of an epoch. {told}.")


def _peer_medians(rows: Sequence[Row]) -> dict[tuple[str, str], dict[str, float]]:
    """The median of each figure by layers and side, sides in the order of `SIDES`."""
    depths = dict.fromkeys(row["layers"] for row in rows)
    sides = [*SIDES, *dict.fromkeys(row["side"] for row in rows if row["side"] not in SIDES)]
    found = {}
    for key in ((layers, side) for layers in depths for side in sides):
        group = [row for row in rows if (row["layers"], row["side"]) == key]
        if group:
            numbers = [name for name, value in group[0].items() if isinstance(value, int | float)]
            found[key] = {name: statistics.median(row[name] for row in group) for name in numbers}
    return found


def _tutorial_limits(results: Results, page: Page, medians: Mapping[tuple[str, str], Row]) -> None:
    """How far shortlist's epoch and validation are from the products that they must make.

    Training: 80,000 rows through the query tower (65 numbers in) and 39 batches of 780 unique titles through the item
    tower (64 in), 6 operations for each weight and row; and 6·rows·780·D for the softmax. A validation: 2 operations
    for each weight and row, and 2·20,000·1,664·D for the scores.
    """
    rates = _any_rates(results)
    ours = {layers: figures for (layers, side), figures in medians.items() if side == "shortlist"}
    if rates is None or not ours:
        return
    rows = []
    for layers, figures in ours.items():
        widths = [int(width) for width in layers.split(",")]
        query, item = (sum(a * b for a, b in zip([inputs, *widths], widths, strict=False)) for inputs in (65, 64))
        epoch = 6 * (80_000 * query + 39 * 780 * item + 80_000 * 780 * widths[-1])
        validation = 2 * (20_000 * query + 1_664 * item + 20_000 * 1_664 * widths[-1])
        cells = [layers_text(layers)]
        for operations, field in ((epoch, "epoch_s"), (validation, "validation_s")):
            compared = rates.compare(figures[field], [Part(operations=operations)])
            cells += [f"{operations / 1e9:.1f}", seconds_text(compared["limit_s"]), f"{compared['ratio']:.1f} ×"]
        rows.append(cells)
    page.say("Shortlist's own distance from the products of towers, softmax and scores alone:")
    header = ["layers", "epoch: GFLOP", "limit", "measured over it", "validation: GFLOP", "limit", "measured over it"]
    page.table(header, rows)


def _any_rates(results: Results) -> Rates | None:
    """The machine's rates on all threads, from whichever benchmark measured them."""
    for name in ("softmax_roads", "large_table"):
        if name in results:
            return Rates(**results[name]["rates"])
    return None


def tutorial(results: Results, page: Page) -> None:
    """The whole tutorial, imports and pictures included."""
    row = results.get("tutorial_against_tfrs")
    page.head("How long does the whole tutorial take?", "tutorial_against_tfrs", row)
    bar = Bar("whole tutorial, TensorFlow Recommenders' over ours", 6, None if row is None else row["ratio"])
    page.bars.append(bar)
    if row is None:
        return
    page.say(
        f"Processes from start to end, {row['epochs']} epochs, a validation every {row['validate_every']}, imports and",
        "pictures included. There is no limit to name for the whole; that of its epochs and validations stands above.",
    )
    rows = [
        [
            layers_text(pair["layers"]),
            *(seconds_text(pair[side]["seconds"]) for side in ("tfrs", "shortlist")),
            f"{pair['ratio']:.1f} ×",
            *(f"{pair[side]['peak_memory_mib']:,.0f}" for side in ("tfrs", "shortlist")),
        ]
        for pair in row["pairs"]
    ]
    total = row["seconds"]
    rows.append(
        ["together", seconds_text(total["tfrs"]), seconds_text(total["shortlist"]), f"{row['ratio']:.1f} ×", "", ""]
    )
    page.table(["layers", "TensorFlow Recommenders", "shortlist", "ratio", "its peak MiB", "our peak MiB"], rows)


def evaluation(results: Results, page: Page) -> None:
    """A whole evaluation, beside its products."""
    row = results.get("evaluation")
    page.head("How long does a whole evaluation take?", "evaluation", row)
    kinds = {} if row is None else row["million"]
    for kind, called in (("torch", "tensors"), ("numpy", "NumPy arrays")):
        ratio = kinds[kind]["ratio"] if kind in kinds else None
        page.bars.append(
            Bar(f"evaluation over a million items, over its bare products, on {called}", 2, ratio, at_most=True)
        )
    if row is None:
        return
    small = row["movielens"]
    page.say(
        "Ranks, every metric, and what the lists of 1,000 users show. The limit are the bare products of every",
        "query with every item, in the same blocks and into memory that is used again. A million items have width 64",
        f"({kinds['numpy']['vectors_mib']:,.0f} MiB of vectors). 20,000 rows of MovieLens 100K took",
        f"{seconds_text(small['ranking_s'])}, and {seconds_text(small['whole_s'])} with intervals and slices.",
    )
    rows = [
        [
            f"10,000 rows over a million items, {kind}",
            seconds_text(found["products_s"]),
            f"{seconds_text(found['ranks_s'])} ({found['ranks_ratio']:.2f} ×)",
            f"{seconds_text(found['whole_s'])} ({found['ratio']:.2f} ×)",
            f"{found['added_mib']:,.0f}",
        ]
        for kind, found in kinds.items()
    ]
    page.table(["what", "products alone", "ranks", "all metrics", "added MiB"], rows)


# --- Parts of a step ---------------------------------------------------------------------------------------------

ROADS = {
    "all_columns": "autograd over all columns",
    "unique_items": "autograd over unique items",
    "compiled": "the same by torch.compile",
    "extension": "a compiled C++ extension",
    "in_batch_softmax": "shortlist",
    "products": "the three products alone",
}


def softmax_roads(results: Results, page: Page) -> None:
    """The kernel of the loss by several programs."""
    row = results.get("softmax_roads")
    command = "softmax_roads --compile --extension"
    page.head("Which road to the inner kernel of the in-batch softmax is fastest?", command, row)
    if row is None:
        return
    page.say(
        f"Loss and both gradients of {row['rows']:,} rows against {row['unique_items']:,} unique items of width",
        f"{row['width']}, forward and back. Every road agreed with float64 before it was timed.",
        rates_sentence([row["rates"]]),
    )
    by_name = {figures["road"]: figures for figures in row["roads"]}
    shown = [(text, by_name[name]) for name, text in ROADS.items() if name in by_name]
    rows = [
        [
            text,
            seconds_text(figures["median_s"]),
            seconds_text(figures["min_s"]),
            f"{figures['gflop']:.3g}",
            f"{figures['of_products']:.2f} ×",
            f"{figures['ratio']:.2f} ×",
            seconds_text(figures["seconds_to_start"]) if "seconds_to_start" in figures else "–",
        ]
        for text, figures in shown
    ]
    header = ["road", "median", "minimum", "GFLOP", "over the products", "over its limit", "to start"]
    page.table(header, rows)
    marks = [Mark(text, 1e3 * figures["median_s"]) for text, figures in shown]
    subtitle = f"{row['rows']:,} rows, {row['unique_items']:,} unique items, width {row['width']}; shorter is better"
    svg = bars_chart(marks, unit="milliseconds", title="Loss and gradients of one batch", subtitle=subtitle)
    told = ", ".join(f"{mark.name} {mark.value:.3g}" for mark in marks)
    page.picture("softmax", svg, f"Bars: milliseconds of the loss and its gradients. {told}.")


def large_table(results: Results, page: Page) -> None:
    """Steps with a small and a large table."""
    row = results.get("large_table")
    page.head("What does a step cost with a table of 10 million rows, beside one of 10 thousand?", "large_table", row)
    found = {} if row is None else {figures["optimizer"]: figures for figures in row["optimizers"]}
    page.bars += [
        Bar(
            f"step with 10 million rows over 10 thousand, {name}",
            1.3,
            found[name]["ratio"] if name in found else None,
            at_most=True,
        )
        for name in ("adagrad", "rowwise_adagrad", "lazy_adam")
    ]
    if row is None:
        return
    small, large = row["table_rows"]
    page.say(f"Batch {row['batch_size']:,}, width {row['width']}, one layer of 32.", rates_sentence([row["rates"]]))
    rows = [
        [
            name,
            *(
                cell
                for side in ("small", "large")
                for cell in (seconds_text(figures[side]["median_s"]), f"{figures[side]['ratio']:.1f} ×")
            ),
            f"{figures['ratio']:.2f} ×",
        ]
        for name, figures in found.items()
    ]
    page.table(["optimiser", f"{small:,} rows", "over its limit", f"{large:,} rows", "over its limit", "ratio"], rows)


def large_batch(results: Results, page: Page) -> None:
    """Memory and time of a very large batch."""
    row = results.get("large_batch")
    page.head(
        "Does a batch of 65,536 rows on a catalogue of a million items fit, and what does a row cost?",
        "large_batch",
        row,
    )
    added = None if row is None else row["added_gb"]
    page.bars.append(Bar("memory that training with batches of 65,536 adds", 1.5, added, at_most=True, unit="GB"))
    if row is None:
        return
    page.say(
        f"{row['items']:,} items with the same chance, width {row['width']}, Adagrad. The memory is the peak above",
        "what was resident with imports and data: tables, their accumulators, and the step.",
        rates_sentence([row["batches"][0]["rates"]]),
    )
    rows = [
        [
            f"{batch['batch_size']:,}",
            f"{batch['unique_items']:,}",
            seconds_text(batch["median_s"]),
            f"{1e6 * batch['s_per_row']:.3g}",
            f"{batch['operations_per_row'] / 1e6:.3g}",
            f"{batch['ratio']:.2f} ×",
            f"{batch['added_mib']:,.0f}",
        ]
        for batch in row["batches"]
    ]
    header = ["batch", "unique items", "step", "µs a row", "million operations a row", "over its limit", "added MiB"]
    page.table(header, rows)
    page.say(
        f"From the small batch to the large one a row takes {row['time_per_row_growth']:.1f} times the time for",
        f"{row['operations_per_row_growth']:.1f} times the operations, so that an operation takes",
        f"{row['growth_ratio']:.2f} times as long.",
    )


# --- Curves ------------------------------------------------------------------------------------------------------

CURVES = {
    "batch": ("the batch", Growth("rows in a batch", "milliseconds a step")),
    "vocabulary": ("the vocabulary", Growth("rows of the users' table", "milliseconds a step")),
    "catalogue": ("the catalogue of an evaluation", Growth("items", "milliseconds an evaluation")),
    "events": ("the events of an epoch", Growth("events", "milliseconds an epoch")),
    "width": ("the width", Growth("width of embeddings and vectors", "milliseconds a step")),
    "depth": ("the depth", Growth("layers of 128 in each tower", "milliseconds a step", logarithmic=False)),
    "threads": ("threads", Growth("threads", "milliseconds", logarithmic=False)),
}


def scaling(results: Results, page: Page) -> None:
    """The curves, each with its table and its picture."""
    curves = results.get("scaling", {})
    page.lines += ["## How does the cost of a step grow?", ""]
    for name, (what, growth) in CURVES.items():
        page.lines += [f"### With {what}", "", f"`scripts/bench scaling --curve {name}`", ""]
        if name not in curves:
            page.say(NOT_RUN_LINE)
        else:
            _curve(name, growth, f"Growth with {what}", curves[name], page)


def _curve(name: str, growth: Growth, title: str, curve: Row, page: Page) -> None:
    page.lines += [machine(curve), ""]
    setting = curve["setting"]
    page.say(f"{setting[0].upper()}{setting[1:]}.", rates_sentence(curve["rates"]))
    points = curve["points"]
    with_memory = all("added_mib" in point for point in points)
    rows = [
        [
            point["line"],
            f"{point['x']:,}",
            seconds_text(point["median_s"]),
            seconds_text(point["min_s"]),
            f"{point['operations'] / 1e9:.3g}",
            f"{point['bytes'] / 1e6:.3g}",
            seconds_text(point["limit_s"]),
            f"{point['ratio']:.2f} ×",
            *([f"{point['added_mib']:,.0f}"] if with_memory else []),
        ]
        for point in points
    ]
    header = ["", growth.x, "median", "minimum", "GFLOP", "MB of tables", "limit", "measured over it"]
    page.table(header + (["added MiB"] if with_memory else []), rows)
    marks = [
        Mark(name, point["median_s"], group=point["line"], x=point["x"], limit=point["limit_s"]) for point in points
    ]
    told = []
    for line in dict.fromkeys(mark.group for mark in marks):
        of_line = [mark for mark in marks if mark.group == line]
        first, last = of_line[0], of_line[-1]
        told.append(f"{line}: {seconds_text(first.value)} at {first.x:,}, {seconds_text(last.value)} at {last.x:,}")
    svg = growth_chart(marks, growth, title=title, subtitle=setting)
    page.picture(name, svg, f"Lines: {growth.y} against {growth.x}. {'; '.join(told)}.")


SECTIONS: tuple[Callable[[Results, Page], None], ...] = (
    peers,
    tutorial,
    evaluation,
    softmax_roads,
    large_table,
    large_batch,
    gpu,
    serving,
    under_load,
    million_items,
    scaling,
)
