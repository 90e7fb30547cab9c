"""The emulator: what it keeps over a clean stop, what its functions see, and that it enforces IAM."""

from __future__ import annotations

import io
import json
import os
import subprocess
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import psutil
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from harness import emulator, ports, toolchain
from harness.errors import HarnessError
from harness.paths import REPOSITORY, Paths, user_cache
from harness.processes import Child, Processes, Running
from harness.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REGION = "eu-central-1"
ACCOUNT = "000000000000"
PASSWORD = "Abcdef1!xyz"
BEDROCK_URL = "http://127.0.0.1:9"
HANDLER = """
import os, sys
import dependency

def handler(event, context):
    print("called")
    return {"layer": dependency.VALUE, "environment": dict(os.environ), "no_byte_code": sys.dont_write_bytecode}
"""
SLOW_TO_START = """
import os, time
began = time.time()
time.sleep(0.4)
ready = time.time()

def handler(event, context):
    return {"environment": os.getpid(), "began": began, "ready": ready}
"""
BUSY = """
import os, time
began = time.time()

def handler(event, context):
    time.sleep(event["seconds"])
    return os.getpid(), began
"""
THREADS = """
import contextvars, json, threading, time
from harness.emulator_threads import Lent, _idle

mark = contextvars.ContextVar("mark", default=None)
seen = []

def work():
    seen.append((threading.get_ident(), mark.get()))
    mark.set("of another's work")

def done(one):
    one.join()
    while not _idle:
        time.sleep(0.001)

for _ in range(5):
    one = Lent(target=work)
    one.start()
    done(one)
held = threading.Event()
waiting = Lent(target=held.wait)
waiting.start()
waiting.join(0.01)
meanwhile = Lent(target=work)
meanwhile.start()
done(meanwhile)
alive = waiting.is_alive()
held.set()
waiting.join()
print(json.dumps({"seen": seen, "alive": [alive, waiting.is_alive()]}))
"""
ENDS = """
import os, signal

def handler(event, context):
    if "signal" in event:
        os.kill(os.getpid(), event["signal"])
    os._exit(event["code"])
"""


@dataclass
class World:
    """A running emulator with one resource of each kind in it."""

    processes: Processes
    child: Child
    url: str
    made: dict[str, str] = field(default_factory=dict)

    def client(self, service: str, **credentials: str) -> Any:
        keys = credentials or {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        config = Config(retries={"total_max_attempts": 1}, proxies={})
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, config=config, **keys)  # type: ignore[call-overload]  # any service

    def restart(self) -> None:
        self.processes.stop(emulator.NAME)
        self.processes.start(self.child)


def new_world(folder: Path) -> World:
    """An emulator that is not running yet."""
    paths = Paths(root=REPOSITORY, cache=user_cache(), local=folder)
    port = ports.assign(folder / "ports.json", {emulator.NAME: 4566}).ports[emulator.NAME]
    child = emulator.child(
        python=toolchain.ensure_emulator(paths, Silent()),
        folder=folder / "data",
        port=port,
        region=REGION,
        bedrock_url=BEDROCK_URL,
        search_address="127.0.0.1:9",
        front_key="nobody has it",
    )
    return World(Processes(records=folder / "processes", logs=folder / "logs"), child, emulator.url(port))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The emulator with one resource of each kind, stopped and started again since they were made."""
    world = new_world(tmp_path_factory.mktemp("emulator"))
    world.processes.start(world.child)
    try:
        for make in (
            make_role,
            make_keys,
            make_table,
            make_queues,
            make_bucket,
            make_function,
            make_pool,
            make_api,
            make_rest,
        ):
            make(world)
        world.restart()
        yield world
    finally:
        world.processes.stop(emulator.NAME)


def archive(**files: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as target:
        for name, text in files.items():
            target.writestr(name.replace("__", "/").removesuffix("_py") + ".py", text)
    return packed.getvalue()


def make_role(world: World) -> None:
    iam = world.client("iam")
    for name, service in (("function", "lambda.amazonaws.com"), ("powerless", "lambda.amazonaws.com")):
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": [service, "states.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        world.made[name] = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    everything = {"Effect": "Allow", "Action": ["sqs:*", "dynamodb:*", "logs:*"], "Resource": "*"}
    iam.put_role_policy(
        RoleName="function",
        PolicyName="main",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )


def make_keys(world: World) -> None:
    kms = world.client("kms")
    world.made["mac_key"] = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    world.made["mac"] = kms.generate_mac(KeyId=world.made["mac_key"], Message=b"cursor", MacAlgorithm="HMAC_SHA_256")[
        "Mac"
    ].hex()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/data", TargetKeyId=key)
    world.made["ciphertext"] = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"].hex()


def make_table(world: World) -> None:
    dynamodb = world.client("dynamodb")
    dynamodb.create_table(
        TableName="tickets",
        KeySchema=[{"AttributeName": "ticket_id", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": "ticket_id", "AttributeType": "S"},
            {"AttributeName": "created_at", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-time",
                "KeySchema": [
                    {"AttributeName": "ticket_id", "KeyType": "HASH"},
                    {"AttributeName": "created_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    dynamodb.update_time_to_live(TableName="tickets", TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"})
    dynamodb.put_item(TableName="tickets", Item={"ticket_id": {"S": "tkt_1"}, "created_at": {"N": "5"}})


def make_queues(world: World) -> None:
    sqs = world.client("sqs")
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    for name in ("kept", "work", "ingest"):
        attributes = {"Policy": policy, "VisibilityTimeout": "60"}
        world.made[name] = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    sqs.send_message(QueueUrl=world.made["kept"], MessageBody="hello")


def make_bucket(world: World) -> None:
    s3 = world.client("s3")
    s3.create_bucket(Bucket="documents", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket="documents", VersioningConfiguration={"Status": "Enabled"})
    for text in ("old", "new"):
        s3.put_object(Bucket="documents", Key="kb/it/a b.md", Body=text.encode(), Metadata={"lang": "it-IT"})
    queue = {"QueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:ingest", "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket="documents", NotificationConfiguration={"QueueConfigurations": [queue]}
    )


def make_function(world: World) -> None:
    functions = world.client("lambda")
    layer = functions.publish_layer_version(
        LayerName="dependencies", Content={"ZipFile": archive(python__dependency_py="VALUE = 7")}
    )
    functions.create_function(
        FunctionName="worker",
        Runtime="python3.13",
        Role=world.made["function"],
        Handler="worker.handler.handler",
        Layers=[layer["LayerVersionArn"]],
        Timeout=20,
        Publish=True,
        Environment={"Variables": {"SETTING": "kept"}},
        Code={"ZipFile": archive(worker__handler_py=HANDLER)},
    )
    functions.create_alias(FunctionName="worker", Name="live", FunctionVersion="1")
    functions.create_event_source_mapping(
        EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:work",
        FunctionName=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:worker:live",
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    # A worker that runs when the emulator is stopped.
    functions.invoke(FunctionName="worker:live", Payload=b"{}")


def make_pool(world: World) -> None:
    cognito = world.client("cognito-idp")
    claim = {"Name": "customer_id", "AttributeDataType": "String", "Mutable": True}
    world.made["pool"] = cognito.create_user_pool(PoolName="users", Schema=[claim])["UserPool"]["Id"]
    world.made["client"] = cognito.create_user_pool_client(
        UserPoolId=world.made["pool"], ClientName="app", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"]
    )["UserPoolClient"]["ClientId"]
    user = {"UserPoolId": world.made["pool"], "Username": "anna@example.com"}
    cognito.create_group(UserPoolId=world.made["pool"], GroupName="customer")
    cognito.admin_create_user(
        **user, UserAttributes=[{"Name": "custom:customer_id", "Value": "C1"}], MessageAction="SUPPRESS"
    )
    cognito.admin_set_user_password(**user, Password=PASSWORD, Permanent=True)
    cognito.admin_add_user_to_group(**user, GroupName="customer")
    world.made["token"] = sign_in(world)


def make_api(world: World) -> None:
    gateway = world.client("apigateway")
    api = gateway.create_rest_api(name="api")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    resource = gateway.create_resource(restApiId=api, parentId=root, pathPart="tickets")["id"]
    authorizer = gateway.create_authorizer(
        restApiId=api,
        name="users",
        type="COGNITO_USER_POOLS",
        providerARNs=[f"arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/{world.made['pool']}"],
        identitySource="method.request.header.Authorization",
    )["id"]
    method = {"restApiId": api, "resourceId": resource, "httpMethod": "GET"}
    gateway.put_method(**method, authorizationType="COGNITO_USER_POOLS", authorizerId=authorizer)
    alias = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:worker:live"
    gateway.put_integration(
        **method,
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{alias}/invocations",
    )
    gateway.create_stage(restApiId=api, stageName="v1", deploymentId=gateway.create_deployment(restApiId=api)["id"])
    world.made["api"] = f"{world.url}/restapis/{api}/v1/_user_request_/tickets"


def make_rest(world: World) -> None:
    definition = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    world.made["machine"] = world.client("stepfunctions").create_state_machine(
        name="workflow", roleArn=world.made["function"], definition=json.dumps(definition)
    )["stateMachineArn"]
    events = world.client("events")
    events.create_event_bus(Name="events")
    events.put_rule(Name="all", EventBusName="events", EventPattern='{"source":["x"]}')
    world.client("logs").create_log_group(logGroupName="/group")
    world.client("logs").put_retention_policy(logGroupName="/group", retentionInDays=1)
    world.made["topic"] = world.client("sns").create_topic(Name="alarms")["TopicArn"]
    world.client("cloudwatch").put_metric_alarm(
        AlarmName="depth", Namespace="N", MetricName="M", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    world.client("opensearch").create_domain(DomainName="domain", EngineVersion="OpenSearch_2.19")


def sign_in(world: World) -> str:
    answer = world.client("cognito-idp").initiate_auth(
        ClientId=world.made["client"],
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "anna@example.com", "PASSWORD": PASSWORD},
    )
    token: str = answer["AuthenticationResult"]["IdToken"]
    return token


def eventually(check: Callable[[], bool], *, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


# --- what survives a clean stop


def test_items_indexes_streams_and_ttl_survive_a_restart(world: World) -> None:
    dynamodb = world.client("dynamodb")
    found = dynamodb.query(
        TableName="tickets",
        IndexName="by-time",
        KeyConditionExpression="ticket_id = :id",
        ExpressionAttributeValues={":id": {"S": "tkt_1"}},
    )
    assert found["Items"][0]["created_at"] == {"N": "5"}
    assert dynamodb.describe_table(TableName="tickets")["Table"]["StreamSpecification"]["StreamEnabled"]
    assert dynamodb.describe_time_to_live(TableName="tickets")["TimeToLiveDescription"]["AttributeName"] == "ttl"


def test_objects_their_versions_metadata_and_notifications_survive_a_restart(world: World) -> None:
    s3 = world.client("s3")
    found = s3.get_object(Bucket="documents", Key="kb/it/a b.md")
    assert (found["Body"].read(), found["Metadata"]) == (b"new", {"lang": "it-IT"})
    assert len(s3.list_object_versions(Bucket="documents")["Versions"]) == 2
    assert s3.get_bucket_notification_configuration(Bucket="documents")["QueueConfigurations"]


def test_messages_survive_a_restart(world: World) -> None:
    (message,) = world.client("sqs").receive_message(QueueUrl=world.made["kept"])["Messages"]
    assert message["Body"] == "hello"


def test_keys_still_verify_and_decrypt_after_a_restart(world: World) -> None:
    kms = world.client("kms")
    assert kms.verify_mac(
        KeyId=world.made["mac_key"],
        Message=b"cursor",
        MacAlgorithm="HMAC_SHA_256",
        Mac=bytes.fromhex(world.made["mac"]),
    )["MacValid"]
    assert kms.decrypt(CiphertextBlob=bytes.fromhex(world.made["ciphertext"]))["Plaintext"] == b"secret"
    assert kms.describe_key(KeyId="alias/data")["KeyMetadata"]["Enabled"]


def test_users_and_their_tokens_survive_a_restart(world: World) -> None:
    assert sign_in(world)
    for token, status in ((world.made["token"], 200), ("forged", 401)):
        answer = httpx.get(world.made["api"], headers={"Authorization": token}, trust_env=False)
        # The function's answer is no proxy answer; that it was called at all is what counts.
        assert (answer.status_code == 401) == (status == 401), answer.text


def test_functions_aliases_layers_and_event_sources_survive_a_restart(world: World) -> None:
    functions = world.client("lambda")
    answer = json.loads(functions.invoke(FunctionName="worker:live", Payload=b"{}")["Payload"].read())
    assert answer["layer"] == 7
    assert answer["environment"]["SETTING"] == "kept"
    sqs = world.client("sqs")
    sqs.send_message(QueueUrl=world.made["work"], MessageBody="after the restart")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def consumed() -> bool:
        found = sqs.get_queue_attributes(QueueUrl=world.made["work"], AttributeNames=names)["Attributes"]
        return all(found[name] == "0" for name in names)

    assert eventually(consumed)


def test_the_rest_survives_a_restart(world: World) -> None:
    assert world.client("iam").get_role_policy(RoleName="function", PolicyName="main")["PolicyDocument"]
    assert world.client("stepfunctions").describe_state_machine(stateMachineArn=world.made["machine"])
    assert world.client("events").describe_rule(Name="all", EventBusName="events")["State"] == "ENABLED"
    (group,) = world.client("logs").describe_log_groups(logGroupNamePrefix="/group")["logGroups"]
    assert group["retentionInDays"] == 1
    assert world.client("sns").get_topic_attributes(TopicArn=world.made["topic"])
    assert world.client("cloudwatch").describe_alarms(AlarmNames=["depth"])["MetricAlarms"]
    assert world.client("opensearch").describe_domain(DomainName="domain")["DomainStatus"]["Endpoint"] == "127.0.0.1:9"


# --- what functions see


def test_functions_find_the_local_services_and_none_of_the_developers_credentials(world: World) -> None:
    answer = world.client("lambda").invoke(FunctionName="worker:live", Payload=b"{}")
    seen = json.loads(answer["Payload"].read())
    environment = seen["environment"]
    assert environment["AWS_ENDPOINT_URL"] == world.url
    # Through the emulator, which knows the faults that are asked for.
    assert environment["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] == f"{world.url}/_relay/bedrock-runtime"
    assert environment["AWS_ACCESS_KEY_ID"] != "test"
    assert environment["AWS_SESSION_TOKEN"]
    assert environment["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
    assert environment["TZ"] == "UTC"
    assert not [name for name in environment if name.lower().endswith("_proxy")]
    assert seen["no_byte_code"] is False


def test_calls_of_an_alias_are_shared_by_its_weights(world: World) -> None:
    functions = world.client("lambda")
    functions.update_function_configuration(FunctionName="worker", Description="another version")
    newer = functions.publish_version(FunctionName="worker")["Version"]
    older = functions.get_alias(FunctionName="worker", Name="live")["FunctionVersion"]

    def called(weights: dict[str, float]) -> set[str]:
        routing = {"AdditionalVersionWeights": weights}
        functions.update_alias(FunctionName="worker", Name="live", FunctionVersion=older, RoutingConfig=routing)
        answers = (functions.invoke(FunctionName="worker", Qualifier="live", Payload=b"{}") for _ in range(30))
        return {answer["ExecutedVersion"] for answer in answers}

    assert called({newer: 0.5}) == {older, newer}
    assert called({}) == {older}


def test_expired_items_are_removed(world: World) -> None:
    table = world.client("dynamodb")
    known = table.describe_time_to_live(TableName="tickets")["TimeToLiveDescription"]
    moments = {"expired": {"N": "1"}, "later": {"N": str(2**40)}, "no number": {"S": "1"}}
    for name, moment in moments.items():
        table.put_item(TableName="tickets", Item={"ticket_id": {"S": name}, known["AttributeName"]: moment})
    # It looks when it starts, then once a minute.
    world.restart()

    def left() -> set[str]:
        keys = [{"ticket_id": {"S": name}} for name in moments]
        answers = table.batch_get_item(RequestItems={"tickets": {"Keys": keys}})["Responses"]["tickets"]
        return {item["ticket_id"]["S"] for item in answers}

    assert eventually(lambda: left() == {"later", "no number"})


def create_function(world: World, name: str, code: str) -> Any:
    """A Lambda client, for a new function."""
    functions = world.client("lambda")
    functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=world.made["function"],
        Handler="handler.handler",
        Timeout=20,
        Code={"ZipFile": archive(handler_py=code)},
    )
    return functions


def test_environments_start_in_turn_and_calls_take_the_first_that_is_free(world: World) -> None:
    functions = create_function(world, "slow_to_start", SLOW_TO_START)
    calls, places = 12, os.cpu_count() or 1

    def call(_: int) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(functions.invoke(FunctionName="slow_to_start")["Payload"].read())
        return answer

    with ThreadPoolExecutor(calls) as pool:
        answers = list(pool.map(call, range(calls)))

    starts = {answer["environment"]: (answer["began"], answer["ready"]) for answer in answers}.values()
    at_once = [sum(began <= moment < ready for began, ready in starts) for moment, _ in starts]
    assert max(at_once) <= places
    assert len(starts) < calls or places >= calls


def test_the_more_environments_a_function_has_the_longer_a_call_waits_before_it_has_another_started(
    world: World,
) -> None:
    functions = create_function(world, "busy", BUSY)

    def call(seconds: float) -> tuple[int, float]:
        payload = json.dumps({"seconds": seconds}).encode()
        environment, began = json.loads(functions.invoke(FunctionName="busy", Payload=payload)["Payload"].read())
        return environment, began

    call(0)
    before = time.time()
    with ThreadPoolExecutor(4) as pool:
        began = sorted(dict(pool.map(call, [2.0] * 4)).values())

    assert len(began) == 4
    assert all(moment - before >= 0.1 * others for others, moment in enumerate(began[1:], 1))


def test_a_thread_is_used_again_as_if_it_were_new(world: World) -> None:
    done = subprocess.run(
        [world.child.command[0], "-c", THREADS],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)

    *alone, (meanwhile, _) = found["seen"]
    assert len({thread for thread, _ in alone}) == 1
    assert meanwhile not in {thread for thread, _ in alone}
    assert {mark for _, mark in found["seen"]} == {None}
    assert found["alive"] == [True, False]


def test_it_does_not_start_without_the_state_that_it_had(tmp_path: Path) -> None:
    new = new_world(tmp_path)
    kept = Path(new.child.environment["STATE_DIR"]) / "harness_streams.json"
    kept.parent.mkdir(parents=True)
    kept.write_text(unreadable := '{"unread": ["not a stream"]}')
    try:
        with pytest.raises(HarnessError, match="ended while it was starting"):
            new.processes.start(new.child)
    finally:
        new.processes.stop(emulator.NAME)

    assert "could not start" in new.processes.last_lines(emulator.NAME, 100)
    assert kept.read_text() == unreadable


def test_functions_that_a_queue_calls_leave_the_processor_to_those_that_callers_wait_for(world: World) -> None:
    told = "import os\ndef handler(event, context):\n    return os.nice(0)\n"
    queue = world.client("sqs").create_queue(QueueName="patient")["QueueUrl"]
    found = {}
    for name in ("prompt", "patient"):
        functions = create_function(world, name, told)
        if name == "patient":
            source = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue.rpartition('/')[2]}"
            functions.create_event_source_mapping(FunctionName=name, EventSourceArn=source)
        found[name] = int(functions.invoke(FunctionName=name)["Payload"].read())

    assert found == {"prompt": os.nice(0), "patient": min(os.nice(0) + 10, 19)}


@pytest.mark.parametrize(
    ("event", "how"), [({"signal": 11}, "signal: segmentation fault"), ({"code": 3}, "exit status 3")]
)
def test_it_says_how_an_environment_ended(world: World, event: dict[str, int], how: str) -> None:
    name = f"ends_{'_'.join(event)}"
    answer = create_function(world, name, ENDS).invoke(FunctionName=name, Payload=json.dumps(event).encode())

    assert answer["FunctionError"]
    assert json.loads(answer["Payload"].read())["errorMessage"].endswith(f"Runtime exited with error: {how}")


def test_only_the_newest_logs_are_kept(world: World) -> None:
    logs = world.client("logs")
    logs.create_log_group(logGroupName="many")
    logs.create_log_stream(logGroupName="many", logStreamName="events")
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": str(number)} for number in range(24_000)]
    for first in range(0, len(events), 8_000):
        logs.put_log_events(logGroupName="many", logStreamName="events", logEvents=events[first : first + 8_000])

    kept = logs.get_log_events(logGroupName="many", logStreamName="events", startFromHead=True, limit=10_000)["events"]

    assert kept[0]["message"] == "4000"


def test_a_group_keeps_the_logs_of_its_newest_invocations(world: World) -> None:
    functions = create_function(world, "logged", "def handler(event, context):\n    print(event)\n")
    functions.invoke(FunctionName="logged", Payload=b'"the first"')
    logs = world.client("logs")
    for number in range(1_100):
        logs.create_log_stream(logGroupName="/aws/lambda/logged", logStreamName=f"other-{number}")

    functions.invoke(FunctionName="logged", Payload=b'"the last"')

    messages = [event["message"] for event in logs.filter_log_events(logGroupName="/aws/lambda/logged")["events"]]
    assert "the last" in messages
    assert "the first" not in messages


def test_a_role_without_the_permission_is_denied(world: World) -> None:
    for role, allowed in (("function", True), ("powerless", False)):
        session = world.client("sts").assume_role(RoleArn=world.made[role], RoleSessionName="test")["Credentials"]
        sqs = world.client(
            "sqs",
            aws_access_key_id=session["AccessKeyId"],
            aws_secret_access_key=session["SecretAccessKey"],
            aws_session_token=session["SessionToken"],
        )
        # Sending is allowed to all by the queue's own policy, receiving only by the role's.
        sqs.send_message(QueueUrl=world.made["ingest"], MessageBody="x")
        if allowed:
            sqs.receive_message(QueueUrl=world.made["ingest"])
        else:
            with pytest.raises(ClientError, match="AccessDenied"):
                sqs.receive_message(QueueUrl=world.made["ingest"])


def test_what_roles_were_allowed_is_noted_and_outlives_a_restart(world: World) -> None:
    for role in ("function", "powerless"):
        session = world.client("sts").assume_role(RoleArn=world.made[role], RoleSessionName="noted")["Credentials"]
        sqs = world.client(
            "sqs",
            aws_access_key_id=session["AccessKeyId"],
            aws_secret_access_key=session["SecretAccessKey"],
            aws_session_token=session["SessionToken"],
        )
        with suppress(ClientError):
            sqs.receive_message(QueueUrl=world.made["ingest"])

    def noted() -> set[tuple[str, str, str]]:
        url, key = f"{world.url}/_harness/uses", {"x-harness-front": "nobody has it"}
        uses = httpx.get(url, headers=key, trust_env=False).raise_for_status().json()["uses"]
        return {(use["role"], use["action"], use["resource"]) for use in uses if use["session"] == "noted"}

    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{world.made['ingest'].rpartition('/')[2]}"
    assert noted() == {("function", "sqs:ReceiveMessage", queue)}
    world.restart()
    assert noted() == {("function", "sqs:ReceiveMessage", queue)}


def test_it_listens_on_loopback_only_and_on_one_port(world: World) -> None:
    state = world.processes.state(emulator.NAME)
    assert isinstance(state, Running)
    family = [psutil.Process(state.pid), *psutil.Process(state.pid).children(recursive=True)]
    listening = {c.laddr for p in family for c in p.net_connections() if c.status == psutil.CONN_LISTEN}
    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert len({address.port for address in listening}) == 1


def test_no_worker_outlives_it(world: World, tmp_path: Path) -> None:
    world.client("lambda").invoke(FunctionName="worker:live", Payload=b"{}")
    state = world.processes.state(emulator.NAME)
    assert isinstance(state, Running)
    workers = psutil.Process(state.pid).children(recursive=True)
    assert workers
    world.restart()
    assert not [worker for worker in workers if worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE]
