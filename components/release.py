"""Gradual releases: what CodeDeploy needs to move a function's calls to a new version, and when it moves them back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pulumi
import pulumi_aws as aws

from components import iam
from components.names import ALIAS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.functions import Function
    from components.names import Names

CONFIGURATION: Final = "CodeDeployDefault.LambdaCanary10Percent5Minutes"
"""A tenth of the calls for five minutes, then all of them. CodeDeploy's own: one of the program's would collide with
itself when it is replaced (facts/aws.md row 45)."""
SERVER_ERRORS_METRIC: Final = "ServerErrors"
"""Answers of 5xx, by version: ``<function>:<version>`` (``support.http``)."""
_PERIOD: Final = 60


@dataclass(frozen=True, kw_only=True)
class ReleasesArgs:
    names: Names
    functions: Sequence[Function]
    """Those that follow the deployment are left out."""
    answering: frozenset[str]
    """Keys of those that answer API calls."""
    topic_arn: pulumi.Input[str]
    """Hears of the alarms as well."""


class Releases(pulumi.ComponentResource):
    """CodeDeploy's part of a release; ``harness release`` starts it when the deployment has published a version.

    Default settings:
        - steps: a tenth of the calls goes to the new version, after five minutes all do
        - alarms: one unhandled error of the new version in a minute (exceptions, time-outs, no memory, a failed start);
          for functions that answer API calls also five answers of 5xx in a minute
        - roll-back: by itself, when an alarm rings or the deployment fails
        - role: the aliases of these functions and the state of the account's alarms, nothing else
    """

    def __init__(self, resource_name: str, args: ReleasesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:release:Releases", resource_name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self._args = args
        functions = [function for function in args.functions if function.gradual]
        self.application = aws.codedeploy.Application(
            resource_name,
            name=args.names.physical("deployment application", "functions"),
            compute_platform="Lambda",
            opts=child,
        )
        self.role = aws.iam.Role(
            resource_name,
            name=args.names.role("releases"),
            assume_role_policy=iam.trust(
                "codedeploy.amazonaws.com", {"StringEquals": {"aws:SourceAccount": args.names.account_id}}
            ),
            opts=child,
        )
        self.policies = iam.attach(resource_name, self.role, [_shift_calls(args.names, functions)], child)
        self.alarms = {function.key: self._alarms(function) for function in functions}
        self.groups = {function.key: self._group(function) for function in functions}
        self.register_outputs({})

    @property
    def described(self) -> dict[str, object]:
        """For ``harness release``: which group of which application releases which function."""
        return {
            "application": self.application.name,
            "configuration": CONFIGURATION,
            "groups": {
                key: {
                    "group": group.deployment_group_name,
                    "alarms": [alarm.name for alarm in self.alarms[key]],
                }
                for key, group in self.groups.items()
            },
        }

    def _alarms(self, function: Function) -> tuple[aws.cloudwatch.MetricAlarm, ...]:
        crashes = self._crashes(function)
        return (crashes, self._server_errors(function)) if function.key in self._args.answering else (crashes,)

    def _group(self, function: Function) -> aws.codedeploy.DeploymentGroup:
        return aws.codedeploy.DeploymentGroup(
            function.key,
            app_name=self.application.name,
            deployment_group_name=self._args.names.physical("deployment group", function.key),
            service_role_arn=self.role.arn,
            deployment_config_name=CONFIGURATION,
            # What CodeDeploy takes for Lambda, and nothing else (API reference, DeploymentStyle).
            deployment_style={"deployment_type": "BLUE_GREEN", "deployment_option": "WITH_TRAFFIC_CONTROL"},
            alarm_configuration={"enabled": True, "alarms": [alarm.name for alarm in self.alarms[function.key]]},
            auto_rollback_configuration={
                "enabled": True,
                "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"],
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*self.policies, function.alias]),
        )

    def _crashes(self, function: Function) -> aws.cloudwatch.MetricAlarm:
        return self._alarm(
            f"{function.key}-crashes",
            "ends in errors that nobody handles",
            namespace="AWS/Lambda",
            metric_name="Errors",
            dimensions={
                "FunctionName": function.name,
                "Resource": f"{function.name}:{ALIAS}",
                # Of the alias's calls those alone that went to this version (Lambda developer guide, metrics).
                "ExecutedVersion": function.function.version,
            },
            threshold=1,
        )

    def _server_errors(self, function: Function) -> aws.cloudwatch.MetricAlarm:
        return self._alarm(
            f"{function.key}-server-errors",
            "answers with 5xx",
            namespace=self._args.names.metrics_namespace,
            metric_name=SERVER_ERRORS_METRIC,
            dimensions={"Version": pulumi.Output.concat(function.name, ":", function.function.version)},
            # A single one may be a dependency's.
            threshold=5,
        )

    def _alarm(
        self,
        thing: str,
        symptom: str,
        *,
        namespace: str,
        metric_name: str,
        dimensions: Mapping[str, pulumi.Input[str]],
        threshold: int,
    ) -> aws.cloudwatch.MetricAlarm:
        return aws.cloudwatch.MetricAlarm(
            thing,
            name=self._args.names.physical("alarm", thing),
            alarm_description=f"The newest version {symptom}. A release of it is rolled back by itself.",
            namespace=namespace,
            metric_name=metric_name,
            dimensions=dimensions,
            statistic="Sum",
            period=_PERIOD,
            evaluation_periods=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=threshold,
            treat_missing_data="notBreaching",
            alarm_actions=[self._args.topic_arn],
            opts=pulumi.ResourceOptions(parent=self),
        )


def _shift_calls(names: Names, functions: Sequence[Function]) -> iam.Grant:
    """What AWS's AWSCodeDeployRoleForLambdaLimited allows, on these functions only, less what no release here uses."""
    arns = [names.arn("lambda", f"function:{function.name}") for function in functions]
    return iam.Grant(
        (
            iam.Statement(
                sid="ShiftCalls",
                actions=("lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetProvisionedConcurrencyConfig"),
                resources=tuple(resource for arn in arns for resource in (arn, f"{arn}:{ALIAS}")),
            ),
            iam.Statement(
                sid="HearAlarms",
                actions=("cloudwatch:DescribeAlarms",),
                resources=("*",),
            ),
        )
    )
