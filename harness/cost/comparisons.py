"""What the same traffic would cost otherwise: the choices that people ask about, each with its own small sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from components.settings import LATENCY_CRITICAL
from harness.cost.profiles import HOURS, SECONDS
from harness.cost.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.cost.prices import PriceTable
    from harness.cost.profiles import Profile
    from harness.graph import Graph, Resource

_UTILISATION: Final = 0.7
"""Of provisioned capacity, at the peak: what target tracking aims at."""
_WARM: Final = 10
"""Environments to compare with where a stack keeps none."""
_FUNCTION: Final = "aws:lambda/function:Function"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One choice; US dollars a month."""

    choice: str
    options: Mapping[str, float]
    chosen: str
    """The stack's own option; empty where it has none of them."""
    note: str
    """What the sum takes for granted."""

    @property
    def cheapest(self) -> str:
        return min(self.options, key=lambda name: (self.options[name], name))


def compare(graph: Graph, profile: Profile, table: PriceTable) -> tuple[Comparison, ...]:
    """All of them, as far as the stack has the things they are about."""
    return tuple(_Comparer(graph, profile, table).all())


class _Comparer:
    def __init__(self, graph: Graph, profile: Profile, table: PriceTable) -> None:
        self._graph = graph
        self._profile = profile
        self._prices = table.prices
        self._traffic = Traffic(graph, profile)

    def all(self) -> Iterator[Comparison]:
        network = self._graph.settings.network
        if network.endpoints:
            yield self._way_out(len(network.endpoints), len(network.zone_ids))
        functions = self._graph.of_type(_FUNCTION)
        if functions:
            yield self._processor(functions)
        yield from (self._warm(function) for function in functions if function.name in LATENCY_CRITICAL)
        if self._graph.of_type("aws:dynamodb/table:Table"):
            yield self._capacity()

    def _way_out(self, endpoints: int, zones: int) -> Comparison:
        """How functions in the VPC reach AWS's services."""
        gigabytes = self._traffic.vpc_gb
        address = self._prices["public_address"].of(HOURS)
        nat = self._prices["nat_hour"].of(HOURS) + address
        through = self._prices["nat_transfer"].of(gigabytes)
        each_zone = f"a NAT gateway in each of {zones} zones"
        private = f"{endpoints} interface endpoints in {zones} zones"
        hours = endpoints * zones * HOURS
        return Comparison(
            choice="From the VPC to AWS's services",
            options={
                private: self._prices["endpoint_hour"].of(hours) + self._prices["endpoint_transfer"].of(gigabytes),
                "one NAT gateway": nat + through,
                each_zone: zones * nat + through,
            },
            chosen="one NAT gateway" if self._graph.settings.network.nat_gateway else private,
            note=f"{gigabytes:.1f} GB pass. S3 and DynamoDB go by gateway endpoints in every case, which cost nothing. "
            "A single NAT gateway is lost with its zone, and opens a way to the internet.",
        )

    def _processor(self, functions: tuple[Resource, ...]) -> Comparison:
        seconds = sum(self._gigabyte_seconds(function) for function in functions)
        options = {
            processor: self._prices[f"lambda_duration_{processor}"].of(seconds) for processor in ("arm64", "x86_64")
        }
        chosen = (functions[0].inputs.get("architectures") or ["x86_64"])[0]
        return Comparison(
            choice="Processor of the functions",
            options=options,
            chosen=chosen,
            note=f"{seconds:,.0f} GB-seconds, the same on both: measure a function on each before relying on that.",
        )

    def _warm(self, function: Resource) -> Comparison:
        """Environments kept warm against none, for one function."""
        processor = (function.inputs.get("architectures") or ["x86_64"])[0]
        kept, demand, in_warm = (
            self._prices[f"lambda_{kind}_{processor}"] for kind in ("provisioned", "duration", "provisioned_duration")
        )
        memory = float(function.inputs.get("memorySize", 128)) / 1024
        settings = self._graph.settings.functions.provisioned_concurrency.get(function.name)
        count = settings.least if settings is not None else _WARM
        seconds = self._gigabyte_seconds(function)
        pays = kept.of(1) / (demand.of(1) - in_warm.of(1))
        warm = f"{count} kept warm"
        return Comparison(
            choice=f"Concurrency of {function.name}",
            options={
                "on demand": demand.of(seconds),
                warm: kept.of(count * memory * SECONDS) + in_warm.of(seconds),
            },
            chosen=warm if settings is not None else "on demand",
            note=f"Warm environments are the cheaper ones from {pays:.0%} utilisation on; here it is "
            f"{seconds / (count * memory * SECONDS):.1%}. What they buy is latency.",
        )

    def _capacity(self) -> Comparison:
        """On demand against provisioned tables with auto scaling for the peak."""
        items = self._traffic.items().values()
        reads, writes = sum(each.reads for each in items), sum(each.writes for each in items)
        peak = self._profile.peak_to_mean / _UTILISATION
        capacity = (
            self._prices["dynamodb_read_capacity"].of(max(1.0, reads / SECONDS * peak) * HOURS),
            self._prices["dynamodb_write_capacity"].of(max(1.0, writes / SECONDS * peak) * HOURS),
        )
        return Comparison(
            choice="Capacity of the tables",
            options={
                "on demand": self._prices["dynamodb_read"].of(reads) + self._prices["dynamodb_write"].of(writes),
                "provisioned for the peak": sum(capacity),
            },
            chosen="on demand",
            note=f"The busiest hour is {self._profile.peak_to_mean:g} times the average one and uses "
            f"{_UTILISATION:.0%} of what is provisioned all day; scaling down at night makes it cheaper.",
        )

    def _gigabyte_seconds(self, function: Resource) -> float:
        calls, seconds = self._traffic.calls().get(function.name, 0.0), self._profile.duration(function.name) or 0.0
        return calls * seconds * float(function.inputs.get("memorySize", 128)) / 1024
