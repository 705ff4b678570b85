from pathlib import Path
from xml.etree import ElementTree

import pytest

from toolrouter.evaluation.charts import Chart, Series, svg, write_html, write_png

CHART = Chart("A <b> title", "x", "y", (Series("line", [(0, 1), (10, 500)]), Series("dot", [(5, 40)], marks=True)))


def test_the_svg_is_well_formed_and_escapes_names() -> None:
    root = ElementTree.fromstring(svg(CHART))
    assert root.tag == "svg"
    assert len(root.findall("circle")) == 2  # the dot, and its mark in the legend


@pytest.mark.parametrize("points", [[], [(0.0, 0.0)], [(1.0, 1.0), (1.0, 1.0)], [(0.0, 1e9), (1e9, 0.001)]])
@pytest.mark.parametrize("log", [False, True])
def test_any_points_can_be_drawn(points: list[tuple[float, float]], log: bool) -> None:
    ElementTree.fromstring(svg(Chart("t", "x", "y", (Series("s", points),), log_y=log)))


def test_the_page_holds_everything(tmp_path: Path) -> None:
    write_html(tmp_path / "c.html", CHART, "a < b", [("name", "value"), ("x", "1")], "and more")
    page = (tmp_path / "c.html").read_text(encoding="utf-8")
    assert "a &lt; b" in page
    assert page.index("<p>a &lt; b</p>") < page.index("<td>x</td>") < page.index("<p>and more</p>")


def test_the_picture_is_a_png(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    write_png(tmp_path / "c.png", CHART)
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
