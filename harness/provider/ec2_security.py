"""EC2: security groups; their rules are resources of their own (`vpc.py`)."""

from __future__ import annotations

import uuid
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from harness.provider.ec2 import UNTOLD, Ec2, filtered, set_tags, tagging
from harness.provider.resource import Prop, State, Update
from harness.provider.shapes import Problem, Request, from_api, members_at, operation_model
from harness.provider.tags import from_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.provider.calls import Aws
    from harness.provider.values import Properties

_SOURCE: Final = "terraform-provider-aws ec2/vpc_security_group.go: ForceNew"
_GONE: Final = frozenset({"InvalidGroup.NotFound"})
_LISTING: Final = ("DescribeSecurityGroups", "GroupIds", "SecurityGroups")
_TO_ANYWHERE: Final = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
"""The rule that EC2 gives every new group, and that the provider takes away at once."""
_DIRECTIONS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "ingress": ("IpPermissions", "RevokeSecurityGroupIngress"),
        "egress": ("IpPermissionsEgress", "RevokeSecurityGroupEgress"),
    }
)
"""Property -> where a group's rules of that direction stand, and what takes them away."""


class SecurityGroup(Ec2):
    """`aws.ec2.SecurityGroup`, without rules of its own."""

    pulumi_type = "aws:ec2/securityGroup:SecurityGroup"
    gone = _GONE
    creation = "CreateSecurityGroup"
    listing = _LISTING
    arn_type = "security-group"
    sentence = "Kept; nothing is let through or held back by it."
    properties = MappingProxyType(
        {
            "name": Prop("GroupName", replace=_SOURCE),
            "namePrefix": Prop(replace=_SOURCE, recorded="AWS tells the whole name only", local=True),
            "description": Prop(replace=_SOURCE, default="Managed by Pulumi"),
            "vpcId": Prop(replace=_SOURCE),
            "revokeRulesOnDelete": Prop(default=False, local=True, recorded=UNTOLD),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        yield self._creation(inputs)
        yield from tagging(inputs)

    def check(self, inputs: Properties) -> Iterable[Problem]:
        if inputs.get("name") is not None and inputs.get("namePrefix") is not None:
            yield Problem("namePrefix", "cannot be given beside name")

    def _creation(self, inputs: Properties) -> Request:
        drawn = f"{inputs.get('namePrefix') or 'group-'}{uuid.uuid4().hex}"
        named = {**inputs, "name": inputs.get("name") or drawn}
        described = inputs.get("description", self.properties["description"].default)
        return self.request("CreateSecurityGroup", named, Description=described)

    def same_identity(self, old: Properties, new: Properties) -> bool:
        """Only a name that was given collides."""
        return new.get("name") is not None and all(old.get(name) == new.get(name) for name in ("name", "vpcId"))

    def make(self, aws: Aws, inputs: Properties) -> str:
        made = str(aws("CreateSecurityGroup", **self._creation(inputs).params)["GroupId"])
        aws("RevokeSecurityGroupEgress", GroupId=made, IpPermissions=[_TO_ANYWHERE])
        return made

    def computed(self, aws: Aws, found: Mapping[str, Any]) -> Properties:  # noqa: ARG002 - nothing else is asked
        return {"ownerId": found["OwnerId"]}

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteSecurityGroup", GroupId=state.id)


class DefaultSecurityGroup(Ec2):
    """`aws.ec2.DefaultSecurityGroup`: a VPC's own group, taken over and closed."""

    pulumi_type = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
    identity = ("vpcId",)
    gone = _GONE
    listing = _LISTING
    arn_type = "security-group"
    sentence = "The VPC's own group is taken over and closed; nothing is let through or held back by it."
    properties = MappingProxyType(
        {"vpcId": Prop(replace=_SOURCE), "ingress": Prop(default=[]), "egress": Prop(default=[]), "tags": Prop()}
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return tagging(inputs)

    def check(self, inputs: Properties) -> Iterable[Problem]:
        if inputs.get("vpcId") is None:
            yield Problem("vpcId", "required, and not given")
        for name in _DIRECTIONS:
            if inputs.get(name):
                yield Problem(name, "must be empty: the local aws provider only closes the default group")

    def create(self, aws: Aws, inputs: Properties) -> str:
        filters = filtered(vpc_id=inputs["vpcId"], group_name="default")
        group = aws("DescribeSecurityGroups", Filters=filters)["SecurityGroups"][0]
        _close(aws, group)
        set_tags(aws, group["GroupId"], from_pairs(group.get("Tags")), inputs.get("tags") or {})
        return str(group["GroupId"])

    def told(self, aws: Aws, found: Mapping[str, Any], state: State) -> Properties:  # noqa: ARG002 - as it is told
        members = members_at(operation_model("ec2", self.listing[0]).output_shape, "SecurityGroups")
        rules = {
            name: from_api(members[member], found.get(member) or [], {}) for name, (member, _) in _DIRECTIONS.items()
        }
        return {"vpcId": found["VpcId"], **rules}

    def computed(self, aws: Aws, found: Mapping[str, Any]) -> Properties:  # noqa: ARG002 - nothing else is asked
        return {"ownerId": found["OwnerId"], "name": found["GroupName"], "description": found["Description"]}

    def modify(self, aws: Aws, update: Update) -> None:
        if (group := self.look_up(aws, update.id)) is not None:
            _close(aws, group)

    def delete(self, aws: Aws, state: State) -> None:
        """It goes with its VPC, and stays closed until then (SDK: DefaultSecurityGroup)."""


def _close(aws: Aws, group: Mapping[str, Any]) -> None:
    for member, revoke in _DIRECTIONS.values():
        if group.get(member):
            aws(revoke, GroupId=group["GroupId"], IpPermissions=group[member])


TYPES = (SecurityGroup(), DefaultSecurityGroup())
