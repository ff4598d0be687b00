"""Lines over sizes, both on logarithmic scales, drawn as SVG that follows the reader's theme."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape

from attrs import frozen

WIDTH: Final = 840
HEIGHT: Final = 400
LEFT: Final = 76
RIGHT: Final = 300
TOP: Final = 64
BOTTOM: Final = 56
LABEL_HEIGHT: Final = 17
TICK: Final = 5
LEAST_DECADES: Final = 2

STYLE: Final = """\
text{font:13px ui-sans-serif,system-ui,sans-serif;fill:#1f2933}
.small{font-size:12px;fill:#52606d}.title{font-size:16px;font-weight:600}.at{text-anchor:middle}
.value{text-anchor:end}.ground{fill:#f7f9fb}.grid{stroke:#d5dde5;stroke-width:1}
.axis{stroke:#627d98;stroke-width:1.2}.line{fill:none;stroke-width:2.2}
.to{fill:none;stroke:#9aa5b1;stroke-width:1}
.s0{stroke:#0b69a3}.s1{stroke:#b44d12}.s2{stroke:#197741}.s3{stroke:#8719e0}.s4{stroke:#8d6b00}
.s5{stroke:#ba2525}.p0{fill:#0b69a3}.p1{fill:#b44d12}.p2{fill:#197741}.p3{fill:#8719e0}
.p4{fill:#8d6b00}.p5{fill:#ba2525}
@media(prefers-color-scheme:dark){text{fill:#e4e7eb}.small{fill:#9aa5b1}.ground{fill:#161c24}
.grid{stroke:#2b3744}.axis{stroke:#8fa6bf}.to{stroke:#616e7c}
.s0{stroke:#62b8ee}.s1{stroke:#f0945b}.s2{stroke:#57c78a}.s3{stroke:#c392f5}.s4{stroke:#e0bb3d}
.s5{stroke:#f48a8a}.p0{fill:#62b8ee}.p1{fill:#f0945b}.p2{fill:#57c78a}.p3{fill:#c392f5}
.p4{fill:#e0bb3d}.p5{fill:#f48a8a}}"""
DASHES: Final = ("", "7 4", "2 4", "10 3 2 3", "14 5", "5 2 1 2")


@frozen
class Chart:
    """What is drawn: values by size for each named line (six of them at most), all above zero."""

    title: str
    sizes_are: str
    values_are: str
    lines: Mapping[str, Mapping[int, float]]


@frozen
class _Scale:
    """Where values lie on the drawing; an axis starts and ends with a decade."""

    low: int
    high: int
    start: float
    end: float

    def at(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def decades(self) -> Iterator[float]:
        return (10.0**exponent for exponent in range(self.low, self.high + 1))


def draw(chart: Chart) -> str:
    """Return the drawing, a document of its own."""
    sizes = sorted({size for line in chart.lines.values() for size in line})
    values = [value for line in chart.lines.values() for value in line.values()]
    across = _scale(sizes, LEFT, WIDTH - RIGHT, least=1)
    upward = _scale(values, HEIGHT - BOTTOM, TOP, least=LEAST_DECADES)
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    words = f"{chart.values_are} by {chart.sizes_are}: {', '.join(chart.lines)}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="t d">',
        f'<title id="t">{escape(chart.title)}</title><desc id="d">{escape(words)}</desc>',
        f"<style>{STYLE}</style>",
        '<rect class="ground" width="100%" height="100%"/>',
        _text(LEFT, 26, chart.title, "title"),
        _text(LEFT, 46, chart.values_are, "small"),
        *_axes(across, upward),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, chart.sizes_are, "small at"),
        *(_line(n, line, across, upward) for n, line in enumerate(chart.lines.values())),
        *_labels(chart.lines, across, upward),
    ]
    return "\n".join([*parts, "</svg>", ""])


def _scale(values: Sequence[float], start: float, end: float, least: int) -> _Scale:
    # A value a hair off a decade, as a division leaves it, belongs to that decade.
    low = math.floor(math.log10(min(values)) + 1e-9)
    high = math.ceil(math.log10(max(values)) - 1e-9)
    return _Scale(low, max(high, low + least), start, end)


def _axes(across: _Scale, upward: _Scale) -> Iterator[str]:
    for value in upward.decades():
        y = upward.at(value)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield _text(LEFT - 8, y + 4, f"{value:,g}" if value < 1 else f"{value:,.0f}", "small value")
    for value in across.decades():
        x = across.at(value)
        yield f'<path class="axis" d="M{x:.1f} {upward.start}v{TICK}"/>'
        yield _text(x, upward.start + 20, f"{value:,.0f}", "small at")
    yield f'<path class="axis" d="M{LEFT} {upward.start}H{WIDTH - RIGHT}"/>'


def _line(number: int, line: Mapping[int, float], across: _Scale, upward: _Scale) -> str:
    points = [(across.at(size), upward.at(line[size])) for size in sorted(line)]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    dash = f' stroke-dasharray="{DASHES[number]}"' if DASHES[number] else ""
    dots = "".join(
        f'<circle class="p{number}" cx="{x:.1f}" cy="{y:.1f}" r="3.2"/>' for x, y in points
    )
    return f'<path class="line s{number}" d="M{path}"{dash}/>{dots}'


def _labels(
    lines: Mapping[str, Mapping[int, float]], across: _Scale, upward: _Scale
) -> Iterator[str]:
    """Name each line at its end; names that would lie on each other are moved apart."""
    last = [(upward.at(line[max(line)]), number) for number, line in enumerate(lines.values())]
    names = list(lines)
    end = across.end
    for (wanted, number), y in zip(sorted(last), _apart([y for y, _ in sorted(last)]), strict=True):
        yield f'<path class="to" d="M{end + 6:.1f} {wanted:.1f}L{end + 20:.1f} {y:.1f}"/>'
        value = list(lines.values())[number]
        shown = _short(value[max(value)])
        yield f'<circle class="p{number}" cx="{end + 27:.1f}" cy="{y:.1f}" r="4"/>'
        yield _text(end + 36, y + 4.5, f"{names[number]}: {shown}", f"n{number}")


def _apart(wanted: Sequence[float]) -> Sequence[float]:
    """Return places near those that are wanted (in order), a label's height from each other."""
    places: list[float] = []
    for y in wanted:
        places.append(max(y, places[-1] + LABEL_HEIGHT) if places else y)
    over = places[-1] - (HEIGHT - BOTTOM) if places else 0
    if over > 0:
        places[-1] -= over
        for index in range(len(places) - 2, -1, -1):
            places[index] = min(places[index], places[index + 1] - LABEL_HEIGHT)
    return places


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
