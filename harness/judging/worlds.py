"""The stacks that a proof mutates: each of ours as its graph tells of it, and the examples of the rules.

A world holds every resource twice: as an engine would tell of it, to be mutated, and as a rule sees it. The latter went
through the SDK's proxies; so does each mutant, or the proof would be about plain data, which no rule is ever fed.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol, cast

import pulumi_policy
from pulumi_policy.policy import _PolicyAnalyzerServicer

from harness.judging.analyzer import Judged, judged, request
from policies import settings as project_settings
from policies.judge import BY_ID
from policies.limits import LIMITS
from policies.pack import properties
from policies.stack import Stack
from policies.values import Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pulumi.runtime.proto import analyzer_pb2

    from harness.graph import Graph
    from policies.rule import Example
    from policies.settings import Settings
    from policies.values import Value

PRODUCTION: Final = "prod"
"""Stack that examples are said to be in, where every rule is as strict as it can be."""


class _Servicer(Protocol):
    """The part of the SDK's servicer that is used here; the SDK does not type it."""

    def Analyze(self, request: analyzer_pb2.AnalyzeRequest, context: None) -> analyzer_pb2.AnalyzeResponse: ...  # noqa: N802


class Proxies:
    """The SDK's way from the engine's request to a rule, and nothing else of it."""

    def __init__(self) -> None:
        self._seen: Mapping[str, Value] = {}

        def see(args: pulumi_policy.ResourceValidationArgs, _report: object) -> None:
            self._seen = properties(args.props)

        policy = pulumi_policy.ResourceValidationPolicy(name="see", description="Sees.", validate=see)
        level = pulumi_policy.EnforcementLevel.ADVISORY
        self._servicer = cast("_Servicer", _PolicyAnalyzerServicer("see", "0.1.0", [policy], level))

    def alone(self, told: Judged) -> Resource:
        """A resource as a rule sees it before it is made."""
        return self._resource(told)

    def together(self, told: Judged) -> Resource:
        """A resource as a rule sees it among others, but for what it is made from."""
        return self._resource(replace(told, inputs={**told.outputs, **told.inputs}))

    def _resource(self, told: Judged) -> Resource:
        response = self._servicer.Analyze(request(told), None)
        if response.diagnostics:
            raise ValueError(f"the SDK cannot hand over {told.urn}: {response.diagnostics[0].message}")
        return Resource(told.type, told.name, told.urn, self._seen, protect=told.protect)


class Seen:
    """One resource, in each view."""

    def __init__(self, told: Judged, proxies: Proxies, others: Mapping[str, Resource]) -> None:
        self.told = told
        """By the engine."""
        self._proxies = proxies
        self._others = others

    @cached_property
    def alone(self) -> Resource:
        """As a rule sees it before it is made."""
        return self._proxies.alone(self.told)

    @cached_property
    def together(self) -> Resource:
        """As a rule sees it among the others, with what it is made from."""
        return linked(self._proxies.together(self.told), self.told, self._others)


class World:
    """A stack in which nothing is unknown."""

    def __init__(self, name: str, stack_name: str, told: Iterable[Judged], settings: Settings) -> None:
        """Read a stack.

        Args:
            name: for reports: the stack's, or whose example it is.
            stack_name: decides the rules' levels.
            told: its resources.
            settings: the project's.
        """
        self.name = name
        self.stack_name = stack_name
        self.settings = settings
        self.proxies = Proxies()
        resources = list(told)
        self._plain = {each.urn: self.proxies.together(each) for each in resources}
        self.seen = {each.urn: Seen(each, self.proxies, self._plain) for each in resources}
        self.stack = Stack(each.together for each in self.seen.values())
        self._changed: Seen | None = None

    def of_type(self, type_: str) -> Iterator[Seen]:
        """The resources of a type."""
        return (each for each in self.seen.values() if each.told.type == type_)

    def changed(self, told: Judged) -> Seen:
        """A resource of this world told otherwise."""
        # Several rules are asked about one mutant, one after the other.
        if self._changed is None or self._changed.told is not told:
            self._changed = Seen(told, self.proxies, self._plain)
        return self._changed

    def stack_with(self, changed: Iterable[Seen] = (), without: frozenset[str] = frozenset()) -> Stack:
        """Its resources as rules see them together, some changed, added or taken away."""
        all_ = {urn: each.together for urn, each in self.seen.items() if urn not in without}
        resources = [*({**all_, **{each.told.urn: each.together for each in changed}}).values()]
        if without:
            # What is not there is not recorded as an origin either.
            resources = [
                replace(
                    each,
                    depends_on={
                        name: [origin for origin in origins if origin.urn not in without]
                        for name, origins in each.depends_on.items()
                    },
                )
                for each in resources
            ]
        return Stack(resources)


def linked(resource: Resource, told: Judged, others: Mapping[str, Resource]) -> Resource:
    """A resource with what the engine recorded that it is made from."""
    return replace(
        resource,
        depends_on={
            name: [others[urn] for urn in urns if urn in others] for name, urns in told.made_from.items() if urns
        },
    )


def settings() -> Settings:
    """This project's, as the pack reads them."""
    return project_settings.read(project_settings.own(), BY_ID, LIMITS)


def of_graph(graph: Graph) -> World:
    """One of our stacks, fully resolved."""
    told = [
        Judged(
            type=each.type,
            name=each.name,
            urn=each.urn,
            inputs=each.inputs,
            outputs={
                **{name: value for name, value in each.outputs.items() if name not in each.inputs},
                **({"id": each.id} if each.id else {}),
            },
            made_from={name: sorted(urns) for name, urns in each.property_dependencies.items()},
            protect=each.protect,
        )
        for each in graph
        if each.custom
    ]
    return World(graph.stack, graph.stack, told, settings())


def of_example(name: str, example: Example, *, instead: Mapping[str, str] | None = None) -> World:
    """An example of a rule, in production.

    Args:
        name: of the world.
        example: its resources.
        instead: type -> another type in whose spelling to tell it.
    """
    types = instead or {}

    def moved(urn: str) -> str:
        stack, project, type_, resource = urn.removeprefix("urn:pulumi:").split("::", 3)
        return f"urn:pulumi:{PRODUCTION}::{project}::{types.get(type_, type_)}::{resource}" if stack else urn

    told = [
        replace(
            each,
            type=types.get(each.type, each.type),
            urn=moved(each.urn),
            # As in a graph: what is an input is not repeated as an output.
            outputs={key: value for key, value in each.outputs.items() if key not in each.inputs},
            made_from={key: [moved(urn) for urn in urns] for key, urns in each.made_from.items()},
        )
        for each in judged(example)
    ]
    return World(name, PRODUCTION, told, settings())
