"""Amazon OpenSearch Service."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Final

from policies.limits import SEARCH_NODES, SEARCH_ZONES
from policies.rule import Given, Guard, Level, Rule, Severity, Verdict, cannot_judge
from policies.values import Unknown, look_all, look_through, look_up, many
from policies.wants import AtLeast, CustomerKey, Off, On, OneOf, Present, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.settings import Settings
    from policies.values import Resource

DOMAIN: Final = "aws:opensearch/domain:Domain"

_GUIDE: Final = "https://docs.aws.amazon.com/opensearch-service/latest/developerguide"
TLS_1_2: Final = (
    "Policy-Min-TLS-1-2-2019-07",
    "Policy-Min-TLS-1-2-PFS-2023-10",
    "Policy-Min-TLS-1-2-RFC9151-FIPS-2024-08",
)
"""TLS policies of the service with nothing older than TLS 1.2."""


def _domain(**inputs: object) -> Given:
    return Given(DOMAIN, "search", {"domainName": "search", **inputs})


ENCRYPTION: Final = Rule(
    id="opensearch-encryption",
    demand="A search domain's disks are encrypted with a customer-managed key",
    why="An index holds what it is made of. With a key of one's own, the domain's use of it shows in an audit, and "
    "taking the key away closes disks, snapshots and swap files at once.",
    severity=Severity.HIGH,
    controls=("Security Hub Opensearch.1", "CKV_AWS_5", "CKV_AWS_247", "AwsSolutions-OS8"),
    mend="Set encryptAtRest.enabled to true and encryptAtRest.kmsKeyId to the ARN of a key of one's own.",
    url=f"{_GUIDE}/encryption-at-rest.html",
    guards=(
        Guard(type=DOMAIN, path="encryptAtRest.enabled", want=On()),
        Guard(type=DOMAIN, path="encryptAtRest.kmsKeyId", want=CustomerKey()),
    ),
    violating=(_domain(encryptAtRest={"enabled": True}),),
    compliant=(_domain(encryptAtRest={"enabled": True, "kmsKeyId": "arn:aws:kms:eu-west-1:123456789012:key/1"}),),
)

TRANSIT: Final = Rule(
    id="opensearch-transit",
    demand="A search domain speaks TLS 1.2 or newer, between its nodes too",
    why="Queries and answers carry what customers write, and older TLS can be read by who stands between.",
    severity=Severity.HIGH,
    controls=(
        "Security Hub Opensearch.3",
        "Security Hub Opensearch.8",
        "CKV_AWS_6",
        "CKV_AWS_83",
        "CKV_AWS_228",
        "AwsSolutions-OS2",
    ),
    mend="Set nodeToNodeEncryption.enabled and domainEndpointOptions.enforceHttps to true and "
    f"domainEndpointOptions.tlsSecurityPolicy to {TLS_1_2[1]}.",
    url=f"{_GUIDE}/infrastructure-security.html",
    guards=(
        Guard(type=DOMAIN, path="nodeToNodeEncryption.enabled", want=On()),
        Guard(type=DOMAIN, path="domainEndpointOptions.enforceHttps", want=On()),
        Guard(
            type=DOMAIN,
            path="domainEndpointOptions.tlsSecurityPolicy",
            want=OneOf(TLS_1_2, refused=("Policy-Min-TLS-1-0-2019-07",)),
        ),
    ),
    violating=(_domain(nodeToNodeEncryption={"enabled": False}),),
    compliant=(
        _domain(
            nodeToNodeEncryption={"enabled": True},
            domainEndpointOptions={"enforceHttps": True, "tlsSecurityPolicy": TLS_1_2[1]},
        ),
    ),
)

_IN_A_VPC: Final = frozenset(
    {"aws:ec2/subnet:Subnet", "aws:ec2/defaultSubnet:DefaultSubnet", "aws:ec2/securityGroup:SecurityGroup"}
)
"""What subnets and groups that are not known yet may come from; Pulumi records no origins within ``vpcOptions``."""

NETWORK: Final = Rule(
    id="opensearch-network",
    demand="A search domain is in a VPC",
    why="A domain outside is reached from the whole internet, with nothing but its policy in between. It cannot be "
    "moved in later.",
    severity=Severity.CRITICAL,
    controls=("Security Hub Opensearch.2", "CKV_AWS_137", "AwsSolutions-OS1"),
    mend="Set vpcOptions.subnetIds and vpcOptions.securityGroupIds.",
    url=f"{_GUIDE}/vpc.html",
    guards=(
        Guard(
            type=DOMAIN,
            path="vpcOptions.subnetIds",
            want=Present(settled_by=_IN_A_VPC),
        ),
        Guard(
            type=DOMAIN,
            path="vpcOptions.securityGroupIds",
            want=Present(settled_by=_IN_A_VPC),
        ),
    ),
    violating=(_domain(),),
    compliant=(_domain(vpcOptions={"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]}),),
)


def _subnets(domain: Resource, settings: Settings) -> Iterator[Verdict]:
    found = look_up(domain, "vpcOptions.subnetIds")
    if isinstance(found.value, Unknown):
        yield cannot_judge(found.value)
    # Which subnets they are may be open; how many they are is not.
    elif found.value is not None and len(many(found.value)) < (least := settings.limit(SEARCH_ZONES)):
        yield Verdict(found.path, f"has {len(many(found.value))}, so that the domain is in fewer than {least:g} zones")


def _without_standby(domain: Resource) -> bool | Unknown:
    standby = look_up(domain, "clusterConfig.multiAzWithStandbyEnabled").value
    return standby if isinstance(standby, Unknown) else standby is not True


ZONES: Final = Rule(
    id="opensearch-zones",
    demand="A search domain in production outlives an availability zone",
    why="A domain in one zone is gone while the zone is, and what its nodes hold with it.",
    severity=Severity.MEDIUM,
    controls=("Security Hub Opensearch.6", "CKV_AWS_318", "AwsSolutions-OS7"),
    mend="Set clusterConfig.zoneAwarenessEnabled to true, and instanceCount, zoneAwarenessConfig and "
    "vpcOptions.subnetIds to what the limits ask for.",
    url=f"{_GUIDE}/managedomains-multiaz.html",
    guards=(
        Guard(type=DOMAIN, path="clusterConfig.zoneAwarenessEnabled", want=On(), when=_without_standby),
        Guard(
            type=DOMAIN,
            path="clusterConfig.zoneAwarenessConfig.availabilityZoneCount",
            want=AtLeast(SEARCH_ZONES),
            absent="two zones are the service's default",
        ),
        Guard(type=DOMAIN, path="clusterConfig.instanceCount", want=AtLeast(SEARCH_NODES)),
        Guard(
            type=DOMAIN,
            path="vpcOptions.subnetIds",
            absent="a domain outside a VPC has no subnets",
            weaker=(("subnet-1",),),
        ),
    ),
    violating=(_domain(clusterConfig={"instanceCount": 3}),),
    compliant=(
        _domain(
            clusterConfig={
                "instanceCount": 4,
                "zoneAwarenessEnabled": True,
                "zoneAwarenessConfig": {"availabilityZoneCount": 2},
            },
            vpcOptions={"subnetIds": ["subnet-1", "subnet-2"]},
        ),
    ),
    check=_subnets,
    outside_production=Level.DISABLED,
)

MASTERS: Final = Rule(
    id="opensearch-masters",
    demand="A search domain in production has dedicated master nodes, an odd number of them",
    why="Data nodes that are busy lose the cluster's state; two or four masters can be split in halves, of which none "
    "decides.",
    severity=Severity.MEDIUM,
    controls=("Security Hub Opensearch.11", "CKV2_AWS_59", "AwsSolutions-OS4"),
    mend="Set clusterConfig.dedicatedMasterEnabled to true and clusterConfig.dedicatedMasterCount to 3 or 5.",
    url=f"{_GUIDE}/managedomains-dedicatedmasternodes.html",
    guards=(
        Guard(type=DOMAIN, path="clusterConfig.dedicatedMasterEnabled", want=On()),
        Guard(type=DOMAIN, path="clusterConfig.dedicatedMasterCount", want=OneOf((3, 5), refused=(1, 2, 4))),
    ),
    violating=(_domain(clusterConfig={"dedicatedMasterEnabled": True, "dedicatedMasterCount": 2}),),
    compliant=(_domain(clusterConfig={"dedicatedMasterEnabled": True, "dedicatedMasterCount": 3}),),
    outside_production=Level.DISABLED,
)

ACCESS: Final = Rule(
    id="opensearch-access",
    demand="A search domain asks who calls, index by index",
    why="Without fine-grained access, whoever reaches the domain with any role reads and deletes every index.",
    severity=Severity.HIGH,
    controls=("Security Hub Opensearch.7", "CKV2_AWS_52"),
    mend="Set advancedSecurityOptions.enabled to true, and leave anonymousAuthEnabled out.",
    url=f"{_GUIDE}/fgac.html",
    guards=(
        Guard(type=DOMAIN, path="advancedSecurityOptions.enabled", want=On()),
        Guard(
            type=DOMAIN,
            path="advancedSecurityOptions.anonymousAuthEnabled",
            want=Off(),
            absent="nobody is let in unnamed then",
        ),
    ),
    violating=(_domain(),),
    compliant=(_domain(advancedSecurityOptions={"enabled": True, "anonymousAuthEnabled": False}),),
)

USERS: Final = Rule(
    id="opensearch-users",
    demand="A search domain's users are IAM's, or an identity provider's",
    why="Users of its own have passwords of their own, which no rotation, second factor or leaver's process reaches, "
    "and the master's is in the state of the stack.",
    severity=Severity.LOW,
    controls=("Amazon OpenSearch Service developer guide, Fine-grained access control",),
    mend="Set advancedSecurityOptions.masterUserOptions.masterUserArn, and internalUserDatabaseEnabled to false.",
    url=f"{_GUIDE}/fgac.html",
    guards=(
        Guard(
            type=DOMAIN,
            path="advancedSecurityOptions.internalUserDatabaseEnabled",
            want=Off(),
            absent="there are none then",
        ),
    ),
    violating=(_domain(advancedSecurityOptions={"enabled": True, "internalUserDatabaseEnabled": True}),),
    compliant=(_domain(advancedSecurityOptions={"enabled": True, "internalUserDatabaseEnabled": False}),),
    level=Level.ADVISORY,
)

_LOGS: Final = {
    "AUDIT_LOGS": "who did what",
    "ES_APPLICATION_LOGS": "errors",
    "SEARCH_SLOW_LOGS": "slow searches",
    "INDEX_SLOW_LOGS": "slow indexing",
}
"""Type of log -> what it tells."""
_OPTIONS: Final = "logPublishingOptions"
_GROUP: Final = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/opensearch/search"


def _logs(domain: Resource, _settings: Settings) -> Iterator[Verdict]:
    published: set[str] = set()
    all_known = True
    for option in look_all(domain, f"{_OPTIONS}[]"):
        kind, enabled = (next(look_through(option.value, name, option.path)) for name in ("logType", "enabled"))
        unknown = next((each.value for each in (kind, enabled) if isinstance(each.value, Unknown)), None)
        if unknown is not None:
            all_known = False
            yield cannot_judge(unknown)
        elif enabled.value is None or enabled.value is True:
            published.add(str(kind.value))
    for missing in [each for each in _LOGS if all_known and each not in published]:
        yield Verdict(_OPTIONS, f"publishes no {missing} ({_LOGS[missing]})")


LOGS: Final = Rule(
    id="opensearch-logs",
    demand="A search domain publishes its audit, error and slow logs",
    why="Who read which index is in the audit log and nowhere else; why the domain is slow or red is in the others.",
    severity=Severity.MEDIUM,
    controls=(
        *("Security Hub Opensearch.4", "Security Hub Opensearch.5", "CKV_AWS_84", "CKV_AWS_317", "AwsSolutions-OS9"),
    ),
    mend="Give logPublishingOptions an entry with a log group for each of " + ", ".join(_LOGS) + ".",
    url=f"{_GUIDE}/createdomain-configure-slow-logs.html",
    guards=(
        Guard(type=DOMAIN, path=_OPTIONS, weaker=((),)),
        Guard(type=DOMAIN, path=f"{_OPTIONS}[].logType", weaker=("", "NO_SUCH_LOG")),
        Guard(type=DOMAIN, path=f"{_OPTIONS}[].enabled", absent="they are published then", weaker=(False,)),
        Guard(
            type=DOMAIN,
            path=f"{_OPTIONS}[].cloudwatchLogGroupArn",
            want=Present(settled_by=frozenset({"aws:cloudwatch/logGroup:LogGroup"})),
        ),
    ),
    violating=(_domain(logPublishingOptions=[{"logType": "AUDIT_LOGS", "cloudwatchLogGroupArn": _GROUP}]),),
    compliant=(_domain(logPublishingOptions=[{"logType": kind, "cloudwatchLogGroupArn": _GROUP} for kind in _LOGS]),),
    check=_logs,
)

UPDATES: Final = Rule(
    id="opensearch-updates",
    demand="A search domain takes the service's updates by itself",
    why="Updates close holes. A domain that has not taken a required one for two months loses its network.",
    severity=Severity.LOW,
    controls=("Security Hub Opensearch.10",),
    mend="Set softwareUpdateOptions.autoSoftwareUpdateEnabled to true; it happens in the off-peak window.",
    url=f"{_GUIDE}/service-software.html",
    guards=(Guard(type=DOMAIN, path="softwareUpdateOptions.autoSoftwareUpdateEnabled", want=On()),),
    violating=(_domain(),),
    compliant=(_domain(softwareUpdateOptions={"autoSoftwareUpdateEnabled": True}),),
    level=Level.ADVISORY,
)

_FIRST: Final = dt.date(2025, 11, 7)
_SECOND: Final = dt.date(2027, 11, 7)
_SUPPORTED_UNTIL: Final[tuple[tuple[str, tuple[int, int], tuple[int, int], dt.date], ...]] = (
    ("Elasticsearch", (1, 5), (6, 7), _FIRST),
    ("Elasticsearch", (6, 8), (6, 8), _SECOND),
    ("Elasticsearch", (7, 1), (7, 8), _FIRST),
    ("Elasticsearch", (7, 9), (7, 10), _SECOND),
    ("OpenSearch", (1, 0), (1, 2), _FIRST),
    ("OpenSearch", (1, 3), (1, 3), _SECOND),
    ("OpenSearch", (2, 3), (2, 9), _FIRST),
    ("OpenSearch", (2, 11), (2, 19), _SECOND),
)
"""Engine, its first and last version, and the day on which AWS's standard support for them ends (OpenSearch Service
developer guide, "What is Amazon OpenSearch Service", read in 2026-11). For versions that are not here none is told."""


def _version(domain: Resource, settings: Settings) -> Iterator[Verdict]:
    version = look_up(domain, "engineVersion").value
    if isinstance(version, Unknown):
        yield cannot_judge(version)
        return
    match = re.fullmatch(r"(\w+)_(\d+)\.(\d+)", str(version))
    if version is None:
        return
    if match is None:
        yield Verdict("engineVersion", f"is {shown(version)}, which names no engine and version")
        return
    number = (int(match[2]), int(match[3]))
    for engine, first, last, end in _SUPPORTED_UNTIL:
        if engine == match[1] and first <= number <= last and end < settings.today:
            yield Verdict("engineVersion", f"is {version}, for which AWS's standard support ended on {end}")


VERSION: Final = Rule(
    id="opensearch-version",
    demand="A search domain's engine is one that AWS supports",
    why="After its day a version gets critical fixes only, for a price by the hour, and then none.",
    severity=Severity.MEDIUM,
    controls=("Amazon OpenSearch Service developer guide, Standard support and extended support",),
    mend="Set engineVersion to a newer one.",
    url=f"{_GUIDE}/what-is.html#choosing-version",
    guards=(
        Guard(
            type=DOMAIN,
            path="engineVersion",
            absent="a new domain gets the newest",
            weaker=("OpenSearch_1.0", "Elasticsearch_7.1", ""),
        ),
    ),
    violating=(_domain(engineVersion="OpenSearch_2.5"),),
    compliant=(_domain(engineVersion="OpenSearch_3.1"),),
    check=_version,
)

RULES: Final = (
    *(ENCRYPTION, TRANSIT, NETWORK, ZONES, MASTERS),
    *(ACCESS, USERS, LOGS, UPDATES, VERSION),
)
