"""A layout as SVG: self-contained, on a ground of its own, so that it is legible on light and on dark pages."""

from __future__ import annotations

import itertools
from collections import Counter
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from harness.diagram import layout
from harness.diagram.signs import SIGNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.diagram.catalogue import Kind, Room
    from harness.diagram.layout import Layout, Placed, RoomFrame, Wire
    from harness.diagram.picture import Picture

_COMPUTE, _DATA, _STORAGE, _MESSAGES = "#d45b07", "#4d5fc1", "#4f7a12", "#c2185b"
_NETWORK, _SECURITY, _MODEL, _WATCH, _PEOPLE = "#7b3fd0", "#c62828", "#00806a", "#a3146f", "#37475a"

COLOURS: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        "alarm": _WATCH,
        "api": _NETWORK,
        "bucket": _STORAGE,
        "bus": _MESSAGES,
        "cdn": _NETWORK,
        "chart": _WATCH,
        "clock": _MESSAGES,
        "deploy": _WATCH,
        "dns": _NETWORK,
        "endpoint": _NETWORK,
        "failures": _MESSAGES,
        "function": _COMPUTE,
        "gateway": _NETWORK,
        "key": _SECURITY,
        "logs": _WATCH,
        "model": _MODEL,
        "other": _PEOPLE,
        "person": _PEOPLE,
        "query": _WATCH,
        "queue": _MESSAGES,
        "search": _NETWORK,
        "secret": _SECURITY,
        "shield": _SECURITY,
        "table": _DATA,
        "template": _NETWORK,
        "topic": _MESSAGES,
        "trail": _WATCH,
        "users": _SECURITY,
        "workflow": _MESSAGES,
    }
)
"""One colour for each family of services, near to AWS's own, dark enough for lines and white signs."""

_ROOM_COLOURS: Final[Mapping[Room, str]] = MappingProxyType({"vpc": _NETWORK, "other": _SECURITY})
_GROUND, _PAPER, _INK, _FAINT, _EDGE = "#f6f8fa", "#ffffff", "#1f2933", "#52606d", "#c3ccd5"
_FONT: Final = "'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif"
_ICON: Final = 26
_SHADES: Final = (0.0, -0.35, 0.3)
_RADIUS: Final = 6
_CHARACTER: Final = 5.6
"""Width of a character of a box's lines, on average."""


def draw(picture: Picture) -> str:
    """The whole picture, as one document."""
    placed = layout.of(picture)
    coloured = list(zip(placed.wires, _colours(picture, placed), strict=True))
    title = f"Architecture of stack {picture.stack}"
    size = f'width="{placed.width:g}" height="{placed.height:g}"'
    head = f'viewBox="0 0 {placed.width:g} {placed.height:g}" {size} role="img" aria-labelledby="title about"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {head} font-family="{_FONT}" font-size="12">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="about">{escape(_about(picture))}</desc>',
        f'<rect {size} rx="10" fill="{_GROUND}"/>',
        f'<text x="{layout.MARGIN}" y="34" font-size="20" font-weight="bold" fill="{_INK}">{escape(title)}</text>',
        f'<text x="{layout.MARGIN}" y="54" fill="{_FAINT}">{escape(_subtitle(picture))}</text>',
        *(_room(room) for room in placed.rooms),
        *_ways_in(placed),
        *(_wire(wire, colour) for wire, colour in coloured),
        *(_title(room) for room in placed.rooms),
        *(_box(box) for box in placed.boxes),
        *(_ends(wire, colour) for wire, colour in coloured),
        *_legend(placed),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _about(picture: Picture) -> str:
    names = {key: box.title for key, box in picture.boxes.items()}
    links = (
        f"{names[link.source]} {'starts' if link.kind == 'starts' else 'reads' if link.reads else 'uses'} "
        f"{names[link.target]}"
        for link in picture.links
    )
    return "; ".join(links) + "."


def _subtitle(picture: Picture) -> str:
    return f"{picture.region} · {picture.resources} resources · made from the stack's resource graph by `make docs`"


def _colours(picture: Picture, placed: Layout) -> Iterator[str]:
    """Of each upright line: that of the thing it belongs to, in turn darker and lighter, so that neighbours differ."""
    turns: Counter[str] = Counter()
    for wire in placed.wires:
        colour = COLOURS[picture.boxes[wire.hub].kind]
        yield _shade(colour, _SHADES[turns[colour] % len(_SHADES)])
        turns[colour] += 1


def _shade(colour: str, share: float) -> str:
    """Towards white by a share, or towards black by a negative one."""
    goal = 255 if share > 0 else 0
    parts = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return "#" + "".join(f"{round(part + (goal - part) * abs(share)):02x}" for part in parts)


# --- rooms and boxes


def _room(room: RoomFrame) -> str:
    colour = _ROOM_COLOURS.get(room.room, _EDGE)
    dashes = ' stroke-dasharray="6 4"' if room.room == "vpc" else ""
    return (
        f'<rect x="{room.x:g}" y="{room.y:g}" width="{room.width:g}" height="{room.height:g}" rx="8" '
        f'fill="{_PAPER}" fill-opacity="0.75" stroke="{colour}"{dashes}/>'
    )


def _title(room: RoomFrame) -> str:
    """On a seam of paper, for lines pass under it."""
    ink = _ROOM_COLOURS.get(room.room, _FAINT)
    return (
        f'<text x="{room.x + layout.PAD:g}" y="{room.y + 17:g}" font-weight="bold" fill="{ink}" stroke="{_PAPER}" '
        f'stroke-width="4" paint-order="stroke">{escape(room.title)}</text>'
    )


def _box(placed: Placed) -> str:
    box, colour = placed.box, COLOURS[placed.box.kind]
    left = placed.x + _ICON + 14
    icon_y = placed.y + (placed.height - _ICON) / 2
    hint = f"<title>{escape(f'{box.title}: {box.hint}')}</title>" if box.hint else ""
    room = placed.right - left - 4
    lines = "".join(
        f'<text x="{left:g}" y="{placed.y + 16 + layout.LINE * number:g}" font-size="10.5" fill="{_FAINT}"'
        f"{_squeezed(line, room)}>{escape(line)}</text>"
        for number, line in enumerate(box.lines, start=1)
    )
    title_y = placed.y + (16 if box.lines else placed.height / 2 + 4.5)
    return (
        f'<g>{hint}<rect x="{placed.x:g}" y="{placed.y:g}" width="{placed.width:g}" height="{placed.height:g}" rx="5" '
        f'fill="{_PAPER}" stroke="{colour}" stroke-opacity="0.55"/>'
        f'<rect x="{placed.x + 6:g}" y="{icon_y:g}" width="{_ICON}" height="{_ICON}" rx="5" fill="{colour}"/>'
        f'<g transform="translate({placed.x + 7:g} {icon_y + 1:g})" fill="none" stroke="#ffffff" stroke-width="1.6" '
        f'stroke-linecap="round" stroke-linejoin="round">{SIGNS[box.kind]}</g>'
        f'<text x="{left:g}" y="{title_y:g}" font-weight="bold" fill="{_INK}"{_squeezed(box.title, room, 7.2)}>'
        f"{escape(box.title)}</text>{lines}</g>"
    )


def _squeezed(text: str, room: float, character: float = _CHARACTER) -> str:
    """For a text that is too long for its box: the length to which viewers squeeze it."""
    return f' textLength="{room:g}" lengthAdjust="spacingAndGlyphs"' if len(text) * character > room else ""


# --- lines


def _wire(wire: Wire, colour: str) -> str:
    """An upright line with its stubs: corners where it ends, dots where others join it."""
    dashes = ' stroke-dasharray="5 3"' if wire.kind == "starts" else ""
    parts = [f'<g stroke="{colour}" stroke-width="1.4" fill="none"{dashes}>']
    ends = {wire.top, wire.bottom}
    parts += [f'<path d="{_stub(wire, stub.y, stub.box_x, corner=stub.y in ends)}"/>' for stub in wire.stubs]
    if wire.bottom - wire.top > 2 * _RADIUS:
        parts.append(f'<path d="M{wire.x:g} {wire.top + _RADIUS:g}V{wire.bottom - _RADIUS:g}"/>')
    parts.append("</g>")
    joined = {stub.y for stub in wire.stubs} - ends
    parts += [f'<circle cx="{wire.x:g}" cy="{y:g}" r="2.2" fill="{colour}"/>' for y in sorted(joined)]
    return "".join(parts)


def _ends(wire: Wire, colour: str) -> str:
    """What stands at the boxes that a line meets, over them."""
    parts = []
    for stub in wire.stubs:
        if stub.arrow:
            parts.append(_arrow(stub.box_x, stub.y, colour, leftward=stub.box_x < wire.x))
        else:
            fill = _PAPER if stub.reads else colour
            parts.append(
                f'<circle cx="{stub.box_x:g}" cy="{stub.y:g}" r="2.8" fill="{fill}" stroke="{colour}" '
                'stroke-width="1.3"/>'
            )
    return "".join(parts)


def _stub(wire: Wire, y: float, box_x: float, *, corner: bool) -> str:
    if not corner or wire.bottom - wire.top <= 2 * _RADIUS:
        return f"M{box_x:g} {y:g}H{wire.x:g}" + (f"V{wire.bottom:g}" if y == wire.top and wire.bottom > y else "")
    side = _RADIUS if box_x > wire.x else -_RADIUS
    turn = _RADIUS if y == wire.top else -_RADIUS
    return f"M{box_x:g} {y:g}H{wire.x + side:g}Q{wire.x:g} {y:g} {wire.x:g} {y + turn:g}"


def _arrow(x: float, y: float, colour: str, *, leftward: bool) -> str:
    back = 7 if leftward else -7
    return f'<path d="M{x:g} {y:g}l{back} -3.6v7.2z" fill="{colour}"/>'


def _ways_in(placed: Layout) -> Iterator[str]:
    """From callers over the edge to the API, whatever of these there is."""
    rooms = [room for room in placed.rooms if room.room in {"callers", "edge", "api"}]
    for above, below in itertools.pairwise(rooms):
        x = above.x + above.width / 2
        top, bottom = above.y + above.height, below.y
        yield f'<path d="M{x:g} {top:g}V{bottom - 2:g}" stroke="{_INK}" stroke-width="1.8"/>'
        yield f'<path d="M{x:g} {bottom:g}l-4.2 -8h8.4z" fill="{_INK}"/>'


def _legend(placed: Layout) -> Iterator[str]:
    y = placed.height - 24
    x: float = layout.MARGIN
    line, end = f'<path d="M0 0H26" stroke="{_INK}" stroke-width="1.4"', _arrow(30, 0, _INK, leftward=False)
    dot = f'<circle cx="24" cy="0" r="2.8" stroke="{_INK}" stroke-width="1.3"'
    for sign, text in (
        (f"{line}/>{end}", "calls"),
        (f'{line} stroke-dasharray="5 3"/>{end}', "starts, or hands messages to"),
        (f'{dot} fill="{_INK}"/>', "changes something there"),
        (f'{dot} fill="{_PAPER}"/>', "only reads"),
    ):
        yield f'<g transform="translate({x:g} {y:g})">{sign}'
        yield f'<text x="38" y="4" fill="{_FAINT}">{text}</text></g>'
        x += 62 + len(text) * 6.2
