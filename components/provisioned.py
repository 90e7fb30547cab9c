"""Execution environments kept warm for a function's alias, as many as its load asks for (spec section 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pulumi
import pulumi_aws as aws

from components.names import ALIAS

if TYPE_CHECKING:
    from components.names import Names
    from components.settings import Provisioned

UTILISATION: Final = 0.70
"""Share of the environments in use that scaling aims at."""
NAMESPACE: Final = "lambda"
DIMENSION: Final = "lambda:function:ProvisionedConcurrency"


@dataclass(frozen=True, kw_only=True)
class ProvisionedConcurrencyArgs:
    names: Names
    key: str
    """The function's key."""
    alias: aws.lambda_.Alias
    """Its alias ``live``: there is no provisioned concurrency on ``$LATEST`` (facts/aws.md row 37)."""
    provisioned: Provisioned


class ProvisionedConcurrency(pulumi.ComponentResource):
    """A number of warm environments that follows the load.

    Default settings:
        - number: the least one when it is made; from then on scaling's to choose, so the program leaves it alone
          (facts/aws.md row 36), and never changes it together with the alias's version (row 35)
        - scaling: target tracking of the alias's utilisation at 0.70, between the least and the most
          (Lambda developer guide, "Configuring provisioned concurrency")
    """

    def __init__(
        self, resource_name: str, args: ProvisionedConcurrencyArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("support:provisioned:ProvisionedConcurrency", resource_name, None, opts)
        self.config = aws.lambda_.ProvisionedConcurrencyConfig(
            resource_name,
            function_name=args.alias.function_name,
            qualifier=args.alias.name,
            provisioned_concurrent_executions=args.provisioned.least,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["provisionedConcurrentExecutions"]),
        )
        self.target = aws.appautoscaling.Target(
            resource_name,
            service_namespace=NAMESPACE,
            scalable_dimension=DIMENSION,
            resource_id=f"function:{args.names.function(args.key)}:{ALIAS}",
            min_capacity=args.provisioned.least,
            max_capacity=args.provisioned.most,
            # Scaling starts to move the number at once: the first one must be there (row 36).
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.config]),
        )
        self.policy = aws.appautoscaling.Policy(
            resource_name,
            name=args.names.physical("scaling policy", args.key),
            # The provider's own default, StepScaling, is refused for Lambda (row 37).
            policy_type="TargetTrackingScaling",
            service_namespace=self.target.service_namespace,
            scalable_dimension=self.target.scalable_dimension,
            resource_id=self.target.resource_id,
            target_tracking_scaling_policy_configuration={
                "target_value": UTILISATION,
                "predefined_metric_specification": {
                    "predefined_metric_type": "LambdaProvisionedConcurrencyUtilization"
                },
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
