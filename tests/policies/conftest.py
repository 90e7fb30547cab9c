"""Hands resources to the pack as the engine does: through the SDK's own analyzer, proxies and all."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest
from google.protobuf import struct_pb2
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy import EnforcementLevel
from pulumi_policy.deserialize import SPECIAL_SECRET_SIG, SPECIAL_SIG_KEY
from pulumi_policy.policy import _PolicyAnalyzerServicer
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE

from policies.pack import NAME, policies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

UNKNOWN = UNKNOWN_STRING_VALUE


@dataclass(frozen=True)
class Diagnostic:
    """One finding, as it reaches the engine."""

    policy: str
    message: str
    mandatory: bool
    urn: str = ""


@dataclass(frozen=True)
class Given:
    """A resource of a stack."""

    type: str
    name: str
    properties: Mapping[str, Any]
    made_from: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By property: the names of the resources whose outputs it is made from."""


class Engine:
    """The engine's side of the analyzer protocol, without the wire."""

    def __init__(self) -> None:
        # The SDK's servicer is not typed.
        self._servicer: Any = _PolicyAnalyzerServicer(NAME, "0.1.0", policies(), EnforcementLevel.MANDATORY)

    def info(self) -> analyzer_pb2.AnalyzerInfo:
        return cast("analyzer_pb2.AnalyzerInfo", self._servicer.GetAnalyzerInfo(None, None))

    def configure(self, levels: Mapping[str, int]) -> None:
        """Set enforcement levels, as ``--policy-pack-config`` does."""
        config = {name: analyzer_pb2.PolicyConfig(enforcementLevel=level) for name, level in levels.items()}  # type: ignore[arg-type]  # the enum's values are ints
        self._servicer.Configure(analyzer_pb2.ConfigureAnalyzerRequest(policyConfig=config), None)

    def response(self, type_: str, properties: Mapping[str, Any]) -> analyzer_pb2.AnalyzeResponse:
        request = analyzer_pb2.AnalyzeRequest(
            type=type_, name="it", urn=_urn(type_, "it"), properties=_struct(properties)
        )
        return cast("analyzer_pb2.AnalyzeResponse", self._servicer.Analyze(request, None))

    def judge(self, type_: str, properties: Mapping[str, Any]) -> list[Diagnostic]:
        """Findings on one resource."""
        return list(_diagnostics(self.response(type_, properties)))

    def judge_stack(self, *resources: Given) -> list[Diagnostic]:
        """Findings on a stack."""
        urns = {each.name: _urn(each.type, each.name) for each in resources}
        request = analyzer_pb2.AnalyzeStackRequest(
            resources=[
                analyzer_pb2.AnalyzerResource(
                    type=each.type,
                    name=each.name,
                    urn=urns[each.name],
                    properties=_struct(each.properties),
                    propertyDependencies={
                        key: analyzer_pb2.AnalyzerPropertyDependencies(urns=[urns[name] for name in names])
                        for key, names in each.made_from.items()
                    },
                )
                for each in resources
            ]
        )
        return list(_diagnostics(self._servicer.AnalyzeStack(request, None)))

    def violations(self, type_: str, properties: Mapping[str, Any]) -> list[str]:
        """Messages of the mandatory findings on one resource."""
        return [each.message for each in self.judge(type_, properties) if each.mandatory]

    def unjudged(self, type_: str, properties: Mapping[str, Any]) -> list[str]:
        """Messages that say that something on one resource could not be judged."""
        found = self.judge(type_, properties)
        assert not [each for each in found if each.mandatory]
        return [each.message for each in found if each.policy == "cannot-judge"]


def _urn(type_: str, name: str) -> str:
    return f"urn:pulumi:test::energy-support::{type_}::{name}"


def _struct(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(dict(properties))
    return struct


def _diagnostics(response: analyzer_pb2.AnalyzeResponse) -> Iterator[Diagnostic]:
    for each in response.diagnostics:
        yield Diagnostic(each.policyName, each.message, each.enforcementLevel == analyzer_pb2.MANDATORY, each.urn)


@pytest.fixture(scope="session")
def engine() -> Engine:
    return Engine()


@pytest.fixture
def fresh_engine() -> Engine:
    """An engine that a test may configure."""
    return Engine()


@pytest.fixture(scope="session")
def unknown() -> str:
    """A value that a preview does not know."""
    return UNKNOWN


@pytest.fixture(scope="session")
def given() -> type[Given]:
    return Given


@pytest.fixture(scope="session")
def secret() -> Callable[[object], dict[str, object]]:
    """Marks a value as the engine marks secrets."""

    def wrap(value: object) -> dict[str, object]:
        return {SPECIAL_SIG_KEY: SPECIAL_SECRET_SIG, "value": value}

    return wrap


@pytest.fixture(scope="session")
def document() -> Callable[..., str]:
    """A policy document of the given statements, as JSON."""

    def write(*statements: Mapping[str, Any]) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})

    return write
