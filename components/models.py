"""The language models on Amazon Bedrock, and the guardrail on what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pulumi
import pulumi_aws as aws

from components import iam

if TYPE_CHECKING:
    from components.names import Names
    from components.settings import Models

EMBEDDING_MODEL_ID: Final = "amazon.titan-embed-text-v2:0"
"""Another model means another request format (``support.embedding``) and a new index."""
GUARDRAIL_VERSION: Final = "DRAFT"
"""The guardrail as the program has it now."""


@dataclass(frozen=True, kw_only=True)
class LanguageModelsArgs:
    names: Names
    settings: Models


class LanguageModels(pulumi.ComponentResource):
    """What may be asked of which model.

    Default settings:
        - guardrail, by setting: no instructions for work on live or opened equipment, no attacks through the prompt,
          no harmful content in answers; symptoms may speak of fire and smoke
    """

    def __init__(
        self, resource_name: str, args: LanguageModelsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("support:models:LanguageModels", resource_name, None, opts)
        self._names, self._settings = args.names, args.settings
        self.generation_model_id = args.settings.generation_model_id
        self.guardrail = _guardrail(resource_name, args.names, self) if args.settings.guardrail else None
        self.guardrail_id: pulumi.Input[str] = self.guardrail.guardrail_id if self.guardrail else ""
        self.guardrail_version = GUARDRAIL_VERSION if self.guardrail else ""
        self.register_outputs({})

    def embed(self) -> iam.Grant:
        """Make vectors of texts."""
        model = self._names.foundation_model_arn(EMBEDDING_MODEL_ID)
        return iam.Grant((_invoke("Embed", "InvokeModel", (model,)),))

    def generate(self) -> iam.Grant:
        """Write answers, under the guardrail; the action of Converse."""
        return self._write("Generate", "InvokeModel")

    def stream(self) -> iam.Grant:
        """Write answers that are read as they are written, under the guardrail; the action of ConverseStream."""
        return self._write("Stream", "InvokeModelWithResponseStream")

    def _write(self, verb: str, action: str) -> iam.Grant:
        """An answer of the generation model.

        An inference profile needs its own ARN and the model's in every region it may route to (facts/aws.md row 69);
        the model is allowed through the profile only.
        """
        names, settings = self._names, self._settings
        if settings.profile:
            profile = names.inference_profile_arn(settings.generation_model_id)
            models = tuple(
                names.foundation_model_arn(settings.foundation_model_id, region)
                for region in settings.generation_regions
            )
            through = {"StringEquals": {"bedrock:InferenceProfileArn": profile}}
            statements = [
                _invoke(verb, action, (profile,)),
                _invoke(f"{verb}ThroughProfile", action, models, through),
            ]
        else:
            statements = [_invoke(verb, action, (names.foundation_model_arn(settings.foundation_model_id),))]
        if self.guardrail is None:
            return iam.Grant(tuple(statements))
        guard = iam.Statement(
            sid="Guard", actions=("bedrock:ApplyGuardrail",), resources=(self.guardrail.guardrail_arn,)
        )
        return iam.Grant((*statements, guard), (self.guardrail,))


def _invoke(sid: str, action: str, models: tuple[str, ...], conditions: iam.Conditions | None = None) -> iam.Statement:
    return iam.Statement(sid=sid, actions=(f"bedrock:{action}",), resources=models, conditions=conditions or {})


def _guardrail(resource_name: str, names: Names, parent: pulumi.Resource) -> aws.bedrock.Guardrail:
    # Only what is answered is judged for its content: a symptom may well speak of fire.
    filters: list[aws.bedrock.GuardrailContentPolicyConfigFiltersConfigArgsDict] = [
        {"type": kind, "input_strength": "NONE", "output_strength": "HIGH"}
        for kind in ("HATE", "INSULTS", "MISCONDUCT", "SEXUAL", "VIOLENCE")
    ]
    attacks: aws.bedrock.GuardrailContentPolicyConfigFiltersConfigArgsDict = {
        "type": "PROMPT_ATTACK",
        "input_strength": "HIGH",
        "output_strength": "NONE",
    }
    live_parts: aws.bedrock.GuardrailTopicPolicyConfigTopicsConfigArgsDict = {
        "name": "work-on-live-parts",
        "type": "DENY",
        "definition": "Instructions that have a customer open a housing, touch or measure live parts, bypass a "
        "protective device, or work on the cells of a battery.",
        "examples": [
            "Remove the cover and measure the voltage between the terminals.",
            "Bridge the residual-current device so that charging can continue.",
        ],
    }
    return aws.bedrock.Guardrail(
        resource_name,
        name=names.physical("guardrail", "answers"),
        description="What answers to customers may not say",
        blocked_input_messaging="This request cannot be answered.",
        blocked_outputs_messaging="The answer was withheld for safety.",
        content_policy_config={"filters_configs": [*filters, attacks]},
        topic_policy_config={"topics_configs": [live_parts]},
        opts=pulumi.ResourceOptions(parent=parent),
    )
