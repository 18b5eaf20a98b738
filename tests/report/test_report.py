"""The report as a page: what stands where, that text stays text, and what it refuses."""

import base64
import copy
import hashlib
import itertools
import json
import re
import types
from pathlib import Path

import pytest
from reported import (
    ACCURACY,
    BASELINES,
    EXPERIMENT,
    SHORT,
    a_slice,
    checked,
    comparison,
    evaluation,
    history,
    read,
    trained,
)

from shortlist.errors import DataError
from shortlist.report import Checks, about_depths, across_runs, compared_run, document, report_page, trained_run
from shortlist.report.markup import element

EVIL = "<script>alert(1)</script>"
END = "</script><b>x"
FINDING = {"severity": "problem", "name": "leaked-label", "says": "It leaks.", "remedy": "Leave it out."}


def contrast(first: str, second: str) -> float:
    """The contrast of two colours as WCAG defines it, 1 to 21."""

    def luminance(color: str) -> float:
        parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted([luminance(first), luminance(second)])
    return (light + 0.05) / (dark + 0.05)


class TestOneTraining:
    def test_the_verdict_is_the_first_thing_in_the_page(self) -> None:
        page = report_page([trained()], {})
        body = page[page.index("<main>") : page.index("<nav")]
        assert re.sub(r"<[^>]*>", "", body).strip().startswith(
            "The model beats EASE. Top 10 accuracy 0.500 against 0.438, a difference of +0.062 (95 % interval over "
            "users +0.031 to +0.094)."
        )  # fmt: skip
        assert '<header id="verdict" class="verdict better"' in body

    def test_what_it_lacks_stands_under_the_verdict(self) -> None:
        page = report_page([trained(shortfall="It lacks 0.140 in all, most of it here <b>.")], {})
        header = page[page.index('<header id="verdict"') : page.index("</header>")]
        assert "<p>It lacks 0.140 in all, most of it here &lt;b&gt;.</p>" in header

    def test_it_says_what_was_measured(self) -> None:
        assert (
            "Top 10 accuracy is the share of test events whose item stands among the first 10 of the list. Measured on "
            "2,048 test events of 128 users; all 96 items of the catalogue are candidates; items that a user had "
            "touched before are left out; items with equal scores count as the average over their orders."
        ) in read(trained()).parts["verdict"]

    def test_the_model_and_the_baselines_are_rows_with_what_they_cost(self) -> None:
        rows = read(trained()).table("Top 10 accuracy, with")
        # 4 epochs of 2.0 + 0.5 seconds
        assert rows["the model [64, 32]"] == ["0.5000", "one seed", "", "7", "12,345", "10", "not measured"]
        assert rows["popularity | baseline"][0] == "0.3125"
        assert rows["EASE | best baseline"][0] == "0.4375"
        assert "the model beats popularity: by far." in read(trained()).parts["models"]
        assert rows["iALS | baseline"] == ["not computed: too many items"]

    def test_every_metric_stands_with_its_interval_beside_the_baselines(self) -> None:
        page = read(trained())
        assert page.table("Accuracy at each") == {
            "Metric": ["the model [64, 32]", "popularity", "EASE"],
            "top 10 accuracy | decides": ["0.5000 | 0.4688 to 0.5312", "0.3125", "0.4375"],
            "top 1 accuracy": ["0.1562 | 0.1250 to 0.1875", "0.0625", "0.0938"],
        }
        assert page.table("All other metrics")["NDCG at 10"] == ["0.2500", "0.1250", "0.1875"]

    def test_a_slice_says_value_interval_baseline_difference_and_counts(self) -> None:
        rows = read(trained()).table("Top 10 accuracy of the model [64, 32] on parts")
        assert rows["light users"] == [
            "",
            "0.6250 | 0.5938 to 0.6562", "popularity 0.3750",
            "+0.2500 | +0.2344 to +0.2656", "better", "1,024", "64",
        ]  # fmt: skip
        assert rows["heavy users"][4] == "worse"
        assert rows["new users"][1:5] == ["0.7500", "EASE 0.6875", "+0.0625", "too few users to tell"]

    def test_its_curve_is_data_in_the_page_with_the_baselines_of_the_same_events(self) -> None:
        page = read(trained())
        (spec,) = [script for script in page.scripts if script.startswith("{")]
        rows = [row for rows in json.loads(spec)["datasets"].values() for row in rows]
        assert [(row["epoch"], row["mean"]) for row in rows if "mean" in row] == [
            (1, 0.21875),
            (2, 0.34375),
            (4, 0.40625),
        ]
        assert {row["name"] for row in rows if "label" in row} == {"the model [64, 32]", "popularity", "EASE"}

    def test_settings_time_notes_and_commands_are_there(self) -> None:
        page = read(trained())
        assert page.table("Settings as used")["training.schedule.epochs"] == ["4"]
        assert page.table("Settings as used")["features.query[0]"] == ["lookup = user_id, width = 8"]
        assert "[training.schedule]\nepochs = 4" in page.parts["settings"]
        assert page.table("Time and memory")["the model [64, 32], seed 7"] == ["10.0", "2.0", "4", "not measured"]
        assert "A note." in page.parts["notes"]
        assert "3 test events name items that the catalogue does not hold" in page.parts["notes"]
        assert "shortlist train experiment.toml --out again" in page.parts["repeat"]

    def test_negatives_that_were_none_are_told_with_what_became_of_them(self) -> None:
        notes = read(trained()).parts["notes"]
        pairs = "Of the pairs of an event and another candidate of its batch"
        assert f"{pairs} 0.15 % were the event's own item once more: they were taken out." in notes
        assert (
            f"{pairs} 12.5 % were items that the event's user touched at other times: they counted as negatives; "
            "remove_known_positives = true takes them out." in notes
        )

    def test_nothing_is_told_of_negatives_where_nobody_looked_or_none_was_wrong(self) -> None:
        for shares in ({}, {"accidental_hits": 0.0, "known_positives": None}):
            lines = [{"number": 1, "loss": 1.0, "seconds": 2.0, **shares}]
            assert "Of the pairs" not in read(trained_run("films", EXPERIMENT, evaluation(), lines)).parts["notes"]


class TestOneComparison:
    def test_the_verdict_names_the_highest_depth_beside_the_best_baseline_and_what_is_real(self) -> None:
        said = read(compared_run("depths", comparison())).parts["verdict"]
        assert said.startswith(
            "Of 2 depths, [64, 32] has the highest mean on the test. It cannot be told from EASE. Top 10 accuracy "
            "0.406 against 0.438, a difference of −0.031 (95 % interval over users −0.063 to +0.001).[64, 32] is "
            "really better than [32]."
        )

    def test_a_depth_has_mean_deviation_range_seeds_and_cost(self) -> None:
        rows = read(compared_run("depths", comparison())).table("Top 10 accuracy, with")
        # .25, .28125, .3125: mean .28125, deviation 1/32 = .03125; seconds 10, 12, 14; memory unknown once
        assert rows["[32]"] == ["0.2812", "±0.0312", "0.2500 to 0.3125", "1, 2, 3", "1,111", "12", "512"]
        assert rows["[64, 32] | highest"] == ["0.4062", "±0.0312", "0.3750 to 0.4375", "1, 2, 3", "2,222", "22", "640"]

    def test_metrics_are_means_over_seeds_with_their_extremes(self) -> None:
        rows = read(compared_run("depths", comparison())).table("Accuracy at each")
        assert rows["top 1 accuracy"] == [
            "0.0703 | 0.0625 to 0.0781", "0.1016 | 0.0938 to 0.1094", "0.0625", "0.0938",
        ]  # fmt: skip

    def test_pairs_of_depths_say_whether_their_difference_is_real(self) -> None:
        rows = read(compared_run("depths", comparison())).table("Do the depths differ")
        assert rows["[32] − [64, 32]"] == ["−0.1250", "−0.1562 to −0.0938", "0.011", "real"]

    @pytest.mark.parametrize(
        ("real", "says"),
        [
            (True, "[64, 32] is really better than [32]."),
            (False, "The lead of [64, 32] over [32] could be chance."),
            (None, "Whether [64, 32] is really better than [32] is unknown: too few seeds or users to tell."),
        ],
    )
    def test_a_lead_is_called_what_its_tests_say(self, real: bool | None, says: str) -> None:
        table = comparison()
        table["differences"][0]["real"] = real
        assert about_depths(compared_run("depths", table)) == says

    def test_failed_seeds_are_named_at_once_and_repeated_in_the_command(self) -> None:
        failure = {"layers": [128], "seed": 9, "error": "the loss is NaN"}
        page = read(compared_run("depths", comparison(failed=[failure])))
        assert "1 training failed and is in no figure." in page.parts["verdict"]
        assert "[128] with seed 9: the loss is NaN" in page.parts["models"]
        assert (
            "shortlist compare experiment.toml --layers 32 --layers 64,32 --layers 128 --seed 1 --seed 2 --seed 3 "
            "--seed 9 --out again"
        ) in page.parts["repeat"]

    def test_each_verdict_belongs_to_its_depth_and_baseline(self) -> None:
        run = compared_run("depths", comparison())
        assert [list(model.verdicts.items()) for model in run.models] == [
            [("popularity", comparison()["verdicts"][0]), ("ease", comparison()["verdicts"][1])],
            [("popularity", comparison()["verdicts"][2]), ("ease", comparison()["verdicts"][3])],
        ]


class TestSeveralRuns:
    def test_each_has_a_column_and_its_verdict_stands_first(self) -> None:
        page = read(trained("films"), compared_run("depths", comparison()))
        said = page.parts["verdict"]
        assert said.startswith("films has the highest top 10 accuracy of 2 runs, 0.5000 (the model [64, 32]).")
        assert "Whether it is really better than another run is not tested here." in said
        assert said.index("films", 10) < said.index("The model beats EASE.") < said.index("Of 2 depths")
        assert page.table("The runs side by side")[""] == ["films", "depths"]
        assert page.table("The runs side by side")["Its mean"] == ["0.5000", "0.4062"]
        columns = sum(attributes.get("class") == "column" for _, attributes in page.tags)
        assert columns == 2 * 10  # ten parts of two runs

    def test_runs_on_other_events_or_metrics_are_not_ranked(self) -> None:
        other = {"popularity": {**BASELINES["popularity"], ACCURACY: 0.25}, "ease": BASELINES["ease"]}
        assert across_runs([trained(), trained("b", baselines=other)]) == (
            "These 2 runs were measured on different events, so their figures do not compare. Each stands beside its "
            "own baselines."
        )
        assert "the metric that decides, seen items or ties differ" in across_runs(
            [trained(), trained("b", decisive=SHORT)]
        )


class TestOddRuns:
    def test_a_run_without_a_curve_says_so(self) -> None:
        run = trained_run("films", EXPERIMENT, evaluation(), [{"number": 1, "loss": 1.0, "seconds": 1.0}])
        assert "No epoch was validated in training, so there is no curve." in read(run).parts["curves"]

    def test_more_depths_than_colours_fill_two_charts(self) -> None:
        rows = [
            {"layers": [width], "seed": 1, "metrics": {ACCURACY: 0.5}, "parameters": 1, "seconds": 1.0,
             "peak_memory_mib": None, "curve": {"1": 0.5}}
            for width in range(1, 9)
        ]  # fmt: skip
        verdicts = [f"[{width}] beats {name}: x." for width in range(1, 9) for name in BASELINES]
        table = comparison(rows=rows, verdicts=verdicts, differences=[], slices={})
        page = read(compared_run("many", table))
        specs = [json.loads(script) for script in page.scripts if script.startswith("{")]
        drawn = [
            {row["curve"] for rows in spec["datasets"].values() for row in rows if "mean" in row} for spec in specs
        ]
        assert [len(names) for names in drawn] == [6, 2]
        assert "This run has no slices." in page.parts["slices"]
        targets = [attributes["data-spec"] for _, attributes in page.tags if "data-spec" in attributes]
        ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
        assert len(targets) == 2
        assert set(targets) <= set(ids)
        assert len(set(ids)) == len(ids)

    def test_many_depths_are_counted_in_the_verdict_and_their_pairs_folded(self) -> None:
        rows = [
            {
                **comparison()["rows"][0],
                "layers": [width],
                "metrics": {ACCURACY: width / 16},
            }
            for width in range(1, 7)
        ]
        names = [f"[{width}]" for width in range(1, 7)]
        pairs = [
            {**comparison()["differences"][0], "first": first, "second": second, "p_seeds": None, "real": None}
            for first, second in itertools.combinations(names, 2)
        ]
        verdicts = [f"{name} beats {baseline}: x." for name in names for baseline in BASELINES]
        page = read(compared_run("many", comparison(rows=rows, differences=pairs, verdicts=verdicts, slices={})))
        assert "Whether [6] is really better than 5 other depths is unknown" in page.parts["verdict"]
        assert "All 15 pairs of depths" in page.parts["models"]
        assert page.table("Top 10 accuracy, with")["[6] | highest"][:3] == ["0.3750", "one seed", ""]

    def test_fifty_slices_with_long_names_all_have_a_row(self) -> None:
        parts = [a_slice(f"{'a long name ' * 12}{number}", 0.5, "ease", 0.25, group="genre") for number in range(50)]
        assert len(read(trained(slices=parts)).table("Top 10 accuracy of the model [64, 32] on parts")) == 51

    def test_a_metric_of_a_newer_version_keeps_its_own_name(self) -> None:
        found = evaluation(metrics={ACCURACY: 0.5, "serendipity/full": 12345.678})
        page = read(trained_run("films", EXPERIMENT, found, history()))
        assert page.table("All other metrics")["serendipity"] == ["12,345.7", "–", "–"]

    def test_settings_of_another_shape_are_shown_as_they_are(self) -> None:
        run = compared_run("depths", comparison(experiment={"training": "none", "data": [1], "x": [None, {"y": None}]}))
        assert read(run).table("Settings as used")["training"] == ["none"]

    def test_data_from_python_cannot_be_repeated_by_a_command(self) -> None:
        run = trained_run("films", {**EXPERIMENT, "data": {"source": None}}, evaluation(), history())
        assert "no command can repeat this run" in read(run).parts["repeat"]

    def test_tables_of_ones_own_are_read_again(self) -> None:
        run = trained_run("films", {**EXPERIMENT, "data": {"interactions": "clicks.csv"}}, evaluation(), history())
        assert "shortlist train experiment.toml --out again" in read(run).parts["repeat"]

    def test_a_refit_costs_time_too(self) -> None:
        # Four epochs of 2 s with 0.5 s of validation each, and 6 s of refit.
        run = trained_run("films", EXPERIMENT, evaluation(), history(), refit_seconds=6.0)
        assert run.best.costs[0].seconds == 16.0


class TestChecks:
    def test_findings_and_health_are_shown_with_what_to_do_and_grave_ones_at_the_top(self) -> None:
        note = {**FINDING, "severity": "note", "name": "time-ties"}
        health = {"figures": {"items": 96, "overlap": None, "norm_low": 0.0312}, "findings": []}
        checks = Checks.of([FINDING, note], health)
        page = read(checked(trained(), checks))
        assert "Before you trust it: the doctor found 1 problem in the data." in page.parts["verdict"]
        assert "The doctor found 1 problem, 1 note in the data" in page.parts["findings"]
        assert "leaked-label" in page.parts["findings"]
        assert "It leaks.What to do: Leave it out." in page.parts["findings"]
        figures = page.table("Figures of the vectors")
        assert figures["items"] == ["96", "vectors in the catalogue"]
        assert figures["overlap"] == ["unknown", ""]
        assert figures["norm low"] == ["0.0312", ""]

    def test_what_was_not_looked_at_is_said(self) -> None:
        assert "not examined" in read(trained()).parts["findings"]
        checks = Checks.of("The data could not be examined: it is gone.", None)
        page = read(checked(trained(), checks))
        assert "it is gone" in page.parts["findings"]
        assert "not looked at" in page.parts["health"]

    def test_a_clean_bill_is_said_too(self) -> None:
        page = read(checked(trained(), Checks.of([], {"figures": {}, "findings": []})))
        assert "found nothing" in page.parts["findings"]
        assert "Nothing in the vectors stands out" in page.parts["health"]
        assert "Before you trust it" not in page.parts["verdict"]


class TestSafety:
    def test_text_from_data_is_never_markup(self) -> None:
        table = comparison(
            failed=[{"layers": [1], "seed": 1, "error": EVIL}],
            notes=[EVIL, END],
            baselines={EVIL: BASELINES["popularity"], END: BASELINES["ease"]},
            curve_baselines={EVIL: 0.25, END: 0.5},
            not_computed={END: EVIL},
            verdicts=[f"[32] beats {EVIL}: {END}"] * 4,
            slices={"[64, 32]": [a_slice(EVIL, 0.5, END, 0.25, group=EVIL)]},
            experiment={**EXPERIMENT, EVIL: {END: EVIL}, "data": {"source": END}},
        )
        finding = {"severity": "note", "name": EVIL, "says": END, "remedy": EVIL}
        health = {"figures": {EVIL: 1.0}, "findings": [finding]}
        run = checked(compared_run(EVIL, table), Checks.of([finding], health))
        plain, page = read(compared_run("depths", comparison())), read(run)
        assert "alert(1)" in page.parts["notes"]
        assert page.parts["findings"].count("alert(1)") == 2
        # No new script, and nothing of data in those that run.
        assert len(page.scripts) == len(plain.scripts)
        running = [script for script in page.scripts if not script.startswith("{")]
        assert not any("alert(1)" in script for script in running)

    def test_only_the_pages_own_scripts_may_run_and_nothing_comes_from_the_network(self) -> None:
        page = read(trained())
        (policy,) = [
            attributes["content"] or "" for tag, attributes in page.tags
            if attributes.get("http-equiv") == "Content-Security-Policy"
        ]  # fmt: skip
        assert policy.startswith("default-src 'none'; script-src 'sha256-")
        running = [script for script in page.scripts if not script.startswith("{")]
        digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in running]
        assert re.findall(r"'sha256-([^']+)'", policy) == digests
        linked = [value for tag, attributes in page.tags for key, value in attributes.items() if key in ("src", "href")]
        assert linked
        assert all(value is not None and value.startswith("#") for value in linked)

    def test_attributes_and_children_are_escaped(self) -> None:
        assert element("p", EVIL, title='"><b>') == (
            '<p title="&quot;&gt;&lt;b&gt;">&lt;script&gt;alert(1)&lt;/script&gt;</p>'
        )


class TestReadability:
    def test_headings_descend_in_order_and_tables_have_captions_and_scopes(self) -> None:
        page = read(trained("films"), compared_run("depths", comparison()))
        levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))
        names = [tag for tag, _ in page.tags]
        assert names.count("caption") == names.count("table") > 5
        assert all(attributes.get("scope") in ("col", "row") for tag, attributes in page.tags if tag == "th")

    def test_links_lead_to_parts_and_boxes_that_scroll_take_the_keyboard(self) -> None:
        page = read(trained())
        ids = {attributes.get("id") for _, attributes in page.tags}
        assert {(attributes["href"] or "")[1:] for tag, attributes in page.tags if tag == "a"} <= ids
        boxes = [attributes for _, attributes in page.tags if "scroll" in (attributes.get("class") or "").split()]
        assert boxes
        assert all(box.get("tabindex") == "0" and box.get("aria-label") for box in boxes)

    @pytest.mark.parametrize("theme", [0, 1])
    def test_colours_stand_out_from_the_page_in_light_and_dark(self, theme: int) -> None:
        style = Path(document.__file__).with_name("page.css").read_text("utf-8")
        colors = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", style.split(":root {")[1 + theme].partition("}")[0]))
        # WCAG 2.2, 1.4.3 and 1.4.11: 4.5 for text, 3 for what a picture needs to be understood.
        texts = [contrast(colors[name], colors["back"]) for name in ("ink", "quiet", "link", "better", "worse", "warn")]
        texts += [contrast(colors["warn"], colors["warn-back"]), contrast(colors["ink"], colors["raised"])]
        lines = [
            contrast(colors[name], colors["back"]) for name in ("value", "other", "c1", "c2", "c3", "c4", "c5", "c6")
        ]
        assert min(texts) >= 4.5
        assert min(lines) >= 3


class TestRefusals:
    @pytest.mark.parametrize("key", ["metrics", "intervals", "decisive", "baselines", "slices", "verdict", "verdicts"])
    def test_a_key_that_an_evaluation_lacks_is_named(self, key: str) -> None:
        found = {name: value for name, value in evaluation().items() if name != key}
        with pytest.raises(DataError, match=f"^films, evaluation.json: {key} is missing. It was changed, or another"):
            trained_run("films", EXPERIMENT, found, history())

    @pytest.mark.parametrize("key", ["experiment", "rows", "failed", "slices", "verdicts", "differences", "notes"])
    def test_a_key_that_a_comparison_lacks_is_named(self, key: str) -> None:
        found = {name: value for name, value in comparison().items() if name != key}
        with pytest.raises(DataError, match=f"^depths, comparison.json: {key} is missing."):
            compared_run("depths", found)

    def test_a_value_of_another_kind_is_named_with_its_place(self) -> None:
        found = copy.deepcopy(comparison())
        found["rows"][2]["seconds"] = "long"
        with pytest.raises(DataError, match=r"rows\.2\.seconds should be a valid number.* but it is 'long'\."):
            compared_run("depths", found)
        with pytest.raises(DataError, match="expected a table of keys and values, got list"):
            compared_run("depths", [])
        with pytest.raises(DataError, match=r"counts\.users is missing"):
            compared_run("depths", comparison(counts={"targets": 1, "items": 1}))
        with pytest.raises(DataError, match=r"metrics\.top_10\S+ should be a finite number"):
            trained_run("films", EXPERIMENT, evaluation(metrics={ACCURACY: float("nan")}), history())

    def test_tables_that_do_not_go_together_are_refused(self) -> None:
        with pytest.raises(DataError, match="expected 4 verdicts, one for each of 2 depths and 2 baselines, got 1"):
            compared_run("depths", comparison(verdicts=["[32] beats popularity: x."]))
        with pytest.raises(DataError, match=r"baselines\.popularity holds no 'top_10_accuracy/"):
            trained_run("films", EXPERIMENT, evaluation(baselines={"popularity": {SHORT: 0.5}}), history())


def test_runs_on_other_draws_of_the_same_size_are_not_ranked() -> None:
    from shortlist.report.verdicts import across_runs

    one, two = (
        types.SimpleNamespace(
            decisive="top_10_accuracy/full/seen_excluded/ties_expected",
            counts=types.SimpleNamespace(targets=20, users=20, items=9),
            beside=types.SimpleNamespace(metrics={}),
            experiment={"data": {"source": "films"}, "split": {"held_out_users": {"seed": seed}}},
        )
        for seed in (1, 2)
    )
    assert across_runs([one, two]).startswith("These 2 runs were measured on different events")  # type: ignore[list-item]
