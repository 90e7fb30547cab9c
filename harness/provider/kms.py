"""KMS: keys and aliases."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from harness.provider.calls import Aws, AwsError
from harness.provider.differ import Kind
from harness.provider.resource import Live, Prop, ResourceType, State, Update
from harness.provider.tags import Tagging

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.provider.shapes import Request
    from harness.provider.values import Properties

_KEY_SOURCE: Final = "terraform-provider-aws kms/key.go: ForceNew"
_ALIAS_SOURCE: Final = "terraform-provider-aws kms/alias.go: ForceNew"
_GONE: Final = frozenset({"NotFoundException"})
_TAGS: Final = Tagging(listing="ListResourceTags", pair=("TagKey", "TagValue"))


class Key(ResourceType):
    """`aws.kms.Key`."""

    pulumi_type = "aws:kms/key:Key"
    service = "kms"
    gone = _GONE
    sentence = "Encrypts, signs and makes MACs for real; key policies are kept, and enforced with AUTH=true."
    properties = MappingProxyType(
        {
            "description": Prop(default=""),
            "policy": Prop(kind=Kind.POLICY),
            "keyUsage": Prop(replace=_KEY_SOURCE, default="ENCRYPT_DECRYPT"),
            "customerMasterKeySpec": Prop("KeySpec", replace=_KEY_SOURCE, default="SYMMETRIC_DEFAULT"),
            "multiRegion": Prop(replace=_KEY_SOURCE, default=False),
            "bypassPolicyLockoutSafetyCheck": Prop(
                default=False, recorded="a switch of the call; AWS does not keep it"
            ),
            "isEnabled": Prop(default=True, local=True),
            "enableKeyRotation": Prop(default=False, local=True),
            "rotationPeriodInDays": Prop(limits=(90, 2560), local=True),
            "deletionWindowInDays": Prop(limits=(7, 30), local=True),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("CreateKey", inputs, **_TAGS.given(inputs))]

    def create(self, aws: Aws, inputs: Properties) -> str:
        key_id = str(self.call(aws, "CreateKey", inputs, **_TAGS.given(inputs))["KeyMetadata"]["KeyId"])
        try:
            self._rotate(aws, key_id, inputs)
            if inputs.get("isEnabled") is False:
                aws("DisableKey", KeyId=key_id)
        except AwsError:
            # AWS made the id: without it in the state, the key could not be found again.
            aws("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
            raise
        return key_id

    @staticmethod
    def _rotate(aws: Aws, key_id: str, inputs: Properties) -> None:
        if inputs.get("enableKeyRotation"):
            aws("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=inputs.get("rotationPeriodInDays"))

    def read(self, aws: Aws, state: State) -> Live | None:
        response = aws("DescribeKey", KeyId=state.id)
        key = response["KeyMetadata"]
        if key["KeyState"] in {"PendingDeletion", "PendingReplicaDeletion"}:
            return None
        live = self.properties_of(response["KeyMetadata"], "DescribeKey", "KeyMetadata")
        live["isEnabled"] = key["Enabled"]
        live["policy"] = aws("GetKeyPolicy", KeyId=state.id, PolicyName="default")["Policy"]
        if key.get("KeySpec") == "SYMMETRIC_DEFAULT" and key.get("Origin") == "AWS_KMS":
            rotation = aws("GetKeyRotationStatus", KeyId=state.id)
            live["enableKeyRotation"] = rotation["KeyRotationEnabled"]
            live["rotationPeriodInDays"] = (
                rotation.get("RotationPeriodInDays") if rotation["KeyRotationEnabled"] else None
            )
        live["tags"] = _TAGS.read(aws, KeyId=state.id)
        return Live(live, {"arn": key["Arn"], "keyId": key["KeyId"]})

    def update(self, aws: Aws, update: Update) -> None:
        key_id, new = update.id, update.new
        if update.touches("isEnabled") and new.get("isEnabled", True):
            aws("EnableKey", KeyId=key_id)  # first: a disabled key cannot be changed
        if update.touches("policy") and new.get("policy"):
            bypass = new.get("bypassPolicyLockoutSafetyCheck")
            aws(
                "PutKeyPolicy",
                KeyId=key_id,
                PolicyName="default",
                Policy=new["policy"],
                BypassPolicyLockoutSafetyCheck=bypass,
            )
        if update.touches("description"):
            aws("UpdateKeyDescription", KeyId=key_id, Description=new.get("description", ""))
        if update.touches("enableKeyRotation", "rotationPeriodInDays"):
            if new.get("enableKeyRotation"):
                self._rotate(aws, key_id, new)
            else:
                aws("DisableKeyRotation", KeyId=key_id)
        _TAGS.change(aws, update, KeyId=key_id)
        if update.touches("isEnabled") and not new.get("isEnabled", True):
            aws("DisableKey", KeyId=key_id)

    def delete(self, aws: Aws, state: State) -> None:
        try:
            aws("ScheduleKeyDeletion", KeyId=state.id, PendingWindowInDays=state.inputs.get("deletionWindowInDays"))
        except AwsError as error:
            if error.code != "KMSInvalidStateException":  # it is being deleted already
                raise


class Alias(ResourceType):
    """`aws.kms.Alias`."""

    pulumi_type = "aws:kms/alias:Alias"
    service = "kms"
    name = "name"
    gone = _GONE
    exists = frozenset({"AlreadyExistsException"})
    sentence = "Works as on AWS."
    properties = MappingProxyType(
        {
            "name": Prop("AliasName", replace=_ALIAS_SOURCE),
            "targetKeyId": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("CreateAlias", inputs)]

    def create(self, aws: Aws, inputs: Properties) -> str:
        self.call(aws, "CreateAlias", inputs)
        return str(inputs["name"])

    def find(self, aws: Aws, inputs: Properties) -> str | None:  # noqa: ARG002 - the name is the id
        return str(inputs["name"])

    def read(self, aws: Aws, state: State) -> Live | None:
        found = next((item for item in aws.pages("ListAliases", "Aliases") if item["AliasName"] == state.id), None)
        if found is None:
            return None
        key_id = found["TargetKeyId"]
        target = state.inputs.get("targetKeyId", "")
        # The program may name the key by its id or by its ARN.
        shown = target if str(target).rpartition("/")[2] == key_id else key_id
        computed = {"arn": found["AliasArn"], "targetKeyArn": aws.arn(f"key/{key_id}")}
        return Live({"name": state.id, "targetKeyId": shown}, computed)

    def update(self, aws: Aws, update: Update) -> None:
        aws("UpdateAlias", AliasName=update.id, TargetKeyId=update.new["targetKeyId"])

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteAlias", AliasName=state.id)


TYPES = (Key(), Alias())
