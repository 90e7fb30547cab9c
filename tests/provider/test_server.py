"""The plugin itself: its start, its protocol, its words when something is wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib import metadata
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

import harness.provider
from harness.provider.calls import Aws, Clients, ProviderError
from harness.provider.registry import all_types
from harness.provider.values import plain, to_struct

if TYPE_CHECKING:
    from collections.abc import Callable

QUEUE = "aws:sqs/queue:Queue"
FUNCTION = "aws:lambda/function:Function"


def invoke(engine: Any, function: str, **arguments: Any) -> dict[str, Any]:
    token = f"aws:index/{function}:{function}"
    response = engine.provider.Invoke(provider_pb2.InvokeRequest(tok=token, args=to_struct(arguments)), engine.context)
    return plain(getattr(response, "return"))


# --- the process


def test_it_prints_its_port_serves_on_loopback_and_goes_when_told() -> None:
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "harness.provider"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        ready = time.monotonic() - started
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = provider_pb2_grpc.ResourceProviderStub(channel)
            assert stub.GetPluginInfo(empty_pb2.Empty(), timeout=10).version == metadata.version("pulumi_aws")
        process.send_signal(signal.SIGINT)
        assert process.wait(3) == 0
    finally:
        process.kill()
    # Half a second on a free machine; this is to catch a service module or boto3 in the way of the start.
    assert ready < 5


def test_starting_loads_no_service_and_no_boto3() -> None:
    code = "import harness.provider.server, sys; print({'boto3', 'harness.provider.sqs'} & set(sys.modules))"
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "set()"


def test_the_handshake_takes_secrets_and_has_the_engine_make_the_rest_plain(offline: Any) -> None:
    response = offline.provider.Handshake(provider_pb2.ProviderHandshakeRequest(), offline.context)
    assert response.accept_secrets
    assert not response.accept_outputs
    assert not response.accept_resources


# --- offline


def test_offline_a_preview_works_and_anything_else_says_why_not(offline: Any) -> None:
    planned = offline.create(QUEUE, {"name": "q"}, preview=True)
    assert offline.update(planned, {"name": "q", "delaySeconds": 1}, preview=True)["delaySeconds"] == 1
    calls: list[Callable[[], object]] = [
        lambda: offline.create(QUEUE, {"name": "q"}),
        lambda: offline.update(planned, {"name": "q", "delaySeconds": 1}),
        lambda: offline.refresh(planned),
        lambda: offline.delete(planned),
    ]
    for call in calls:
        with pytest.raises(Exception, match="HARNESS_AWS_ENDPOINT is not set"):
            call()


def test_offline_the_account_is_that_of_the_configuration(offline: Any) -> None:
    assert invoke(offline, "getCallerIdentity")["accountId"] == "111122223333"
    assert invoke(offline, "getRegion")["region"] == "eu-west-1"
    assert invoke(offline, "getPartition")["partition"] == "aws"


# --- with an emulator


def test_the_caller_is_asked_of_sts(engine: Any, account: str) -> None:
    assert invoke(engine, "getCallerIdentity")["accountId"] == account


def test_another_account_than_the_allowed_ones_is_refused(engine: Any, account: str) -> None:
    with pytest.raises(Exception, match=f"AWS account ID not allowed: {account}"):
        engine.configure(allowedAccountIds=["999999999999"])


def test_an_unknown_function_is_an_error_that_names_it_and_where_to_add_it(engine: Any) -> None:
    with pytest.raises(Exception, match=r"getVpc.*harness/provider/functions.py"):
        invoke(engine, "getVpc")


def test_an_error_of_aws_is_one_line_with_operation_code_and_message(engine: Any) -> None:
    inputs = {"targetId": "t", "rule": "none", "eventBusName": "default", "arn": "arn:aws:sqs:eu-west-1:1:q"}
    with pytest.raises(Exception, match=r"^events PutTargets: ResourceNotFoundException: \S.*$") as caught:
        engine.create("aws:cloudwatch/eventTarget:EventTarget", inputs)
    assert "\n" not in str(caught.value)


def test_what_exists_and_cannot_be_made_ours_is_told(engine: Any, client: Any) -> None:
    key = [{"AttributeName": "other", "KeyType": "HASH"}]
    definition = [{"AttributeName": "other", "AttributeType": "S"}]
    client("dynamodb").create_table(
        TableName="tickets", KeySchema=key, AttributeDefinitions=definition, BillingMode="PAY_PER_REQUEST"
    )
    inputs = {"name": "tickets", "hashKey": "id", "attributes": [{"name": "id", "type": "S"}]}
    with pytest.raises(Exception, match="exists already, and its hashKey cannot be changed"):
        engine.create("aws:dynamodb/table:Table", {**inputs, "billingMode": "PAY_PER_REQUEST"})


def test_tags_of_the_provider_reach_aws(engine: Any, client: Any, account: str) -> None:
    engine.configure(defaultTags=json.dumps({"tags": {"stack": "local"}}), allowedAccountIds=[account])
    made = engine.create(QUEUE, {"name": "q", "tags": {"class": "data"}})
    assert made["tagsAll"] == {"stack": "local", "class": "data"}
    assert client("sqs").list_queue_tags(QueueUrl=made["url"])["Tags"] == made["tagsAll"]


def test_another_region_is_another_place(engine: Any, client: Any) -> None:
    engine.create(QUEUE, {"name": "q", "region": "us-east-1"})
    assert not client("sqs").list_queues().get("QueueUrls")


def test_secrets_come_back_as_secrets_and_are_hidden_in_errors(engine: Any, archive: Any, caplog: Any) -> None:
    secret = "hunter2hunter2"
    inputs = {
        "name": "f",
        "role": "arn:aws:iam::111122223333:role/none",
        "handler": "h.h",
        "runtime": "python3.13",
        "code": archive(h="def h(e, c): ..."),
        "environment": {"variables": {"TOKEN": secret, "PLAIN": "x"}},
    }
    marked = to_struct(inputs, [("environment", "variables", "TOKEN")])
    made = engine.create(FUNCTION, marked)
    for struct in (made.outputs, engine.refresh(made).outputs, engine.update(made, marked).outputs):
        variables = struct.fields["environment"].struct_value.fields["variables"].struct_value.fields
        assert variables["PLAIN"].string_value == "x"
        assert variables["TOKEN"].struct_value.fields["value"].string_value == secret
    bad = to_struct({"targetId": "t", "rule": secret, "arn": "arn:aws:sqs:eu-west-1:1:q"}, [("rule",)])
    with pytest.raises(Exception, match=r"\[secret\]") as caught:
        engine.create("aws:cloudwatch/eventTarget:EventTarget", bad)
    assert secret not in str(caught.value)
    assert secret not in caplog.text


def test_a_client_secret_is_a_secret_though_no_input_was(engine: Any) -> None:
    pool = engine.create("aws:cognito/userPool:UserPool", {"name": "p"})
    inputs = {"name": "c", "userPoolId": pool.id, "generateSecret": True}
    made = engine.create("aws:cognito/userPoolClient:UserPoolClient", inputs)
    assert made.outputs.fields["clientSecret"].HasField("struct_value")


def test_waiting_ends_when_the_run_is_cancelled() -> None:
    aws = Aws("sqs", "eu-west-1", "1", "aws", Clients("http://127.0.0.1:1", {}))
    aws.cancelled.set()
    with pytest.raises(ProviderError, match="cancelled"):
        aws.wait(lambda: False, "the queue")


def test_waiting_has_an_end() -> None:
    aws = Aws("sqs", "eu-west-1", "1", "aws", None)
    with pytest.raises(ProviderError, match="the queue: not within 0 s"):
        aws.wait(lambda: False, "the queue", seconds=0)


# --- the parity table


def test_parity_says_something_of_every_type() -> None:
    table = harness.provider.parity()
    assert [row.pulumi_type for row in table] == [kind.pulumi_type for kind in all_types()]
    for row in table:
        assert row.level in {"real", "partly", "recorded"}
        assert row.sentence.endswith(".")
        assert all(row.recorded.values())
