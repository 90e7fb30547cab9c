"""IAM: roles, their inline policies and attachments. Enforced by the emulator when it runs with `AUTH=true`."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from harness.provider.differ import Kind, written
from harness.provider.resource import (
    RECORDED,
    Live,
    Prop,
    ResourceType,
    Singleton,
    State,
    Update,
)
from harness.provider.tags import Tagging

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.provider.calls import Aws
    from harness.provider.shapes import Request
    from harness.provider.values import Properties

_ROLE_SOURCE: Final = "terraform-provider-aws iam/role.go: ForceNew"
_POLICY_SOURCE: Final = "terraform-provider-aws iam/role_policy.go: ForceNew"
_ATTACHMENT_SOURCE: Final = "terraform-provider-aws iam/role_policy_attachment.go: ForceNew"
_LINKED_SOURCE: Final = "terraform-provider-aws iam/service_linked_role.go: ForceNew"
_GONE: Final = frozenset({"NoSuchEntity"})
_TAGS: Final = Tagging(tag="TagRole", untag="UntagRole", listing="ListRoleTags")


class Role(ResourceType):
    """`aws.iam.Role`."""

    pulumi_type = "aws:iam/role:Role"
    service = "iam"
    name = "name"
    regional = False
    gone = _GONE
    exists = frozenset({"EntityAlreadyExists"})
    sentence = "Trust and permissions are enforced when the emulator runs with AUTH=true, as `harness up` starts it."
    properties = MappingProxyType(
        {
            "name": Prop("RoleName", replace=_ROLE_SOURCE),
            "path": Prop(replace=_ROLE_SOURCE, default="/"),
            "assumeRolePolicy": Prop("AssumeRolePolicyDocument", kind=Kind.POLICY),
            "description": Prop(default=""),
            "maxSessionDuration": Prop(default=3600),
            "permissionsBoundary": Prop(),
            "forceDetachPolicies": Prop(default=False, local=True),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("CreateRole", inputs, **_TAGS.given(inputs))]

    def create(self, aws: Aws, inputs: Properties) -> str:
        self.call(aws, "CreateRole", inputs, **_TAGS.given(inputs))
        return str(inputs["name"])

    def find(self, aws: Aws, inputs: Properties) -> str | None:  # noqa: ARG002 - the name is the id
        return str(inputs["name"])

    def read(self, aws: Aws, state: State) -> Live:
        response = aws("GetRole", RoleName=state.id)
        role = response["Role"]
        live = self.properties_of(response["Role"], "GetRole", "Role")
        live["assumeRolePolicy"] = written(role["AssumeRolePolicyDocument"])
        live["permissionsBoundary"] = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        live["tags"] = _TAGS.read(aws, RoleName=state.id)
        return Live(
            live, {"arn": role["Arn"], "uniqueId": role["RoleId"], "createDate": role["CreateDate"].isoformat()}
        )

    def update(self, aws: Aws, update: Update) -> None:
        name = update.id
        if update.touches("assumeRolePolicy"):
            aws("UpdateAssumeRolePolicy", RoleName=name, PolicyDocument=update.new["assumeRolePolicy"])
        if update.touches("description"):
            aws("UpdateRoleDescription", RoleName=name, Description=update.new.get("description", ""))
        if update.touches("maxSessionDuration"):
            aws("UpdateRole", RoleName=name, MaxSessionDuration=update.new.get("maxSessionDuration", 3600))
        if update.touches("permissionsBoundary"):
            boundary = update.new.get("permissionsBoundary")
            if boundary:
                aws("PutRolePermissionsBoundary", RoleName=name, PermissionsBoundary=boundary)
            else:
                aws("DeleteRolePermissionsBoundary", RoleName=name)
        _TAGS.change(aws, update, RoleName=name)

    def delete(self, aws: Aws, state: State) -> None:
        if state.inputs.get("forceDetachPolicies"):
            for policy in aws.pages("ListAttachedRolePolicies", "AttachedPolicies", RoleName=state.id):
                aws("DetachRolePolicy", RoleName=state.id, PolicyArn=policy["PolicyArn"])
            for policy in aws.pages("ListRolePolicies", "PolicyNames", RoleName=state.id):
                aws("DeleteRolePolicy", RoleName=state.id, PolicyName=policy)
        aws("DeleteRole", RoleName=state.id)


class RolePolicy(Singleton):
    """`aws.iam.RolePolicy`."""

    pulumi_type = "aws:iam/rolePolicy:RolePolicy"
    service = "iam"
    name = "name"
    identity = ("role", "name")
    regional = False
    gone = _GONE
    sentence = "Enforced when the emulator runs with AUTH=true."
    properties = MappingProxyType(
        {
            "name": Prop("PolicyName", replace=_POLICY_SOURCE),
            "role": Prop("RoleName", replace=_POLICY_SOURCE),
            "policy": Prop("PolicyDocument", kind=Kind.POLICY),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("PutRolePolicy", inputs)]

    def put(self, aws: Aws, inputs: Properties) -> str:
        self.call(aws, "PutRolePolicy", inputs)
        return f"{inputs['role']}:{inputs['name']}"

    def read(self, aws: Aws, state: State) -> Live:
        role, _, name = state.id.partition(":")
        found = aws("GetRolePolicy", RoleName=role, PolicyName=name)
        return Live({"role": role, "name": name, "policy": written(found["PolicyDocument"])})

    def delete(self, aws: Aws, state: State) -> None:
        role, _, name = state.id.partition(":")
        aws("DeleteRolePolicy", RoleName=role, PolicyName=name)


class RolePolicyAttachment(Singleton):
    """`aws.iam.RolePolicyAttachment`."""

    pulumi_type = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    service = "iam"
    identity = ("role", "policyArn")
    regional = False
    gone = _GONE
    sentence = "Attached for real; the emulator knows the AWS-managed policies by name."
    properties = MappingProxyType(
        {
            "role": Prop("RoleName", replace=_ATTACHMENT_SOURCE),
            "policyArn": Prop(replace=_ATTACHMENT_SOURCE),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("AttachRolePolicy", inputs)]

    def put(self, aws: Aws, inputs: Properties) -> str:
        self.call(aws, "AttachRolePolicy", inputs)
        return f"{inputs['role']}/{inputs['policyArn']}"

    def read(self, aws: Aws, state: State) -> Live | None:
        role, _, policy = state.id.partition("/")
        attached = aws.pages("ListAttachedRolePolicies", "AttachedPolicies", RoleName=role)
        if any(item["PolicyArn"] == policy for item in attached):
            return Live({"role": role, "policyArn": policy})
        return None

    def delete(self, aws: Aws, state: State) -> None:
        role, _, policy = state.id.partition("/")
        aws("DetachRolePolicy", RoleName=role, PolicyArn=policy)


class ServiceLinkedRole(ResourceType):
    """`aws.iam.ServiceLinkedRole`."""

    pulumi_type = "aws:iam/serviceLinkedRole:ServiceLinkedRole"
    service = "iam"
    identity = ("awsServiceName", "customSuffix")
    regional = False
    gone = _GONE
    # AWS says InvalidInput ("has been taken in this account"), the emulator what it says of any role.
    exists = frozenset({"EntityAlreadyExists", "InvalidInput"})
    level = RECORDED
    sentence = "Made; no service of the emulator asks for it."
    properties = MappingProxyType(
        {
            "awsServiceName": Prop("AWSServiceName", replace=_LINKED_SOURCE),
            "customSuffix": Prop(replace=_LINKED_SOURCE),
            "description": Prop(default=""),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("CreateServiceLinkedRole", inputs)]

    def create(self, aws: Aws, inputs: Properties) -> str:
        arn = str(self.call(aws, "CreateServiceLinkedRole", inputs)["Role"]["Arn"])
        # The emulator writes a description of its own; its creation takes no tags, as AWS's.
        aws("UpdateRoleDescription", RoleName=_name(arn), Description=inputs.get("description", ""))
        if inputs.get("tags"):
            aws("TagRole", RoleName=_name(arn), **_TAGS.given(inputs))
        return arn

    def find(self, aws: Aws, inputs: Properties) -> str | None:
        path = f"/aws-service-role/{inputs['awsServiceName']}/"
        suffix = f"_{inputs['customSuffix']}" if inputs.get("customSuffix") else ""
        roles = [role for role in aws.pages("ListRoles", "Roles", PathPrefix=path) if role["Path"] == path]
        return next((str(role["Arn"]) for role in roles if role["RoleName"].endswith(suffix)), None)

    def read(self, aws: Aws, state: State) -> Live:
        role = aws("GetRole", RoleName=_name(state.id))["Role"]
        live = {
            "awsServiceName": state.id.split("/")[-2],
            "customSuffix": _name(state.id).partition("_")[2] or None,
            "description": role.get("Description", ""),
            "tags": _TAGS.read(aws, RoleName=_name(state.id)),
        }
        computed = {
            "arn": role["Arn"],
            "name": role["RoleName"],
            "path": role["Path"],
            "uniqueId": role["RoleId"],
            "createDate": role["CreateDate"].isoformat(),
        }
        return Live(live, computed)

    def update(self, aws: Aws, update: Update) -> None:
        if update.touches("description"):
            described = update.new.get("description", "")
            aws("UpdateRoleDescription", RoleName=_name(update.id), Description=described)
        _TAGS.change(aws, update, RoleName=_name(update.id))

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteServiceLinkedRole", RoleName=_name(state.id))


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]


TYPES = (Role(), RolePolicy(), RolePolicyAttachment(), ServiceLinkedRole())
