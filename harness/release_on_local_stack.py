"""Calls moved by the harness, where there is no CodeDeploy: in its steps, and under the same alarms."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from components.names import ALIAS
from harness import interrupts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.release import Shift, Steps, Tell

SECONDS: Final = 20.0
"""How long the first step takes, by default; on AWS it is minutes."""


class LocalSteps:
    """Takes CodeDeploy's steps by itself: a share of the calls, a wait in which no alarm may ring, then all of them."""

    name = "harness"

    def __init__(
        self, lambda_: Any, cloudwatch: Any, steps: Steps, *, seconds: float = SECONDS, poll: float = 0.5
    ) -> None:
        self._lambda = lambda_
        self._cloudwatch = cloudwatch
        self._steps = steps
        self._seconds = seconds
        self._poll = poll

    def shift(self, shift: Shift, tell: Tell) -> str | None:
        why = self._ringing(shift.group.alarms)
        if why is not None:
            return why
        share = self._steps.share
        try:
            self._move(shift.function, shift.before, {shift.after: share})
            tell(f"{share:.0%} of the calls")
            why = self._watch(shift.group.alarms)
        except BaseException:
            self._move(shift.function, shift.before, {})
            raise
        self._move(shift.function, shift.after if why is None else shift.before, {})
        return why

    def _watch(self, alarms: Sequence[str]) -> str | None:
        end = time.monotonic() + self._seconds
        while time.monotonic() < end:
            why = self._ringing(alarms)
            if why is not None:
                return why
            interrupts.sleep(self._poll)
        return self._ringing(alarms)

    def _ringing(self, alarms: Sequence[str]) -> str | None:
        """What rings; an alarm that is not there counts as ringing, as CodeDeploy has it when it cannot ask."""
        found = self._cloudwatch.describe_alarms(AlarmNames=list(alarms))["MetricAlarms"]
        states = {alarm["AlarmName"]: alarm["StateValue"] for alarm in found}
        ringing = sorted(name for name in alarms if states.get(name, "ALARM") == "ALARM")
        return f"ALARM_ACTIVE: {', '.join(ringing)}" if ringing else None

    def _move(self, function: str, version: str, weights: Mapping[str, float]) -> None:
        self._lambda.update_alias(
            FunctionName=function,
            Name=ALIAS,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": dict(weights)},
        )
