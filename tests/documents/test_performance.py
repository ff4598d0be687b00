"""The figures: their table, their drawings, and the document that keeps both."""

from __future__ import annotations

import io
import re
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from bench.__main__ import main
from bench.catalog import benchmarks
from bench.chart import HEIGHT, LABEL_HEIGHT, WIDTH, Chart, draw
from bench.document import DOCUMENT, keep
from bench.growth import configs, onboardings
from bench.growth.__main__ import main as grow
from bench.machine import Machine
from bench.result import Figure, Floor
from bench.table import markdown, show

LETTER = 7.0
SVG = "{http://www.w3.org/2000/svg}"
MACHINE = Machine("A processor", 2, 4.0, "An OS", "CPython 3", "2000-01-01", 0.1)
RATE = Figure("rate", Floor.SCRYPT, least=0.6)
TIME = Figure("time", Floor.BARE_ROUTE, most=3.5)


def test_the_document_names_the_figures_that_there_are() -> None:
    part = DOCUMENT.read_text().partition("<!-- figures -->")[2].partition("<!-- end")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in part.splitlines()
        if line.startswith("| ") and not line.startswith(("| what", "| **"))
    ]
    kept = {(row[0], row[2]) for row in rows}
    known = [each for one in benchmarks().values() for each in one.figures]
    assert kept == {(each.name, each.target) for each in known}
    assert len(rows) == len(known)


@pytest.mark.parametrize("subject", [configs, onboardings])
def test_the_document_names_what_growth_measures(subject: ModuleType) -> None:
    text = DOCUMENT.read_text()
    for drawing in subject.DRAWINGS:
        assert f"(images/{drawing.name}.svg)" in text
        svg = (DOCUMENT.parent / f"images/{drawing.name}.svg").read_text()
        words = {each.text for each in _texts(svg)}
        for line in drawing.lines:
            assert f"| {line} |" in text
            assert any((word or "").startswith(f"{line}: ") for word in words)


def test_a_figure_is_met_up_to_its_bound() -> None:
    assert RATE.measured(0.6).ok
    assert not RATE.measured(0.59).ok
    assert TIME.measured(3.5).ok
    assert not TIME.measured(3.51).ok


def test_rounds_give_their_median_and_say_their_spread() -> None:
    result = RATE.measured_in_rounds([0.9, 0.5, 0.7], "7 of 10")
    assert result.value == 0.7
    assert result.note == "7 of 10; rounds 0.50 to 0.90"


def test_the_table_says_what_is_not_met_by_its_floor() -> None:
    results = [RATE.measured(0.5, "slow"), TIME.measured(2, "quick")]
    console = Console(width=160, record=True, file=io.StringIO())
    show(results, MACHINE, console)
    lines = [" ".join(each.split()) for each in console.export_text().splitlines()]
    assert lines.index("rate 0.50 ≥ 0.60 not met slow") > lines.index(Floor.SCRYPT)
    assert lines.index("time 2.00 ≤ 3.50 met quick") > lines.index(Floor.BARE_ROUTE)
    written = markdown(results, MACHINE)
    assert "| rate | 0.50 | ≥ 0.60 | **not met** | slow |" in written
    assert "An OS, CPython 3, 2000-01-01, load 0.1 before it began." in written


def test_a_part_of_the_document_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "figures.md"
    file.write_text("before\n<!-- one -->\nold\n<!-- end of one -->\nafter\n")
    keep("one", "new\n", file)
    keep("one", "newer\n", file)
    assert file.read_text() == "before\n<!-- one -->\n\nnewer\n\n<!-- end of one -->\nafter\n"
    with pytest.raises(ValueError, match="no part 'two'"):
        keep("two", "new", file)


def _texts(svg: str) -> list[ET.Element]:
    return _parts(svg, "text")


def _parts(svg: str, kind: str) -> list[ET.Element]:
    return list(ET.fromstring(svg).iter(f"{SVG}{kind}"))  # noqa: S314 - drawn here


def test_names_of_lines_lie_inside_the_drawing_and_not_on_each_other() -> None:
    lines = {f"line {n}": {10: 1.0 + n / 100, 1_000: 1.0 + n / 100} for n in range(6)}
    texts = _texts(draw(Chart("All alike", "things", "seconds", lines)))
    named = [each for each in texts if (each.text or "").startswith("line ")]
    places = sorted(float(each.attrib["y"]) for each in named)
    assert len(places) == len(lines)
    assert all(after - one >= LABEL_HEIGHT - 0.2 for one, after in pairwise(places))
    assert 0 < places[0] < places[-1] < HEIGHT


@pytest.mark.parametrize("subject", [configs, onboardings])
def test_the_drawings_of_growth_have_room_for_their_words(subject: ModuleType) -> None:
    for drawing in subject.DRAWINGS:
        values = {name: {10: 1.0, 10_000: 123_456.0} for name in drawing.lines}
        for each in _texts(draw(Chart(drawing.title, "things", drawing.values_are, values))):
            if "at" not in each.attrib["class"] and "value" not in each.attrib["class"]:
                end = float(each.attrib["x"]) + len(each.text or "") * LETTER
                assert end <= WIDTH, each.text


def test_lines_keep_their_order_and_their_scale() -> None:
    svg = draw(Chart("Growth", "things", "seconds", {"up": {10: 1, 100: 10, 1_000: 100}}))
    path = next(
        each.attrib["d"] for each in _parts(svg, "path") if each.attrib["class"] == "line s0"
    )
    points = [tuple(map(float, each.split())) for each in re.split("[ML]", path)[1:]]
    (x0, y0), (x1, y1), (x2, y2) = points
    # Ten times as much is the same step everywhere.
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.2)
    assert y0 > y1


def test_an_unknown_benchmark_is_refused_with_those_that_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["nothing"])
    assert "gotemplate" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        grow(["nothing"])
    assert "onboardings" in capsys.readouterr().err


@pytest.mark.slow
def test_one_benchmark_is_measured_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    ended = main(["gotemplate", "--markdown"])
    out = capsys.readouterr().out
    assert ended == int("not met" in out)
    for figure in benchmarks()["gotemplate"].figures:
        assert f"| {figure.name} |" in out


@pytest.mark.slow
def test_growth_is_measured_up_to_a_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert grow(["onboardings", "--largest", "10"]) == 0
    out = capsys.readouterr().out
    assert "| onboardings stored | 10 |" in out
    for drawing in onboardings.DRAWINGS:
        assert all(f"| {line} |" in out for line in drawing.lines)
