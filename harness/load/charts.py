"""A run over time as one SVG: answers, times, what is open, memory. Self-contained, and plain enough for any viewer."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

from harness.load.account import outcome, percentile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.load.run import Run

Points = list[tuple[float, float]]

WIDTH: Final = 900
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 190, 34, 26
_HEIGHT: Final = 190
"""Of one panel, with its title and its axis."""
_BUCKETS: Final = 120
"""At most, over a run."""
_TICKS: Final = 5
_STEPS: Final = (1.0, 2.0, 5.0, 10.0)
_SPANS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800)
"""Seconds that people find round."""
_COLOURS: Final = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#666666")
"""Okabe and Ito's: told apart by everybody."""
_STATUS_COLOURS: Final = {"202": "#009e73", "429": "#e69f00", "503": "#d55e00"}
_OTHER_COLOUR: Final = "#000000"


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One chart."""

    title: str
    unit: str
    lines: Mapping[str, Points]
    colours: Mapping[str, str]
    logarithmic: bool = False


def svg(run: Run) -> str:
    """The whole picture."""
    seen = (*(level.at for level in run.levels), *(sample.at for sample in run.memory.samples))
    span = max(run.result.plan.whole, *seen, 1.0)
    panels = [_answers(run, span), _times(run, span), _open(run), _memory(run)]
    height = _HEIGHT * len(panels) + 12
    drawn = "\n".join(
        f'<g transform="translate(0 {_HEIGHT * number})">{"".join(_drawn(panel, span))}</g>'
        for number, panel in enumerate(panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="sans-serif" font-size="12">\n'
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n{drawn}\n</svg>\n'
    )


def width_of_bucket(span: float) -> int:
    """Seconds over which values are taken together: a round number, never less than one."""
    least = max(1.0, span / _BUCKETS)
    return next(step for step in _SPANS if step >= least)


# --- what is shown


def _answers(run: Run, span: float) -> Panel:
    width = width_of_bucket(span)
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    due: Counter[int] = Counter()
    for answer in run.answers:
        counts[outcome(answer)][int(answer.ended // width)] += 1
        due[int(answer.due // width)] += 1
    last = max((max(counter) for counter in (due, *counts.values()) if counter), default=0)

    def line(counter: Counter[int]) -> Points:
        return [((number + 0.5) * width, counter[number] / width) for number in range(last + 1)]

    lines = {"due": line(due)} | {name: line(counts[name]) for name in sorted(counts)}
    colours = {"due": "#999999"} | {name: _STATUS_COLOURS.get(name, _OTHER_COLOUR) for name in counts}
    return Panel(title="Requests due and answers", unit="a second", lines=lines, colours=colours)


def _times(run: Run, span: float) -> Panel:
    width = width_of_bucket(span)
    posts = _by_bucket([(answer.due, answer.latency) for answer in run.answers if answer.status is not None], width)
    settled = _by_bucket(run.settled_seconds, width)
    lines = {
        "POST p50": _percentiles(posts, 50, width),
        "POST p99": _percentiles(posts, 99, width),
        "settled p50": _percentiles(settled, 50, width),
        "settled p99": _percentiles(settled, 99, width),
    }
    return Panel(
        title="Times from when a request was due", unit="s", lines=lines, colours=_coloured(lines), logarithmic=True
    )


def _open(run: Run) -> Panel:
    lines = {
        "tickets open": [(level.at, float(level.open)) for level in run.levels],
        "requests in flight": [(level.at, float(level.in_flight)) for level in run.levels],
    }
    return Panel(title="Not done yet", unit="", lines=lines, colours=_coloured(lines))


def _memory(run: Run) -> Panel:
    lines = {
        group: [(sample.at, sample.megabytes(group)) for sample in run.memory.samples] for group in run.memory.groups()
    }
    return Panel(title="Memory, resident", unit="MB", lines=lines, colours=_coloured(lines), logarithmic=True)


def _by_bucket(points: Sequence[tuple[float, float]], width: float) -> Mapping[int, list[float]]:
    buckets: dict[int, list[float]] = defaultdict(list)
    for at, value in points:
        buckets[int(at // width)].append(value)
    return buckets


def _percentiles(buckets: Mapping[int, list[float]], percent: float, width: float) -> Points:
    return [((number + 0.5) * width, percentile(sorted(values), percent)) for number, values in sorted(buckets.items())]


def _coloured(names: Mapping[str, Points]) -> dict[str, str]:
    return dict(zip(names, _COLOURS, strict=False))


# --- how it is drawn


@dataclass(frozen=True)
class _Scale:
    """Values of one axis to places of the picture."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        low, high, value = (
            (math.log10(number) for number in (self.low, self.high, max(value, self.low)))
            if self.logarithmic
            else (self.low, self.high, value)
        )
        return round(self.start + (value - low) / (high - low) * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        if self.logarithmic:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            ticks = [step * 10.0**power for power in powers for step in (1, 2, 5)]
            ticks = [tick for tick in ticks if self.low * 0.999 <= tick <= self.high * 1.001]
            return ticks if len(ticks) <= 2 * _TICKS else [tick for tick in ticks if math.log10(tick) % 1 < 1e-9]
        step = _step((self.high - self.low) / _TICKS)
        return [number * step for number in range(int(self.high / step + 1e-9) + 1)]


def _drawn(panel: Panel, span: float) -> Iterator[str]:
    across = _Scale(0.0, span, _LEFT, WIDTH - _RIGHT)
    up = _upright(panel)
    unit = f" ({panel.unit})" if panel.unit else ""
    yield f'<text x="{_LEFT}" y="20" font-weight="bold">{escape(panel.title + unit)}</text>'
    for value in up.ticks():
        yield f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{up(value)}" y2="{up(value)}" stroke="#e5e5e5"/>'
        yield f'<text x="{_LEFT - 6}" y="{up(value) + 4}" text-anchor="end" fill="#555555">{_number(value)}</text>'
    for value in _moments(span):
        yield (
            f'<text x="{across(value)}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle" fill="#555555">'
            f"{_clock(value, span)}</text>"
        )
    for row, (name, points) in enumerate(panel.lines.items()):
        colour = panel.colours.get(name, _OTHER_COLOUR)
        places = " ".join(f"{across(x)},{up(y)}" for x, y in points)
        if places:
            yield f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        y, x = _TOP + 8 + 17 * row, WIDTH - _RIGHT + 12
        yield f'<line x1="{x}" x2="{x + 16}" y1="{y - 4}" y2="{y - 4}" stroke="{colour}" stroke-width="3"/>'
        yield f'<text x="{x + 22}" y="{y}">{escape(name)}</text>'


def _upright(panel: Panel) -> _Scale:
    values = [value for points in panel.lines.values() for _, value in points]
    bottom, top = _HEIGHT - _BOTTOM, _TOP
    if panel.logarithmic:
        positive = [value for value in values if value > 0] or [1.0]
        low, high = _below(min(positive)), _step(max(positive) * 1.02)
        return _Scale(low, max(high, low * 10), bottom, top, logarithmic=True)
    return _Scale(0.0, max(values, default=0.0) * 1.05 or 1.0, bottom, top)


def _step(least: float) -> float:
    """The next round number: 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(least))
    return power * next(step for step in _STEPS if step * power >= least * 0.999)


def _below(most: float) -> float:
    """The last round number that is not above it."""
    power = 10.0 ** math.floor(math.log10(most))
    return power * max(step for step in _STEPS if step * power <= most * 1.001)


def _number(value: float) -> str:
    return f"{value:g}" if value < 10_000 else f"{value / 1000:g}k"


def _moments(span: float) -> range:
    """Of the axis of time."""
    return range(0, int(span) + 1, next(step for step in _SPANS if step >= span / (_TICKS + 1)))


def _clock(seconds: float, span: float) -> str:
    return f"{seconds:g} s" if span <= 180 else f"{seconds / 60:.3g} min"
