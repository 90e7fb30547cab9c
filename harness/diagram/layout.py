"""Where boxes stand and lines run: four columns, and between them channels with one upright line for each thing.

A thing that several others use has one line along the channel, and each of them joins it, as wires do on a plan of a
circuit. The order of these lines is the one with the fewest crossings that swapping neighbours finds. The same picture
always gets the same layout.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from harness.diagram.catalogue import BOXES, ROOMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.diagram.catalogue import Room
    from harness.diagram.picture import Box, Link, LinkKind, Picture, Side

MARGIN: Final = 28
HEADER: Final = 74
"""For the title above everything."""
FOOTER: Final = 58
BOX_WIDTH: Final = 204
LINE: Final = 13
"""Height of a line of text below a box's title."""
GAP: Final = 7
"""Between boxes."""
INDENT: Final = 22
"""Of a box that stands under another."""
PAD: Final = 10
"""From a room's edge to its boxes."""
TITLE: Final = 24
"""Height of a room's title."""
BETWEEN_ROOMS: Final = 18
WIRE: Final = 9
"""From one upright line to the next."""
AISLE: Final = 20
"""From a room's edge to the first upright line."""
_COLUMNS: Final[tuple[Side, ...]] = ("front", "answering", "shared", "working")
MEETING: Final = 6
"""From one line to the next at the side of a box, at least."""
_PASSES: Final = 60
_ORDER: Final[Mapping[Room, int]] = {room: place for place, room in enumerate(ROOMS)}


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A box with its place."""

    box: Box
    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height


@dataclass(frozen=True, kw_only=True)
class RoomFrame:
    """A room's outline."""

    room: Room
    title: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Stub:
    """Where a box meets an upright line."""

    y: float
    box_x: float
    arrow: bool
    """Whether the line ends at the box with an arrow."""
    reads: bool = False


@dataclass(frozen=True, kw_only=True)
class Wire:
    """One upright line, and who meets it."""

    x: float
    kind: LinkKind
    hub: str
    """Key of the box that the line belongs to."""
    stubs: tuple[Stub, ...]

    @property
    def top(self) -> float:
        return min(stub.y for stub in self.stubs)

    @property
    def bottom(self) -> float:
        return max(stub.y for stub in self.stubs)


@dataclass(frozen=True, kw_only=True)
class Layout:
    width: float
    height: float
    boxes: tuple[Placed, ...]
    rooms: tuple[RoomFrame, ...]
    wires: tuple[Wire, ...]


@dataclass
class _Net:
    """A line in the making: its hub and the others, all of them boxes beside one channel."""

    channel: int
    """Stands to the right of the column with that number."""
    kind: LinkKind
    hub: str
    outward: bool
    """Whether the hub is who calls or starts the others."""
    others: dict[str, bool] = field(default_factory=dict)
    """Key of a box -> whether it only reads."""

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.hub, *sorted(self.others))


def of(picture: Picture) -> Layout:
    """The layout of a picture."""
    nets = _nets(picture)
    channels = [[net for net in nets if net.channel == number] for number in range(len(_COLUMNS) - 1)]
    edges = _column_edges([len(group) for group in channels])
    placed, rooms, bottom = _place(picture, edges, _met(nets, picture))
    wires: list[Wire] = []
    for number, group in enumerate(channels):
        left = edges[_COLUMNS[number]] + BOX_WIDTH + 2 * PAD
        ordered = _ordered(group, placed)
        heights = _heights(ordered, placed)
        wires += [_wire(net, place, left + AISLE, placed, heights) for place, net in enumerate(ordered)]
    width = edges["working"] + BOX_WIDTH + 2 * PAD + MARGIN
    return Layout(
        width=width,
        height=bottom + FOOTER,
        boxes=tuple(placed[key] for key in picture.boxes),
        rooms=tuple(rooms),
        wires=tuple(wires),
    )


def _column_edges(wires: Sequence[int]) -> Mapping[Side, float]:
    """Left edge of each column's rooms, with so many upright lines after each but the last."""
    edges: dict[Side, float] = {}
    x: float = MARGIN
    for side, count in zip(_COLUMNS, (*wires, 0), strict=True):
        edges[side] = x
        x += BOX_WIDTH + 2 * PAD + 2 * AISLE + WIRE * max(0, count - 1)
    return edges


# --- boxes


def _place(
    picture: Picture, edges: Mapping[Side, float], met: Mapping[str, int]
) -> tuple[dict[str, Placed], list[RoomFrame], float]:
    """Boxes and rooms, and where the last of them ends."""
    placed: dict[str, Placed] = {}
    rooms: list[RoomFrame] = []
    bottoms: dict[Side, float] = {}
    for side in _COLUMNS:
        y: float = HEADER
        for room in sorted({box.room for box in picture.boxes.values() if box.column == side}, key=_ORDER.__getitem__):
            if room == "vpc":
                continue
            boxes = _in_order(box for box in picture.boxes.values() if (box.column, box.room) == (side, room))
            frame = _stack(boxes, edges[side], y, placed, met)
            rooms.append(RoomFrame(room=room, title=ROOMS[room], x=edges[side], y=y, width=frame[0], height=frame[1]))
            y += frame[1] + BETWEEN_ROOMS
        bottoms[side] = y
    inside = [box for box in picture.boxes.values() if box.room == "vpc"]
    if not inside:
        return placed, rooms, max(bottoms.values())
    # Across the columns that have a part in it, below all that these hold.
    y = max(bottoms[side] for side in _COLUMNS if side != "front")
    height = 0.0
    for side in _COLUMNS:
        boxes = _in_order(box for box in inside if box.column == side)
        if boxes:
            height = max(height, _stack(boxes, edges[side], y, placed, met)[1])
    sides = [box.column for box in inside]
    left = min(edges[side] for side in sides)
    right = max(edges[side] for side in sides) + BOX_WIDTH + 2 * PAD
    title = picture.frame or ROOMS["vpc"]
    rooms.append(RoomFrame(room="vpc", title=title, x=left, y=y, width=right - left, height=height))
    return placed, rooms, max(y + height, *bottoms.values())


def _met(nets: Sequence[_Net], picture: Picture) -> Mapping[str, int]:
    """Key of a box -> how many lines it meets at its busier side."""
    sides = Counter((key, _COLUMNS.index(picture.boxes[key].column) == net.channel) for net in nets for key in net.keys)
    return {key: max(sides[key, True], sides[key, False]) for key, _ in sides}


def _stack(
    boxes: Sequence[Box], x: float, y: float, placed: dict[str, Placed], met: Mapping[str, int]
) -> tuple[float, float]:
    """Put boxes below each other into a room; its width and height."""
    top = y + TITLE + PAD / 2
    for box in boxes:
        indent = INDENT if box.under else 0
        height = max(22 + LINE * max(1, len(box.lines)), MEETING * (met.get(box.key, 0) + 1))
        if box.under:
            top -= GAP - 3
        placed[box.key] = Placed(box=box, x=x + PAD + indent, y=top, width=BOX_WIDTH - indent, height=height)
        top += height + GAP
    return BOX_WIDTH + 2 * PAD, top - GAP + PAD - y


def _in_order(boxes: Iterator[Box]) -> list[Box]:
    """By type and name; what stands under another box follows it."""
    places = {kind: place for place, kind in enumerate(dict.fromkeys(drawn.kind for drawn in BOXES.values()))}
    found = sorted(boxes, key=lambda box: (places.get(box.kind, len(places)), box.title))
    below: dict[str, list[Box]] = defaultdict(list)
    for box in found:
        below[box.under].append(box)
    return [each for box in found if not box.under for each in (box, *below[box.key])]


# --- lines


def _nets(picture: Picture) -> list[_Net]:
    """Lines with the same hub in the same channel are one."""
    found: dict[tuple[int, LinkKind, str], _Net] = {}
    for link in picture.links:
        channel = _channel(picture, link)
        if channel is None:
            continue
        # Many use one table, one queue starts one function: the thing that is used or that starts is the hub. But
        # the API, which calls many.
        outward = link.kind == "starts" or picture.boxes[link.source].column == "front"
        hub, other = (link.source, link.target) if outward else (link.target, link.source)
        net = found.setdefault((channel, link.kind, hub), _Net(channel, link.kind, hub, outward))
        net.others[other] = link.reads
    return [found[key] for key in sorted(found)]


def _channel(picture: Picture, link: Link) -> int | None:
    """The channel beside both boxes; None where boxes stand one below the other, or too far apart."""
    sides = [_COLUMNS.index(picture.boxes[key].column) for key in (link.source, link.target)]
    match sorted(sides):
        case [0, 1]:
            return 0
        case [1, 1] | [1, 2]:
            return 1
        case [2, 2]:
            # What the things do among themselves: on the emptier side.
            return 1
        case [2, 3] | [3, 3]:
            return 2
        case _:
            return None


def undrawn(picture: Picture) -> tuple[Link, ...]:
    """Lines that no channel can take, within the first column apart, where callers, edge and API follow each other."""
    return tuple(
        link
        for link in picture.links
        if _channel(picture, link) is None
        and not all(picture.boxes[key].column == "front" for key in (link.source, link.target))
    )


def _middle(placed: Placed) -> float:
    return placed.y + placed.height / 2


def _ordered(nets: Sequence[_Net], placed: Mapping[str, Placed]) -> list[_Net]:
    """From left to right, with few crossings: each in turn goes to its best place, as long as that helps."""
    order = sorted(nets, key=lambda net: (sum(_middle(placed[key]) for key in net.keys) / len(net.keys), net.hub))
    cost = {(id(a), id(b)): _crossings(a, b, placed) for a in order for b in order if a is not b}
    for _ in range(_PASSES):
        before = list(order)
        for net in before:
            rest = [each for each in order if each is not net]
            # Crossings with the others if it stands first; then what each step to the right changes.
            total = best = sum(cost[id(net), id(other)] for other in rest)
            place = 0
            for number, other in enumerate(rest, start=1):
                total += cost[id(other), id(net)] - cost[id(net), id(other)]
                if total < best:
                    best, place = total, number
            order = [*rest[:place], net, *rest[place:]]
        if order == before:
            break
    return order


def _crossings(left: _Net, right: _Net, placed: Mapping[str, Placed]) -> int:
    """How often two lines cross if ``left`` stands to the left of ``right``."""
    return _crossed(left, right, placed, at_left=True) + _crossed(right, left, placed, at_left=False)


def _crossed(upright: _Net, other: _Net, placed: Mapping[str, Placed], *, at_left: bool) -> int:
    """How many of the boxes that ``other`` meets at that side of the channel it reaches across ``upright``."""
    heights = [_middle(placed[key]) for key in upright.keys]
    reached = (_middle(placed[key]) for key in other.keys if _is_left(placed[key], other) == at_left)
    return sum(min(heights) < height < max(heights) for height in reached)


def _is_left(placed: Placed, net: _Net) -> bool:
    """Whether the box stands to the left of the line's channel."""
    return _COLUMNS.index(placed.box.column) == net.channel


def _heights(nets: Sequence[_Net], placed: Mapping[str, Placed]) -> Mapping[tuple[int, str], float]:
    """Number of a line and key of a box -> the height at which they meet, so that stubs of one box do not cross."""
    meetings: dict[tuple[str, bool], list[tuple[bool, int, int]]] = defaultdict(list)
    for number, net in enumerate(nets):
        for key in net.keys:
            others = [_middle(placed[each]) for each in net.keys if each != key]
            downward = sum(others) / len(others) > _middle(placed[key])
            at_left = _is_left(placed[key], net)
            far = number if at_left else -number
            # Upwards the nearest line is met at the top, downwards at the bottom.
            meetings[key, at_left].append((downward, -far if downward else far, number))
    found: dict[tuple[int, str], float] = {}
    for (key, _), those in meetings.items():
        box = placed[key]
        for place, (_, _, number) in enumerate(sorted(those), start=1):
            found[number, key] = round(box.y + box.height * place / (len(those) + 1), 1)
    return found


def _wire(
    net: _Net, number: int, left: float, placed: Mapping[str, Placed], heights: Mapping[tuple[int, str], float]
) -> Wire:
    stubs = [
        Stub(
            y=heights[number, key],
            box_x=placed[key].right if _is_left(placed[key], net) else placed[key].x,
            # What is used gets the arrow, and so does what is started.
            arrow=(key == net.hub) != net.outward,
            reads=net.others.get(key, False),
        )
        for key in net.keys
    ]
    return Wire(x=left + WIRE * number, kind=net.kind, hub=net.hub, stubs=tuple(stubs))
