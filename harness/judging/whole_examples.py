"""The examples of rules with what a resource must have besides, so that they are programs that AWS takes.

A rule's example holds what the rule is about. What else the SDK or AWS wants of a resource of that type is here, once
for all rules; a test holds that no rule thinks otherwise of the whole example.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from harness.judging.sdk import resource_class

if TYPE_CHECKING:
    from harness.judging.sdk import Properties, ResourceClass
    from policies.rule import Example, Given, Rule

_ACCOUNT: Final = "123456789012"
_REST_API: Final = "a1b2c3d4e5"


BESIDES: Final[Mapping[str, Mapping[str, object]]] = MappingProxyType(
    {
        "aws:apigateway/authorizer:Authorizer": {"restApi": _REST_API},
        "aws:apigateway/integration:Integration": {"restApi": _REST_API, "resourceId": "r3s0rc", "httpMethod": "POST"},
        "aws:apigateway/method:Method": {"authorization": "AWS_IAM"},
        "aws:apigateway/stage:Stage": {"deployment": "d3pl0y"},
        "aws:apigatewayv2/domainName:DomainName": {
            "domainNameConfiguration.certificateArn": f"arn:aws:acm:eu-west-1:{_ACCOUNT}:certificate/1",
            "domainNameConfiguration.endpointType": "REGIONAL",
        },
        "aws:lambda/functionUrl:FunctionUrl": {"authorizationType": "AWS_IAM"},
        "aws:lambda/function:Function": {
            "role": f"arn:aws:iam::{_ACCOUNT}:role/worker",
            "runtime": "python3.13",
            "handler": "app.handler",
            "s3Bucket": "example-artifacts",
            "s3Key": "app.zip",
            "vpcConfig.securityGroupIds": ["sg-0a1b2c3d"],
        },
        "aws:lambda/permission:Permission": {"action": "lambda:InvokeFunction"},
        "aws:scheduler/schedule:Schedule": {
            "flexibleTimeWindow": {"mode": "OFF"},
            "scheduleExpression": "rate(1 hour)",
            "target.roleArn": f"arn:aws:iam::{_ACCOUNT}:role/scheduler",
        },
        "aws:sfn/stateMachine:StateMachine": {
            "roleArn": f"arn:aws:iam::{_ACCOUNT}:role/workflow",
            "definition": '{"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 1, "End": true}}}',
        },
        "aws:sns/topicSubscription:TopicSubscription": {
            "protocol": "lambda",
            "endpoint": f"arn:aws:lambda:eu-west-1:{_ACCOUNT}:function:worker",
        },
    }
)
"""Type -> path -> value. What is missing at the top is added, and what the SDK demands in blocks that are there."""

_EITHER: Final = {"s3Bucket": {"code", "imageUri"}, "s3Key": {"code", "imageUri"}}
"""Input -> those in whose place it stands."""


class MissingError(LookupError):
    """An example lacks what the SDK demands, and nothing here says what it may be."""


def whole(rule: Rule, example: Example) -> Example:
    """An example of ``rule`` with all that its resources must have.

    Raises:
        MissingError: something is missing that `BESIDES` does not have.
    """
    return tuple(_whole(rule, each) for each in example)


def _whole(rule: Rule, given: Given) -> Given:
    # What a rule watches is left as its example has it.
    watched = {guard.path.partition(".")[0].removesuffix("[]") for guard in rule.guards if guard.type == given.type}
    added = {
        name: value
        for name, value in BESIDES.get(given.type, {}).items()
        if "." not in name
        and name not in given.inputs.keys() | watched
        and not _EITHER.get(name, set()) & given.inputs.keys()
    }
    class_ = resource_class(given.type)
    return replace(given, inputs=_filled(class_, class_.inputs, {**given.inputs, **added}, given.type, ""))


def _filled(
    class_: ResourceClass, properties: Properties, given: Mapping[str, object], type_: str, at: str
) -> dict[str, object]:
    """The inputs ``given``, which stand at a path, with those that the SDK demands."""
    inputs = {name: value for name, value in given.items() if value is not None}
    for name, known in properties.items():
        path = f"{at}{name}"
        if name not in inputs and known.required:
            if path not in BESIDES.get(type_, {}):
                raise MissingError(f"{type_} {path} must be given: say in harness/judging/whole_examples.py what it is")
            inputs[name] = BESIDES[type_][path]
        elif name in inputs and known.block:
            inputs[name] = _blocks(class_, class_.block(known.block), inputs[name], type_, f"{path}.")
    return inputs


def _blocks(class_: ResourceClass, properties: Properties, value: object, type_: str, at: str) -> object:
    if isinstance(value, Mapping):
        return _filled(class_, properties, value, type_, at)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_blocks(class_, properties, each, type_, at) for each in value]
    # Text, of a provider's own settings.
    return value
