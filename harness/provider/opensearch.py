"""OpenSearch Service: domains and their access policies. The node behind a local domain is the harness's own."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from harness.provider.differ import Kind
from harness.provider.resource import (
    PARTLY,
    RECORDED,
    Live,
    Prop,
    ResourceType,
    Singleton,
    State,
    Update,
)
from harness.provider.shapes import Problem, Request
from harness.provider.tags import Tagging
from harness.provider.values import Properties, is_unknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.provider.calls import Aws

_SOURCE: Final = "terraform-provider-aws opensearch/domain.go: ForceNew"
_VPC_SOURCE: Final = "pulumi_aws 7.51.1, opensearch.Domain.vpc_options: adding or removing forces a new resource"
_ENCRYPTION_SOURCE: Final = (
    "terraform-provider-aws opensearch/domain.go: ForceNew (switching encryption off, another key)"
)
_GONE: Final = frozenset({"ResourceNotFoundException"})
_UNKEPT: Final = "the emulator does not keep it"
_TAGS: Final = Tagging(tag="AddTags", untag="RemoveTags", listing="ListTags", member="TagList")


class Domain(ResourceType):
    """`aws.opensearch.Domain`."""

    pulumi_type = "aws:opensearch/domain:Domain"
    service = "opensearch"
    name = "domainName"
    gone = _GONE
    exists = frozenset({"ResourceAlreadyExistsException"})
    level = PARTLY
    sentence = (
        "Settings only; `endpoint` is a real OpenSearch node on this machine, one for all, without access control."
    )
    properties = MappingProxyType(
        {
            "domainName": Prop(replace=_SOURCE),
            "engineVersion": Prop(),
            "accessPolicies": Prop(kind=Kind.POLICY),
            "advancedOptions": Prop(recorded="AWS adds options of its own"),
            "advancedSecurityOptions": Prop(recorded="AWS does not tell the master user again"),
            "autoTuneOptions": Prop(recorded="told back in another form"),
            "clusterConfig": Prop(),
            "cognitoOptions": Prop(),
            "domainEndpointOptions": Prop(),
            "ebsOptions": Prop(),
            "encryptAtRest": Prop("EncryptionAtRestOptions"),
            "ipAddressType": Prop("IPAddressType", recorded=_UNKEPT),
            "logPublishingOptions": Prop(recorded=_UNKEPT, local=True),
            "nodeToNodeEncryption": Prop("NodeToNodeEncryptionOptions"),
            "offPeakWindowOptions": Prop(),
            "snapshotOptions": Prop(),
            "softwareUpdateOptions": Prop(),
            "vpcOptions": Prop("VPCOptions", recorded="there is no VPC on this machine"),
            "tags": Prop(),
        }
    )
    renames = MappingProxyType({"masterUserArn": "MasterUserARN", "cloudwatchLogGroupArn": "CloudWatchLogsLogGroupArn"})

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("CreateDomain", inputs, **self._params(inputs))]

    def check(self, inputs: Properties) -> Iterable[Problem]:
        """OpenSearch Service Developer Guide: name, zones, dedicated masters (facts/aws.md, rows 7, 50, 52, 53)."""
        cluster = inputs.get("clusterConfig")
        if not isinstance(cluster, dict) or any(is_unknown(value) for value in cluster.values()):
            return
        zones = (cluster.get("zoneAwarenessConfig") or {}).get("availabilityZoneCount", 2)
        nodes = cluster.get("instanceCount", 1)
        if cluster.get("zoneAwarenessEnabled") and nodes % zones:
            yield Problem("clusterConfig.instanceCount", f"{nodes} nodes cannot be spread over {zones} zones evenly")
        masters = cluster.get("dedicatedMasterCount")
        if cluster.get("dedicatedMasterEnabled") and masters not in {None, 3, 5}:
            yield Problem("clusterConfig.dedicatedMasterCount", f"{masters} is not 3 or 5")
        tuned = (inputs.get("autoTuneOptions") or {}).get("desiredState")
        if str(cluster.get("instanceType", "")).startswith(("t2.", "t3.")) and tuned == "ENABLED":
            yield Problem("autoTuneOptions.desiredState", "T2 and T3 nodes have no Auto-Tune")

    def _params(self, inputs: Properties) -> dict[str, Any]:
        params = _TAGS.given(inputs)
        if isinstance(inputs.get("logPublishingOptions"), list):
            params["LogPublishingOptions"] = {
                item.get("logType"): {
                    "CloudWatchLogsLogGroupArn": item.get("cloudwatchLogGroupArn"),
                    "Enabled": item.get("enabled", True),
                }
                for item in inputs["logPublishingOptions"]
            }
        return params

    def replaces(self, name: str, old: Any, new: Any, inputs: Properties) -> str:
        """Some blocks replace the domain by one of their members, or by being there at all."""
        before, after = old or {}, new or {}
        if name == "vpcOptions":
            return _VPC_SOURCE if bool(before) != bool(after) else ""
        if name in {"encryptAtRest", "nodeToNodeEncryption", "advancedSecurityOptions"}:
            switched_off = bool(before.get("enabled")) and not after.get("enabled")
            other_key = "kmsKeyId" in before and before["kmsKeyId"] != after.get("kmsKeyId")
            return _ENCRYPTION_SOURCE if switched_off or other_key else ""
        return super().replaces(name, old, new, inputs)

    def create(self, aws: Aws, inputs: Properties) -> str:
        return str(self.call(aws, "CreateDomain", inputs, **self._params(inputs))["DomainStatus"]["ARN"])

    def find(self, aws: Aws, inputs: Properties) -> str | None:
        return str(aws("DescribeDomain", DomainName=inputs["domainName"])["DomainStatus"]["ARN"])

    def read(self, aws: Aws, state: State) -> Live | None:
        found = aws("DescribeDomain", DomainName=state.id.rpartition("/")[2])["DomainStatus"]
        if found.get("Deleted"):
            return None
        live = self.properties_of(found, "DescribeDomain", "DomainStatus")
        if "accessPolicies" not in state.inputs:
            del live["accessPolicies"]  # a DomainPolicy of its own may hold them
        live["tags"] = _TAGS.read(aws, ARN=state.id)
        endpoint = found.get("Endpoint") or (found.get("Endpoints") or {}).get("vpc", "")
        computed = {"arn": state.id, "domainId": found["DomainId"], "endpoint": _address(endpoint)}
        return Live(live, computed)

    def update(self, aws: Aws, update: Update) -> None:
        name = update.new["domainName"]
        if update.touches("engineVersion"):
            aws("UpgradeDomain", DomainName=name, TargetVersion=update.new["engineVersion"])
        changed = {key: value for key, value in update.new.items() if key in update.changed}
        params = self._params({key: value for key, value in changed.items() if key != "tags"})
        request = self.request("UpdateDomainConfig", changed, **params)
        if request.params:
            aws("UpdateDomainConfig", **{**request.params, "DomainName": name})
        _TAGS.change(aws, update, ARN=update.id)

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteDomain", DomainName=state.id.rpartition("/")[2])


class DomainPolicy(Singleton):
    """`aws.opensearch.DomainPolicy`."""

    pulumi_type = "aws:opensearch/domainPolicy:DomainPolicy"
    service = "opensearch"
    identity = ("domainName",)
    gone = _GONE
    level = RECORDED
    sentence = "Kept as a setting: the local node has no access control."
    properties = MappingProxyType(
        {
            "domainName": Prop(
                replace="terraform-provider-aws opensearch/domain_policy.go: by the domain that it names"
            ),
            "accessPolicies": Prop(kind=Kind.POLICY),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("UpdateDomainConfig", inputs)]

    def put(self, aws: Aws, inputs: Properties) -> str:
        self.call(aws, "UpdateDomainConfig", inputs)
        return f"esd-policy-{inputs['domainName']}"

    def read(self, aws: Aws, state: State) -> Live | None:
        found = aws("DescribeDomain", DomainName=state.inputs["domainName"])["DomainStatus"]
        policies = found.get("AccessPolicies")
        return Live({"domainName": state.inputs["domainName"], "accessPolicies": policies}) if policies else None

    def delete(self, aws: Aws, state: State) -> None:
        aws("UpdateDomainConfig", DomainName=state.inputs["domainName"], AccessPolicies="")


def _address(endpoint: str) -> str:
    """The endpoint as clients are to use it: AWS's is a bare host, reached over HTTPS; the local node speaks HTTP."""
    is_local = ":" in endpoint and "://" not in endpoint
    return f"http://{endpoint}" if is_local else endpoint


TYPES = (Domain(), DomainPolicy())
