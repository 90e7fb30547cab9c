"""Calls moved by CodeDeploy."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from components.names import ALIAS
from harness import interrupts
from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.release import Shift, Tell

UNDER_WAY: Final = ("Created", "Queued", "InProgress", "Baking", "Ready")
"""States of a deployment that has not ended (CodeDeploy API reference, DeploymentInfo)."""
POLL_SECONDS: Final = 5.0


class CodeDeploy:
    """Has CodeDeploy move the calls; a release that is under way already is joined, not begun again."""

    name = "CodeDeploy"

    def __init__(self, codedeploy: Any, application: str, *, poll: float = POLL_SECONDS) -> None:
        self._codedeploy = codedeploy
        self._application = application
        self._poll = poll

    def shift(self, shift: Shift, tell: Tell) -> str | None:
        deployment = self._under_way(shift) or self._start(shift)
        ended = self._wait(deployment, tell)
        if ended["status"] == "Succeeded":
            return None
        rollback = ended.get("rollbackInfo", {})
        if rollback.get("rollbackDeploymentId"):
            self._wait(rollback["rollbackDeploymentId"], lambda _: tell("moving the calls back"))
        error = ended.get("errorInformation", {})
        why = error.get("message") or rollback.get("rollbackMessage") or f"the deployment ended {ended['status']}"
        code = f"{error['code']}: " if error.get("code") else ""
        return f"{code}{why} ({deployment})"

    def _start(self, shift: Shift) -> str:
        content = specification(shift)
        revision = {"content": content, "sha256": _digest(content)}
        started = self._codedeploy.create_deployment(
            applicationName=self._application,
            deploymentGroupName=shift.group.group,
            revision={"revisionType": "AppSpecContent", "appSpecContent": revision},
            description=f"{shift.key}: version {shift.before} to {shift.after}",
        )
        return str(started["deploymentId"])

    def _under_way(self, shift: Shift) -> str | None:
        """The deployment of the same version that an interrupted command left.

        Raises:
            HarnessError: one of another version is under way.
        """
        found = self._codedeploy.list_deployments(
            applicationName=self._application,
            deploymentGroupName=shift.group.group,
            includeOnlyStatuses=list(UNDER_WAY),
        )
        for deployment in found["deployments"]:
            info = self._codedeploy.get_deployment(deploymentId=deployment)["deploymentInfo"]
            if info["status"] not in UNDER_WAY:
                continue  # it has ended in between
            if not _moves(info, specification(shift)):
                raise HarnessError(
                    f"{shift.key}: another release is under way, {deployment}.",
                    "Wait for its end (or stop it: aws deploy stop-deployment), then run the command again.",
                )
            return str(deployment)
        return None

    def _wait(self, deployment: str, tell: Tell) -> dict[str, Any]:
        while True:
            info: dict[str, Any] = self._codedeploy.get_deployment(deploymentId=deployment)["deploymentInfo"]
            if info["status"] not in UNDER_WAY:
                return info
            tell(f"{deployment}: {info['status']}")
            interrupts.sleep(self._poll)


def specification(shift: Shift) -> str:
    """What to move, as CodeDeploy reads it (user guide, "AppSpec File structure for AWS Lambda deployments")."""
    properties = {
        "Name": shift.function,
        "Alias": ALIAS,
        "CurrentVersion": shift.before,
        "TargetVersion": shift.after,
    }
    resource = {"Type": "AWS::Lambda::Function", "Properties": properties}
    return json.dumps({"version": 0.0, "Resources": [{shift.key: resource}]}, sort_keys=True)


def _moves(info: Mapping[str, Any], content: str) -> bool:
    """Whether a deployment was started with this specification."""
    revision = info.get("revision", {}).get("appSpecContent", {})
    return bool(revision.get("content") == content or revision.get("sha256") == _digest(content))


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()
