"""CodeDeploy, which the emulator does not have: applications and deployment groups."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from harness.provider.differ import Kind
from harness.provider.recorded import Recorded, made_up
from harness.provider.resource import Prop
from harness.provider.shapes import Problem
from harness.provider.values import Properties, is_unknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.provider.calls import Aws
    from harness.provider.shapes import Request

_APPLICATION_SOURCE: Final = "terraform-provider-aws codedeploy/app.go: ForceNew"
_SENTENCE: Final = "Checked and kept in the stack's state; `harness release` takes the same steps by itself."


class Application(Recorded):
    """`aws.codedeploy.Application`."""

    pulumi_type = "aws:codedeploy/application:Application"
    service = "codedeploy"
    operation = "CreateApplication"
    name = "name"
    sentence = _SENTENCE
    properties = MappingProxyType(
        {
            "name": Prop("applicationName"),
            "computePlatform": Prop(default="Server", replace=_APPLICATION_SOURCE),
            "tags": Prop(),
        }
    )

    def identify(self, aws: Aws, inputs: Properties) -> str:  # noqa: ARG002 - made of the name
        return f"{_uuid(self.pulumi_type, inputs['name'])}:{inputs['name']}"

    def computed(self, aws: Aws, resource_id: str, inputs: Properties) -> Properties:
        return {
            "applicationId": resource_id.partition(":")[0],
            "arn": aws.arn(f"application:{inputs['name']}"),
            "githubAccountName": "",
            "linkedToGithub": False,
        }


class DeploymentGroup(Recorded):
    """`aws.codedeploy.DeploymentGroup`, for functions: what belongs to servers and containers is not known here."""

    pulumi_type = "aws:codedeploy/deploymentGroup:DeploymentGroup"
    service = "codedeploy"
    operation = "CreateDeploymentGroup"
    identity = ("appName", "deploymentGroupName")
    sentence = _SENTENCE
    properties = MappingProxyType(
        {
            "appName": Prop("applicationName"),
            "deploymentGroupName": Prop(),
            "serviceRoleArn": Prop(),
            "deploymentConfigName": Prop(default="CodeDeployDefault.OneAtATime"),
            "deploymentStyle": Prop(),
            "alarmConfiguration": Prop(local=True),
            "autoRollbackConfiguration": Prop(),
            "triggerConfigurations": Prop(kind=Kind.SET),
            "outdatedInstancesStrategy": Prop(default="UPDATE"),
            "terminationHookEnabled": Prop(default=False),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request(self.operation, inputs, alarmConfiguration=_alarms(inputs.get("alarmConfiguration")))]

    def check(self, inputs: Properties) -> Iterable[Problem]:
        """CodeDeploy user guide: at most ten alarms; calls of functions are moved blue/green, under control only."""
        alarms = (inputs.get("alarmConfiguration") or {}).get("alarms")
        if isinstance(alarms, list) and len(alarms) > 10:
            yield Problem("alarmConfiguration.alarms", f"{len(alarms)} alarms are more than 10")
        config, style = inputs.get("deploymentConfigName", ""), inputs.get("deploymentStyle") or {}
        if is_unknown(config) or not str(config).startswith("CodeDeployDefault.Lambda"):
            return
        for name, needed in (("deploymentType", "BLUE_GREEN"), ("deploymentOption", "WITH_TRAFFIC_CONTROL")):
            if style.get(name) != needed and not is_unknown(style.get(name)):
                yield Problem(f"deploymentStyle.{name}", f"must be {needed} for functions")

    def identify(self, aws: Aws, inputs: Properties) -> str:  # noqa: ARG002 - made of the names
        return _uuid(self.pulumi_type, inputs["appName"], inputs["deploymentGroupName"])

    def computed(self, aws: Aws, resource_id: str, inputs: Properties) -> Properties:
        style = inputs.get("deploymentStyle") or {}
        return {
            "arn": aws.arn(f"deploymentgroup:{inputs['appName']}/{inputs['deploymentGroupName']}"),
            "deploymentGroupId": resource_id,
            "computePlatform": "Lambda" if style.get("deploymentOption") == "WITH_TRAFFIC_CONTROL" else "Server",
        }


def _alarms(given: Any) -> Any:
    """Pulumi takes names where the API takes objects."""
    if not isinstance(given, dict) or not isinstance(given.get("alarms"), list):
        return given
    return {**given, "alarms": [{"name": name} for name in given["alarms"]]}


def _uuid(*parts: Any) -> str:
    digits = made_up(*parts)
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


TYPES = (Application(), DeploymentGroup())
