"""Lambda: what the examples of the rules do not reach."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given as each
from hypothesis import strategies as st

from harness.judging.analyzer import UNKNOWN, Analyzer, Told, judged
from policies.judge import alone
from policies.rule import Given, Level, Ref, Rule
from policies.rules.lambda_ import LOGS, RUNTIME, RUNTIME_ENDING, RUNTIMES, SECRETS, VPC, ZONES
from policies.rules.lambda_failures import ASYNCHRONOUS, BATCHES, STREAM
from policies.secret_text import secret_in
from policies.settings import Settings
from policies.values import Resource

FUNCTION, ALIAS = "aws:lambda/function:Function", "aws:lambda/alias:Alias"
CONFIG = "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"
PERMISSION, MAPPING = "aws:lambda/permission:Permission", "aws:lambda/eventSourceMapping:EventSourceMapping"
TARGET, MACHINE = "aws:cloudwatch/eventTarget:EventTarget", "aws:sfn/stateMachine:StateMachine"
SCHEDULE, REST_API = "aws:scheduler/schedule:Schedule", "aws:apigateway/restApi:RestApi"
LOG_GROUP, SUBNET = "aws:cloudwatch/logGroup:LogGroup", "aws:ec2/subnet:Subnet"
QUEUE, TABLE, CLUSTER = "aws:sqs/queue:Queue", "aws:dynamodb/table:Table", "aws:rds/cluster:Cluster"
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:worker"
QUEUE_ARN = "arn:aws:sqs:eu-west-1:123456789012:failures"


def function(name: str = "worker", **inputs: Any) -> Given:
    return Given(FUNCTION, name, {"name": name, **inputs}, {"arn": ARN.replace("worker", name), "name": name})


def told(rule: Rule, *given: Given) -> list[Told]:
    return [found for found in Analyzer().judge(judged(given)) if found.rule == rule.id]


def refuses(rule: Rule, *given: Given) -> bool:
    """Whether a rule refuses a stack; it may not be unable to judge it."""
    found = told(rule, *given)
    assert not [finding for finding in found if finding.unknown]
    return bool(found)


def cannot_judge(rule: Rule, *given: Given) -> bool:
    """Whether a rule cannot judge a stack; it may not refuse it."""
    found = told(rule, *given)
    assert all(finding.unknown for finding in found)
    return bool(found)


# --- failures ---------------------------------------------------------------------------------------------------------

LIVE = Given(
    ALIAS, "alias", {"name": "live", "functionName": Ref("worker", "name")}, {"arn": f"{ARN}:live", "name": "live"}
)


def config(**inputs: Any) -> Given:
    destination = {"onFailure": {"destination": QUEUE_ARN}}
    return Given(CONFIG, "config", {"functionName": Ref("worker", "name"), "destinationConfig": destination, **inputs})


def permission(principal: str, **inputs: Any) -> Given:
    return Given(PERMISSION, principal, {"function": Ref("worker", "name"), "principal": principal, **inputs})


def test_a_function_that_nothing_is_known_to_call_needs_somewhere_for_failures() -> None:
    assert refuses(ASYNCHRONOUS, function())
    assert not refuses(ASYNCHRONOUS, function(deadLetterConfig={"targetArn": QUEUE_ARN}))
    assert not refuses(ASYNCHRONOUS, function(), config())


@pytest.mark.parametrize(
    "caller",
    [
        permission("apigateway.amazonaws.com"),
        permission("cognito-idp.amazonaws.com"),
        Given(MAPPING, "mapping", {"eventSourceArn": QUEUE_ARN, "functionName": Ref("worker", "name")}),
        Given("aws:lambda/functionUrl:FunctionUrl", "url", {"functionName": "worker"}),
        Given(MACHINE, "machine", {"definition": f'{{"States": {{"A": {{"Resource": "{ARN}"}}}}}}'}),
    ],
    ids=lambda caller: caller.name,
)
def test_a_function_whose_callers_all_wait_needs_nowhere_for_failures(caller: Given) -> None:
    assert not refuses(ASYNCHRONOUS, function(), caller)
    for leaving in (
        permission("s3.amazonaws.com"),
        Given(TARGET, "target", {"arn": Ref("worker")}),
        Given(SCHEDULE, "schedule", {"target": {"arn": ARN}}),
    ):
        assert refuses(ASYNCHRONOUS, function(), caller, leaving)


def test_an_api_or_a_workflow_may_call_without_waiting() -> None:
    body = '{"x": {"requestParameters": {"integration.request.header.X-Amz-Invocation-Type": "\'Event\'"}}}'
    api = Given(REST_API, "api", {"body": body})
    assert refuses(ASYNCHRONOUS, function(), permission("apigateway.amazonaws.com"), api)
    task = f'{{"Parameters": {{"FunctionName": "{ARN}", "InvocationType": "Event"}}}}'
    assert refuses(ASYNCHRONOUS, function(), Given(MACHINE, "machine", {"definition": task}))


def test_whether_callers_wait_may_not_be_known_yet() -> None:
    api = Given(REST_API, "api", {"body": UNKNOWN})
    assert cannot_judge(ASYNCHRONOUS, function(), permission("apigateway.amazonaws.com"), api)
    assert not told(ASYNCHRONOUS, function(), config(), permission("apigateway.amazonaws.com"), api)


def test_a_destination_holds_for_what_is_called_and_no_other_name() -> None:
    by_alias = permission("events.amazonaws.com", qualifier=Ref("alias", "name"))
    assert refuses(ASYNCHRONOUS, function(), LIVE, config(), by_alias)
    assert not refuses(ASYNCHRONOUS, function(), LIVE, config(qualifier="live"), by_alias)
    assert refuses(ASYNCHRONOUS, function(), LIVE, config(qualifier="live"), permission("events.amazonaws.com"))
    assert not refuses(
        ASYNCHRONOUS, function(), LIVE, config(functionName=f"{ARN}:live"), permission("x", function=f"{ARN}:live")
    )


def test_what_a_preview_does_not_know_is_told_by_what_it_is_made_from() -> None:
    unmade = Given(FUNCTION, "worker", {}, {"name": UNKNOWN})
    alias = Given(ALIAS, "alias", {"name": "live", "functionName": Ref("worker", "name")}, {"name": UNKNOWN})
    by_alias = permission("events.amazonaws.com", qualifier=Ref("alias", "name"))
    queue = Given(QUEUE, "failures", {}, {"arn": UNKNOWN})
    to_queue = {"onFailure": {"destination": Ref("failures")}}
    covered = config(qualifier=Ref("alias", "name"), destinationConfig=to_queue)
    assert not told(ASYNCHRONOUS, unmade, alias, by_alias, queue, covered)
    assert refuses(ASYNCHRONOUS, unmade, alias, by_alias, queue, config(destinationConfig=to_queue))


@pytest.mark.parametrize(("type_", "rule"), [(TABLE, STREAM), (QUEUE, BATCHES)])
def test_a_source_that_is_not_made_yet_is_known_by_its_type(type_: str, rule: Rule) -> None:
    source = Given(type_, "source", {}, {"arn": UNKNOWN})
    mapping = Given(MAPPING, "mapping", {"eventSourceArn": Ref("source"), "functionName": "worker"})
    other = BATCHES if rule is STREAM else STREAM
    assert refuses(rule, source, mapping)
    assert not told(other, source, mapping)


# --- environment ------------------------------------------------------------------------------------------------------

SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANYTHING", "AKIAIOSFODNN7EXAMPLE"),
        ("ANYTHING", f"key={SECRET_KEY};"),
        ("ANYTHING", "-----BEGIN EC PRIVATE KEY-----\nMHcC"),
        ("ANYTHING", "ghp_0123456789abcdefghijABCDEFGHIJ012345"),
        ("ANYTHING", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLW9mLWl0"),
        ("ANYTHING", "mysql://app:hunter2@db.example.com/app"),
        ("DB_PASSWORD", "hunter2"),
        ("DbPassword", "correct-horse-battery-staple"),
        ("dbPwd", "x"),
        ("API_TOKEN", "0a1b2c3d4e5f6071"),
        ("STRIPE_API_KEY", "whatever0815"),
        ("CLIENT_SECRET", "Zm9vYmFy"),
        ("SIGNING_KEY", "c2VjcmV0"),
    ],
)
def test_a_secret_is_known_by_its_looks_or_its_name_and_never_told(name: str, value: str) -> None:
    found = told(SECRETS, function(environment={"variables": {name: value, "TABLE": "orders"}}))
    assert [finding.mandatory for finding in found] == [True]
    assert f"`environment.variables.{name}`" in found[0].message
    assert value not in found[0].message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD_ARN", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"),
        ("DB_PASSWORD", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"),
        ("DB_PASSWORD", "/shop/database/password"),
        ("DB_PASSWORD", ""),
        ("CANARY_SECRET", "support-prod/canary"),
        ("CLIENT_SECRET", "orders-client"),
        ("API_KEYS_TABLE", "support-prod-api-keys"),
        ("PARTNER_KEY_ARN", "arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"),
        ("TOKEN_SECONDS", "3600"),
        ("TOKENS", "1000"),
        ("MAX_TOKEN", "4096"),
        ("USE_TOKEN", "true"),
        ("CORS", "https://support.example.com,https://shop.example.com"),
        ("COMMIT", "4b825dc642cb6eb9a060e54bf8d69288fbee4904"),
        ("QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/orders"),
        ("PARTITION_KEY", "ticket_id"),
    ],
)
def test_what_only_names_or_concerns_a_secret_is_none(name: str, value: str) -> None:
    assert secret_in(name, value) is None


@each(st.from_regex(r"(AKIA|ASIA)[A-Z0-9]{16}", fullmatch=True), st.text(alphabet=" =:;,\n", max_size=3))
def test_an_access_key_is_found_wherever_it_stands(key: str, between: str) -> None:
    assert secret_in("NOTE", f"{between}{key}{between}") == "an AWS access key"


def test_a_variable_that_is_made_from_no_secret_may_be_unknown() -> None:
    table = Given(TABLE, "table", {}, {"name": UNKNOWN})
    made = function(environment={"variables": {"TABLE": Ref("table", "name")}})
    assert not told(SECRETS, table, made)
    assert cannot_judge(SECRETS, function(environment={"variables": {"TABLE": UNKNOWN}}))


def test_a_variable_that_is_made_from_a_password_is_refused_before_it_is_known() -> None:
    password = Given("random:index/randomPassword:RandomPassword", "password", {"length": 32}, {"result": UNKNOWN})
    found = told(SECRETS, password, function(environment={"variables": {"SETTING": Ref("password", "result")}}))
    assert any(finding.mandatory for finding in found)


# --- runtimes ---------------------------------------------------------------------------------------------------------


@each(st.sampled_from(sorted(RUNTIMES)), st.integers(-1000, 1000))
def test_a_runtime_is_refused_from_its_end_and_told_half_a_year_before(runtime: str, days: int) -> None:
    today = RUNTIMES[runtime] + dt.timedelta(days=days)
    made = Resource(FUNCTION, "f", "urn:pulumi:prod::p::t::f", {"runtime": runtime})
    levels = {found.rule.id: found.level for found in alone(made, Settings(today=today))}
    assert (levels.get(RUNTIME.id) is Level.MANDATORY) == (days >= 0)
    assert (levels.get(RUNTIME_ENDING.id) is Level.ADVISORY) == (days >= -180)


def test_the_last_word_on_runtimes_is_not_ours_and_has_dates_only() -> None:
    assert all(type(end) is dt.date for end in RUNTIMES.values())
    assert {"python3.13", "nodejs22.x", "provided.al2023"} <= RUNTIMES.keys()


# --- network ----------------------------------------------------------------------------------------------------------


def test_a_cluster_s_own_api_needs_no_vpc_but_its_address_does() -> None:
    outputs = {"arn": "arn:aws:rds:eu-west-1:123456789012:cluster:orders", "endpoint": "orders.cluster.example"}
    cluster = Given(CLUSTER, "cluster", {}, outputs)
    assert not refuses(VPC, cluster, function(environment={"variables": {"CLUSTER": Ref("cluster", "arn")}}))
    assert refuses(VPC, cluster, function(environment={"variables": {"HOST": Ref("cluster", "endpoint")}}))


def test_what_a_function_is_given_of_a_cluster_may_not_be_known_yet() -> None:
    cluster = Given(CLUSTER, "cluster", {}, {"endpoint": UNKNOWN})
    reader = {"variables": {"HOST": Ref("cluster", "endpoint")}}
    assert cannot_judge(VPC, cluster, function(environment=reader))
    assert not told(VPC, cluster, function(environment=reader, vpcConfig={"subnetIds": ["subnet-1", "subnet-2"]}))


def subnet(name: str, zone: str | None) -> Given:
    return Given(SUBNET, name, {"availabilityZone": zone} if zone else {}, {"id": f"id-of-{name}"})


@pytest.mark.parametrize(
    ("zones", "right"), [(("a", "b"), True), (("a", "a"), False), (("a",), False), (("a", "a", "b"), True)]
)
def test_a_function_s_subnets_lie_in_two_zones(zones: tuple[str, ...], right: bool) -> None:  # noqa: FBT001 - a case
    subnets = [subnet(f"s{number}", zone) for number, zone in enumerate(zones)]
    made = function(vpcConfig={"subnetIds": [Ref(each.name, "id") for each in subnets]})
    assert refuses(ZONES, *subnets, made) is not right


def test_subnets_of_another_stack_are_counted_and_their_zones_believed() -> None:
    assert not refuses(ZONES, function(vpcConfig={"subnetIds": ["subnet-1", "subnet-2"]}))
    assert refuses(ZONES, function(vpcConfig={"subnetIds": ["subnet-1", "subnet-1"]}))
    assert not refuses(ZONES, function(vpcConfig={"subnetIds": []}))


def test_a_zone_that_aws_has_still_to_choose_is_not_known() -> None:
    subnets = [subnet("s1", "a"), subnet("s2", None)]
    made = function(vpcConfig={"subnetIds": [Ref(each.name, "id") for each in subnets]})
    assert cannot_judge(ZONES, *subnets, made)


# --- logs -------------------------------------------------------------------------------------------------------------


def test_a_log_group_of_the_function_s_own_name_will_do() -> None:
    group = Given(LOG_GROUP, "group", {"name": "/aws/lambda/worker"}, {"name": "/aws/lambda/worker"})
    assert not refuses(LOGS, function(), group)
    assert refuses(LOGS, function("another"), group)
    assert refuses(LOGS, function())


def test_a_log_group_may_be_named_after_a_function_that_is_not_made_yet() -> None:
    unmade = Given(FUNCTION, "worker", {}, {"name": UNKNOWN})
    group = Given(LOG_GROUP, "group", {"name": Ref("worker", "name")})
    assert not told(LOGS, unmade, group)
    assert cannot_judge(LOGS, Given(FUNCTION, "worker", {"name": UNKNOWN}))
