"""Charts of accuracy: what they hold, what they write, what they refuse."""

import html
import html.parser
import itertools
import json
import re
import struct
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import altair as alt
import pytest

from shortlist.errors import DataError
from shortlist.report import Baseline, Curve, accuracy_chart, save_chart
from shortlist.report.charts import COLORS, spread

EVIL = "</script><b>x"
OURS = Curve("[32]", (5, 10), ((0.20, 0.30), (0.24, 0.31)))
THEIRS = Curve("TFRS [32]", (5, 10), ((0.21, 0.29),), reference=True, of="[32]")
POPULARITY = Baseline("popularity", 0.297)


def draw(*curves: Curve, baselines: tuple[Baseline, ...] = (), title: str = "Title") -> alt.LayerChart:
    return accuracy_chart(curves, baselines, metric="top-100 accuracy", title=title, subtitle="Subtitle")


def rows(chart: alt.LayerChart, field: str) -> list[dict[str, Any]]:
    """The rows of the one data set that has the field."""
    sets = chart.to_dict()["datasets"].values()
    return next(list(found) for found in sets if field in found[0])


def labels(chart: alt.LayerChart) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in rows(chart, "label")}


def subtitle(chart: alt.LayerChart) -> str:
    return " ".join(chart.to_dict()["title"]["subtitle"])


class TestWhatAChartHolds:
    def test_lines_are_means_over_seeds_and_bands_their_extremes(self) -> None:
        # (0.20 + 0.24) / 2 = 0.22 and (0.30 + 0.31) / 2 = 0.305
        drawn = rows(draw(OURS), "mean")
        assert [row["epoch"] for row in drawn] == [5, 10]
        assert [row["mean"] for row in drawn] == pytest.approx([0.22, 0.305])
        assert [(row["low"], row["high"]) for row in drawn] == [(0.20, 0.24), (0.30, 0.31)]
        assert {row["seeds"] for row in drawn} == {2}

    def test_a_reference_has_the_colour_of_its_curve_and_is_marked_for_dashes(self) -> None:
        other = Curve("[64]", (5,), ((0.3,),))
        drawn = labels(draw(other, OURS, THEIRS))
        assert drawn["[64]"]["color"] == COLORS[0]
        assert drawn["[32]"]["color"] == drawn["TFRS [32]"]["color"] == COLORS[1]
        assert [drawn[name]["reference"] for name in ("[64]", "[32]", "TFRS [32]")] == [False, False, True]

    def test_labels_name_the_value_at_the_last_epoch_and_baselines_stand_among_them(self) -> None:
        drawn = labels(draw(OURS, baselines=(POPULARITY,)))
        assert drawn["[32]"]["label"] == "[32]\u20020.305"
        assert drawn["popularity"]["label"] == "popularity\u20020.297"
        assert drawn["popularity"]["level"] is True

    def test_labels_stay_a_line_of_text_apart_inside_the_plot(self) -> None:
        crowd = tuple(Baseline(f"baseline {number}", 0.3 + number * 1e-5) for number in range(40))
        chart = draw(OURS, baselines=crowd)
        places = sorted(row["place"] for row in labels(chart).values())
        spec = chart.to_dict()
        low, high = spec["layer"][0]["encoding"]["y"]["scale"]["domain"]
        pixels = [spec["height"] * (place - low) / (high - low) for place in places]
        assert all(later - earlier > 16.9 for earlier, later in itertools.pairwise(pixels))
        assert pixels[0] >= -0.01
        assert pixels[-1] <= spec["height"] + 0.01

    def test_a_long_name_loses_its_middle_in_the_label_only(self) -> None:
        name = "a library with a long name, version 1.2.3 [128, 64, 32]"
        drawn = labels(draw(Curve(name, (5,), ((0.3,),))))
        assert drawn[name]["label"].startswith("a library with a…")
        assert "[128, 64, 32]\u2002" in drawn[name]["label"]

    def test_the_reader_is_told_of_seeds_dashes_and_where_the_axis_starts(self) -> None:
        told = subtitle(draw(OURS, THEIRS))
        assert told == (
            "Subtitle Lines: mean of 2 seeds; bands: lowest to highest; dashed: reference; numbers: last epoch. "
            "Vertical axis from 0.18."
        )
        alone = subtitle(draw(Curve("one", (1, 2), ((0.0, 0.5),))))
        assert "One seed a line, so the spread between seeds is unknown" in alone
        assert "Vertical axis" not in alone  # it starts at zero
        assert "mean of 1–2 seeds" in subtitle(draw(OURS, Curve("one", (5,), ((0.3,),))))

    @pytest.mark.parametrize(
        "values",
        [(0.3,), (0.0,), (-2.0, 3.0), (1e-6, 3e-6), (0.3, 0.3 + 1e-16), (-4.0,)],
    )
    def test_the_vertical_axis_surrounds_every_value_with_at_most_a_dozen_marks(
        self, values: tuple[float, ...]
    ) -> None:
        axis = draw(Curve("c", tuple(range(len(values))), (values,))).to_dict()["layer"][0]["encoding"]["y"]
        low, high = axis["scale"]["domain"]
        assert low <= min(values) <= max(values) <= high
        assert low < high
        assert axis["axis"]["values"][:: len(axis["axis"]["values"]) - 1] == [low, high]
        assert len(axis["axis"]["values"]) <= 13

    @pytest.mark.parametrize("epochs", [(1,), (1, 2, 3), (5, 300)])
    def test_the_marks_of_epochs_are_different_whole_numbers(self, epochs: tuple[int, ...]) -> None:
        chart = draw(Curve("c", epochs, ((0.5,) * len(epochs),)))
        encodings = [layer["encoding"]["x"] for layer in chart.to_dict()["layer"] if "axis" in layer["encoding"]["x"]]
        marks = encodings[0]["axis"]["values"]
        assert all(isinstance(mark, int) for mark in marks)
        assert 1 <= len(marks) == len(set(marks)) <= 10

    def test_the_same_input_gives_the_same_specification(self) -> None:
        assert draw(OURS, THEIRS).to_dict() == draw(OURS, THEIRS).to_dict()

    def test_more_rows_than_altair_lets_tables_have_are_drawn(self) -> None:
        epochs = tuple(range(5_001))
        assert len(rows(draw(Curve("long", epochs, (tuple(0.5 for _ in epochs),))), "mean")) == 5_001


class TestSpread:
    def test_places_far_enough_apart_stay(self) -> None:
        assert spread([1, 5, 9], gap=3, low=0, high=10) == [1, 5, 9]

    def test_a_crowd_is_spread_around_its_mean(self) -> None:
        # Three at 5 with a gap of 2: the mean stays 5.
        assert spread([5, 5, 5], gap=2, low=0, high=10) == [3, 5, 7]

    def test_the_ends_hold_a_crowd_in(self) -> None:
        assert spread([0, 0, 10, 10], gap=2, low=0, high=10) == [0, 2, 8, 10]

    def test_nothing_gives_nothing(self) -> None:
        assert spread([], gap=1, low=0, high=1) == []


class Page(html.parser.HTMLParser):
    """What a browser would see: the tags with their attributes, and the text of the title and the scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags:
            self.texts.setdefault(self.tags[-1][0], []).append(data)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The files of a chart whose every text is an attack."""
    folder = tmp_path_factory.mktemp("pictures") / "made" / "on the way"
    evil = Curve(EVIL, (5, 10), ((0.20, 0.30), (0.24, 0.31)))
    chart = accuracy_chart(
        [evil], [Baseline(f"{EVIL}y", 0.297)], metric=EVIL, title=EVIL, subtitle=f"{EVIL} <!-- &amp;"
    )
    return save_chart(chart, folder, "curves.v1")


@pytest.fixture(scope="module")
def page(saved: list[Path]) -> Page:
    return Page(saved[2].read_text(encoding="utf-8"))


class TestFiles:
    def test_three_files_are_written_and_no_draft_stays(self, saved: list[Path]) -> None:
        assert [path.name for path in saved] == ["curves.v1.png", "curves.v1.svg", "curves.v1.html"]
        assert sorted(saved[0].parent.iterdir()) == sorted(saved)

    def test_the_png_is_twice_as_wide_as_a_readme(self, saved: list[Path]) -> None:
        content = saved[0].read_bytes()
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        (width,) = struct.unpack(">I", content[16:20])
        assert 1_500 <= width <= 1_700

    def test_the_svg_is_xml_on_a_white_ground_and_shows_the_title_as_text(self, saved: list[Path]) -> None:
        root = ET.fromstring(saved[1].read_text(encoding="utf-8"))  # noqa: S314 - written by the test
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root[0].attrib["fill"] == "white"
        assert EVIL in {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
        assert not list(root.iter("{http://www.w3.org/2000/svg}b"))

    def test_the_page_names_its_charset_its_viewport_and_its_title(self, page: Page) -> None:
        metas = [attributes for tag, attributes in page.tags if tag == "meta"]
        assert {"charset": "utf-8"} in metas
        assert "viewport" in {attributes.get("name") for attributes in metas}
        assert "".join(page.texts["title"]).startswith(EVIL)

    def test_the_page_loads_nothing_and_forbids_loading(self, page: Page) -> None:
        loads = [value for _, attributes in page.tags for name, value in attributes.items() if name in {"src", "href"}]
        assert loads == []
        assert "link" not in {tag for tag, _ in page.tags}
        policies = [attributes["content"] for tag, attributes in page.tags if "http-equiv" in attributes]
        assert len(policies) == 1
        assert str(policies[0]).startswith("default-src 'none'")

    def test_text_in_the_page_stays_text(self, saved: list[Path], page: Page) -> None:
        assert EVIL not in saved[2].read_text(encoding="utf-8")
        assert "b" not in {tag for tag, _ in page.tags}
        assert sum(tag == "script" for tag, _ in page.tags) == 2

    def test_the_page_holds_the_data(self, saved: list[Path]) -> None:
        found = re.search(
            r'<script id="spec" type="application/json">(.*?)</script>', saved[2].read_text(encoding="utf-8"), re.DOTALL
        )
        assert found is not None
        spec = json.loads(found[1])
        assert spec["title"]["text"] == [EVIL]
        means = [row["mean"] for data in spec["datasets"].values() for row in data if "mean" in row]
        assert means == pytest.approx([0.22, 0.305])

    def test_a_file_of_the_same_name_is_replaced_whole(self, tmp_path: Path) -> None:
        (tmp_path / "curves.svg").write_text("old" * 1_000_000)
        save_chart(draw(OURS), tmp_path, "curves")
        ET.fromstring((tmp_path / "curves.svg").read_text(encoding="utf-8"))  # noqa: S314 - written by the test

    @pytest.mark.parametrize("stem", ["", "a/b", ".", "/tmp/a"])  # noqa: S108 - nothing is written there
    def test_a_stem_that_is_no_bare_name_is_refused(self, tmp_path: Path, stem: str) -> None:
        with pytest.raises(DataError, match=r"Expected a bare file name .* got .* Name its folder with `folder`"):
            save_chart(draw(OURS), tmp_path, stem)


class TestRefusals:
    def test_no_curves(self) -> None:
        with pytest.raises(DataError, match=r"no curves to draw: expected at least one\. Train with `validate_every`"):
            draw()

    @pytest.mark.parametrize(("epochs", "runs", "what"), [((), ((),), "epochs"), ((1,), (), "runs")])
    def test_an_empty_curve(self, epochs: tuple[int, ...], runs: tuple[tuple[float, ...], ...], what: str) -> None:
        with pytest.raises(DataError, match=rf"Curve 'c' has no {what}: expected at least one"):
            Curve("c", epochs, runs)

    def test_a_run_of_another_length(self) -> None:
        with pytest.raises(DataError, match="Curve 'c': expected 2 values, one an epoch, but run 1 has 1"):
            Curve("c", (1, 2), ((0.1, 0.2), (0.1,)))

    @pytest.mark.parametrize("epochs", [(2, 1), (1, 1)])
    def test_epochs_that_do_not_rise(self, epochs: tuple[int, ...]) -> None:
        with pytest.raises(DataError, match=r"Curve 'c': expected epochs that rise, got .* Sort them"):
            Curve("c", epochs, ((0.1, 0.2),))

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_a_value_that_is_not_finite(self, value: float) -> None:
        with pytest.raises(DataError, match=rf"Curve 'c', run 0, epoch 10: expected a finite number, got {value}"):
            Curve("c", (5, 10), ((0.1, value),))
        with pytest.raises(DataError, match=rf"Baseline 'popularity': expected a finite number, got {value}"):
            Baseline("popularity", value)

    def test_two_curves_of_one_name(self) -> None:
        with pytest.raises(DataError, match=r"curves of different names, got more than one '\[32\]'"):
            draw(OURS, OURS)

    def test_more_curves_than_colours(self) -> None:
        with pytest.raises(DataError, match=r"at most 6 curves of their own colour, got 7.* Draw them in two charts"):
            draw(*(Curve(str(number), (1,), ((0.1,),)) for number in range(7)))

    def test_a_reference_to_a_curve_that_is_not_drawn(self) -> None:
        with pytest.raises(DataError, match=r"reference for '\[32\]', which is not drawn; expected one of '\[64\]'"):
            draw(Curve("[64]", (5,), ((0.3,),)), THEIRS)

    def test_a_curve_of_another_that_is_no_reference(self) -> None:
        with pytest.raises(DataError, match=r"is of 'a' but no reference\. Set reference=True"):
            Curve("c", (1,), ((0.1,),), of="a")


def test_without_the_extra_the_room_names_the_command_that_installs_it() -> None:
    program = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "altair" else find(name, *rest)
import shortlist
try:
    import shortlist.report
except shortlist.errors.MissingExtraError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (
        "This needs altair, which is not installed. Install it with: pip install 'shortlist[report]'"
    )
