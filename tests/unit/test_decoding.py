"""A bad request is told everything that is wrong with it."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.contract import CreateTicketRequest, KbSearchRequest, PageLimit
from support.decoding import decode_body, decode_parameter
from support.problems import InvalidRequestError

if TYPE_CHECKING:
    from support.contract import FieldError


def faults(body: object, type_: type[msgspec.Struct] = CreateTicketRequest) -> list[FieldError]:
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    with pytest.raises(InvalidRequestError) as caught:
        decode_body(text, type_)
    return list(caught.value.errors)


def test_all_faults_are_listed_at_once(ticket_body: dict[str, Any]) -> None:
    ticket_body["customer"] = {"id": "X1", "name": ""}
    ticket_body["asset"]["product_type"] = "TOASTER"
    ticket_body["symptom_text"] = "short"
    ticket_body["error_code"] = 102
    ticket_body["priority"] = "P9"
    ticket_body["colour"] = "red"
    del ticket_body["asset"]["serial"]
    assert {(fault.path, fault.keyword) for fault in faults(ticket_body)} == {
        ("$.customer.id", "pattern"),
        ("$.customer.name", "minLength"),
        ("$.asset.product_type", "enum"),
        ("$.asset.serial", "required"),
        ("$.symptom_text", "minLength"),
        ("$.error_code", "type"),
        ("$.priority", "enum"),
        ("$.colour", "additionalProperties"),
    }


@pytest.mark.parametrize(
    ("body", "path", "keyword"),
    [
        ({"query": "x", "max_results": 0}, "$.max_results", "minimum"),
        ({"query": "x", "max_results": 51}, "$.max_results", "maximum"),
        ({"query": "x", "max_results": 1.5}, "$.max_results", "type"),
        ({"query": "x" * 1001}, "$.query", "maxLength"),
        ({"query": "x", "filters": {"doc_type": []}}, "$.filters.doc_type", "minItems"),
        ({"query": "x", "filters": {"error_code": ["E102"] * 21}}, "$.filters.error_code", "maxItems"),
        ({"query": "x", "filters": {"error_code": ["E102", "boom"]}}, "$.filters.error_code[1]", "pattern"),
        ({"query": "x", "filters": []}, "$.filters", "type"),
        ([], "$", "type"),
        (None, "$", "type"),
    ],
)
def test_a_fault_says_where_and_what(body: object, path: str, keyword: str) -> None:
    [fault] = faults(body, KbSearchRequest)
    assert (fault.path, fault.keyword) == (path, keyword)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "nonsense",
        '{"query": NaN}',
        b"\xff\xfe",
        '{"query": "\\ud800"}',
        "[" * 200_000,
        "\ud800",
        '{"query": 1, ',
    ],
)
def test_what_is_not_json_is_one_fault_of_the_whole(body: str | bytes) -> None:
    [fault] = faults(body, KbSearchRequest)
    assert (fault.path, fault.keyword) == ("$", "json")


def test_a_missing_body_is_refused() -> None:
    with pytest.raises(InvalidRequestError):
        decode_body(None, KbSearchRequest)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["query", "filters", "max_results", "x"]), inner),
)


@given(ANYTHING)
def test_a_refused_body_always_has_a_fault_to_show(body: object) -> None:
    with contextlib.suppress(msgspec.ValidationError):
        msgspec.json.decode(json.dumps(body), type=KbSearchRequest)
        return
    shown = faults(body, KbSearchRequest)
    assert shown
    assert all(fault.path and fault.keyword and len(fault.message) <= 200 for fault in shown)


def test_a_parameter_is_converted_from_text() -> None:
    assert decode_parameter("limit", "20", PageLimit) == 20


@pytest.mark.parametrize(("value", "keyword"), [("0", "minimum"), ("101", "maximum"), ("many", "type"), ("", "type")])
def test_a_wrong_parameter_is_named(value: str, keyword: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        decode_parameter("limit", value, PageLimit)
    [fault] = caught.value.errors
    assert (fault.path, fault.keyword) == ("limit", keyword)
