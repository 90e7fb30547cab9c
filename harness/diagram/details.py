"""What is written in a box: the few settings of a resource that people look for in a picture."""

from __future__ import annotations

import json
import re
import textwrap
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.graph import Resource

_LINE_LENGTH: Final = 32
"""Characters of a line in a box."""
_RATE: Final = re.compile(r"rate\((\d+) (\w+)\)")


def of(resource: Resource) -> str:
    """One short line; empty where the title says it all."""
    make = _DETAILS.get(resource.type)
    return make(resource) if make is not None else ""


def of_all(resources: Sequence[Resource]) -> str:
    """One short line for resources that share a box."""
    make = _SHARED.get(resources[0].type)
    return make(resources) if make is not None else ""


def wrapped(text: str) -> tuple[str, ...]:
    """A line, or as many as it needs to fit into a box."""
    lines = textwrap.wrap(text, _LINE_LENGTH, break_long_words=False, break_on_hyphens=False)
    return tuple(line.removesuffix(" ·") for line in lines)


def seconds(value: float) -> str:
    """A time as people say it: ``28 s``, ``6 min``, ``14 days``."""
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if value >= 2 * size and value % size == 0:
            return f"{value / size:g} {unit}"
    return f"{value:g} s"


def _table(resource: Resource) -> str:
    keys = [resource.inputs["hashKey"], *([resource.inputs["rangeKey"]] if "rangeKey" in resource.inputs else [])]
    indexes = len(resource.inputs.get("globalSecondaryIndexes") or ())
    more = [f"{indexes} indexes"] if indexes else []
    more += ["stream"] if resource.inputs.get("streamEnabled") else []
    return " · ".join([" + ".join(keys), *more])


def _queue(resource: Resource) -> str:
    redrive = resource.inputs.get("redrivePolicy")
    if redrive is None:
        return f"kept {seconds(resource.inputs.get('messageRetentionSeconds', 345_600))}"
    receives = json.loads(redrive)["maxReceiveCount"]
    return f"{receives} receives · hidden {seconds(resource.inputs.get('visibilityTimeoutSeconds', 30))}"


def _domain(resource: Resource) -> str:
    cluster: Mapping[str, Any] = resource.inputs.get("clusterConfig") or {}
    zones = (cluster.get("zoneAwarenessConfig") or {}).get("availabilityZoneCount", 1)
    instance = str(cluster.get("instanceType", "")).removesuffix(".search")
    masters = f" · {cluster['dedicatedMasterCount']:g} masters" if cluster.get("dedicatedMasterEnabled") else ""
    return f"{cluster.get('instanceCount', 1):g} x {instance} · {zones:g} zone{'s' if zones > 1 else ''}{masters}"


def _schedule(resource: Resource) -> str:
    found = _RATE.fullmatch(str(resource.inputs.get("scheduleExpression", "")))
    if found is None:
        return str(resource.inputs.get("scheduleExpression", ""))
    return f"every {found[2]}" if found[1] == "1" else f"every {found[1]} {found[2]}"


def _machine(resource: Resource) -> str:
    states = len(json.loads(resource.inputs["definition"])["States"])
    return f"{str(resource.inputs.get('type', 'STANDARD')).capitalize()} · {states} states"


def _web_acl(resource: Resource) -> str:
    where = {"CLOUDFRONT": "on CloudFront", "REGIONAL": "on the API"}
    return f"{where.get(resource.inputs['scope'], '')} · {len(resource.inputs.get('rules') or ())} rules"


def _pool(resource: Resource) -> str:
    return "second factor required" if resource.inputs.get("mfaConfiguration") == "ON" else "second factor optional"


def _bucket(resource: Resource) -> str:
    return "protected" if resource.protect else ""


def _distribution(resource: Resource) -> str:
    return ", ".join(resource.inputs.get("aliases") or ()) or "TLS 1.2 and newer"


def _secret(resource: Resource) -> str:
    return "rotates" if resource.inputs.get("rotationRules") else "encrypted"


_DETAILS: Final[Mapping[str, Callable[[Resource], str]]] = MappingProxyType(
    {
        "aws:cloudfront/distribution:Distribution": _distribution,
        "aws:cloudtrail/trail:Trail": lambda _: "validated log files",
        "aws:cloudwatch/eventBus:EventBus": lambda _: "events about tickets",
        "aws:cloudwatch/eventRule:EventRule": _schedule,
        "aws:cognito/userGroup:UserGroup": lambda _: "signs in",
        "aws:cognito/userPool:UserPool": _pool,
        "aws:dynamodb/table:Table": _table,
        "aws:opensearch/domain:Domain": _domain,
        "aws:s3/bucket:Bucket": _bucket,
        "aws:scheduler/schedule:Schedule": _schedule,
        "aws:secretsmanager/secret:Secret": _secret,
        "aws:sfn/stateMachine:StateMachine": _machine,
        "aws:sns/topic:Topic": lambda _: "tells people",
        "aws:sqs/queue:Queue": _queue,
        "aws:wafv2/webAcl:WebAcl": _web_acl,
    }
)


def _endpoints(resources: Sequence[Resource]) -> str:
    names = sorted(str(each.inputs["serviceName"]).rpartition(".")[2] for each in resources)
    return ", ".join(names)


def _aliases(resources: Sequence[Resource]) -> str:
    return ", ".join(sorted(each.name.removesuffix("-key") for each in resources))


def _tiers(resources: Sequence[Resource]) -> str:
    return "signed calls · " + ", ".join(sorted(each.name.rpartition("-")[2] for each in resources))


def _named(resources: Sequence[Resource]) -> str:
    return ", ".join(sorted(each.name for each in resources)) if len(resources) < 4 else ""


def _retention(resources: Sequence[Resource]) -> str:
    days = sorted({int(each.inputs.get("retentionInDays", 0)) for each in resources})
    return f"kept {' or '.join(str(day) for day in days)} day{'' if days == [1] else 's'} · encrypted"


_SHARED: Final[Mapping[str, Callable[[Sequence[Resource]], str]]] = MappingProxyType(
    {
        "aws:apigateway/usagePlan:UsagePlan": _tiers,
        "aws:cloudwatch/dashboard:Dashboard": _named,
        "aws:cloudwatch/logGroup:LogGroup": _retention,
        "aws:ec2/vpcEndpoint:VpcEndpoint": _endpoints,
        "aws:kms/key:Key": _aliases,
    }
)
