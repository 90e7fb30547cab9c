"""SNS: topics and their policies."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from harness.provider.differ import Kind
from harness.provider.resource import (
    PARTLY,
    Live,
    Prop,
    ResourceType,
    Singleton,
    State,
    Update,
    from_attribute,
    to_attributes,
)
from harness.provider.shapes import Request
from harness.provider.tags import Tagging

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.provider.calls import Aws
    from harness.provider.values import Properties

_SOURCE: Final = "terraform-provider-aws sns/topic.go: ForceNew"
_POLICY_SOURCE: Final = "terraform-provider-aws sns/topic_policy.go: ForceNew"
_GONE: Final = frozenset({"NotFound", "NotFoundException"})

_SUBSCRIPTION_SOURCE: Final = "terraform-provider-aws sns/topic_subscription.go: ForceNew"
_SUBSCRIPTION: Final = {
    "rawMessageDelivery": "RawMessageDelivery",
    "filterPolicy": "FilterPolicy",
    "filterPolicyScope": "FilterPolicyScope",
    "redrivePolicy": "RedrivePolicy",
}
_ATTRIBUTES: Final = {
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "deliveryPolicy": "DeliveryPolicy",
    "displayName": "DisplayName",
    "fifoTopic": "FifoTopic",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "policy": "Policy",
    "signatureVersion": "SignatureVersion",
    "tracingConfig": "TracingConfig",
}
_TAGS: Final = Tagging()


class Topic(ResourceType):
    """`aws.sns.Topic`."""

    pulumi_type = "aws:sns/topic:Topic"
    service = "sns"
    name = "name"
    gone = _GONE
    sentence = "Delivers to queues, functions and HTTP; encryption, tracing and e-mail are kept as settings only."
    properties = MappingProxyType(
        {
            "name": Prop(replace=_SOURCE),
            "fifoTopic": Prop(replace=_SOURCE, default=False),
            "contentBasedDeduplication": Prop(default=False),
            "deliveryPolicy": Prop(kind=Kind.JSON),
            "displayName": Prop(default=""),
            "kmsMasterKeyId": Prop(),
            "policy": Prop(kind=Kind.POLICY),
            "signatureVersion": Prop(limits=(1, 2)),
            "tracingConfig": Prop(),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        names = {attribute: name for name, attribute in _ATTRIBUTES.items()}
        params = {"Name": inputs.get("name"), "Attributes": _attributes(inputs), **_TAGS.given(inputs)}
        return [Request("CreateTopic", params, names)]

    def create(self, aws: Aws, inputs: Properties) -> str:
        # AWS answers with the existing topic if there is one of the name: an interrupted run needs nothing more.
        params = {"Attributes": _attributes(inputs), **_TAGS.given(inputs)}
        return str(aws("CreateTopic", Name=inputs["name"], **params)["TopicArn"])

    def read(self, aws: Aws, state: State) -> Live:
        attributes = aws("GetTopicAttributes", TopicArn=state.id)["Attributes"]
        live: Properties = {name: from_attribute(attributes.get(attribute)) for name, attribute in _ATTRIBUTES.items()}
        live["name"] = state.id.rpartition(":")[2]
        live["tags"] = _TAGS.read(aws, ResourceArn=state.id)
        if "policy" not in state.inputs:
            del live["policy"]  # AWS gives a default one, and a TopicPolicy may hold it
        return Live(live, {"arn": state.id, "owner": attributes.get("Owner", aws.account)})

    def update(self, aws: Aws, update: Update) -> None:
        for name in sorted(update.changed & set(_ATTRIBUTES)):
            default = self.properties[name].default
            value = update.new.get(name, "" if default is None else default)
            text = _attributes({name: value})[_ATTRIBUTES[name]]
            aws("SetTopicAttributes", TopicArn=update.id, AttributeName=_ATTRIBUTES[name], AttributeValue=text)
        _TAGS.change(aws, update, ResourceArn=update.id)

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteTopic", TopicArn=state.id)


class TopicPolicy(Singleton):
    """`aws.sns.TopicPolicy`."""

    pulumi_type = "aws:sns/topicPolicy:TopicPolicy"
    service = "sns"
    identity = ("arn",)
    gone = _GONE
    sentence = "Kept, and enforced with AUTH=true."
    properties = MappingProxyType(
        {
            "arn": Prop("TopicArn", replace=_POLICY_SOURCE),
            "policy": Prop("AttributeValue", kind=Kind.POLICY),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("SetTopicAttributes", inputs, AttributeName="Policy")]

    def put(self, aws: Aws, inputs: Properties) -> str:
        self.call(aws, "SetTopicAttributes", inputs, AttributeName="Policy")
        return str(inputs["arn"])

    def read(self, aws: Aws, state: State) -> Live | None:
        attributes = aws("GetTopicAttributes", TopicArn=state.id)["Attributes"]
        live = {"arn": state.id, "policy": attributes.get("Policy")}
        return Live(live, {"owner": attributes.get("Owner", aws.account)}) if attributes.get("Policy") else None

    def delete(self, aws: Aws, state: State) -> None:
        default = (
            '{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":["SNS:Publish"],'
            f'"Resource":"{state.id}","Condition":{{"StringEquals":{{"AWS:SourceOwner":"{aws.account}"}}}}}}]}}'
        )
        aws("SetTopicAttributes", TopicArn=state.id, AttributeName="Policy", AttributeValue=default)


class TopicSubscription(ResourceType):
    """`aws.sns.TopicSubscription`."""

    pulumi_type = "aws:sns/topicSubscription:TopicSubscription"
    service = "sns"
    gone = _GONE
    level = PARTLY
    sentence = "Queues and functions get the messages; nothing is sent to people or to addresses outside this machine."
    properties = MappingProxyType(
        {
            "topic": Prop("TopicArn", replace=_SUBSCRIPTION_SOURCE),
            "protocol": Prop(replace=_SUBSCRIPTION_SOURCE),
            "endpoint": Prop(replace=_SUBSCRIPTION_SOURCE),
            "rawMessageDelivery": Prop(default=False, local=True),
            "filterPolicy": Prop(kind=Kind.JSON, local=True),
            "filterPolicyScope": Prop(local=True),
            "redrivePolicy": Prop(kind=Kind.JSON, local=True),
            "endpointAutoConfirms": Prop(default=False, local=True),
            "confirmationTimeoutInMinutes": Prop(default=1, local=True),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("Subscribe", inputs, Attributes=to_attributes(_SUBSCRIPTION, inputs))]

    def create(self, aws: Aws, inputs: Properties) -> str:
        # AWS answers with the existing subscription if there is one.
        attributes = to_attributes(_SUBSCRIPTION, inputs)
        response = self.call(aws, "Subscribe", inputs, Attributes=attributes, ReturnSubscriptionArn=True)
        return str(response["SubscriptionArn"])

    def read(self, aws: Aws, state: State) -> Live:
        attributes = aws("GetSubscriptionAttributes", SubscriptionArn=state.id)["Attributes"]
        live = {name: from_attribute(attributes.get(attribute)) for name, attribute in _SUBSCRIPTION.items()}
        live |= {name: attributes.get(name.capitalize()) for name in ("protocol", "endpoint")}
        computed = {"arn": state.id, "ownerId": attributes.get("Owner", aws.account)}
        return Live({**live, "topic": attributes["TopicArn"]}, computed)

    def update(self, aws: Aws, update: Update) -> None:
        for name in sorted(update.changed & set(_SUBSCRIPTION)):
            text = to_attributes(_SUBSCRIPTION, {name: update.new.get(name, self.properties[name].default)})
            value = text.get(_SUBSCRIPTION[name], "{}" if name == "filterPolicy" else "")
            aws(
                "SetSubscriptionAttributes",
                SubscriptionArn=update.id,
                AttributeName=_SUBSCRIPTION[name],
                AttributeValue=value,
            )

    def delete(self, aws: Aws, state: State) -> None:
        aws("Unsubscribe", SubscriptionArn=state.id)


def _attributes(inputs: Mapping[str, Any]) -> dict[str, str]:
    # AWS refuses FifoTopic=false, as it does of queues.
    return to_attributes(_ATTRIBUTES, {**inputs, "fifoTopic": inputs.get("fifoTopic") or None})


TYPES = (Topic(), TopicPolicy(), TopicSubscription())
