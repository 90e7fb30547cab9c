"""Application Auto Scaling: targets and policies, which the emulator does not have."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from harness.provider.recorded import Recorded, made_up
from harness.provider.resource import Prop
from harness.provider.shapes import Problem
from harness.provider.values import Properties, is_unknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.provider.calls import Aws

_TARGET_SOURCE: Final = "terraform-provider-aws appautoscaling/target.go: ForceNew"
_POLICY_SOURCE: Final = "terraform-provider-aws appautoscaling/policy.go: ForceNew"
_SENTENCE: Final = "Checked and kept in the stack's state; nothing is scaled."


class Target(Recorded):
    """`aws.appautoscaling.Target`."""

    pulumi_type = "aws:appautoscaling/target:Target"
    service = "application-autoscaling"
    operation = "RegisterScalableTarget"
    identity = ("serviceNamespace", "resourceId", "scalableDimension")
    sentence = _SENTENCE
    properties = MappingProxyType(
        {
            "serviceNamespace": Prop(replace=_TARGET_SOURCE),
            "resourceId": Prop(replace=_TARGET_SOURCE),
            "scalableDimension": Prop(replace=_TARGET_SOURCE),
            "minCapacity": Prop(),
            "maxCapacity": Prop(),
            "roleArn": Prop(),
            "suspendedState": Prop(),
            "tags": Prop(),
        }
    )

    def check(self, inputs: Properties) -> Iterable[Problem]:
        """API reference, RegisterScalableTarget: the least is not more than the most."""
        least, most = inputs.get("minCapacity"), inputs.get("maxCapacity")
        if isinstance(least, int) and isinstance(most, int) and least > most:
            yield Problem("minCapacity", f"{least} is more than maxCapacity, {most}")

    def identify(self, aws: Aws, inputs: Properties) -> str:  # noqa: ARG002 - the resource's id is the target's
        return str(inputs["resourceId"])

    def computed(self, aws: Aws, resource_id: str, inputs: Properties) -> Properties:
        token = made_up(inputs["serviceNamespace"], resource_id, inputs["scalableDimension"], length=36)
        outputs: Properties = {"arn": aws.arn(f"scalable-target/{token}")}
        if inputs.get("roleArn") is None:
            name = "AWSServiceRoleForApplicationAutoScaling_LambdaConcurrency"
            path = "aws-service-role/lambda.application-autoscaling.amazonaws.com"
            outputs["roleArn"] = aws.arn(f"role/{path}/{name}", "iam", region=False)
        return outputs


class Policy(Recorded):
    """`aws.appautoscaling.Policy`."""

    pulumi_type = "aws:appautoscaling/policy:Policy"
    service = "application-autoscaling"
    operation = "PutScalingPolicy"
    name = "name"
    identity = ("serviceNamespace", "resourceId", "scalableDimension", "name")
    sentence = _SENTENCE
    properties = MappingProxyType(
        {
            "name": Prop("PolicyName", replace=_POLICY_SOURCE),
            "serviceNamespace": Prop(replace=_POLICY_SOURCE),
            "resourceId": Prop(replace=_POLICY_SOURCE),
            "scalableDimension": Prop(replace=_POLICY_SOURCE),
            "policyType": Prop(default="StepScaling"),
            "stepScalingPolicyConfiguration": Prop(),
            "targetTrackingScalingPolicyConfiguration": Prop(),
        }
    )
    renames = MappingProxyType({"stepAdjustments": "StepAdjustments"})

    def check(self, inputs: Properties) -> Iterable[Problem]:
        """Lambda developer guide, provisioned concurrency: target tracking only (facts/aws.md row 37)."""
        kind = inputs.get("policyType", "StepScaling")
        if is_unknown(kind):
            return
        if inputs.get("serviceNamespace") == "lambda" and kind != "TargetTrackingScaling":
            yield Problem("policyType", f"{kind!r} is not what Lambda scales by: TargetTrackingScaling")
        if kind == "TargetTrackingScaling" and inputs.get("targetTrackingScalingPolicyConfiguration") is None:
            yield Problem("targetTrackingScalingPolicyConfiguration", f"required for {kind}")

    def computed(self, aws: Aws, resource_id: str, inputs: Properties) -> Properties:
        place = f"resource/{inputs['serviceNamespace']}/{inputs['resourceId']}"
        token = made_up(place, inputs["scalableDimension"], resource_id, length=36)
        arn = aws.arn(f"scalingPolicy:{token}:{place}:policyName/{resource_id}", "autoscaling")
        return {"arn": arn, "alarmArns": []}


TYPES = (Target(), Policy())
