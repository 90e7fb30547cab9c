"""The estimate of a month's bill: complete, honest about what it does not know, and right where it can be checked."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import msgspec
import pytest

from harness.cost import comparisons, estimate, prices, profiles
from harness.errors import HarnessError
from harness.graph import Graph, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from harness.cost.bill import Estimate

TABLE = prices.load()
NAMES = ("small", "medium", "large")


def bill(graph: Graph, name: str = "medium") -> Estimate:
    return estimate(graph, profiles.load(name), TABLE, name=name)


def resource(type_: str, name: str, inputs: Mapping[str, object] | None = None) -> Resource:
    return Resource(
        urn=f"urn:{type_}::{name}",
        type=type_,
        name=name,
        custom=True,
        inputs=inputs or {},
        outputs={"arn": f"arn:aws:any:::{name}"},
        parent="",
        dependencies=frozenset(),
        property_dependencies={},
        protect=False,
        provider="",
        ignore_changes=(),
    )


def graph_with(graph: Graph, *resources: Resource) -> Graph:
    """A stack of nothing but these."""
    return dataclasses.replace(graph, resources={each.urn: each for each in resources}, _reach={})


def test_every_resource_is_priced_or_free_for_a_reason(graph: Graph) -> None:
    found = bill(graph)
    assert not found.unpriced
    assert all(found.free.values())
    assert not {kind for kind in found.assumed_idle if kind.startswith("function")}


def test_what_has_no_price_is_named_and_not_in_the_total(graph_of: Callable[[str], Graph]) -> None:
    whole = graph_of("dev")
    before = bill(whole)
    stranger = resource("aws:braket/quantum:Quantum", "oracle")
    domain = whole.one("aws:opensearch/domain:Domain")
    cluster = {**domain.inputs["clusterConfig"], "instanceType": "x9.mega.search"}
    larger = dataclasses.replace(domain, inputs={**domain.inputs, "clusterConfig": cluster})
    resources = {**whole.resources, stranger.urn: stranger, domain.urn: larger}
    found = bill(dataclasses.replace(whole, resources=resources, _reach={}))
    assert found.unpriced == {
        "aws:braket/quantum:Quantum": ("oracle",),
        "opensearch_x9.mega.search": ("data nodes",),
    }
    assert found.total < before.total


def test_a_function_without_known_traffic_is_named(graph_of: Callable[[str], Graph]) -> None:
    stranger = resource("aws:lambda/function:Function", "stranger", {"memorySize": 512})
    assert bill(graph_with(graph_of("dev"), stranger)).assumed_idle == ("function stranger",)


def test_the_bill_adds_up(graph: Graph) -> None:
    found = bill(graph)
    assert found.total == pytest.approx(sum(line.usd for line in found.lines))
    assert found.total == pytest.approx(sum(found.components.values()))
    assert list(found.components.values()) == sorted(found.components.values(), reverse=True)
    assert all(line.usd > 0 for line in found.lines)


def test_more_traffic_costs_more_and_what_stands_idle_costs_the_same(graph: Graph) -> None:
    bills = [bill(graph, name) for name in NAMES]
    assert bills[0].total < bills[1].total < bills[2].total
    nodes = [[line.usd for line in each.lines if line.what == "data nodes"] for each in bills]
    assert nodes[0] == nodes[1] == nodes[2]


def test_a_bill_done_by_hand(graph_of: Callable[[str], Graph]) -> None:
    settings = {"name": "support-dev-get_ticket", "memorySize": 512, "architectures": ["arm64"]}
    function = resource("aws:lambda/function:Function", "get_ticket", settings)
    key = resource("aws:kms/key:Key", "data-key")
    alarm = resource("aws:cloudwatch/metricAlarm:MetricAlarm", "alarm", {"name": "alarm"})
    found = bill(graph_with(graph_of("dev"), function, key, alarm), "small")
    usd = {line.what: line.usd for line in found.lines}
    # 5,000 tickets, each read twice, 25 ms on half a GB.
    assert usd["get_ticket: calls"] == pytest.approx(10_000 * 0.20 / 1e6)
    assert usd["get_ticket: time"] == pytest.approx(10_000 * 0.025 * 0.5 * 0.0000133334)
    assert usd["data key"] == 1.00
    assert usd["alarm alarm"] == 0.10


def test_production_pays_for_what_it_keeps_warm(graph_of: Callable[[str], Graph]) -> None:
    def warm(stack: str) -> list[float]:
        return [line.quantity for line in bill(graph_of(stack)).lines if line.what == "get_solution: kept warm"]

    assert warm("prod") == [10 * 1.0 * 730 * 3600]
    assert warm("dev") == []


def test_choices_are_compared_over_the_same_traffic(graph: Graph) -> None:
    found = {choice.choice: choice for choice in comparisons.compare(graph, profiles.load("medium"), TABLE)}
    way_out = found["From the VPC to AWS's services"]
    endpoints, zones = len(graph.settings.network.endpoints), len(graph.settings.network.zone_ids)
    private = way_out.options[f"{endpoints} interface endpoints in {zones} zones"]
    assert private == pytest.approx(endpoints * zones * 730 * 0.012, rel=0.05)
    processor = found["Processor of the functions"].options
    assert processor["x86_64"] / processor["arm64"] == pytest.approx(1.25, rel=0.01)
    assert found["Concurrency of get_solution"].options.keys() >= {"on demand"}
    assert found["Capacity of the tables"].options.keys() == {"on demand", "provisioned for the peak"}
    for choice in found.values():
        assert choice.chosen in choice.options
        assert choice.note


def test_every_price_says_what_it_is_of_and_where_it_comes_from() -> None:
    assert TABLE.as_of
    assert TABLE.provenance
    for name, price in TABLE.prices.items():
        assert price.source.startswith("https://aws.amazon.com/"), name
        assert price.usd > 0, name
        assert price.per >= 1, name
        assert price.unit, name


def test_a_profile_may_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[mine]\ntickets = 1\nsearches = 2\ndocuments = 0\ndocuments_kept = 0\nusers = 1\n")
    assert profiles.load(str(file)).searches == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[mine]\ntickets = -1\nsearches = 2\ndocuments = 0\ndocuments_kept = 0\nusers = 1\n", ">= 0"),
        ("[mine]\ntickets = 1\n", "searches"),
        ("[mine]\nticket = 1\n", "ticket"),
        ("", "0 tables"),
    ],
)
def test_a_file_that_is_no_profile_is_refused(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(HarnessError, match=told):
        profiles.load(str(file))


def test_an_unknown_profile_is_refused_with_those_there_are() -> None:
    with pytest.raises(HarnessError, match="small, medium, large"):
        profiles.load("huge")


def test_an_estimate_is_json(graph: Graph) -> None:
    document = msgspec.json.decode(msgspec.json.encode(bill(graph)))
    assert document["as_of"] == TABLE.as_of
