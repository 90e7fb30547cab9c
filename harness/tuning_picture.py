"""Memory against time and money, as one SVG on a ground of its own."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.tuning import Report, Size

_WIDTH, _HEIGHT = 760, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 84, 64, 64
_TIME, _MONEY, _INK, _FAINT = "#0072b2", "#d55e00", "#1f2933", "#52606d"
_TICKS: Final = 5


def svg(report: Report) -> str:
    """Two lines over the sizes: the median time to the left, dollars for a million calls to the right."""
    title = f"{report.function}: memory against time and money"
    head = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {head} font-family="Helvetica, Arial, sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        '<rect width="100%" height="100%" rx="8" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="28" font-size="15" font-weight="bold" fill="{_INK}">{escape(title)}</text>',
        f'<text x="{_LEFT}" y="48" fill="{_FAINT}">{escape(_subtitle(report))}</text>',
        *_axis(report.sizes, lambda size: size.p50, _TIME, "ms (median)", left=True),
        *_axis(report.sizes, lambda size: size.usd_per_million, _MONEY, "USD a million calls", left=False),
        *_memory_axis(report),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _subtitle(report: Report) -> str:
    prices = f"{report.processor}, prices of {report.prices_as_of}"
    return prices if report.memory_matters else f"{prices}; measured locally, where memory buys no processor time"


def _x(number: int, count: int) -> float:
    """Sizes stand at equal distances, as they are chosen."""
    span = _WIDTH - _LEFT - _RIGHT
    return round(_LEFT + span * ((number + 0.5) / count), 1)


def _axis(
    sizes: Sequence[Size], value: Callable[[Size], float], colour: str, unit: str, *, left: bool
) -> Iterator[str]:
    step = _step(max(value(size) for size in sizes) / _TICKS or 1.0)
    top = step * _TICKS
    bottom_y = _HEIGHT - _BOTTOM

    def y(of: float) -> float:
        return round(bottom_y - of / top * (bottom_y - _TOP), 1)

    edge, anchor = (_LEFT, "end") if left else (_WIDTH - _RIGHT, "start")
    for number in range(_TICKS + 1):
        at = step * number
        if left:
            yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(at)}" y2="{y(at)}" stroke="#e4e7eb"/>'
        x = edge - 8 if left else edge + 8
        yield f'<text x="{x}" y="{y(at) + 4}" text-anchor="{anchor}" fill="{colour}">{at:.3g}</text>'
    x = 12 if left else _WIDTH - 12
    yield (
        f'<text transform="translate({x} {(_TOP + bottom_y) / 2}) rotate({-90 if left else 90})" text-anchor="middle" '
        f'dy="{4 if left else 0}" fill="{colour}">{escape(unit)}</text>'
    )
    places = [(_x(number, len(sizes)), y(value(size))) for number, size in enumerate(sizes)]
    yield (
        f'<polyline points="{" ".join(f"{px},{py}" for px, py in places)}" fill="none" stroke="{colour}" '
        'stroke-width="2"/>'
    )
    yield from (f'<circle cx="{px}" cy="{py}" r="3.5" fill="{colour}"/>' for px, py in places)


def _step(least: float) -> float:
    """The next round number: 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(least))
    return power * next(step for step in (1, 2, 2.5, 5, 10) if step * power >= least * 0.999)


def _memory_axis(report: Report) -> Iterator[str]:
    best = report.best("balanced")
    for number, size in enumerate(report.sizes):
        chosen = best is not None and size.memory == best.memory
        yield (
            f'<text x="{_x(number, len(report.sizes))}" y="{_HEIGHT - _BOTTOM + 20}" text-anchor="middle" '
            f'fill="{_INK}"{" font-weight=" + chr(34) + "bold" + chr(34) if chosen else ""}>{size.memory} MB</text>'
        )
    told = f"best balance: {best.memory} MB" if best is not None else "no recommendation"
    yield f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 18}" text-anchor="middle" fill="{_FAINT}">{told}</text>'
