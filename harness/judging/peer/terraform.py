"""The bad stack as Terraform: the provider is the same, so that names follow by a rule, and blocks by their shape."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from harness.judging.peer.cloudformation import VERBATIM
from policies.rule import Ref

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from policies.rule import Given

_MODULES: Final = MappingProxyType({"apigateway": "api_gateway_", "ec2": ""})
_TYPES: Final = MappingProxyType(
    {
        "aws:cloudtrail/trail:Trail": "aws_cloudtrail",
        "aws:codedeploy/application:Application": "aws_codedeploy_app",
    }
)
"""Those that do not follow from the module and the name."""
_NAMES: Final = MappingProxyType(
    {
        "attributes": "attribute",
        "inlinePolicies": "inline_policy",
        "replicas": "replica",
        "origins": "origin",
        "orderedCacheBehaviors": "ordered_cache_behavior",
        "restApi": "rest_api_id",
        "deployment": "deployment_id",
        "topic": "topic_arn",
        "function": "function_name",
        "rules": "rule",
        "grants": "grant",
    }
)
"""Names that Pulumi changes: blocks in the plural, and what is named by a resource."""
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_OF_TYPE: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {"aws:lambda/function:Function": MappingProxyType({"name": "function_name"})}
)
"""Names that it changes in one type only."""


def configuration(stack: Iterable[Given]) -> str:
    """The equal of a stack, as a file of Terraform's language."""
    given = {each.name: each for each in stack}
    return "\n".join(
        line
        for each in given.values()
        for line in (
            f'resource "{terraform_type(each.type)}" "{_label(each.name)}" {{',
            *_body(each.inputs, given, _OF_TYPE.get(each.type, _NOTHING), 1),
            "}",
            "",
        )
    )


def names(stack: Iterable[Given]) -> Mapping[str, str]:
    """As the peer calls a resource -> its name."""
    return {f"{terraform_type(each.type)}.{_label(each.name)}": each.name for each in stack}


def terraform_type(token: str) -> str:
    """``aws:sqs/queuePolicy:QueuePolicy`` is ``aws_sqs_queue_policy``."""
    if token in _TYPES:
        return _TYPES[token]
    module, _, name = token.split(":")[1].partition("/")
    return f"aws_{_MODULES.get(module, f'{module}_')}{_snake(name)}"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _label(name: str) -> str:
    return name.replace("-", "_")


def _body(
    values: Mapping[str, object], stack: Mapping[str, Given], own: Mapping[str, str], depth: int
) -> Iterator[str]:
    indent = "  " * depth
    for key, value in values.items():
        name = own.get(key) or _NAMES.get(key) or _snake(key)
        blocks = [] if key in VERBATIM else _blocks(value)
        for block in blocks:
            yield f"{indent}{name} {{"
            yield from _body(block, stack, _NOTHING, depth + 1)
            yield f"{indent}}}"
        if not blocks:
            yield f"{indent}{name} = {_expression(key, value, stack)}"


def _blocks(value: object) -> list[Mapping[str, object]]:
    """The blocks that a value is written as; none if it is an attribute."""
    if isinstance(value, Mapping):
        return [value]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [each for each in value if isinstance(each, Mapping)]
    return []


def _expression(key: str, value: object, stack: Mapping[str, Given]) -> str:
    if isinstance(value, Ref):
        return f"{terraform_type(stack[value.resource].type)}.{_label(value.resource)}.{_snake(value.output)}"
    if isinstance(value, Mapping) and key == "variables":
        return "{ " + ", ".join(f"{name} = {_expression('', each, stack)}" for name, each in value.items()) + " }"
    if isinstance(value, Mapping):
        return json.dumps(json.dumps(value))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_expression("", each, stack) for each in value) + "]"
    return json.dumps(value)
