"""Bedrock: guardrails."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from harness.provider.resource import RECORDED, Live, Prop, ResourceType, State, Update
from harness.provider.tags import Tagging

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.provider.calls import Aws
    from harness.provider.shapes import Request
    from harness.provider.values import Properties

_SOURCE: Final = "terraform-provider-aws bedrock/guardrail.go: RequiresReplace"
_TAGS: Final = Tagging(member="tags", keys="tagKeys", pair=("key", "value"))


class Guardrail(ResourceType):
    """`aws.bedrock.Guardrail`."""

    pulumi_type = "aws:bedrock/guardrail:Guardrail"
    service = "bedrock"
    name = "name"
    gone = frozenset({"ResourceNotFoundException"})
    exists = frozenset({"ConflictException"})
    find_first = True
    # The SDK names lists in the plural, the API does not.
    renames = MappingProxyType(
        {
            f"{name}Configs": f"{name}Config"
            for name in ("filters", "topics", "words", "managedWordLists", "piiEntities", "regexes")
        }
    )
    level = RECORDED
    sentence = "Kept as a setting: the model's stand-in applies no guardrail."
    properties = MappingProxyType(
        {
            "name": Prop(),
            "description": Prop(),
            "blockedInputMessaging": Prop(),
            "blockedOutputsMessaging": Prop(),
            "contentPolicyConfig": Prop(recorded="told back in another form; not compared"),
            "contextualGroundingPolicyConfig": Prop(recorded="told back in another form; not compared"),
            "crossRegionConfig": Prop(recorded="told back in another form; not compared"),
            "sensitiveInformationPolicyConfig": Prop(recorded="told back in another form; not compared"),
            "topicPolicyConfig": Prop(recorded="told back in another form; not compared"),
            "wordPolicyConfig": Prop(recorded="told back in another form; not compared"),
            "kmsKeyArn": Prop("kmsKeyId", replace=_SOURCE, recorded="the emulator does not keep it"),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("CreateGuardrail", inputs, **_TAGS.given(inputs))]

    def create(self, aws: Aws, inputs: Properties) -> str:
        return str(self.call(aws, "CreateGuardrail", inputs, **_TAGS.given(inputs))["guardrailId"])

    def find(self, aws: Aws, inputs: Properties) -> str | None:
        guardrails = aws.pages("ListGuardrails", "guardrails")
        return next((item["id"] for item in guardrails if item["name"] == inputs["name"]), None)

    def read(self, aws: Aws, state: State) -> Live:
        found = aws("GetGuardrail", guardrailIdentifier=state.id)
        live = self.properties_of(found, "GetGuardrail")
        arn = found["guardrailArn"]
        live["tags"] = _TAGS.read(aws, resourceARN=arn)
        computed = {
            "guardrailArn": arn,
            "guardrailId": found["guardrailId"],
            "version": "DRAFT",
            "status": found["status"],
        }
        return Live(live, computed)

    def update(self, aws: Aws, update: Update) -> None:
        if update.changed - {"tags"}:
            self.call(aws, "UpdateGuardrail", update.new, guardrailIdentifier=update.id)
        arn = update.outputs["guardrailArn"]
        _TAGS.change(aws, update, resourceARN=arn)

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteGuardrail", guardrailIdentifier=state.id)


TYPES = (Guardrail(),)
