"""The pictures of the architecture: whole, true to the graph, and legible."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from harness.diagram import catalogue, layout, picture, svg
from harness.diagram.signs import SIGNS
from harness.graph import Graph, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.diagram.layout import Layout
    from harness.diagram.picture import Picture

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def shown(graph: Graph) -> Picture:
    return picture.of(graph)


@pytest.fixture
def placed(shown: Picture) -> Layout:
    return layout.of(shown)


def links(shown: Picture) -> set[tuple[str, str, str]]:
    """Source, kind and target, by title."""
    titles = {key: box.title for key, box in shown.boxes.items()}
    return {(titles[link.source], link.kind, titles[link.target]) for link in shown.links}


def test_every_resource_is_in_the_picture_or_left_out_for_a_written_reason(graph: Graph, shown: Picture) -> None:
    resources = {resource.urn: resource for resource in graph if resource.custom}
    assert shown.accounted.keys() == resources.keys()
    for urn, where in shown.accounted.items():
        assert where in shown.boxes or where in {"frame", "line", "left out"}, urn
        if where == "left out":
            assert shown.left_out[resources[urn].type]
    assert set().union(*(box.shows for box in shown.boxes.values())) <= resources.keys()


def test_every_type_has_its_place(shown: Picture) -> None:
    unplaced = {box.lines[0] for box in shown.boxes.values() if box.room == "other"}
    assert not unplaced, f"say in harness/diagram/catalogue.py how these are drawn, or why not: {sorted(unplaced)}"


def test_a_type_that_nobody_has_placed_is_a_box_all_the_same(graph_of: Callable[[str], Graph]) -> None:
    graph = graph_of("dev")
    stranger = Resource(
        urn="urn:pulumi:dev::energy-support::aws:braket/quantum:Quantum::oracle",
        type="aws:braket/quantum:Quantum",
        name="oracle",
        custom=True,
        inputs={},
        outputs={},
        parent="",
        dependencies=frozenset(),
        property_dependencies={},
        protect=False,
        provider="",
        ignore_changes=(),
    )
    resources = {**graph.resources, stranger.urn: stranger}
    shown = picture.of(Graph(stack="dev", settings=graph.settings, resources=resources, outputs=graph.outputs))
    assert shown.boxes[stranger.urn].room == "other"
    assert "oracle" in svg.draw(shown)


def test_lines_are_what_policies_and_event_sources_say(shown: Picture) -> None:
    drawn = links(shown)
    assert {
        ("REST API", "calls", "create_ticket"),
        ("REST API", "calls", "status"),
        ("REST API", "calls", "itsm_authorizer"),
        ("create_ticket", "calls", "tickets"),
        ("create_ticket", "calls", "ticket-workflow"),
        ("status", "calls", "tickets"),
        ("feedback", "calls", "feedback"),
        ("tickets", "starts", "process_ticket"),
        ("tickets", "starts", "publish_events"),
        ("tickets-dlq", "starts", "dlq_processor"),
        ("knowledge-base", "starts", "kb-ingest"),
        ("overdue-tickets", "starts", "reconcile"),
        ("process_ticket", "calls", "OpenSearch domain"),
        ("process_ticket", "calls", "Models and guardrail"),
        ("publish_events", "calls", "events"),
        ("dlq_processor", "calls", "alarms"),
    } <= drawn
    assert ("get_ticket", "calls", "solutions") not in drawn
    readers = {shown.boxes[link.source].title for link in shown.links if link.reads}
    assert "get_ticket" in readers
    assert "create_ticket" not in readers


def test_what_every_function_uses_is_said_and_not_drawn(shown: Picture) -> None:
    (failures,) = [box for box in shown.boxes.values() if box.title == "async-failures"]
    assert "from every function" in failures.lines
    assert not any(link.target == failures.key for link in shown.links)


def test_every_line_has_its_way(shown: Picture, placed: Layout) -> None:
    assert layout.undrawn(shown) == ()
    stubs = sum(len(wire.stubs) - 1 for wire in placed.wires)
    front = {key for key, box in shown.boxes.items() if box.column == "front"}
    assert stubs == sum(not (link.source in front and link.target in front) for link in shown.links)


def test_boxes_keep_apart_and_inside_their_rooms(placed: Layout) -> None:
    for a, b in itertools.combinations(placed.boxes, 2):
        assert a.right <= b.x or b.right <= a.x or a.bottom <= b.y or b.bottom <= a.y, (a.box.title, b.box.title)
    for box in placed.boxes:
        (room,) = [room for room in placed.rooms if room.room == box.box.room and room.x <= box.x < room.x + room.width]
        assert room.y < box.y
        assert box.bottom <= room.y + room.height
        assert box.right <= room.x + room.width
    for one, two in itertools.combinations(placed.rooms, 2):
        beside = one.x + one.width <= two.x or two.x + two.width <= one.x
        assert beside or one.y + one.height <= two.y or two.y + two.height <= one.y, (one.title, two.title)
    assert all(room.x + room.width < placed.width and room.y + room.height < placed.height for room in placed.rooms)


def test_upright_lines_run_between_the_columns(placed: Layout) -> None:
    places = [wire.x for wire in placed.wires]
    assert len(set(places)) == len(places)
    for wire in placed.wires:
        assert not any(box.x - 1 < wire.x < box.right + 1 for box in placed.boxes)
        heights = [(stub.y, stub.box_x) for stub in wire.stubs]
        assert len(set(heights)) == len(heights)


def test_the_picture_is_svg_and_the_same_every_time(shown: Picture) -> None:
    text = svg.draw(shown)
    assert svg.draw(shown) == text
    root = ET.fromstring(text)  # noqa: S314 - our own text
    written = {element.text for element in root.iter(f"{SVG}text")}
    assert {box.title for box in shown.boxes.values()} <= written
    assert (root.find(f"{SVG}title"), root.find(f"{SVG}desc")) != (None, None)
    # Nothing that a page's host would have to load, or that it would refuse to run.
    assert "href" not in text
    assert "<script" not in text


def test_every_kind_of_box_has_a_sign_and_a_colour() -> None:
    kinds: Mapping[str, str] = {drawn.kind: drawn.room for drawn in catalogue.BOXES.values()}
    assert kinds.keys() <= SIGNS.keys()
    assert SIGNS.keys() == svg.COLOURS.keys()
