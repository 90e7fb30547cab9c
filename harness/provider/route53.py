"""Route 53: records."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from harness.provider.recorded import Recorded
from harness.provider.resource import Prop
from harness.provider.shapes import Request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.provider.calls import Aws
    from harness.provider.values import Properties

_SOURCE: Final = "terraform-provider-aws route53/record.go: ForceNew"


class Record(Recorded):
    """`aws.route53.Record`."""

    pulumi_type = "aws:route53/record:Record"
    service = "route53"
    operation = "ChangeResourceRecordSets"
    regional = False
    identity = ("zoneId", "name", "type")
    sentence = "Kept; the zone belongs to the account, and nobody resolves names on the local stack."
    renames = MappingProxyType({"zoneId": "HostedZoneId", "name": "DNSName"})
    properties = MappingProxyType(
        {
            "zoneId": Prop("HostedZoneId", replace=_SOURCE),
            "name": Prop("Name", replace=_SOURCE),
            "type": Prop("Type"),
            "aliases": Prop("AliasTarget"),
            "records": Prop(),
            "ttl": Prop("TTL"),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        path = ("ChangeBatch", "Changes", "ResourceRecordSet")
        record = self.body(inputs, self.operation, *path)
        if isinstance(inputs.get("records"), list):
            record["ResourceRecords"] = [{"Value": value} for value in inputs["records"]]
        change = {"Action": "CREATE", "ResourceRecordSet": record}
        params = {"HostedZoneId": inputs.get("zoneId"), "ChangeBatch": {"Changes": [change]}}
        return [Request(self.operation, params, self.names(self.operation, *path) | dict.fromkeys(path, ""))]

    def identify(self, aws: Aws, inputs: Properties) -> str:  # noqa: ARG002 - as in the base
        return "_".join(str(inputs[name]) for name in self.identity)

    def computed(self, aws: Aws, resource_id: str, inputs: Properties) -> Properties:  # noqa: ARG002 - as in the base
        return {"fqdn": inputs["name"]}


TYPES = (Record(),)
