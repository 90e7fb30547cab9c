"""CloudWatch Logs: log groups and resource policies."""

from __future__ import annotations

import uuid
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from harness.provider.differ import Kind
from harness.provider.recorded import Recorded, made_up
from harness.provider.resource import RECORDED, Live, Prop, ResourceType, Singleton, State, Update
from harness.provider.shapes import Problem, Request
from harness.provider.tags import Tagging
from harness.provider.values import Properties, is_unknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.provider.calls import Aws

_SOURCE: Final = "terraform-provider-aws logs/group.go: ForceNew"
_POLICY_SOURCE: Final = "terraform-provider-aws logs/resource_policy.go: ForceNew"

# CloudWatch Logs API Reference, PutRetentionPolicy: retentionInDays.
_RETENTIONS: Final = (
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)
_TAGS: Final = Tagging(member="tags", keys="tagKeys", pair=None)


class LogGroup(ResourceType):
    """`aws.cloudwatch.LogGroup`."""

    pulumi_type = "aws:cloudwatch/logGroup:LogGroup"
    service = "logs"
    name = "name"
    gone = frozenset({"ResourceNotFoundException"})
    exists = frozenset({"ResourceAlreadyExistsException"})
    sentence = "Functions write to it for real; nothing expires, and encryption is a setting only."
    properties = MappingProxyType(
        {
            "name": Prop("logGroupName", replace=_SOURCE),
            "kmsKeyId": Prop(recorded="the emulator takes it at the creation only"),
            "logGroupClass": Prop(replace=_SOURCE, default="STANDARD"),
            "retentionInDays": Prop(default=0),
            "skipDestroy": Prop(default=False, local=True),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("CreateLogGroup", inputs, **_TAGS.given(inputs))]

    def check(self, inputs: Properties) -> Iterable[Problem]:
        days = inputs.get("retentionInDays")
        if days is not None and not is_unknown(days) and days not in {0, *_RETENTIONS}:
            yield Problem(
                "retentionInDays", f"{days} is not 0 (for ever) nor one of {', '.join(map(str, _RETENTIONS))}"
            )

    def create(self, aws: Aws, inputs: Properties) -> str:
        self.call(aws, "CreateLogGroup", inputs, **_TAGS.given(inputs))
        if inputs.get("retentionInDays"):
            aws("PutRetentionPolicy", logGroupName=inputs["name"], retentionInDays=inputs["retentionInDays"])
        return str(inputs["name"])

    def find(self, aws: Aws, inputs: Properties) -> str | None:  # noqa: ARG002 - the name is the id
        return str(inputs["name"])

    def read(self, aws: Aws, state: State) -> Live | None:
        groups = aws.pages("DescribeLogGroups", "logGroups", logGroupNamePrefix=state.id)
        group = next((item for item in groups if item["logGroupName"] == state.id), None)
        if group is None:
            return None
        arn = group["arn"].removesuffix(":*")
        live = {
            "name": state.id,
            "logGroupClass": group.get("logGroupClass", "STANDARD"),
            "retentionInDays": group.get("retentionInDays", 0),
            "tags": _TAGS.read(aws, resourceArn=arn),
        }
        return Live(live, {"arn": arn})

    def update(self, aws: Aws, update: Update) -> None:
        name, new = update.id, update.new
        if update.touches("retentionInDays"):
            if new.get("retentionInDays"):
                aws("PutRetentionPolicy", logGroupName=name, retentionInDays=new["retentionInDays"])
            else:
                aws("DeleteRetentionPolicy", logGroupName=name)
        arn = aws.arn(f"log-group:{name}")
        _TAGS.change(aws, update, resourceArn=arn)

    def delete(self, aws: Aws, state: State) -> None:
        if not state.inputs.get("skipDestroy"):
            aws("DeleteLogGroup", logGroupName=state.id)


class LogResourcePolicy(Singleton):
    """`aws.cloudwatch.LogResourcePolicy`."""

    pulumi_type = "aws:cloudwatch/logResourcePolicy:LogResourcePolicy"
    service = "logs"
    name = "policyName"
    gone = frozenset({"ResourceNotFoundException"})
    level = RECORDED
    sentence = "Kept as a setting: services write to the emulator's logs without asking."
    properties = MappingProxyType(
        {
            "policyName": Prop(replace=_POLICY_SOURCE),
            "policyDocument": Prop(kind=Kind.POLICY),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("PutResourcePolicy", inputs)]

    def put(self, aws: Aws, inputs: Properties) -> str:
        self.call(aws, "PutResourcePolicy", inputs)
        return str(inputs["policyName"])

    def read(self, aws: Aws, state: State) -> Live | None:
        policies = aws.pages("DescribeResourcePolicies", "resourcePolicies")
        found = next((item for item in policies if item["policyName"] == state.id), None)
        return Live({"policyName": state.id, "policyDocument": found["policyDocument"]}) if found else None

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteResourcePolicy", policyName=state.id)


class QueryDefinition(Recorded):
    """`aws.cloudwatch.QueryDefinition`."""

    pulumi_type = "aws:cloudwatch/queryDefinition:QueryDefinition"
    service = "logs"
    operation = "PutQueryDefinition"
    identity = ("name",)
    sentence = "Kept; the emulator saves no queries."
    properties = MappingProxyType(
        {
            "name": Prop(),
            "queryString": Prop(),
            "logGroupNames": Prop(),
        }
    )

    def identify(self, aws: Aws, inputs: Properties) -> str:
        return str(uuid.UUID(made_up(self.pulumi_type, aws.account, aws.region, inputs["name"])))

    def computed(self, aws: Aws, resource_id: str, inputs: Properties) -> Properties:  # noqa: ARG002 - nothing of them
        return {"queryDefinitionId": resource_id}


TYPES = (LogGroup(), LogResourcePolicy(), QueryDefinition())
