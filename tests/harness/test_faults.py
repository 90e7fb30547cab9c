"""Faults on a real emulator: each service's errors in its own shape, before and after the effect, and what survives."""

from __future__ import annotations

import http.server
import io
import json
import os
import signal
import threading
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest
from botocore.config import Config

from harness import emulator, ports, toolchain
from harness.errors import HarnessError
from harness.fault_rules import DELIVER, MODEL, SEARCH, Rule
from harness.faults import Faults
from harness.paths import REPOSITORY, Paths, user_cache
from harness.processes import Processes, Running
from harness.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.processes import Child
    from tests.harness.conftest import Done

pytestmark = pytest.mark.xdist_group("faults-emulator")

REGION = "eu-central-1"
KEY = "the front's"
FUNCTION = "faults-caller"
TABLE, QUEUE = "things", "work"
HANDLER = """
import json, os, urllib.request, urllib.error
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

SESSION = botocore.session.get_session()
CONFIG = Config(retries={"total_max_attempts": 1}, read_timeout=1, connect_timeout=1)

def call(service, operation, parameters):
    client = SESSION.create_client(service, config=CONFIG)
    try:
        getattr(client, operation)(**parameters)
    except ClientError as error:
        return {"code": error.response["Error"]["Code"], "status": error.response["ResponseMetadata"]["HTTPStatusCode"]}
    except BotoCoreError as error:
        return {"code": type(error).__name__}
    return {"code": ""}

def fetch(variable, path):
    request = urllib.request.Request(os.environ[variable] + path, data=b'{"query": "all"}', method="POST")
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return {"status": answer.status, "body": json.loads(answer.read())}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "body": json.loads(error.read())}
    except OSError as error:
        return {"status": 0, "body": type(error).__name__}

def handler(event, context):
    print("called")
    if "Records" in event:
        for record in event["Records"]:
            item = {"id": {"S": f"{record['body']} {context.aws_request_id}"}}
            call("dynamodb", "put_item", {"TableName": "things", "Item": item})
        return {}
    return fetch(**event["fetch"]) if "fetch" in event else call(**event)
"""


class Node(http.server.BaseHTTPRequestHandler):
    """Stands for the search node."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps({"path": self.path, "body": json.loads(body)}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@dataclass
class World:
    """A running emulator with a function that calls what it is told to."""

    processes: Processes
    child: Child
    url: str
    faults: Faults

    def client(self, service: str) -> Any:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        config = Config(retries={"total_max_attempts": 1}, proxies={})
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, config=config, **keys)  # type: ignore[call-overload]  # any service

    def invoke(self, event: object) -> Any:
        answer = self.client("lambda").invoke(FunctionName=FUNCTION, Payload=json.dumps(event))
        document = json.loads(answer["Payload"].read())
        return {"died": True} if "FunctionError" in answer else document

    def call(self, service: str, operation: str, **parameters: object) -> Any:
        return self.invoke({"service": service, "operation": operation, "parameters": parameters})

    def put(self, id_: str) -> Any:
        return self.call("dynamodb", "put_item", TableName=TABLE, Item={"id": {"S": id_}})

    def things(self, beginning: str) -> list[str]:
        items = self.client("dynamodb").scan(TableName=TABLE)["Items"]
        return [item["id"]["S"] for item in items if item["id"]["S"].startswith(beginning)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("emulator")
    paths = Paths(root=REPOSITORY, cache=user_cache(), local=folder)
    node = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Node)
    threading.Thread(target=node.serve_forever, daemon=True).start()
    port = ports.assign(folder / "ports.json", {emulator.NAME: 4566}).ports[emulator.NAME]
    child = emulator.child(
        python=toolchain.ensure_emulator(paths, Silent()),
        folder=folder / "data",
        port=port,
        region=REGION,
        bedrock_url="http://127.0.0.1:9",
        search_address=f"127.0.0.1:{node.server_port}",
        front_key=KEY,
    )
    processes = Processes(records=folder / "processes", logs=folder / "logs")
    processes.start(child)
    try:
        with Faults(emulator.url(port), KEY) as faults:
            made = World(processes, child, emulator.url(port), faults)
            build(made, f"http://127.0.0.1:{node.server_port}")
            yield made
    finally:
        processes.stop(emulator.NAME)
        node.shutdown()


def build(world: World, search: str) -> None:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam = world.client("iam")
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName=FUNCTION, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=FUNCTION, PolicyName="all", PolicyDocument=policy)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as target:
        target.writestr("index.py", HANDLER)
    world.client("lambda").create_function(
        FunctionName=FUNCTION,
        Runtime="python3.11",
        Role=role,
        Handler="index.handler",
        Code={"ZipFile": packed.getvalue()},
        Timeout=20,
        Environment={"Variables": {"SEARCH": search}},
        TracingConfig={"Mode": "Active"},
    )
    world.client("dynamodb").create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    sqs = world.client("sqs")
    url = sqs.create_queue(QueueName=QUEUE, Attributes={"VisibilityTimeout": "300"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    world.client("lambda").create_event_source_mapping(FunctionName=FUNCTION, EventSourceArn=arn, BatchSize=10)


@pytest.fixture
def faults(world: World) -> Iterator[Faults]:
    yield world.faults
    world.faults.clear()


def soon(check: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 15
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


CALLS = [
    ("dynamodb", "GetItem", "get_item", {"TableName": TABLE, "Key": {"id": {"S": "1"}}}),
    ("sqs", "SendMessage", "send_message", {"QueueUrl": "http://127.0.0.1/000000000000/q", "MessageBody": "x"}),
    ("stepfunctions", "SendTaskSuccess", "send_task_success", {"taskToken": "t", "output": "{}"}),
    ("events", "PutEvents", "put_events", {"Entries": [{"Source": "s", "DetailType": "d", "Detail": "{}"}]}),
    ("kms", "GenerateMac", "generate_mac", {"KeyId": "k", "Message": b"m".hex(), "MacAlgorithm": "HMAC_SHA_256"}),
    ("secretsmanager", "GetSecretValue", "get_secret_value", {"SecretId": "s"}),
    ("s3", "GetObject", "get_object", {"Bucket": "bucket", "Key": "key"}),
    ("sns", "Publish", "publish", {"TopicArn": "arn:aws:sns:eu-central-1:000000000000:t", "Message": "m"}),
]


@pytest.mark.parametrize(("service", "operation", "method", "parameters"), CALLS, ids=[call[0] for call in CALLS])
def test_a_call_meets_an_error_in_its_services_own_words(
    world: World, faults: Faults, service: str, operation: str, method: str, parameters: dict[str, object]
) -> None:
    faults.add(Rule(kind="error", service=service, operation=operation, error="ServiceUnavailable"))
    faults.add(Rule(kind="throttling", service=service, operation=operation))

    assert world.call(service, method, **parameters) == {"code": "ServiceUnavailable", "status": 503}
    throttled = world.call(service, method, **parameters)
    assert "hrottl" in throttled["code"] or throttled["code"] in {"SlowDown", "ProvisionedThroughputExceededException"}
    assert world.call(service, method, **parameters)["code"] not in {"ServiceUnavailable", throttled["code"]}


@pytest.mark.parametrize(
    ("kind", "code"),
    [("disconnect", "ConnectionClosedError"), ("silence", "ReadTimeoutError"), ("error", "InternalServerError")],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_it_goes_wrong_before_the_effect_or_after_it(
    world: World, faults: Faults, kind: Any, when: Any, code: str
) -> None:
    id_ = f"{kind}-{when}"
    error = code if kind == "error" else ""
    faults.add(Rule(kind=kind, service="dynamodb", operation="PutItem", contains=id_, when=when, error=error))

    assert world.put(id_)["code"] == code
    assert world.things(id_) == ([id_] if when == "after" else [])
    assert world.put(id_) == {"code": ""}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_function_is_killed_in_the_middle_of_a_call(world: World, faults: Faults, when: Any) -> None:
    id_ = f"crash-{when}"
    faults.add(Rule(kind="crash", service="dynamodb", operation="PutItem", event=id_, when=when))

    assert world.put(id_) == {"died": True}
    assert world.things(id_) == ([id_] if when == "after" else [])
    assert world.put(id_) == {"code": ""}


def test_a_call_takes_longer(world: World, faults: Faults) -> None:
    assert world.put("warm") == {"code": ""}
    faults.add(Rule(kind="latency", service="dynamodb", latency_ms=700))
    started = time.monotonic()

    assert world.put("late") == {"code": ""}
    assert time.monotonic() - started > 0.7


def test_a_rule_meets_only_the_calls_it_is_about(world: World, faults: Faults) -> None:
    common = {"kind": "error", "service": "dynamodb", "operation": "PutItem", "error": "InternalServerError"}
    for narrowed in ({"contains": "other"}, {"event": "other"}, {"caller": "other"}, {"skip": 99}):
        faults.add(Rule(**{**common, **narrowed}))  # type: ignore[arg-type]  # members by name
    named = faults.add(Rule(kind="watch", caller="caller", count=None))
    counted = faults.add(Rule(kind="error", service="dynamodb", error="InternalServerError", skip=1, count=2))

    # The administrator's calls meet none.
    world.client("dynamodb").put_item(TableName=TABLE, Item={"id": {"S": "root"}})
    codes = [world.put(f"narrow{number}")["code"] for number in range(4)]
    assert codes == ["", "InternalServerError", "InternalServerError", ""]
    assert [(hit.service, hit.operation) for hit in faults.hits(named)] == [("dynamodb", "PutItem")] * 4
    assert len(faults.hits(counted)) == 2
    assert next(one for one in faults.rules() if one.id == counted).left == 0


def test_what_no_service_has_is_no_rule(world: World, faults: Faults) -> None:
    wrong = [
        (Rule(kind="error", service="dynamodb", operation="PutIten", error="InternalServerError"), "PutIten"),
        (Rule(kind="error", service="dynamodb", error="NoSuchError"), "NoSuchError"),
        (Rule(kind="error", service="dynamodb"), "names an error"),
        (Rule(kind="watch", service="dynamo"), "no service 'dynamo'"),
        (Rule(kind="duplicate", service="sqs"), "can be doubled"),
        (Rule(kind="crash", service="sqs", operation=DELIVER), "Deliver knows"),
    ]
    for rule, told in wrong:
        with pytest.raises(HarnessError, match=told):
            faults.add(rule)
    assert faults.rules() == []


def test_commands_say_what_is_wrong(call: Callable[..., Done]) -> None:
    for command in (("list",), ("clear",), ("kill",), ("add", "watch")):
        done = call("faults", *command)
        assert (done.code, done.out) == (1, "")
        assert "`harness up`" in done.err
    no_rule = call("faults", "add", "latency", "--service", "dynamo")
    assert no_rule.code == 1
    assert "there is no service 'dynamo'" in no_rule.err
    assert "latency needs latency_ms" in no_rule.err
    assert call("faults", "add", "meteor").code == 2


def test_nobody_opens_the_door_without_the_key(world: World) -> None:
    for key in ({}, {"X-Harness-Front": "wrong"}):
        assert httpx.get(f"{world.url}/_harness/faults", headers=key, trust_env=False).status_code == 403


def test_a_message_is_delivered_as_often_as_it_is_asked_for(world: World, faults: Faults) -> None:
    faults.add(Rule(kind="duplicate", service="sqs", operation=DELIVER, contains="thrice", times=3))
    sqs = world.client("sqs")
    url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": body, "MessageBody": body} for body in ("thrice", "once")])

    assert soon(lambda: len(world.things("thrice")) == 3)
    assert soon(lambda: len(world.things("once")) == 1)
    left = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert left["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_a_message_whose_function_crashed_comes_again_at_once(world: World, faults: Faults) -> None:
    faults.add(Rule(kind="crash", service="dynamodb", contains="doomed"))
    sqs = world.client("sqs")
    url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(("doomed", "mate", "mate2"))]
    sqs.send_message_batch(QueueUrl=url, Entries=entries)

    # What is to crash its function is delivered alone.
    assert soon(lambda: len(world.things("mate")) == 2)
    assert soon(lambda: faults.rules()[0].left == 0)
    assert world.things("doomed") == []
    assert soon(lambda: faults.show_hidden(QUEUE, "doomed") == 1)
    assert soon(lambda: len(world.things("doomed")) == 1)


def test_calls_of_the_search_node_meet_the_same_rules(world: World, faults: Faults) -> None:
    ask = {"fetch": {"variable": "SEARCH", "path": "/index/_search?size=1"}}
    assert world.invoke(ask) == {"status": 200, "body": {"path": "/index/_search?size=1", "body": {"query": "all"}}}

    faults.add(Rule(kind="throttling", service=SEARCH, operation="Search", caller=FUNCTION, contains="all"))
    assert world.invoke(ask)["status"] == 429
    faults.add(Rule(kind="disconnect", service=SEARCH, event="_search"))
    assert world.invoke(ask)["status"] == 0
    assert world.invoke(ask)["status"] == 200


def test_calls_of_the_model_meet_the_same_rules(world: World, faults: Faults) -> None:
    ask = {"fetch": {"variable": "AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "path": "/model/amazon.titan%3A0/invoke"}}
    # Nobody is there.
    assert world.invoke(ask)["status"] == 0

    faults.add(Rule(kind="error", service=MODEL, operation="InvokeModel", error="ModelNotReadyException"))
    assert world.invoke(ask)["status"] == 429


def test_what_a_snapshot_has_kept_outlives_the_emulator(world: World) -> None:
    sqs = world.client("sqs")
    kept = sqs.create_queue(QueueName="kept")["QueueUrl"]
    sqs.send_message(QueueUrl=kept, MessageBody="kept")
    assert world.put("kept") == {"code": ""}
    figures = world.faults.snapshot()
    assert figures.taken >= 1
    kill_and_start_again(world)

    assert world.things("kept") == ["kept"]
    assert [message["Body"] for message in sqs.receive_message(QueueUrl=kept)["Messages"]] == ["kept"]
    assert world.put("anew") == {"code": ""}


def test_what_the_journal_has_kept_outlives_the_emulator(world: World) -> None:
    states = world.client("stepfunctions")
    definition = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    role = world.client("iam").get_role(RoleName=FUNCTION)["Role"]["Arn"]
    machine = states.create_state_machine(name="short", definition=json.dumps(definition), roleArn=role)
    table = world.client("dynamodb")
    for name in ("gone", "changed"):
        world.put(f"journal {name}")
    world.faults.snapshot()

    table.delete_item(TableName=TABLE, Key={"id": {"S": "journal gone"}})
    table.put_item(TableName=TABLE, Item={"id": {"S": "journal changed"}, "bytes": {"B": b"\x00\xff"}})
    world.put("journal new")
    execution = states.start_execution(stateMachineArn=machine["stateMachineArn"], name="kept")["executionArn"]
    assert soon(lambda: states.describe_execution(executionArn=execution)["status"] == "SUCCEEDED")
    world.faults.snapshot()
    newest = max(journals(world))
    assert '"journal new"' in newest.read_text()
    with newest.open("a") as file:
        file.write('["item", ["torn')
    kill_and_start_again(world)
    world.put("journal after")
    world.faults.snapshot()
    kill_and_start_again(world)

    assert sorted(world.things("journal")) == ["journal after", "journal changed", "journal new"]
    changed = table.get_item(TableName=TABLE, Key={"id": {"S": "journal changed"}})["Item"]
    assert changed["bytes"]["B"] == b"\x00\xff"
    assert states.describe_execution(executionArn=execution)["status"] == "SUCCEEDED"
    assert states.get_execution_history(executionArn=execution)["events"][-1]["type"] == "ExecutionSucceeded"


def test_a_snapshot_takes_the_place_of_a_long_journal(world: World) -> None:
    table = world.client("dynamodb")
    before = max(journals(world), default=None)
    for number in range(200):
        item = {"id": {"S": f"large {number}"}, "text": {"S": "x" * 350_000}}
        table.put_item(TableName=TABLE, Item=item)

    # Each snapshot begins another one, and deletes those before it.
    assert soon(lambda: before not in journals(world))
    assert soon(lambda: sum(file.stat().st_size for file in journals(world)) < 64 * 1024 * 1024)
    count = table.describe_table(TableName=TABLE)["Table"]["ItemCount"]
    kill_and_start_again(world)
    assert table.describe_table(TableName=TABLE)["Table"]["ItemCount"] == count > 200
    assert table.get_item(TableName=TABLE, Key={"id": {"S": "large 199"}})["Item"]["text"]["S"] == "x" * 350_000


def test_no_journal_outlives_a_clean_stop(world: World) -> None:
    world.put("clean")
    world.faults.snapshot()
    world.processes.stop(emulator.NAME)

    assert journals(world) == []
    world.processes.start(world.child)
    assert world.things("clean") == ["clean"]


def journals(world: World) -> list[Path]:
    return sorted(Path(world.child.environment["STATE_DIR"]).glob("harness_journal.*"))


def kill_and_start_again(world: World) -> None:
    state = world.processes.state(emulator.NAME)
    assert isinstance(state, Running)
    os.kill(state.pid, signal.SIGKILL)
    assert soon(lambda: not isinstance(world.processes.state(emulator.NAME), Running))
    world.processes.start(world.child)


def test_a_change_is_on_disk_within_seconds(world: World) -> None:
    before = world.faults.snapshots().taken
    world.put("noticed")

    assert soon(lambda: world.faults.snapshots().taken > before)
