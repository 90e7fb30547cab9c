"""WAF: web ACLs, what they guard, and their logs."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from harness.provider.differ import Kind
from harness.provider.recorded import Recorded
from harness.provider.resource import RECORDED, Live, Prop, ResourceType, State, Update
from harness.provider.shapes import Problem, Request
from harness.provider.tags import Tagging
from harness.provider.values import Properties, is_unknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.provider.calls import Aws

_SOURCE: Final = "terraform-provider-aws wafv2/web_acl.go: ForceNew"
_ASSOCIATION_SOURCE: Final = "terraform-provider-aws wafv2/web_acl_association.go: ForceNew"
_LOGGING_SOURCE: Final = "terraform-provider-aws wafv2/web_acl_logging_configuration.go: ForceNew"
_NOT_KEPT: Final = "the emulator does not keep it"
_GONE: Final = frozenset({"WAFNonexistentItemException"})
_HOME: Final = "us-east-1"
"""Region of everything of CloudFront's scope (WAF developer guide, how-aws-waf-works-resources)."""
_TAGS: Final = Tagging(listing="ListTagsForResource")


class WebAcl(ResourceType):
    """`aws.wafv2.WebAcl`."""

    pulumi_type = "aws:wafv2/webAcl:WebAcl"
    service = "wafv2"
    name = "name"
    identity = ("name", "scope")
    gone = _GONE
    exists = frozenset({"WAFDuplicateItemException"})
    renames = MappingProxyType({"cloudwatchMetricsEnabled": "CloudWatchMetricsEnabled"})
    level = RECORDED
    sentence = "Kept with its rules; nothing is inspected or refused on the local stack."
    properties = MappingProxyType(
        {
            "name": Prop(replace=_SOURCE),
            "scope": Prop(replace=_SOURCE),
            "description": Prop(recorded="the emulator takes it at the creation only"),
            "defaultAction": Prop(kind=Kind.BLOCKS),
            "rules": Prop(kind=Kind.BLOCKS),
            "visibilityConfig": Prop(),
            "dataProtectionConfig": Prop(recorded=_NOT_KEPT),
            "customResponseBodies": Prop(kind=Kind.SET, recorded=_NOT_KEPT),
            "tokenDomains": Prop(kind=Kind.SET, recorded=_NOT_KEPT),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("CreateWebACL", inputs, **_TAGS.given(inputs))]

    def check(self, inputs: Properties) -> Iterable[Problem]:
        scope, region = inputs.get("scope"), inputs.get("region")
        if scope == "CLOUDFRONT" and region != _HOME and not is_unknown(region):
            yield Problem("region", f"must be {_HOME} where scope is CLOUDFRONT (got {region})")
        for index, rule in enumerate(_list(inputs.get("rules"))):
            if isinstance(rule, dict) and ("action" in rule) == ("overrideAction" in rule):
                yield Problem(f"rules[{index}]", "needs action or, for a group of rules, overrideAction; one of them")

    def body(self, inputs: Properties, operation: str, *path: str) -> dict[str, Any]:
        # The API has them by their keys.
        bodies = inputs.get("customResponseBodies")
        keyed = {each["key"]: {k: v for k, v in each.items() if k != "key"} for each in _list(bodies)}
        return super().body({**inputs, "customResponseBodies": keyed or None}, operation, *path)

    def create(self, aws: Aws, inputs: Properties) -> str:
        return str(self.call(aws, "CreateWebACL", inputs, **_TAGS.given(inputs))["Summary"]["Id"])

    def find(self, aws: Aws, inputs: Properties) -> str | None:
        acls = aws.pages("ListWebACLs", "WebACLs", Scope=inputs["scope"])
        return next((str(acl["Id"]) for acl in acls if acl["Name"] == inputs["name"]), None)

    def read(self, aws: Aws, state: State) -> Live:
        acl = self._get(aws, state.id, state.inputs)["WebACL"]
        live = _texts(self.properties_of(acl, "GetWebACL", "WebACL"))
        live["scope"] = state.inputs["scope"]
        found = aws("ListTagsForResource", ResourceARN=acl["ARN"])["TagInfoForResource"]
        live["tags"] = _TAGS.plain(found.get("TagList"))
        return Live(live, {"arn": acl["ARN"]})

    def update(self, aws: Aws, update: Update) -> None:
        if update.changed - {"tags"}:
            token = self._get(aws, update.id, update.new)["LockToken"]
            self.call(aws, "UpdateWebACL", update.new, Id=update.id, LockToken=token)
        _TAGS.change(aws, update, ResourceARN=update.outputs["arn"])

    def delete(self, aws: Aws, state: State) -> None:
        place = {"Id": state.id, "Name": state.inputs["name"], "Scope": state.inputs["scope"]}
        aws("DeleteWebACL", **place, LockToken=self._get(aws, state.id, state.inputs)["LockToken"])

    @staticmethod
    def _get(aws: Aws, resource_id: str, inputs: Properties) -> dict[str, Any]:
        return aws("GetWebACL", Id=resource_id, Name=inputs["name"], Scope=inputs["scope"])


class WebAclAssociation(ResourceType):
    """`aws.wafv2.WebAclAssociation`."""

    pulumi_type = "aws:wafv2/webAclAssociation:WebAclAssociation"
    service = "wafv2"
    identity = ("resourceArn",)
    gone = _GONE
    level = RECORDED
    sentence = "Kept; nothing is inspected or refused on the local stack."
    properties = MappingProxyType(
        {
            "resourceArn": Prop(replace=_ASSOCIATION_SOURCE),
            "webAclArn": Prop(replace=_ASSOCIATION_SOURCE),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("AssociateWebACL", inputs)]

    def check(self, inputs: Properties) -> Iterable[Problem]:
        if ":cloudfront:" in str(inputs.get("resourceArn")):
            yield Problem("resourceArn", "is CloudFront's, which takes its web ACL by the distribution's webAclId")

    def create(self, aws: Aws, inputs: Properties) -> str:
        self.call(aws, "AssociateWebACL", inputs)
        return f"{inputs['webAclArn']},{inputs['resourceArn']}"

    def read(self, aws: Aws, state: State) -> Live | None:
        resource_arn = state.id.partition(",")[2]
        acl = aws("GetWebACLForResource", ResourceArn=resource_arn).get("WebACL")
        return Live({"resourceArn": resource_arn, "webAclArn": acl["ARN"]}) if acl else None

    def delete(self, aws: Aws, state: State) -> None:
        aws("DisassociateWebACL", ResourceArn=state.id.partition(",")[2])


class WebAclLoggingConfiguration(Recorded):
    """`aws.wafv2.WebAclLoggingConfiguration`."""

    pulumi_type = "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration"
    service = "wafv2"
    operation = "PutLoggingConfiguration"
    identity = ("resourceArn",)
    sentence = "Kept; the emulator's web ACLs inspect nothing, and log nothing."
    properties = MappingProxyType(
        {
            "resourceArn": Prop(replace=_LOGGING_SOURCE),
            "logDestinationConfigs": Prop(kind=Kind.SET, replace=_LOGGING_SOURCE),
            "loggingFilter": Prop(),
            "redactedFields": Prop(kind=Kind.BLOCKS),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        configuration = self.body(inputs, self.operation, "LoggingConfiguration")
        return [Request(self.operation, {"LoggingConfiguration": configuration}, {"LoggingConfiguration": ""})]

    def check(self, inputs: Properties) -> Iterable[Problem]:
        for arn in _list(inputs.get("logDestinationConfigs")):
            if not is_unknown(arn) and not arn.rpartition(":")[2].rpartition("/")[2].startswith("aws-waf-logs-"):
                yield Problem("logDestinationConfigs", f"{arn}: names must begin with aws-waf-logs-")

    def identify(self, aws: Aws, inputs: Properties) -> str:  # noqa: ARG002 - the web ACL's ARN is the id
        return str(inputs["resourceArn"])


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(value: Any) -> Any:
    """What the service model calls binary is text to Pulumi (the search string of a byte match)."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {name: _texts(item) for name, item in value.items()}
    return [_texts(item) for item in value] if isinstance(value, list) else value


TYPES = (WebAcl(), WebAclAssociation(), WebAclLoggingConfiguration())
