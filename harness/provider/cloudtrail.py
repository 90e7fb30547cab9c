"""CloudTrail: trails."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from harness.provider.differ import Kind
from harness.provider.resource import RECORDED, Live, Prop, ResourceType, State, Update
from harness.provider.shapes import Problem, Request
from harness.provider.tags import from_pairs, pairs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.provider.calls import Aws
    from harness.provider.values import Properties

_SOURCE: Final = "terraform-provider-aws cloudtrail/trail.go: ForceNew"
_SELECTORS: Final = ("eventSelectors", "advancedEventSelectors")
_OPERATORS: Final = {
    "equals": "Equals",
    "notEquals": "NotEquals",
    "startsWiths": "StartsWith",
    "notStartsWiths": "NotStartsWith",
    "endsWiths": "EndsWith",
    "notEndsWiths": "NotEndsWith",
}
"""Pulumi's plurals → CloudTrail's names."""


class Trail(ResourceType):
    """`aws.cloudtrail.Trail`."""

    pulumi_type = "aws:cloudtrail/trail:Trail"
    service = "cloudtrail"
    name = "name"
    gone = frozenset({"TrailNotFoundException"})
    exists = frozenset({"TrailAlreadyExistsException"})
    renames = _OPERATORS
    level = RECORDED
    sentence = "Kept as a setting: no call is recorded, and no file written."
    properties = MappingProxyType(
        {
            "name": Prop(replace=_SOURCE),
            "s3BucketName": Prop(),
            "s3KeyPrefix": Prop(),
            "snsTopicName": Prop(),
            "kmsKeyId": Prop(),
            "cloudWatchLogsGroupArn": Prop("CloudWatchLogsLogGroupArn"),
            "cloudWatchLogsRoleArn": Prop(),
            "includeGlobalServiceEvents": Prop(default=True),
            "isMultiRegionTrail": Prop(default=False),
            "isOrganizationTrail": Prop(default=False),
            "enableLogFileValidation": Prop(default=False),
            "enableLogging": Prop(default=True, local=True),
            "eventSelectors": Prop(),
            "advancedEventSelectors": Prop(kind=Kind.SET),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        yield self.request("CreateTrail", inputs, **_tags(inputs.get("tags")))
        if any(inputs.get(name) for name in _SELECTORS):
            yield self.request("PutEventSelectors", inputs, TrailName=inputs["name"])

    def check(self, inputs: Properties) -> Iterable[Problem]:
        """CloudTrail API reference, PutEventSelectors."""
        if all(inputs.get(name) for name in _SELECTORS):
            yield Problem("eventSelectors", "cannot be given together with advancedEventSelectors")

    def create(self, aws: Aws, inputs: Properties) -> str:
        arn = str(self.call(aws, "CreateTrail", inputs)["TrailARN"])
        if inputs.get("tags"):
            aws("AddTags", ResourceId=arn, **_tags(inputs["tags"]))
        self._select(aws, arn, inputs)
        if inputs.get("enableLogging", True):
            aws("StartLogging", Name=arn)
        return arn

    def find(self, aws: Aws, inputs: Properties) -> str | None:
        return str(aws("GetTrail", Name=inputs["name"])["Trail"]["TrailARN"])

    def read(self, aws: Aws, state: State) -> Live | None:
        trail = aws("GetTrail", Name=state.id)["Trail"]
        live = self.properties_of(trail, "GetTrail", "Trail")
        live["enableLogFileValidation"] = trail.get("LogFileValidationEnabled", False)
        live["enableLogging"] = aws("GetTrailStatus", Name=state.id)["IsLogging"]
        if trail.get("HasCustomEventSelectors"):
            live |= self.properties_of(aws("GetEventSelectors", TrailName=state.id), "GetEventSelectors")
        [tagged] = aws("ListTags", ResourceIdList=[state.id])["ResourceTagList"]
        live["tags"] = from_pairs(tagged.get("TagsList"))
        return Live(live, {"arn": state.id, "homeRegion": trail.get("HomeRegion", aws.region)})

    def update(self, aws: Aws, update: Update) -> None:
        emptied = self.reset(update, {"kmsKeyId": "", "s3KeyPrefix": "", "snsTopicName": ""})
        self.call(aws, "UpdateTrail", {**update.new, **emptied, "name": update.id})
        if update.touches(*_SELECTORS):
            self._select(aws, update.id, update.new)
        if update.touches("enableLogging"):
            aws("StartLogging" if update.new.get("enableLogging", True) else "StopLogging", Name=update.id)
        if update.touches("tags"):
            old, new = update.old.get("tags") or {}, update.new.get("tags") or {}
            if gone := {name: text for name, text in old.items() if name not in new}:
                aws("RemoveTags", ResourceId=update.id, **_tags(gone))
            if new:
                aws("AddTags", ResourceId=update.id, **_tags(new))

    def _select(self, aws: Aws, arn: str, inputs: Properties) -> None:
        """Without selectors, those of a new trail: every management event."""
        given = self.body(inputs, "PutEventSelectors")
        if given.keys() & {"EventSelectors", "AdvancedEventSelectors"}:
            aws("PutEventSelectors", **{**given, "TrailName": arn})
        else:
            everything = {"ReadWriteType": "All", "IncludeManagementEvents": True}
            aws("PutEventSelectors", TrailName=arn, EventSelectors=[everything])

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteTrail", Name=state.id)


def _tags(tags: Any) -> dict[str, Any]:
    """The tags of a request, or nothing; they may be unknown yet."""
    if not tags:
        return {}
    return {"TagsList": pairs(tags) if isinstance(tags, dict) else tags}


TYPES = (Trail(),)
