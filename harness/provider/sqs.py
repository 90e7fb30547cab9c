"""SQS: queues and their policies."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from harness.provider.differ import Kind
from harness.provider.resource import Live, Prop, ResourceType, Singleton, State, Update, from_attribute, to_attributes
from harness.provider.shapes import Problem, Request
from harness.provider.tags import Tagging
from harness.provider.values import Properties, is_unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.provider.calls import Aws

_SOURCE: Final = "terraform-provider-aws sqs/queue.go: ForceNew"
_POLICY_SOURCE: Final = "terraform-provider-aws sqs/queue_policy.go: ForceNew"
_GONE: Final = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})

# Attribute names, and ranges: Amazon SQS API Reference, SetQueueAttributes (the service model holds them as text).
_ATTRIBUTES: Final = {
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "deduplicationScope": "DeduplicationScope",
    "delaySeconds": "DelaySeconds",
    "fifoQueue": "FifoQueue",
    "fifoThroughputLimit": "FifoThroughputLimit",
    "kmsDataKeyReusePeriodSeconds": "KmsDataKeyReusePeriodSeconds",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "maxMessageSize": "MaximumMessageSize",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "policy": "Policy",
    "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
    "redriveAllowPolicy": "RedriveAllowPolicy",
    "redrivePolicy": "RedrivePolicy",
    "sqsManagedSseEnabled": "SqsManagedSseEnabled",
    "visibilityTimeoutSeconds": "VisibilityTimeout",
}
_TAGS: Final = Tagging(tag="TagQueue", untag="UntagQueue", listing="ListQueueTags", pair=None)


class Queue(ResourceType):
    """`aws.sqs.Queue`."""

    pulumi_type = "aws:sqs/queue:Queue"
    service = "sqs"
    name = "name"
    gone = _GONE
    exists = frozenset({"QueueNameExists", "QueueAlreadyExists", "InvalidAttributeValue"})
    sentence = "Delivers, redrives, delays and orders (FIFO) for real; encryption with a key is kept as a setting only."
    properties = MappingProxyType(
        {
            "name": Prop("QueueName", replace=_SOURCE),
            "fifoQueue": Prop(replace=_SOURCE, default=False),
            "contentBasedDeduplication": Prop(default=False),
            "deduplicationScope": Prop(),
            "delaySeconds": Prop(default=0, limits=(0, 900)),
            "fifoThroughputLimit": Prop(),
            "kmsDataKeyReusePeriodSeconds": Prop(default=300, limits=(60, 86_400)),
            "kmsMasterKeyId": Prop(),
            "maxMessageSize": Prop(default=262_144, limits=(1024, 1_048_576)),
            "messageRetentionSeconds": Prop(default=345_600, limits=(60, 1_209_600)),
            "policy": Prop(kind=Kind.POLICY),
            "receiveWaitTimeSeconds": Prop(default=0, limits=(0, 20)),
            "redriveAllowPolicy": Prop(kind=Kind.JSON),
            "redrivePolicy": Prop(kind=Kind.JSON),
            "sqsManagedSseEnabled": Prop(),
            "visibilityTimeoutSeconds": Prop(default=30, limits=(0, 43_200)),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        names = {attribute: name for name, attribute in _ATTRIBUTES.items()}
        params = {"QueueName": inputs.get("name"), "Attributes": self._attributes(inputs), "tags": inputs.get("tags")}
        return [Request("CreateQueue", params, {**names, "QueueName": "name"})]

    def check(self, inputs: Properties) -> Iterable[Problem]:
        """Rules of the API reference's CreateQueue and SetQueueAttributes."""
        name, fifo = inputs.get("name"), inputs.get("fifoQueue", False)
        if isinstance(name, str) and not is_unknown(name):
            if name.endswith(".fifo") != bool(fifo):
                yield Problem("name", "the name of a FIFO queue, and no other, ends in .fifo")
            stem = name.removesuffix(".fifo")
            if not 1 <= len(name) <= 80 or not stem.replace("-", "").replace("_", "").isalnum():
                yield Problem("name", f"{name!r}: 1 to 80 letters, digits, hyphens and underscores")
        if inputs.get("contentBasedDeduplication") and not fifo:
            yield Problem("contentBasedDeduplication", "only a FIFO queue has it")
        if inputs.get("kmsMasterKeyId") and inputs.get("sqsManagedSseEnabled"):
            yield Problem("sqsManagedSseEnabled", "not together with kmsMasterKeyId")
        redrive = inputs.get("redrivePolicy")
        if isinstance(redrive, str) and not is_unknown(redrive):
            yield from _redrive_problems(redrive)

    @staticmethod
    def _attributes(inputs: Mapping[str, Any]) -> dict[str, str]:
        # AWS refuses FifoQueue=false: a standard queue must not mention it.
        return to_attributes(_ATTRIBUTES, {**inputs, "fifoQueue": inputs.get("fifoQueue") or None})

    def create(self, aws: Aws, inputs: Properties) -> str:
        attributes = self._attributes(inputs)
        return str(
            aws("CreateQueue", QueueName=inputs["name"], Attributes=attributes, tags=inputs.get("tags"))["QueueUrl"]
        )

    def find(self, aws: Aws, inputs: Properties) -> str | None:
        return str(aws("GetQueueUrl", QueueName=inputs["name"])["QueueUrl"])

    def read(self, aws: Aws, state: State) -> Live:
        attributes = aws("GetQueueAttributes", QueueUrl=state.id, AttributeNames=["All"]).get("Attributes", {})
        live: Properties = {name: from_attribute(attributes.get(attribute)) for name, attribute in _ATTRIBUTES.items()}
        live["name"] = state.id.rpartition("/")[2]
        live["tags"] = _TAGS.read(aws, QueueUrl=state.id)
        if "policy" not in state.inputs:
            del live["policy"]  # a QueuePolicy of its own may hold it
        return Live(live, {"arn": attributes["QueueArn"], "url": state.id})

    def update(self, aws: Aws, update: Update) -> None:
        # An attribute that is no longer given goes back to its default; text attributes are taken away by "".
        wanted = {
            name: update.new.get(name, "" if prop.default is None else prop.default)
            for name, prop in self.properties.items()
            if name in update.changed and name in _ATTRIBUTES and name != "fifoQueue"
        }
        if wanted:
            aws("SetQueueAttributes", QueueUrl=update.id, Attributes=self._attributes(wanted))
        _TAGS.change(aws, update, QueueUrl=update.id)

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteQueue", QueueUrl=state.id)


class QueuePolicy(Singleton):
    """`aws.sqs.QueuePolicy`."""

    pulumi_type = "aws:sqs/queuePolicy:QueuePolicy"
    service = "sqs"
    identity = ("queueUrl",)
    gone = _GONE
    sentence = "Kept, and enforced with AUTH=true."
    properties = MappingProxyType(
        {
            "queueUrl": Prop(replace=_POLICY_SOURCE),
            "policy": Prop(kind=Kind.POLICY),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        params = {"QueueUrl": inputs.get("queueUrl"), "Attributes": {"Policy": inputs.get("policy")}}
        return [Request("SetQueueAttributes", params, {"Policy": "policy"})]

    def put(self, aws: Aws, inputs: Properties) -> str:
        aws("SetQueueAttributes", QueueUrl=inputs["queueUrl"], Attributes={"Policy": inputs["policy"]})
        return str(inputs["queueUrl"])

    def read(self, aws: Aws, state: State) -> Live | None:
        found = aws("GetQueueAttributes", QueueUrl=state.id, AttributeNames=["Policy"]).get("Attributes", {})
        return Live({"queueUrl": state.id, "policy": found["Policy"]}) if found.get("Policy") else None

    def delete(self, aws: Aws, state: State) -> None:
        aws("SetQueueAttributes", QueueUrl=state.id, Attributes={"Policy": ""})


def _redrive_problems(text: str) -> Iterable[Problem]:
    try:
        policy = json.loads(text)
    except ValueError:
        return  # reported as no document
    target, receives = policy.get("deadLetterTargetArn"), policy.get("maxReceiveCount")
    if not isinstance(target, str):
        yield Problem("redrivePolicy.deadLetterTargetArn", "required, and not given")
    if not isinstance(receives, int) or not 1 <= receives <= 1000:
        yield Problem("redrivePolicy.maxReceiveCount", f"{receives!r} is no number from 1 to 1000")


TYPES = (Queue(), QueuePolicy())
