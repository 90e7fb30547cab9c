"""The engine's side of the policy protocol, in this process: rules get the SDK's own proxies, secrets and unknowns.

A rule that is right about plain data may be wrong about what the engine hands over (facts/policies.md), so everything
that proves a rule goes through here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol, cast

from google.protobuf import struct_pb2
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy import EnforcementLevel
from pulumi_policy.deserialize import SPECIAL_SECRET_SIG, SPECIAL_SIG_KEY
from pulumi_policy.policy import _PolicyAnalyzerServicer
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE

from policies.finding import rules_of
from policies.pack import CANNOT_JUDGE, NAME, Pack
from policies.rule import Ref

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from policies.rule import Given

UNKNOWN: Final = UNKNOWN_STRING_VALUE
"""A value that a preview does not know, as the engine writes it."""
STACK: Final = "test"
PROJECT: Final = "energy-support"


def secret(value: object) -> dict[str, object]:
    """A value marked as the engine marks secrets."""
    return {SPECIAL_SIG_KEY: SPECIAL_SECRET_SIG, "value": value}


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A resource, as an engine tells of it."""

    type: str
    name: str
    urn: str
    inputs: Mapping[str, object]
    """In the provider's spelling; values may be `UNKNOWN` or a `secret`."""
    outputs: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    """Beside the inputs."""
    made_from: Mapping[str, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))
    """By property: URNs of the resources whose outputs it is made from."""
    protect: bool = False


@dataclass(frozen=True)
class Told:
    """One rule's finding, as it reaches the engine."""

    policy: str
    message: str
    mandatory: bool
    urn: str
    rule: str
    """Its id; empty for what no rule said."""

    @property
    def unknown(self) -> bool:
        """Whether it says that a rule could not judge."""
        return self.policy == CANNOT_JUDGE


class _Servicer(Protocol):
    """The part of the SDK's servicer that is used here; the SDK does not type it."""

    def GetAnalyzerInfo(self, request: None, context: None) -> analyzer_pb2.AnalyzerInfo: ...  # noqa: N802
    def Analyze(self, request: analyzer_pb2.AnalyzeRequest, context: None) -> analyzer_pb2.AnalyzeResponse: ...  # noqa: N802
    def AnalyzeStack(  # noqa: N802
        self, request: analyzer_pb2.AnalyzeStackRequest, context: None
    ) -> analyzer_pb2.AnalyzeResponse: ...
    def Configure(self, request: analyzer_pb2.ConfigureAnalyzerRequest, context: None) -> object: ...  # noqa: N802


class Analyzer:
    """One run of the pack."""

    def __init__(
        self,
        configuration: Mapping[str, Mapping[str, object]] | None = None,
        levels: Mapping[str, str] | None = None,
    ) -> None:
        """Start a run.

        Args:
            configuration: policy -> its configuration, as ``--policy-pack-config`` gives it.
            levels: policy -> ``advisory``, ``mandatory`` or ``disabled``, where it is not the pack's own.
        """
        self._servicer = cast(
            "_Servicer", _PolicyAnalyzerServicer(NAME, "0.1.0", Pack().policies(), EnforcementLevel.MANDATORY)
        )
        own = {policy.name: policy.enforcementLevel for policy in self.info().policies}
        configured = {
            name: analyzer_pb2.PolicyConfig(
                enforcementLevel=analyzer_pb2.EnforcementLevel.Value((levels or {})[name].upper())
                if name in (levels or {})
                else own[name],
                properties=_struct((configuration or {}).get(name, {})),
            )
            for name in {*(configuration or {}), *(levels or {})}
        }
        if configured:
            self._servicer.Configure(analyzer_pb2.ConfigureAnalyzerRequest(policyConfig=configured), None)

    def info(self) -> analyzer_pb2.AnalyzerInfo:
        """What the pack tells of itself."""
        return self._servicer.GetAnalyzerInfo(None, None)

    def analyze(self, resource: Judged) -> analyzer_pb2.AnalyzeResponse:
        """What the pack answers on one resource, before it is made."""
        return self._servicer.Analyze(request(resource), None)

    def analyze_stack(self, resources: Sequence[Judged]) -> analyzer_pb2.AnalyzeResponse:
        """What the pack answers on all resources, at the end."""
        return self._servicer.AnalyzeStack(
            analyzer_pb2.AnalyzeStackRequest(
                resources=[
                    analyzer_pb2.AnalyzerResource(
                        type=each.type,
                        name=each.name,
                        urn=each.urn,
                        properties=_struct({**each.outputs, **each.inputs}),
                        options=analyzer_pb2.AnalyzerResourceOptions(protect=each.protect),
                        propertyDependencies={
                            key: analyzer_pb2.AnalyzerPropertyDependencies(urns=list(urns))
                            for key, urns in each.made_from.items()
                        },
                    )
                    for each in resources
                ]
            ),
            None,
        )

    def judge(self, resources: Sequence[Judged]) -> list[Told]:
        """Everything that the pack says in a preview of these resources: each one first, then the stack."""
        told = [each for resource in resources for each in _told(self.analyze(resource), resource.urn)]
        return [*told, *_told(self.analyze_stack(resources), "")]


def request(resource: Judged) -> analyzer_pb2.AnalyzeRequest:
    """What the engine asks about one resource, before it is made."""
    return analyzer_pb2.AnalyzeRequest(
        type=resource.type,
        name=resource.name,
        urn=resource.urn,
        properties=_struct(resource.inputs),
        options=analyzer_pb2.AnalyzerResourceOptions(protect=resource.protect),
    )


def judged(example: Iterable[Given]) -> list[Judged]:
    """An example of a rule as resources, what refers to another one resolved."""
    given = {each.name: each for each in example}

    def resolve(value: object, origins: set[str]) -> object:
        if isinstance(value, Ref):
            origins.add(_urn(given[value.resource].type, value.resource))
            return given[value.resource].outputs[value.output]
        if isinstance(value, Mapping):
            return {key: resolve(each, origins) for key, each in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [resolve(each, origins) for each in value]
        return value

    resources: list[Judged] = []
    for each in given.values():
        inputs: dict[str, object] = {}
        made_from: dict[str, Sequence[str]] = {}
        for name, value in each.inputs.items():
            origins: set[str] = set()
            inputs[name] = resolve(value, origins)
            if origins:
                made_from[name] = sorted(origins)
        resources.append(
            Judged(
                type=each.type,
                name=each.name,
                urn=_urn(each.type, each.name),
                inputs=inputs,
                outputs=each.outputs,
                made_from=made_from,
                protect=each.protect,
            )
        )
    return resources


def _urn(type_: str, name: str) -> str:
    return f"urn:pulumi:{STACK}::{PROJECT}::{type_}::{name}"


def _struct(properties: Mapping[str, object]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(_plain(properties))  # type: ignore[arg-type]  # data as deep as it comes
    return struct


def _plain(value: object) -> object:
    """As protobuf wants it: dictionaries and lists, nothing that only behaves like them."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    return value


def _told(response: analyzer_pb2.AnalyzeResponse, urn: str) -> Iterator[Told]:
    for each in response.diagnostics:
        mandatory = each.enforcementLevel == analyzer_pb2.MANDATORY
        for rule in rules_of(each.message) or ("",):
            yield Told(each.policyName, each.message, mandatory, each.urn or urn, rule)
