"""A gradual release on a whole stack of its own: calls move, an alarm moves them back, and previews stay quiet."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

if TYPE_CHECKING:
    from tests.harness.conftest import CommandLine

# Where no CLI is to be found it is built, once on a machine, which takes minutes.
pytestmark = pytest.mark.timeout(900)
FUNCTION = "support-local-get_ticket"


def client(stack: CommandLine, service: str) -> Any:
    services = json.loads(stack("status", "--json").out)["services"]
    url = next(each["url"] for each in services if each["name"] == "emulator")
    return boto3.client(  # type: ignore[call-overload]  # any name
        service, endpoint_url=url, region_name="eu-central-1", aws_access_key_id="test", aws_secret_access_key="test"
    )


def alias(stack: CommandLine) -> tuple[str, object]:
    found = client(stack, "lambda").get_alias(FunctionName=FUNCTION, Name="live")
    return found["FunctionVersion"], found.get("RoutingConfig")


def released(stack: CommandLine, *, seconds: int) -> tuple[int, list[tuple[str, ...]]]:
    """The command's exit code, and what became of each function that was not current."""
    done = stack("release", "--seconds", str(seconds), "--json")
    found = json.loads(done.out)["functions"]
    parts = ("function", "before", "after", "result", "why")
    return done.code, [tuple(each[part] for part in parts) for each in found if each["result"] != "current"]


def changes(stack: CommandLine) -> int:
    found: int = json.loads(stack("preview", "--json").out)["changes"]
    return found


@pytest.mark.spec("latency.roll-back", "latency.no-drift")
def test_a_new_version_takes_over_by_a_release_alone_and_an_alarm_gives_its_calls_back(clone: CommandLine) -> None:
    settings = clone.root / "Pulumi.local.yaml"
    settings.write_text(settings.read_text().replace("functions:\n", "functions:\n    release: canary\n"))
    handler = clone.root / "lambdas" / "get_ticket" / "handler.py"
    alarm = f"{FUNCTION}-crashes"
    try:
        assert clone("up", "--json").code == 0
        assert released(clone, seconds=0) == (0, [])

        handler.write_text(f"{handler.read_text()}# changed\n")
        up = clone("up", "--json")
        # The alias is none of them.
        assert {(step["type"], step["name"]) for step in json.loads(up.out)["changes"]} == {
            ("aws:lambda/function:Function", "get_ticket"),
            ("aws:cloudwatch/metricAlarm:MetricAlarm", "get_ticket-crashes"),
            ("aws:cloudwatch/metricAlarm:MetricAlarm", "get_ticket-server-errors"),
        }
        assert alias(clone) == ("1", None)

        alarms = client(clone, "cloudwatch")
        alarms.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="a test")
        back = ("get_ticket", "1", "2", "rolled back", f"ALARM_ACTIVE: {alarm}")
        assert released(clone, seconds=60) == (1, [back])
        assert (alias(clone), changes(clone)) == (("1", None), 0)

        alarms.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="a test")
        assert released(clone, seconds=1) == (0, [("get_ticket", "1", "2", "released", "")])
        assert (alias(clone), changes(clone)) == (("2", None), 0)
    finally:
        clone("down", "--json")
