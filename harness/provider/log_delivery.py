"""CloudWatch Logs: delivery of other services' logs."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from harness.provider.resource import RECORDED, Live, Prop, ResourceType, Singleton, State, Update
from harness.provider.shapes import Problem, Request
from harness.provider.tags import Tagging

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.provider.calls import Aws
    from harness.provider.values import Properties

_SOURCE: Final = "terraform-provider-aws logs/delivery_source.go: RequiresReplace"
_DESTINATION_SOURCE: Final = "terraform-provider-aws logs/delivery_destination.go: RequiresReplace"
_DELIVERY_SOURCE: Final = "terraform-provider-aws logs/delivery.go: RequiresReplace"
_GONE: Final = frozenset({"ResourceNotFoundException"})
_TAGS: Final = Tagging(member="tags", keys="tagKeys", pair=None)
_SENTENCE: Final = "Kept; no logs are delivered on the local stack."
_UNCHANGED: Final = "the emulator takes it at the creation only"
_CLOUDFRONT_REGION: Final = "us-east-1"


class LogDeliverySource(Singleton):
    """`aws.cloudwatch.LogDeliverySource`."""

    pulumi_type = "aws:cloudwatch/logDeliverySource:LogDeliverySource"
    service = "logs"
    name = "name"
    gone = _GONE
    level = RECORDED
    sentence = _SENTENCE
    properties = MappingProxyType(
        {
            "name": Prop(replace=_SOURCE),
            "logType": Prop(replace=_SOURCE),
            "resourceArn": Prop(replace=_SOURCE),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("PutDeliverySource", inputs, **_TAGS.given(inputs))]

    def check(self, inputs: Properties) -> Iterable[Problem]:
        region = inputs.get("region")
        if ":cloudfront:" in str(inputs.get("resourceArn")) and region != _CLOUDFRONT_REGION:
            # PutDeliverySource says so of any other (CloudFront developer guide, standard-logging).
            yield Problem("region", f"must be {_CLOUDFRONT_REGION} for logs of CloudFront (got {region})")

    def put(self, aws: Aws, inputs: Properties) -> str:
        self.call(aws, "PutDeliverySource", inputs, **_TAGS.given(inputs))
        return str(inputs["name"])

    def read(self, aws: Aws, state: State) -> Live:
        found = aws("GetDeliverySource", name=state.id)["deliverySource"]
        live = {
            "name": state.id,
            "logType": found["logType"],
            "resourceArn": found["resourceArns"][0],
            "tags": found.get("tags"),
        }
        return Live(live, {"arn": found["arn"], "service": found["service"]})

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteDeliverySource", name=state.id)


class LogDeliveryDestination(Singleton):
    """`aws.cloudwatch.LogDeliveryDestination`."""

    pulumi_type = "aws:cloudwatch/logDeliveryDestination:LogDeliveryDestination"
    service = "logs"
    name = "name"
    gone = _GONE
    level = RECORDED
    sentence = _SENTENCE
    properties = MappingProxyType(
        {
            "name": Prop(replace=_DESTINATION_SOURCE),
            "outputFormat": Prop(replace=_DESTINATION_SOURCE),
            "deliveryDestinationConfiguration": Prop(),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("PutDeliveryDestination", inputs, **_TAGS.given(inputs))]

    def replaces(self, name: str, old: Any, new: Any, inputs: Properties) -> str:
        if name == "deliveryDestinationConfiguration":
            # Another service in the ARN: CloudWatch Logs in place of S3.
            services = [str((each or {}).get("destinationResourceArn")).split(":")[2:3] for each in (old, new)]
            return _DESTINATION_SOURCE if services[0] != services[1] else ""
        return super().replaces(name, old, new, inputs)

    def put(self, aws: Aws, inputs: Properties) -> str:
        self.call(aws, "PutDeliveryDestination", inputs, **_TAGS.given(inputs))
        return str(inputs["name"])

    def read(self, aws: Aws, state: State) -> Live:
        found = aws("GetDeliveryDestination", name=state.id)["deliveryDestination"]
        live = self.properties_of(found, "GetDeliveryDestination", "deliveryDestination")
        live["tags"] = found.get("tags")
        return Live(live, {"arn": found["arn"], "deliveryDestinationType": found["deliveryDestinationType"]})

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteDeliveryDestination", name=state.id)


class LogDelivery(ResourceType):
    """`aws.cloudwatch.LogDelivery`."""

    pulumi_type = "aws:cloudwatch/logDelivery:LogDelivery"
    service = "logs"
    identity = ("deliverySourceName", "deliveryDestinationArn")
    gone = _GONE
    exists = frozenset({"ConflictException"})
    level = RECORDED
    sentence = _SENTENCE
    properties = MappingProxyType(
        {
            "deliverySourceName": Prop(replace=_DELIVERY_SOURCE),
            "deliveryDestinationArn": Prop(replace=_DELIVERY_SOURCE),
            "recordFields": Prop(recorded=_UNCHANGED),
            "fieldDelimiter": Prop(recorded=_UNCHANGED),
            "s3DeliveryConfigurations": Prop("s3DeliveryConfiguration", recorded=_UNCHANGED),
            "tags": Prop(recorded=_UNCHANGED),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("CreateDelivery", inputs, **_TAGS.given(inputs))]

    def create(self, aws: Aws, inputs: Properties) -> str:
        return str(self.call(aws, "CreateDelivery", inputs, **_TAGS.given(inputs))["delivery"]["id"])

    def find(self, aws: Aws, inputs: Properties) -> str | None:
        deliveries = aws.pages("DescribeDeliveries", "deliveries")
        same = (each for each in deliveries if all(each[name] == inputs[name] for name in self.identity))
        return next((str(each["id"]) for each in same), None)

    def read(self, aws: Aws, state: State) -> Live:
        found = aws("GetDelivery", id=state.id)["delivery"]
        return Live({name: found[name] for name in self.identity}, {"arn": found["arn"]})

    def update(self, aws: Aws, update: Update) -> None:
        """The emulator has no UpdateDeliveryConfiguration: what changes is kept in the stack's state only."""

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteDelivery", id=state.id)


TYPES = (LogDeliverySource(), LogDeliveryDestination(), LogDelivery())
