"""The table of error classes, row by row."""

from __future__ import annotations

import importlib

import botocore.exceptions
import msgspec
import opensearchpy
import pytest
import urllib3.exceptions
from aws_lambda_powertools.utilities.idempotency.exceptions import IdempotencyPersistenceLayerError

from support import contract, errors
from support.errors import TABLE, Kind, aws_code, classify

CLASSES = [name for name in TABLE if "." in name and not name.startswith("AWS.")]
CODES = [name for name in TABLE if name not in CLASSES]


def client_error(code: str, operation: str = "GetItem", status: int = 400) -> botocore.exceptions.ClientError:
    return botocore.exceptions.ClientError(
        {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]  # botocore's stub wants every member
        operation,
    )


@pytest.mark.parametrize("code", CODES)
def test_an_aws_code_is_classed_as_its_row_says(code: str) -> None:
    operation, _, bare = code.rpartition(":")
    verdict = classify(client_error(bare, operation or "SomeOperation"))
    assert (verdict.kind, verdict.failure_code) == TABLE[code]
    assert verdict.dependency


@pytest.mark.parametrize("name", CLASSES)
def test_an_exception_is_classed_as_its_row_says(name: str) -> None:
    module, _, class_name = name.rpartition(".")
    error_class = getattr(importlib.import_module(module), class_name)
    error = error_class.__new__(error_class)
    assert isinstance(error, Exception)
    verdict = classify(error)
    assert (verdict.kind, verdict.failure_code) == TABLE[name]


@pytest.mark.parametrize(("_", "code"), TABLE.values())
def test_every_row_ends_in_a_public_failure(_: Kind, code: str) -> None:
    assert code in contract.FAILURES


@pytest.mark.parametrize(
    "error",
    [
        botocore.exceptions.ConnectTimeoutError(endpoint_url="http://x"),
        botocore.exceptions.ReadTimeoutError(endpoint_url="http://x"),
        botocore.exceptions.EndpointConnectionError(endpoint_url="http://x"),
        botocore.exceptions.ConnectionClosedError(endpoint_url="http://x"),
        opensearchpy.ConnectionTimeout("TIMEOUT", "x", Exception()),
        opensearchpy.TransportError(429, "es_rejected_execution_exception", {}),
        opensearchpy.TransportError(503, "unavailable", {}),
        botocore.exceptions.EventStreamError({"Error": {"Code": "throttlingException"}}, "ConverseStream"),
        botocore.exceptions.EventStreamError({"Error": {"Code": "modelStreamErrorException"}}, "ConverseStream"),
        urllib3.exceptions.ProtocolError("cut"),
        client_error("Mystery", status=500),
        client_error("Mystery", status=429),
        ConnectionResetError(),
        TimeoutError(),
    ],
)
def test_timeouts_connections_and_5xx_are_retryable(error: Exception) -> None:
    assert classify(error).kind is Kind.RETRYABLE


@pytest.mark.parametrize("error", [client_error("Mystery"), RuntimeError(), KeyError("x"), BaseException()])
def test_what_is_not_in_the_table_is_unknown_and_so_not_permanent(error: BaseException) -> None:
    verdict = classify(error)
    assert verdict.kind is Kind.UNKNOWN
    assert not verdict.permanent


def test_a_model_that_is_missing_is_told_from_other_things_that_are() -> None:
    assert classify(client_error("ResourceNotFoundException", "Converse")).failure_code == "MODEL_NOT_FOUND"
    assert classify(client_error("ResourceNotFoundException", "GetItem")).failure_code == "NOT_FOUND"


def test_what_idempotency_hides_is_classed_by_its_cause() -> None:
    error = IdempotencyPersistenceLayerError("hidden")
    error.__cause__ = client_error("ThrottlingException")
    assert classify(error).kind is Kind.RETRYABLE


def test_our_own_errors_are_no_dependencies() -> None:
    assert not classify(KeyError("x")).dependency
    assert not classify(msgspec.ValidationError("x")).dependency


def test_only_client_errors_have_a_code() -> None:
    assert aws_code(client_error("SlowDown")) == "SlowDown"
    assert aws_code(ValueError()) == ""


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (client_error("AccessDeniedException", "Converse"), "Converse:AccessDeniedException"),
        (
            botocore.exceptions.EventStreamError({"Error": {"Code": "throttlingException"}}, "ConverseStream"),
            "ConverseStream:ThrottlingException",
        ),
        (KeyError("x"), "builtins.KeyError"),
        (msgspec.DecodeError("x"), "msgspec.DecodeError"),
    ],
)
def test_an_error_is_called_as_its_row_would_be(error: Exception, name: str) -> None:
    assert errors.name(error) == name


def test_what_is_down_is_worth_another_call_and_what_is_denied_is_not() -> None:
    assert classify(client_error("ThrottlingException")).outage
    assert classify(client_error("Mystery")).outage
    assert not classify(client_error("AccessDeniedException")).outage
    assert not classify(TimeoutError()).outage
