"""The front: what passes through it untouched, and what it finishes for the emulator's gateway."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import socket
import stat
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock, Mock

import boto3
import httpx
import msgspec
import psutil
import pytest
from aiohttp import StreamReader
from aiohttp.test_utils import make_mocked_request
from botocore.config import Config

from harness import emulator, front, ports, toolchain
from harness.front import pool, streams
from harness.front.handover import HEADER, HandOver
from harness.front.worker import Invocation
from harness.paths import REPOSITORY, Paths, user_cache
from harness.processes import Child, Processes, Running
from harness.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

REGION = "eu-central-1"
ACCOUNT = "000000000000"
KEY = "the key that only these two know"
PATIENCE = 20
STREAMING = REPOSITORY / "lambdas" / "streaming"
STREAM_URI = (
    f"arn:aws:apigateway:{REGION}:lambda:path/2021-11-15/functions/arn:aws:lambda:{REGION}:{ACCOUNT}:function:"
    "{name}:live/response-streaming-invocations"
)
STREAMER = """
import json, os, signal, time
from pathlib import Path
from streaming import Prelude

FOLDER = Path(os.environ["FOLDER"])

def handler(event, context):
    print("called")
    query = event["queryStringParameters"] or {}
    steps = query.get("do", "").split(",")
    if steps[0] == "raise":
        raise ValueError("before the first byte")
    if steps[0] == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if steps[0] == "long":
        yield Prelude(200, {"X-Long": "x" * 20000})
    yield Prelude(201, {"Content-Type": "text/plain", "X-Version": context.function_version}, cookies=("a=1", "b=2"))
    for step in steps:
        if step.startswith("wait:"):
            # Until the test has taken what came before.
            (FOLDER / step[5:]).read_bytes()
        elif step == "event":
            yield json.dumps(event)
        elif step == "environment":
            yield json.dumps(dict(os.environ))
        elif step == "crash-now":
            os.kill(os.getpid(), signal.SIGKILL)
        elif step == "raise-now":
            raise ValueError("after the first byte")
        elif step == "sleep":
            time.sleep(60)
        elif step == "for-ever":
            try:
                while True:
                    yield "." * 1000
                    time.sleep(0.01)
            finally:
                (FOLDER / "closed").touch()
        else:
            yield step
"""
"""What a test wants done is in the query: ``do=a,wait:gate,b``; a gate is a named pipe that the test writes to."""
RAW = """\
#!/usr/bin/env python3
# A runtime that keeps to the protocol only as far as the test wants it to.
import json, os, time
from http.client import HTTPConnection

while True:
    api = HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    invocation = api.getresponse()
    do = json.loads(invocation.read())["queryStringParameters"]["do"]
    if do == "hang":
        time.sleep(60)
    ok = b'{"statusCode": 200, "headers": {"Content-Length": "3"}}'
    body = {
        "fits": ok + b" " * (16384 - 8 - len(ok)) + bytes(8) + b"body",
        "too-long": ok + b" " * (16384 - 7 - len(ok)) + bytes(8) + b"body",
        "no-delimiter": ok,
        "no-json": b"{" + bytes(8),
        "no-status": b'{"statusCode": "200"}' + bytes(8),
        "line-end": br'{"statusCode": 200, "headers": {"X-A": "a\\r\\nX-B: b"}}' + bytes(8),
        "pieces": ok + bytes(3),
        "nothing": b"",
        "another": ok + bytes(8),
    }[do]
    number = invocation.headers["Lambda-Runtime-Aws-Request-Id"] + ("x" if do == "another" else "")
    api = HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    pieces = [body, bytes(4), bytes(1) + b"body"] if do == "pieces" else [body]
    api.request("POST", f"/2018-06-01/runtime/invocation/{number}/response", iter(pieces), encode_chunked=True,
                headers={"Transfer-Encoding": "chunked"})
    api.getresponse().read()
"""
ECHO = """
import json

def handler(event, context):
    print("called")
    if event["queryStringParameters"] == {"raise": "1"}:
        raise ValueError("a secret")
    return {
        "statusCode": 203,
        "multiValueHeaders": {"X-Two": ["1", "2"]},
        "headers": {"Content-Type": "text/plain", "X-Harness-Front": "I would like to be a hand-over"},
        "body": json.dumps(event),
    }
"""


@dataclass
class World:
    """A running emulator and front, with an API that has a route of each kind."""

    processes: Processes
    children: dict[str, Child]
    emulator_url: str
    front_url: str
    folder: Path
    made: dict[str, str] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        config = Config(retries={"total_max_attempts": 1}, proxies={})
        return boto3.client(  # type: ignore[call-overload]  # any service
            service, endpoint_url=self.emulator_url, region_name=REGION, config=config,
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip

    def path(self, route: str) -> str:
        return f"/restapis/{self.made['api']}/v1/_user_request_/{route}"

    def call(self, method: str, route: str, **how: Any) -> httpx.Response:
        return httpx.request(method, self.front_url + self.path(route), trust_env=False, timeout=PATIENCE, **how)

    def gate(self, name: str) -> Callable[[], object]:
        """A gate for the function to wait at; call what is returned to open it."""
        path = self.folder / name
        os.mkfifo(path)
        return lambda: path.write_bytes(b"go")

    def workers(self) -> list[psutil.Process]:
        state = self.processes.state(front.NAME)
        assert isinstance(state, Running)
        return psutil.Process(state.pid).children()

    def function_log(self, name: str) -> str:
        return (self.folder / "logs" / "functions" / f"{name}.log").read_text()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("front")
    paths = Paths(root=REPOSITORY, cache=user_cache(), local=folder)
    assigned = ports.assign(folder / "ports.json", {emulator.NAME: 4566, front.NAME: 4570}).ports
    emulator_url, front_url = emulator.url(assigned[emulator.NAME]), front.url(assigned[front.NAME])
    children = {
        emulator.NAME: emulator.child(
            python=toolchain.ensure_emulator(paths, Silent()), folder=folder / "emulator", port=assigned[emulator.NAME],
            region=REGION, bedrock_url="http://127.0.0.1:9", search_address="127.0.0.1:9", front_key=KEY,
        ),
        front.NAME: front.child(
            folder=folder / "front", logs=folder / "logs" / "functions", port=assigned[front.NAME], region=REGION,
            emulator_url=emulator_url, bedrock_url="http://127.0.0.1:9", key=KEY,
        ),
    }  # fmt: skip
    world = World(
        Processes(records=folder / "processes", logs=folder / "logs"), children, emulator_url, front_url, folder
    )
    try:
        for child in children.values():
            world.processes.start(child)
        make(world)
        yield world
    finally:
        for name in children:
            world.processes.stop(name)


def archive(files: dict[str, str], *, scripts: dict[str, str] | None = None) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as target:
        for name, text in files.items():
            target.writestr(name, text)
        for name, text in (scripts or {}).items():
            script = zipfile.ZipInfo(name)
            script.external_attr = (stat.S_IFREG | 0o755) << 16
            target.writestr(script, text)
    return packed.getvalue()


def make(world: World) -> None:
    make_roles(world)
    world.client("dynamodb").create_table(
        TableName="things", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}], BillingMode="PAY_PER_REQUEST",
    )  # fmt: skip
    world.client("dynamodb").put_item(TableName="things", Item={"id": {"S": "a/b"}, "what": {"S": "seen"}})
    world.made["queue"] = world.client("sqs").create_queue(QueueName="messages")["QueueUrl"]
    make_functions(world)
    make_api(world)


def make_roles(world: World) -> None:
    iam = world.client("iam")
    allowed = {"may": ["dynamodb:GetItem", "sqs:SendMessage"], "may-not": [], "function": []}
    for name, actions in allowed.items():
        service = "lambda" if name == "function" else "apigateway"
        trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        world.made[name] = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        if actions:
            statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
            policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            iam.put_role_policy(RoleName=name, PolicyName="main", PolicyDocument=policy)


def make_functions(world: World) -> None:
    functions = world.client("lambda")
    layer = archive(
        {f"python/streaming/{file.name}": file.read_text() for file in STREAMING.glob("*.py")},
        scripts={"streaming-runtime": (STREAMING / "streaming-runtime").read_text(), "raw-runtime": RAW},
    )
    layer_arn = functions.publish_layer_version(LayerName="runtimes", Content={"ZipFile": layer})["LayerVersionArn"]
    for name, code, wrapper in (
        ("echo", ECHO, ""),
        ("streamer", STREAMER, "/opt/streaming-runtime"),
        ("raw", "", "/opt/raw-runtime"),
        ("wrapperless", "", "/opt/no-such-runtime"),
    ):
        variables = {"AWS_LAMBDA_EXEC_WRAPPER": wrapper, "FOLDER": str(world.folder)} if wrapper else {}
        functions.create_function(
            FunctionName=name, Runtime="python3.13", Role=world.made["function"], Handler="app.handler", Timeout=3,
            Publish=True, Code={"ZipFile": archive({"app.py": code})}, Layers=[layer_arn] if wrapper else [],
            Environment={"Variables": variables},
        )  # fmt: skip
        functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")


def make_api(world: World) -> None:
    gateway = world.client("apigateway")
    api = world.made["api"] = gateway.create_rest_api(name="api")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    lambda_uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{{}}/invocations"
    echo = lambda_uri.format(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:echo:live")
    add(world, root, "echo", "ANY", type="AWS_PROXY", uri=echo)
    for path, name in (
        ("stream", "streamer"), ("raw", "raw"), ("wrapperless", "wrapperless"), ("no-function", "nobody")
    ):  # fmt: skip
        add(world, root, path, "GET", type="AWS_PROXY", uri=STREAM_URI.format(name=name))
    item = '{"TableName":"things","Key":{"id":{"S":"$input.params(\'id\')"}}}'
    shown = (
        '{"what":"$!input.path(\'$.Item.what.S\')","id":"$context.requestId"}'
        "#if(!$input.path('$.Item'))#end"
        '#if("$!input.path(\'$.Item\')" == "")#set($context.responseOverride.status = 404)'
        "#set($context.responseOverride.header.content-type = 'text/plain')#end"
    )
    for name, role in (("item", "may"), ("item-denied", "may-not"), ("item-not-trusting", "function")):
        add(
            world, root, name, "GET", type="AWS", uri=f"arn:aws:apigateway:{REGION}:dynamodb:action/GetItem",
            credentials=world.made[role], requestTemplates={"application/json": item},
            responses={
                "200": {"responseTemplates": {"application/json": shown}},
                "500": {"selectionPattern": r"4\d{2}", "responseTemplates": {"application/json": '{"refused":true}'}},
            },
        )  # fmt: skip
    add(
        world, root, "message", "POST", type="AWS", uri=f"arn:aws:apigateway:{REGION}:sqs:path/{ACCOUNT}/messages",
        credentials=world.made["may"],
        requestParameters={"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
        requestTemplates={
            "application/json": "Action=SendMessage&Version=2012-11-05&MessageBody=$util.urlEncode($input.body)"
        },
        responses={
            "202": {
                "responseTemplates": {"application/json": '{"accepted":"$context.requestId"}'},
                "responseParameters": {"method.response.header.X-Fixed": "'it''s'"},
            }
        },
    )  # fmt: skip
    for kind, status in (
        ("INTEGRATION_FAILURE", "500"), ("INTEGRATION_TIMEOUT", "504"), ("API_CONFIGURATION_ERROR", "500"),
        ("DEFAULT_5XX", "500"),
    ):  # fmt: skip
        gateway.put_gateway_response(
            restApiId=api, responseType=kind, statusCode=status,
            responseTemplates={"application/json": f'{{"failed":"{kind}","id":"$context.requestId"}}'},
            responseParameters={"gatewayresponse.header.Content-Type": "'application/problem+json'"},
        )  # fmt: skip
    gateway.create_stage(restApiId=api, stageName="v1", deploymentId=gateway.create_deployment(restApiId=api)["id"])


def add(world: World, root: str, path: str, method: str, *, responses: Any = None, **integration: Any) -> None:
    gateway, api = world.client("apigateway"), world.made["api"]
    resource = gateway.create_resource(restApiId=api, parentId=root, pathPart=path)["id"]
    where = {"restApiId": api, "resourceId": resource, "httpMethod": method}
    gateway.put_method(**where, authorizationType="NONE")
    gateway.put_integration(**where, integrationHttpMethod="POST", passthroughBehavior="NEVER", **integration)
    for status, response in (responses or {}).items():
        gateway.put_method_response(**where, statusCode=status)
        gateway.put_integration_response(**where, statusCode=status, **response)


def eventually(check: Callable[[], bool], *, seconds: float = PATIENCE) -> bool:
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


# --- passing through


def test_what_the_emulator_answers_comes_back_as_it_is(world: World) -> None:
    through, direct = (
        httpx.request("PUT", url + world.path("echo?a=%2f&a=2&b="), content=b"body", trust_env=False)
        for url in (world.front_url, world.emulator_url)
    )
    # The function tells what it got, and what is about one connection does not get there.
    varying = {"date", "content-length", "x-amz-request-id", "x-amzn-requestid", "x-amz-id-2"}
    assert through.status_code == direct.status_code == 203
    assert [(n, v) for n, v in through.headers.multi_items() if n not in varying] == [
        (n, v) for n, v in direct.headers.multi_items() if n not in varying
    ]
    assert through.headers.get_list("X-Two") == ["1", "2"]
    assert through.json()["body"] == "body"
    assert through.json()["multiValueQueryStringParameters"] == {"a": ["/", "2"], "b": [""]}


def raw(url: str, request: bytes) -> bytes:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


@pytest.mark.parametrize("target", ["/a//b/../c;x=1?q=%2f&q", "/%7e%2F|?|", "/bucket/?list-type=2&prefix=a+b", "//x"])
def test_path_and_query_reach_the_emulator_byte_for_byte(world: World, target: str) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    folder = world.folder / f"front-{port}"
    child = front.child(
        folder=folder, logs=folder, port=(own := free_port()), region=REGION, emulator_url=f"http://127.0.0.1:{port}",
        bedrock_url="http://127.0.0.1:9", key=KEY,
    )  # fmt: skip
    processes = Processes(records=folder / "processes", logs=folder / "logs")
    processes.start(child)
    try:
        asked = threading.Thread(
            target=raw,
            args=(front.url(own), f"GET {target} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n".encode()),
        )
        asked.start()
        connection, _ = server.accept()
        with connection:
            received = connection.recv(65536)
            connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        asked.join(PATIENCE)
    finally:
        processes.stop(front.NAME)
        server.close()
    line, _, headers = received.partition(b"\r\n")
    assert line == f"GET {target} HTTP/1.1".encode()
    assert b"Host: here\r\n" in headers
    assert sorted(name.partition(b":")[0].lower() for name in headers.strip().splitlines()) == [
        b"host",
        HEADER.lower().encode(),
    ]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def test_a_body_of_megabytes_passes_both_ways(world: World) -> None:
    body = os.urandom(3_000_000)
    bucket = f"big-{os.urandom(4).hex()}"
    s3 = boto3.client(
        "s3", endpoint_url=world.front_url, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test",
        config=Config(s3={"addressing_style": "path"}, proxies={}),
    )  # fmt: skip
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_object(Bucket=bucket, Key="a b/ü", Body=io.BytesIO(body))
    assert s3.get_object(Bucket=bucket, Key="a b/ü")["Body"].read() == body
    assert s3.head_object(Bucket=bucket, Key="a b/ü")["ContentLength"] == len(body)


def test_a_chunked_body_passes(world: World) -> None:
    answer = world.call("POST", "echo", content=iter([b"one ", b"two"]))
    assert answer.json()["body"] == "one two"


def test_a_client_that_waits_for_100_continue_gets_it(world: World) -> None:
    head = f"POST {world.path('echo')} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n"
    host, port = world.front_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"body")
        assert connection.recv(65536).startswith(b"HTTP/1.1 203 ")


def test_a_function_that_raises_tells_the_caller_nothing(world: World) -> None:
    answer = world.call("GET", "echo?raise=1")
    assert (answer.status_code, answer.json()["failed"]) == (500, "DEFAULT_5XX")
    assert "secret" not in answer.text


def test_the_key_is_shown_to_no_function(world: World) -> None:
    answer = world.call("GET", "echo", headers={HEADER: "mine"})
    assert KEY not in answer.text
    assert HEADER.lower() not in answer.json()["headers"]


def test_an_answer_that_says_it_is_a_hand_over_is_not_believed(world: World) -> None:
    assert world.call("GET", "echo").headers[HEADER] == "I would like to be a hand-over"


def test_the_emulator_hands_over_to_nobody_but_the_front(world: World) -> None:
    for headers in ({}, {HEADER: "a guess"}):
        answer = httpx.get(world.emulator_url + world.path("item?id=a"), headers=headers, trust_env=False)
        assert answer.status_code == 501
        assert answer.headers["Content-Type"] == "application/problem+json"


# --- services


def test_an_item_is_shown_by_the_template(world: World) -> None:
    answer = world.call("GET", "item?id=a%2Fb")
    assert (answer.status_code, answer.json()["what"]) == (200, "seen")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["x-amzn-RequestId"] == answer.json()["id"]


def test_a_template_may_set_status_and_headers(world: World) -> None:
    answer = world.call("GET", "item?id=nothing")
    assert answer.status_code == 404
    assert answer.headers.get_list("Content-Type") == ["text/plain"]


def test_a_role_without_the_right_is_denied(world: World) -> None:
    answer = world.call("GET", "item-denied?id=a")
    assert (answer.status_code, answer.json()) == (500, {"refused": True})


def test_a_role_that_does_not_trust_the_gateway_is_of_no_use(world: World) -> None:
    answer = world.call("GET", "item-not-trusting?id=a")
    assert (answer.status_code, answer.json()["failed"]) == (500, "API_CONFIGURATION_ERROR")


def test_a_message_is_sent(world: World) -> None:
    body = '{"text": "a&Action=DeleteQueue\\n ü"}'
    answer = world.call("POST", "message", content=body.encode(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 202, answer.text
    (message,) = world.client("sqs").receive_message(QueueUrl=world.made["queue"], WaitTimeSeconds=5)["Messages"]
    assert message["Body"] == body


def test_a_body_of_another_type_is_refused_before_it_gets_anywhere(world: World) -> None:
    answer = world.call("POST", "message", content=b"x", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415


# --- streams


def test_chunks_arrive_one_by_one(world: World) -> None:
    first, second = world.gate("first"), world.gate("second")
    url = world.front_url + world.path("stream?do=a,wait:first,b,wait:second,c")
    with httpx.stream("GET", url, trust_env=False, timeout=PATIENCE) as answer:
        assert answer.status_code == 201
        assert answer.headers["Content-Type"] == "text/plain"
        assert answer.headers.get_list("Set-Cookie") == ["a=1", "b=2"]
        chunks = answer.iter_raw()
        received = []
        for open_gate in (first, second, lambda: None):
            received.append(next(chunks))
            open_gate()
        assert received == [b"a", b"b", b"c"]
        assert next(chunks, None) is None


def test_the_function_sees_what_a_function_behind_the_gateway_sees(world: World) -> None:
    answer = world.call("GET", "stream?do=event&x=1", headers={"X-Mine": "1", HEADER: "mine"})
    event = json.loads(answer.text)
    assert event["queryStringParameters"] == {"do": "event", "x": "1"}
    assert event["headers"]["x-mine"] == "1"
    assert event["requestContext"]["requestId"] == answer.headers["x-amzn-RequestId"]
    assert KEY not in answer.text


def test_the_function_gets_its_own_environment_and_nothing_of_the_front(world: World) -> None:
    environment = json.loads(world.call("GET", "stream?do=environment").text)
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "streamer"
    assert environment["AWS_ENDPOINT_URL"] == world.emulator_url
    assert environment["AWS_SESSION_TOKEN"]
    assert KEY not in environment.values()
    who = boto3.client(
        "sts", endpoint_url=world.emulator_url, region_name=REGION,
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"], aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=environment["AWS_SESSION_TOKEN"],
    )  # fmt: skip
    assert ":assumed-role/function/" in who.get_caller_identity()["Arn"]


def test_a_process_is_used_again(world: World) -> None:
    world.call("GET", "stream?do=a")
    before = {process.pid for process in world.workers()}
    for _ in range(3):
        assert world.call("GET", "stream?do=a").text == "a"
    assert {process.pid for process in world.workers()} == before


def test_two_at_once_do_not_wait_for_each_other(world: World) -> None:
    gate = world.gate("both")
    url = world.front_url + world.path("stream?do=a,wait:both,b")
    with httpx.stream("GET", url, trust_env=False, timeout=PATIENCE) as one:
        chunks = one.iter_raw()
        assert next(chunks) == b"a"
        assert world.call("GET", "stream?do=other").text == "other"
        gate()
        assert next(chunks) == b"b"


def test_a_function_that_fails_before_the_first_byte_gives_the_apis_own_answer(world: World) -> None:
    for do in ("raise", "crash", "long"):
        answer = world.call("GET", f"stream?do={do}")
        assert (answer.status_code, answer.json()["failed"]) == (500, "INTEGRATION_FAILURE"), do
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert world.call("GET", "stream?do=a").text == "a"


def test_a_function_that_crashes_later_ends_the_connection(world: World) -> None:
    gate = world.gate("crash")
    url = world.front_url + world.path("stream?do=a,wait:crash,crash-now")
    with httpx.stream("GET", url, trust_env=False, timeout=PATIENCE) as answer:
        chunks = answer.iter_raw()
        assert next(chunks) == b"a"
        gate()
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            next(chunks)
    assert world.call("GET", "stream?do=a").text == "a"


def test_a_function_that_raises_later_ends_its_response(world: World) -> None:
    assert world.call("GET", "stream?do=a,raise-now").text == "a"
    assert eventually(lambda: "after the first byte" in world.function_log("streamer"))


@pytest.mark.parametrize("do", ["fits", "pieces"])
def test_a_prelude_may_fill_its_bytes_and_come_in_pieces(world: World, do: str) -> None:
    answer = world.call("GET", f"raw?do={do}")
    assert (answer.status_code, answer.text) == (200, "body")
    assert "Content-Length" not in answer.headers


@pytest.mark.parametrize(
    "do", ["too-long", "no-delimiter", "no-json", "no-status", "line-end", "nothing", "another", "hang"]
)
def test_a_wrong_prelude_gives_the_apis_own_answer(world: World, do: str) -> None:
    answer = world.call("GET", f"raw?do={do}")
    assert (answer.status_code, answer.json()["failed"]) == (500, "INTEGRATION_FAILURE")
    assert "X-B" not in answer.headers


def test_a_function_that_does_not_come_back_is_killed_when_its_time_is_over(world: World) -> None:
    assert world.call("GET", "raw?do=hang").status_code == 500
    assert "Task timed out after 3.00 seconds" in world.function_log("raw")


def test_a_wrapper_that_is_not_there_is_a_failure(world: World) -> None:
    answer = world.call("GET", "wrapperless")
    assert (answer.status_code, answer.json()["failed"]) == (500, "INTEGRATION_FAILURE")


def test_one_too_many_waits_until_another_ends(world: World) -> None:
    gates = [world.gate(f"place-{number}") for number in range(pool.MOST)]
    with contextlib.ExitStack() as opened:
        for number in range(pool.MOST):
            url = world.front_url + world.path(f"stream?do=a,wait:place-{number},b")
            answer = opened.enter_context(httpx.stream("GET", url, trust_env=False, timeout=PATIENCE))
            assert answer.status_code == 201
        assert len(world.workers()) == pool.MOST
        with ThreadPoolExecutor() as waiting:
            late = waiting.submit(world.call, "GET", "stream?do=late")
            assert not late.done()
            gates[0]()
            assert late.result(PATIENCE).text == "late"
        assert len(world.workers()) == pool.MOST
        for gate in gates[1:]:
            gate()


def test_a_function_is_told_that_its_time_is_nearly_over(world: World) -> None:
    started = time.monotonic()
    answer = world.call("GET", "stream?do=a,sleep")
    # Its loop was told first, and ended the response.
    assert answer.text == "a"
    assert time.monotonic() - started < 3.5


def test_when_the_client_hangs_up_the_function_stops(world: World) -> None:
    closed = world.folder / "closed"
    closed.unlink(missing_ok=True)
    url = world.front_url + world.path("stream?do=for-ever")
    with httpx.stream("GET", url, trust_env=False, timeout=PATIENCE) as answer:
        next(answer.iter_raw())
        assert not closed.exists()
    assert eventually(closed.exists, seconds=2)
    assert world.call("GET", "stream?do=a").text == "a"


def test_a_client_that_leaves_as_its_answer_ends_is_no_error() -> None:
    """It has read the last event and needs no end of the body: the front must not take that for a fault of its own."""

    async def answered() -> Any:
        body = StreamReader(Mock(), limit=1024)
        body.feed_data(b'{"statusCode": 200}' + bytes(8) + b"all")
        body.feed_eof()
        invocation = Invocation(b"{}", time.time() + 60)
        invocation.response.set_result(body)
        worker = Mock(**{"invoke.return_value": invocation})
        workers = AsyncMock(**{"take.return_value": worker})
        gone = AsyncMock(side_effect=ConnectionResetError("closing transport"))
        writer = Mock(write_headers=AsyncMock(), write=AsyncMock(), write_eof=gone)
        handed = msgspec.convert(
            {
                "event": {"requestContext": {"requestId": "1"}},
                "integration": {
                    "uri": "u", "httpMethod": "POST", "credentials": None, "timeoutInMillis": 1000,
                    "requestParameters": {}, "requestTemplates": {}, "integrationResponses": {},
                },
                "function": dict.fromkeys(
                    ("name", "version", "arn", "invoked_arn", "role", "runtime", "handler", "log_group", "code"), "f"
                ) | {"timeout": 1, "memory_size": 128, "environment": {}, "layers": []},
                "failures": {},
            },
            HandOver,
        )  # fmt: skip
        return await streams.finish(handed, workers, make_mocked_request("GET", "/", writer=writer))

    assert asyncio.run(answered()).status == 200


def test_a_function_that_is_not_there_is_the_apis_mistake(world: World) -> None:
    answer = world.call("GET", "no-function")
    assert (answer.status_code, answer.json()["failed"]) == (500, "API_CONFIGURATION_ERROR")


def test_log_lines_reach_the_file_and_the_log_group(world: World) -> None:
    logs = world.client("logs")
    assert eventually(lambda: "REPORT RequestId" in world.function_log("streamer"))

    def told() -> bool:
        groups = logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/streamer")["logGroups"]
        if not groups:
            logs.create_log_group(logGroupName="/aws/lambda/streamer")
            world.call("GET", "stream?do=a")
            return False
        events = logs.filter_log_events(logGroupName="/aws/lambda/streamer")["events"]
        return any(event["message"] == "called" for event in events)

    assert eventually(told)


def test_a_redeployed_alias_is_picked_up_at_once(world: World) -> None:
    functions = world.client("lambda")
    code = archive({"app.py": STREAMER.replace("201", "299")})
    functions.update_function_code(FunctionName="streamer", ZipFile=code)
    assert world.call("GET", "stream?do=a").status_code == 201
    version = functions.publish_version(FunctionName="streamer")["Version"]
    functions.update_alias(FunctionName="streamer", Name="live", FunctionVersion=version)
    answer = world.call("GET", "stream?do=a")
    assert (answer.status_code, answer.headers["X-Version"]) == (299, version)


# --- the service


def test_a_front_without_an_emulator_says_so(world: World) -> None:
    world.processes.stop(emulator.NAME)
    try:
        answer = world.call("GET", "echo")
        assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
        assert "emulator" in answer.json()["detail"]
        assert answer.headers["Retry-After"]
    finally:
        world.processes.start(world.children[emulator.NAME])
    assert world.call("GET", "echo").status_code == 203


def test_a_stop_leaves_no_function_behind(world: World) -> None:
    world.call("GET", "stream?do=a")
    workers = world.workers()
    assert workers
    world.processes.stop(front.NAME)
    assert not [worker for worker in workers if worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE]
    world.processes.start(world.children[front.NAME])
