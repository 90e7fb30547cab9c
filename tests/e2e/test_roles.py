"""Each role may do what it is for, and no more: tried with its own credentials (spec section 4).

The roles of functions, and those with which the gateway itself calls a service.

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

NAME: Final = "support-local-{}"
QUEUE: Final = "/000000000000/support-local-{}"
BUCKET: Final = "support-local-knowledge-base-000000000000"
STATE_MACHINE: Final = "arn:aws:states:eu-central-1:000000000000:stateMachine:support-local-ticket-workflow"
TOPIC: Final = "arn:aws:sns:eu-central-1:000000000000:support-local-alarms"
CONSUMERS: Final = {"tickets": "process_ticket", "kb-ingest": "kb_ingest", "feedback": "feedback_writer"}
"""Queue -> the function that works it off."""
OF_THE_GATEWAY: Final = ("api-status", "api-feedback")
NOT_HERE: Final = {"canary_ticket"}
"""Functions that the local stack's settings leave out."""
IN_VPC: Final = ("kb_search", "process_ticket", "kb_ingest", "search_bootstrap", "connectivity_check")
DENIED: Final = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}

TICKET: Final = {"ticket_id": {"S": "tkt_0"}}
NEVER: Final = {"ConditionExpression": "attribute_exists(no_such_attribute)"}
"""Lets a write that is allowed write nothing."""


class Call(NamedTuple):
    """A call that changes nothing, and the roles that may make it."""

    service: str
    operation: str
    """As boto3 spells it."""
    arguments: dict[str, Any]
    may: frozenset[str]


def _event(*, source: str = "ai-service.tickets", bus: str = "support-local-events") -> dict[str, Any]:
    """An event that no bus takes, for its detail is not JSON."""
    return {"Entries": [{"Source": source, "DetailType": "Test", "Detail": "-", "EventBusName": bus}]}


def _calls(sqs: str, cursor_key: str, partner_key: str) -> dict[str, Call]:
    def call(service: str, operation: str, arguments: dict[str, Any], *may: str) -> Call:
        return Call(service, operation, arguments, frozenset(may))

    tickets, solutions = ({"TableName": NAME.format(name)} for name in ("tickets", "solutions"))
    change = {"Key": TICKET, "UpdateExpression": "SET a = :a", "ExpressionAttributeValues": {":a": {"S": "a"}}}
    of_customer = {
        "IndexName": "customer-created-index",
        "KeyConditionExpression": "customer_id = :c",
        "ExpressionAttributeValues": {":c": {"S": "C0"}},
    }
    overdue = {
        "IndexName": "open-by-deadline",
        "KeyConditionExpression": "#open = :open",
        "ExpressionAttributeNames": {"#open": "open"},
        "ExpressionAttributeValues": {":open": {"S": "none"}},
    }
    idempotency = {"TableName": NAME.format("idempotency-keys"), "Key": {"idempotency_key": {"S": "none"}}}
    document, draft = {"Bucket": BUCKET, "Key": "kb/it/colonnina-e042.md"}, {"Bucket": BUCKET, "Key": "drafts/none.md"}
    ticket_queue, ingest_queue, feedback_queue = (
        {"QueueUrl": sqs + QUEUE.format(name)} for name in ("tickets", "kb-ingest", "feedback")
    )
    change_of_partner = {name: value for name, value in change.items() if name != "Key"}
    api_keys = {"TableName": NAME.format("api-keys")}
    api_key: dict[str, Any] = {"Key": {"api_key": {"S": "none"}}}
    feedback = {"TableName": NAME.format("feedback")}
    rating = {"ticket_id": {"S": "tkt_0"}, "feedback_id": {"S": "none"}}
    # No message, for its delay is too long.
    message = feedback_queue | {"MessageBody": "x", "DelaySeconds": 100_000}
    solvers = ("get_solution", "get_solution_stream", "review_ticket", "process_ticket")
    readers = (*solvers, "create_ticket", "get_ticket", "feedback_writer", "api-status")
    failures, failure = {"TableName": NAME.format("failures")}, {"failure_id": {"S": "none"}}
    never_sent = {"MessageBody": "x", "DelaySeconds": 100_000}
    other_time = {"ReceiptHandle": "none", "VisibilityTimeout": 0}

    def queue(name: str) -> dict[str, str]:
        return {"QueueUrl": sqs + QUEUE.format(name)}

    def dead_letters(name: str) -> dict[str, str]:
        return queue(f"{name}-dlq")

    mac = {"KeyId": cursor_key, "Message": b"cursor", "MacAlgorithm": "HMAC_SHA_256"}

    def secret(operation: str, *may: str, **about: str) -> Call:
        """With the partners' key; what is decrypted is none of its ciphertexts."""
        text = {"Plaintext": b"x"} if operation == "encrypt" else {"CiphertextBlob": b"x"}
        return call("kms", operation, {"KeyId": partner_key, **text, "EncryptionContext": about}, *may)

    return {
        "read a ticket": call("dynamodb", "get_item", tickets | {"Key": TICKET}, *readers),
        "store a ticket": call("dynamodb", "put_item", tickets | NEVER | {"Item": TICKET}, "create_ticket"),
        "change a ticket": call(
            "dynamodb",
            "update_item",
            tickets | NEVER | change,
            "create_ticket",
            "review_ticket",
            "dlq_processor",
            "reconcile",
        ),
        "delete a ticket": call("dynamodb", "delete_item", tickets | NEVER | {"Key": TICKET}),
        "list a customer's tickets": call("dynamodb", "query", tickets | of_customer, "list_tickets"),
        "list overdue tickets": call("dynamodb", "query", tickets | overdue, "reconcile"),
        "look through all tickets": call("dynamodb", "scan", tickets | {"Limit": 1}),
        "read a solution": call(
            "dynamodb", "get_item", solutions | {"Key": TICKET}, *solvers, "reconcile", "dlq_processor"
        ),
        "store a solution": call(
            "dynamodb", "put_item", solutions | NEVER | {"Item": TICKET}, "process_ticket", "review_ticket"
        ),
        "delete a solution": call("dynamodb", "delete_item", solutions | NEVER | {"Key": TICKET}),
        "read an idempotency key": call("dynamodb", "get_item", idempotency, "create_ticket"),
        "keep feedback": call("dynamodb", "put_item", feedback | NEVER | {"Item": rating}, "feedback_writer"),
        "read feedback": call("dynamodb", "get_item", feedback | {"Key": rating}),
        "delete feedback": call("dynamodb", "delete_item", feedback | NEVER | {"Key": rating}),
        "read a partner": call("dynamodb", "get_item", api_keys | api_key, "itsm_authorizer"),
        "change a partner": call("dynamodb", "update_item", api_keys | NEVER | api_key | change_of_partner),
        "look through all partners": call("dynamodb", "scan", api_keys | {"Limit": 1}),
        "open a partner's secrets": secret("decrypt", "itsm_authorizer", api_key="none"),
        "open nobody's secrets": secret("decrypt", other="none"),
        "make the decoy": secret("encrypt", "itsm_authorizer", api_key="decoy"),
        "make a partner's secrets": secret("encrypt", api_key="none"),
        "read a document": call("s3", "get_object", document, "kb_ingest"),
        "read what is no document": call("s3", "get_object", draft),
        "write what is no document": call("s3", "put_object", draft | {"Body": b""}),
        "delete an object": call("s3", "delete_object", draft),
        "look at the ticket queue": call("sqs", "get_queue_attributes", ticket_queue, "process_ticket"),
        "look at the ingest queue": call("sqs", "get_queue_attributes", ingest_queue, "kb_ingest"),
        "send feedback": call("sqs", "send_message", message, "api-feedback"),
        "send work": call("sqs", "send_message", message | ticket_queue),
        "look at the feedback queue": call("sqs", "get_queue_attributes", feedback_queue, "feedback_writer"),
        **{
            f"give up a message of {name}": call("sqs", "send_message", never_sent | dead_letters(name), consumer)
            for name, consumer in CONSUMERS.items()
        },
        **{
            f"put off a message of {name}": call("sqs", "change_message_visibility", other_time | queue(name), consumer)
            for name, consumer in CONSUMERS.items()
        },
        **{
            f"look at the failures of {name}": call("sqs", "get_queue_attributes", dead_letters(name), "dlq_processor")
            for name in CONSUMERS
        },
        "keep a failure": call("dynamodb", "put_item", failures | NEVER | {"Item": failure}, "dlq_processor"),
        "read a failure": call("dynamodb", "get_item", failures | {"Key": failure}),
        "tell people": call("sns", "publish", {"TopicArn": TOPIC, "Message": ""}, "dlq_processor"),
        "empty the feedback queue's failures": call(
            "sqs", "purge_queue", {"QueueUrl": feedback_queue["QueueUrl"] + "-dlq"}
        ),
        "empty the ingest queue's failures": call(
            "sqs", "purge_queue", {"QueueUrl": ingest_queue["QueueUrl"] + "-dlq"}
        ),
        "list executions": call("stepfunctions", "list_executions", {"stateMachineArn": STATE_MACHINE}),
        "sign a cursor": call("kms", "generate_mac", mac, "list_tickets"),
        "publish an event of the service": call("events", "put_events", _event(), "publish_events"),
        "publish another's event": call("events", "put_events", _event(source="somebody.else")),
        "publish on another bus": call("events", "put_events", _event(bus="default")),
        "see that the tickets table is there": call("dynamodb", "describe_table", tickets, "connectivity_check"),
        "see where the documents are": call("s3", "get_bucket_location", {"Bucket": BUCKET}, "connectivity_check"),
        "see that there are secrets": call("secretsmanager", "get_random_password", {}, "connectivity_check"),
        "list the secrets": call("secretsmanager", "list_secrets", {}),
        "take an interface away": call("ec2", "delete_network_interface", {"NetworkInterfaceId": "eni-0"}, *IN_VPC),
        "list interfaces": call("ec2", "describe_network_interfaces", {}, *IN_VPC),
        "call a function": call("lambda", "invoke", {"FunctionName": NAME.format("search_bootstrap")}),
        "read a role": call("iam", "get_role", {"RoleName": NAME.format("create_ticket")}),
    }


@pytest.fixture(scope="module")
def calls(stack: LocalStack, outputs: Outputs) -> dict[str, Call]:
    configuration = stack.client("lambda").get_function_configuration(FunctionName=outputs.functions["list_tickets"])
    variables = configuration["Environment"]["Variables"]
    return _calls(stack.services.endpoints().emulator, variables["CURSOR_KEY_ARN"], outputs.partner_key_arn)


@pytest.mark.parametrize("name", [*(key for key in FUNCTIONS if key not in NOT_HERE), *OF_THE_GATEWAY])
def test_a_role_may_do_what_it_is_for_and_no_more(stack: LocalStack, calls: dict[str, Call], name: str) -> None:
    role = _session(stack, NAME.format(name))
    endpoint = stack.services.endpoints().emulator
    clients: dict[str, Any] = {
        service: role.client(service, endpoint_url=endpoint, config=local_aws.config())  # type: ignore[call-overload]  # any
        for service in {call.service for call in calls.values()}
    }

    may = {what for what, call in calls.items() if _is_allowed(clients[call.service], call)}

    assert may == {what for what, call in calls.items() if name in call.may}


def _session(stack: LocalStack, name: str) -> boto3.Session:
    role = stack.client("iam").get_role(RoleName=name)["Role"]["Arn"]
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
