"""Each function may do what it is for, and no more: tried with the credentials of its own role (spec section 4).

Who may call OpenSearch and Bedrock is not shown here: locally neither asks IAM. Graph tests read it in the policies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import boto3
import pytest
from botocore.exceptions import ClientError

from harness import aws as local_aws
from support.environment import FUNCTIONS

if TYPE_CHECKING:
    from harness.local_stack import LocalStack, Outputs

TABLE: Final = "support-local-{}"
QUEUE: Final = "/000000000000/support-local-{}"
BUCKET: Final = "support-local-knowledge-base-000000000000"
STATE_MACHINE: Final = "arn:aws:states:eu-central-1:000000000000:stateMachine:support-local-ticket-workflow"
DENIED: Final = {"AccessDenied", "AccessDeniedException"}

TICKET: Final = {"ticket_id": {"S": "tkt_0"}}
NEVER: Final = {"ConditionExpression": "attribute_exists(no_such_attribute)"}
"""Lets a write that is allowed write nothing."""


class Call(NamedTuple):
    """A call that changes nothing, and the functions that may make it."""

    service: str
    operation: str
    """As boto3 spells it."""
    arguments: dict[str, Any]
    may: frozenset[str]


def _event(*, source: str = "ai-service.tickets", bus: str = "support-local-events") -> dict[str, Any]:
    """An event that no bus takes, for its detail is not JSON."""
    return {"Entries": [{"Source": source, "DetailType": "Test", "Detail": "-", "EventBusName": bus}]}


def _calls(sqs: str, cursor_key: str) -> dict[str, Call]:
    def call(service: str, operation: str, arguments: dict[str, Any], *may: str) -> Call:
        return Call(service, operation, arguments, frozenset(may))

    tickets, solutions = ({"TableName": TABLE.format(name)} for name in ("tickets", "solutions"))
    change = {"Key": TICKET, "UpdateExpression": "SET a = :a", "ExpressionAttributeValues": {":a": {"S": "a"}}}
    of_customer = {
        "IndexName": "customer-created-index",
        "KeyConditionExpression": "customer_id = :c",
        "ExpressionAttributeValues": {":c": {"S": "C0"}},
    }
    idempotency = {"TableName": TABLE.format("idempotency-keys"), "Key": {"idempotency_key": {"S": "none"}}}
    document, draft = {"Bucket": BUCKET, "Key": "kb/it/colonnina-e042.md"}, {"Bucket": BUCKET, "Key": "drafts/none.md"}
    ticket_queue, ingest_queue = ({"QueueUrl": sqs + QUEUE.format(name)} for name in ("tickets", "kb-ingest"))
    readers = ("create_ticket", "get_ticket", "get_solution", "process_ticket")
    mac = {"KeyId": cursor_key, "Message": b"cursor", "MacAlgorithm": "HMAC_SHA_256"}
    return {
        "read a ticket": call("dynamodb", "get_item", tickets | {"Key": TICKET}, *readers),
        "store a ticket": call("dynamodb", "put_item", tickets | NEVER | {"Item": TICKET}, "create_ticket"),
        "change a ticket": call("dynamodb", "update_item", tickets | NEVER | change, "create_ticket"),
        "delete a ticket": call("dynamodb", "delete_item", tickets | NEVER | {"Key": TICKET}),
        "list a customer's tickets": call("dynamodb", "query", tickets | of_customer, "list_tickets"),
        "look through all tickets": call("dynamodb", "scan", tickets | {"Limit": 1}),
        "read a solution": call("dynamodb", "get_item", solutions | {"Key": TICKET}, "get_solution", "process_ticket"),
        "store a solution": call("dynamodb", "put_item", solutions | NEVER | {"Item": TICKET}, "process_ticket"),
        "delete a solution": call("dynamodb", "delete_item", solutions | NEVER | {"Key": TICKET}),
        "read an idempotency key": call("dynamodb", "get_item", idempotency, "create_ticket"),
        "read a document": call("s3", "get_object", document, "kb_ingest"),
        "read what is no document": call("s3", "get_object", draft),
        "write what is no document": call("s3", "put_object", draft | {"Body": b""}),
        "delete an object": call("s3", "delete_object", draft),
        "look at the ticket queue": call("sqs", "get_queue_attributes", ticket_queue, "process_ticket"),
        "look at the ingest queue": call("sqs", "get_queue_attributes", ingest_queue, "kb_ingest"),
        "empty the ingest queue's failures": call(
            "sqs", "purge_queue", {"QueueUrl": ingest_queue["QueueUrl"] + "-dlq"}
        ),
        "list executions": call("stepfunctions", "list_executions", {"stateMachineArn": STATE_MACHINE}),
        "sign a cursor": call("kms", "generate_mac", mac, "list_tickets"),
        "publish an event of the service": call("events", "put_events", _event(), "publish_events"),
        "publish another's event": call("events", "put_events", _event(source="somebody.else")),
        "publish on another bus": call("events", "put_events", _event(bus="default")),
        "call a function": call("lambda", "invoke", {"FunctionName": TABLE.format("search_bootstrap")}),
        "read a role": call("iam", "get_role", {"RoleName": TABLE.format("create_ticket")}),
    }


@pytest.fixture(scope="module")
def calls(stack: LocalStack, outputs: Outputs) -> dict[str, Call]:
    configuration = stack.client("lambda").get_function_configuration(FunctionName=outputs.functions["list_tickets"])
    variables = configuration["Environment"]["Variables"]
    return _calls(stack.services.endpoints().emulator, variables["CURSOR_KEY_ARN"])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_do_what_it_is_for_and_no_more(
    stack: LocalStack, outputs: Outputs, calls: dict[str, Call], function: str
) -> None:
    role = _session(stack, outputs.functions[function])
    endpoint = stack.services.endpoints().emulator
    clients: dict[str, Any] = {
        service: role.client(service, endpoint_url=endpoint, config=local_aws.config())  # type: ignore[call-overload]  # any
        for service in {call.service for call in calls.values()}
    }

    may = {name for name, call in calls.items() if _is_allowed(clients[call.service], call)}

    assert may == {name for name, call in calls.items() if function in call.may}


def _session(stack: LocalStack, function: str) -> boto3.Session:
    role = stack.client("lambda").get_function_configuration(FunctionName=function)["Role"]
    lent = stack.client("sts").assume_role(RoleArn=role, RoleSessionName="e2e")["Credentials"]
    return boto3.Session(
        aws_access_key_id=lent["AccessKeyId"],
        aws_secret_access_key=lent["SecretAccessKey"],
        aws_session_token=lent["SessionToken"],
        region_name=stack.region,
    )


def _is_allowed(client: Any, call: Call) -> bool:
    """Whether IAM lets the call through; what becomes of it then does not matter."""
    try:
        getattr(client, call.operation)(**call.arguments)
    except ClientError as error:
        return error.response["Error"]["Code"] not in DENIED
    return True
