"""Gradual releases: who moves calls when, what moves them back, and what is told. On a stack: test_whole_release.py."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import botocore.session
import msgspec
import pytest
from botocore.exceptions import ClientError
from botocore.validate import validate_parameters

from components.release import CONFIGURATION
from harness import interrupts
from harness.deployed_stack import DeployedStack
from harness.errors import HarnessError
from harness.local_stack import LocalStack
from harness.release import Described, Group, Release, Released, Result, Steps
from harness.release_by_codedeploy import UNDER_WAY, CodeDeploy
from harness.release_on_local_stack import LocalSteps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.paths import Paths
    from harness.progress import Progress
    from tests.harness.conftest import Done

    Call = Callable[..., Done]

ALARMS = ["get-crashes", "get-server-errors"]
DESCRIBED = Described(
    application="support-test-functions",
    configuration=CONFIGURATION,
    groups={
        "get_ticket": Group(group="support-test-get_ticket", alarms=ALARMS),
        "reconcile": Group(group="support-test-reconcile", alarms=["reconcile-crashes"]),
    },
)
NAMES = {"get_ticket": "support-test-get_ticket", "reconcile": "support-test-reconcile", "search_bootstrap": "other"}


def checked(service: str, operation: str, parameters: Mapping[str, Any]) -> None:
    """What boto3 would refuse to send."""
    model = botocore.session.get_session().get_service_model(service).operation_model(operation)
    assert model.input_shape is not None
    validate_parameters(parameters, model.input_shape)


@dataclass
class Lambda:
    """Functions with the versions 1 to 12, behind an alias."""

    aliases: dict[str, dict[str, Any]] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)
    other: dict[str, str] = field(default_factory=dict)
    """Version -> role, where it is not everybody's."""
    moves: list[tuple[str, str, dict[str, float]]] = field(default_factory=list)

    def get_alias(self, **asked: Any) -> dict[str, Any]:
        checked("lambda", "GetAlias", asked)
        assert asked["Name"] == "live"
        return self.aliases.setdefault(asked["FunctionName"], {"FunctionVersion": "9"})

    def update_alias(self, **asked: Any) -> None:
        checked("lambda", "UpdateAlias", asked)
        weights = asked["RoutingConfig"]["AdditionalVersionWeights"]
        self.moves.append((asked["FunctionName"], asked["FunctionVersion"], weights))
        self.aliases[asked["FunctionName"]] = {
            "FunctionVersion": asked["FunctionVersion"],
            **({"RoutingConfig": {"AdditionalVersionWeights": weights}} if weights else {}),
        }

    def get_paginator(self, operation: str) -> Lambda:
        assert operation == "list_versions_by_function"
        return self

    def paginate(self, **asked: Any) -> list[dict[str, Any]]:
        checked("lambda", "ListVersionsByFunction", asked)
        numbers = range(1, self.newest.get(asked["FunctionName"], 12) + 1)
        pages = (["$LATEST", *map(str, numbers[:5])], map(str, numbers[5:]))
        return [{"Versions": [{"Version": version} for version in page]} for page in pages]

    def get_function_configuration(self, **asked: Any) -> dict[str, Any]:
        checked("lambda", "GetFunctionConfiguration", asked)
        return {"Role": self.other.get(asked["Qualifier"], "role")}


@dataclass
class Alarms:
    """CloudWatch, where alarms ring after they were asked for so many times."""

    ring_after: dict[str, int] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    on_look: Callable[[], None] | None = None
    """Done when somebody looks for the fifth time."""
    asked: int = 0

    def describe_alarms(self, **asked: Any) -> dict[str, Any]:
        checked("cloudwatch", "DescribeAlarms", asked)
        self.asked += 1
        if self.on_look is not None and self.asked == 5:
            self.on_look()
        return {
            "MetricAlarms": [
                {"AlarmName": name, "StateValue": "ALARM" if self.asked > self.ring_after.get(name, 1000) else "OK"}
                for name in asked["AlarmNames"]
                if name not in self.missing
            ]
        }


@dataclass
class Deployments:
    """CodeDeploy as its API shows it; each look at a deployment takes it a step further."""

    functions: Lambda
    failing: frozenset[str] = frozenset()
    """Functions whose alarm rings."""
    started: dict[str, dict[str, Any]] = field(default_factory=dict)
    refuse: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def create_deployment(self, **asked: Any) -> dict[str, Any]:
        checked("codedeploy", "CreateDeployment", asked)
        if self.refuse:
            raise ClientError({"Error": {"Code": self.refuse, "Message": "no"}}, "CreateDeployment")
        revision = asked["revision"]["appSpecContent"]
        assert revision["sha256"] == hashlib.sha256(revision["content"].encode()).hexdigest()
        with self.lock:
            name = f"d-{len(self.started) + 1}"
            self.started[name] = {"revision": asked["revision"], "group": asked["deploymentGroupName"], "looks": 0}
        return {"deploymentId": name}

    def list_deployments(self, **asked: Any) -> dict[str, Any]:
        checked("codedeploy", "ListDeployments", asked)
        return {
            "deployments": [
                name for name, found in self.started.items() if found["group"] == asked["deploymentGroupName"]
            ]
        }

    def get_deployment(self, **asked: Any) -> dict[str, Any]:
        checked("codedeploy", "GetDeployment", asked)
        found = self.started[asked["deploymentId"]]
        found["looks"] += 1
        target = self.target(found)
        function, before, after = target["Name"], target["CurrentVersion"], target["TargetVersion"]
        info: dict[str, Any] = {"revision": {"revisionType": "AppSpecContent", "appSpecContent": {}}}
        info["revision"]["appSpecContent"] = {"sha256": found["revision"]["appSpecContent"]["sha256"]}
        if found["looks"] < 3:
            return {"deploymentInfo": {**info, "status": UNDER_WAY[found["looks"]]}}
        if function in self.failing:
            self.functions.aliases[function] = {"FunctionVersion": before}
            error = {"code": "ALARM_ACTIVE", "message": "One or more alarms have been activated"}
            return {"deploymentInfo": {**info, "status": "Stopped", "errorInformation": error}}
        self.functions.aliases[function] = {"FunctionVersion": after}
        return {"deploymentInfo": {**info, "status": "Succeeded"}}

    def target(self, found: Mapping[str, Any]) -> dict[str, Any]:
        [resource] = json.loads(found["revision"]["appSpecContent"]["content"])["Resources"]
        [described] = resource.values()
        assert described["Type"] == "AWS::Lambda::Function"
        properties: dict[str, Any] = described["Properties"]
        return properties


@pytest.fixture
def functions() -> Lambda:
    return Lambda()


@pytest.fixture
def deployments(functions: Lambda) -> Deployments:
    return Deployments(functions)


@pytest.fixture
def by_codedeploy(functions: Lambda, deployments: Deployments) -> Release:
    return Release(functions, NAMES, DESCRIBED, CodeDeploy(deployments, DESCRIBED.application, poll=0))


def here(functions: Lambda, alarms: Alarms, seconds: float = 0.02) -> Release:
    steps = LocalSteps(functions, alarms, Steps.of(CONFIGURATION), seconds=seconds, poll=0.001)
    return Release(functions, NAMES, DESCRIBED, steps)


def results(done: tuple[Released, ...]) -> dict[str, tuple[str, str, Result]]:
    return {each.function: (each.before, each.after, each.result) for each in done}


# --- by CodeDeploy


@pytest.mark.spec("latency.roll-back")
def test_each_function_is_released_to_its_newest_version_by_a_deployment_of_its_own(
    by_codedeploy: Release, deployments: Deployments, functions: Lambda, silent: Progress
) -> None:
    functions.newest[NAMES["reconcile"]] = 9
    done = by_codedeploy.run((), silent)
    assert results(done) == {
        "get_ticket": ("9", "12", Result.RELEASED),
        "reconcile": ("9", "9", Result.CURRENT),
    }
    [started] = deployments.started.values()
    assert started["group"] == "support-test-get_ticket"
    assert deployments.target(started) == {
        "Name": NAMES["get_ticket"],
        "Alias": "live",
        "CurrentVersion": "9",
        "TargetVersion": "12",
    }
    assert functions.moves == []  # CodeDeploy alone moves calls


def test_one_function_is_released_alone(by_codedeploy: Release, functions: Lambda, silent: Progress) -> None:
    assert results(by_codedeploy.run(["reconcile"], silent)) == {"reconcile": ("9", "12", Result.RELEASED)}
    assert functions.get_alias(FunctionName=NAMES["get_ticket"], Name="live")["FunctionVersion"] == "9"


def test_a_release_that_an_alarm_stopped_is_told_and_holds_up_no_other(
    by_codedeploy: Release, deployments: Deployments, silent: Progress
) -> None:
    deployments.failing = frozenset({NAMES["get_ticket"]})
    done = by_codedeploy.run((), silent)
    assert [each.result for each in done] == [Result.ROLLED_BACK, Result.RELEASED]
    assert done[0].why.startswith("ALARM_ACTIVE: One or more alarms have been activated (d-")
    assert [each.good for each in done] == [False, True]


def test_a_release_under_way_is_joined(
    by_codedeploy: Release, deployments: Deployments, functions: Lambda, silent: Progress
) -> None:
    """As after a Ctrl-C: CodeDeploy went on by itself."""
    by_codedeploy.run(["reconcile"], silent)
    [deployment] = deployments.started.values()
    deployment["looks"] = 0
    functions.aliases[NAMES["reconcile"]] = {
        "FunctionVersion": "9",
        "RoutingConfig": {"AdditionalVersionWeights": {"12": 0.1}},
    }
    assert results(by_codedeploy.run(["reconcile"], silent)) == {"reconcile": ("9", "12", Result.RELEASED)}
    assert len(deployments.started) == 1


def test_a_release_of_another_version_is_not_disturbed(
    by_codedeploy: Release, deployments: Deployments, functions: Lambda, silent: Progress
) -> None:
    by_codedeploy.run(["reconcile"], silent)
    [deployment] = deployments.started.values()
    deployment["looks"] = 0
    functions.aliases[NAMES["reconcile"]] = {"FunctionVersion": "9"}
    functions.newest[NAMES["reconcile"]] = 13
    [done] = by_codedeploy.run(["reconcile"], silent)
    assert (done.result, done.why) == (Result.BROKEN, "reconcile: another release is under way, d-1.")
    assert len(deployments.started) == 1


def test_what_codedeploy_refuses_is_told(by_codedeploy: Release, deployments: Deployments, silent: Progress) -> None:
    deployments.refuse = "InvalidRoleException"
    [done] = by_codedeploy.run(["reconcile"], silent)
    assert not done.good
    assert "InvalidRoleException" in done.why


def test_an_alias_that_stands_between_two_versions_is_not_called_released(
    by_codedeploy: Release, deployments: Deployments, functions: Lambda, silent: Progress, monkeypatch: Any
) -> None:
    stuck = {"FunctionVersion": "9", "RoutingConfig": {"AdditionalVersionWeights": {"12": 0.1}}}
    functions.aliases[NAMES["reconcile"]] = stuck
    info = {"deploymentInfo": {"status": "Failed"}}
    monkeypatch.setattr(deployments, "get_deployment", lambda **_: info)
    [done] = by_codedeploy.run(["reconcile"], silent)
    assert done.result is Result.BROKEN
    assert done.why == "the deployment ended Failed (d-1); the alias stands at 9 with weights {'12': 0.1}"


def test_a_deployed_stack_says_what_releases_it(
    paths: Paths, deployments: Deployments, functions: Lambda, silent: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = {"functions": NAMES, "releases": msgspec.to_builtins(DESCRIBED), "region": "eu-central-1"}
    clients = {"lambda": functions, "codedeploy": deployments}
    monkeypatch.setattr(DeployedStack, "outputs", outputs)
    monkeypatch.setattr(DeployedStack, "client", lambda _, service: clients[service])
    monkeypatch.setattr(interrupts, "sleep", lambda _: None)
    release = DeployedStack(paths, "prod", silent).release()
    assert release is not None
    assert all(each.result is Result.RELEASED for each in release.run((), silent))
    monkeypatch.setattr(DeployedStack, "outputs", {"functions": NAMES})
    assert DeployedStack(paths, "dev", silent).release() is None


# --- by the harness


def test_the_harness_takes_the_steps_of_the_configuration(functions: Lambda, silent: Progress) -> None:
    done = here(functions, Alarms()).run(["get_ticket"], silent)
    assert results(done) == {"get_ticket": ("9", "12", Result.RELEASED)}
    name = NAMES["get_ticket"]
    assert functions.moves == [(name, "9", {"12": 0.1}), (name, "12", {})]


@pytest.mark.spec("latency.roll-back")
@pytest.mark.parametrize("alarm", ALARMS)
def test_a_ringing_alarm_moves_the_calls_back(functions: Lambda, silent: Progress, alarm: str) -> None:
    done = here(functions, Alarms(ring_after={alarm: 2}), seconds=60).run(["get_ticket"], silent)
    assert results(done) == {"get_ticket": ("9", "12", Result.ROLLED_BACK)}
    assert done[0].why == f"ALARM_ACTIVE: {alarm}"
    name = NAMES["get_ticket"]
    assert functions.moves == [(name, "9", {"12": 0.1}), (name, "9", {})]


@pytest.mark.parametrize("alarms", [Alarms(ring_after={ALARMS[0]: 0}), Alarms(missing={ALARMS[0]})])
def test_an_alarm_that_rings_before_or_is_not_there_keeps_the_calls_where_they_are(
    functions: Lambda, silent: Progress, alarms: Alarms
) -> None:
    [done] = here(functions, alarms).run(["get_ticket"], silent)
    assert (done.result, functions.moves) == (Result.ROLLED_BACK, [])


def test_whoever_interrupts_has_all_calls_where_they_were(functions: Lambda, silent: Progress) -> None:
    alarms = Alarms(on_look=interrupts.interrupt)
    with pytest.raises(interrupts.StopRequestedError):
        here(functions, alarms, seconds=60).run((), silent)
    interrupts.clear()
    assert (NAMES["get_ticket"], "9", {"12": 0.1}) in functions.moves
    assert {NAMES[key]: {"FunctionVersion": "9"} for key in DESCRIBED.groups} == functions.aliases


# --- before anything moves


def test_versions_of_two_roles_cannot_share_calls(
    by_codedeploy: Release, deployments: Deployments, functions: Lambda, silent: Progress
) -> None:
    functions.other["12"] = "another role"
    with pytest.raises(HarnessError, match="version 12 has another Role than 9") as raised:
        by_codedeploy.run((), silent)
    assert "all-at-once" in raised.value.mend
    assert deployments.started == {}


def test_a_function_that_no_release_moves_is_told(by_codedeploy: Release, silent: Progress) -> None:
    with pytest.raises(HarnessError, match="search_bootstrap") as raised:
        by_codedeploy.run(["search_bootstrap"], silent)
    assert raised.value.mend == "Functions are: get_ticket, reconcile."


def test_steps_are_read_from_the_name_of_a_canary() -> None:
    assert Steps.of(CONFIGURATION) == (0.1, 5)
    with pytest.raises(HarnessError):
        Steps.of("CodeDeployDefault.LambdaAllAtOnce")


# --- the command


@dataclass
class Work:
    """Answers as the real release does."""

    result: Result = Result.RELEASED
    by: str = "harness"
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def run(self, only: Any, _progress: Progress) -> tuple[Released, ...]:
        self.asked.append(tuple(only))
        why = "" if self.result is Result.RELEASED else "ALARM_ACTIVE: [a]"
        return (Released(function="get_ticket", before="9", after="12", result=self.result, why=why, seconds=1.2),)


@pytest.mark.parametrize(
    ("result", "code"), [(Result.RELEASED, 0), (Result.CURRENT, 0), (Result.ROLLED_BACK, 1), (Result.BROKEN, 1)]
)
def test_the_exit_code_says_whether_all_were_released(
    call: Call, monkeypatch: pytest.MonkeyPatch, result: Result, code: int
) -> None:
    work = Work(result)
    monkeypatch.setattr(LocalStack, "release", lambda _self, _seconds: work)
    done = call("release", "--function", "get_ticket")
    assert (done.code, work.asked) == (code, [("get_ticket",)])
    assert str(result) in done.out
    assert "There is no CodeDeploy here" in done.out
    told = json.loads(call("release", "--json").out)
    assert (told["by"], told["functions"][0]["result"]) == ("harness", result)


def test_a_deployed_stack_is_released_by_codedeploy(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DeployedStack, "release", lambda _self: Work(by="CodeDeploy"))
    done = call("release", "--stack", "prod", "--json")
    assert (done.code, json.loads(done.out)["by"]) == (0, "CodeDeploy")


def test_a_stack_that_is_released_with_its_deployment_has_nothing_to_do(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a workflow may call it for any stack."""
    monkeypatch.setattr(DeployedStack, "release", lambda _self: None)
    assert "releases at once" in call("release", "--stack", "dev").out
    done = call("release", "--stack", "dev", "--json")
    assert (done.code, json.loads(done.out)) == (0, {"stack": "dev", "by": None, "functions": []})
