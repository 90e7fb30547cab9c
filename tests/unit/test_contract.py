"""The contract: what follows it decodes, what stands beside it is refused, and both judges agree."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec import inspect

from support import contract, decoding, routes
from support.problems import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUESTS = [route.request for route in routes.ROUTES if route.request is not None]
PATTERNED = {
    "ticket_id": (contract.TicketId, "tkt_0123456789ab"),
    "customer_id": (contract.CustomerId, "C1042"),
    "error_code": (contract.ErrorCode, "E102"),
    "timestamp": (contract.Timestamp, "2026-01-31T09:30:00Z"),
    "idempotency_key": (contract.IdempotencyKey, "a key, printable!"),
}


def drawn_from(type_: inspect.Type) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - a row per kind of type
    """JSON values that follow a contract type."""
    match type_:
        case inspect.Metadata():
            return drawn_from(type_.type)
        case inspect.StrType(pattern=str(pattern)):
            return st.from_regex(pattern).filter(lambda text: len(text) <= (type_.max_length or len(text)))
        case inspect.StrType():
            letters = st.characters(codec="utf-8")
            return st.text(letters, min_size=type_.min_length or 0, max_size=min(type_.max_length or 20, 60))
        case inspect.IntType():
            return st.integers(type_.ge, type_.le)
        case inspect.BoolType():
            return st.booleans()
        case inspect.LiteralType():
            return st.sampled_from(type_.values)
        case inspect.ListType():
            return st.lists(drawn_from(type_.item_type), min_size=type_.min_length or 0, max_size=3)
        case inspect.UnionType():
            return st.one_of(*(drawn_from(t) for t in type_.types))
        case inspect.StructType():
            required = {f.encode_name: drawn_from(f.type) for f in type_.fields if f.required}
            optional = {f.encode_name: drawn_from(f.type) for f in type_.fields if not f.required}
            return st.fixed_dictionaries(required, optional=optional)
    raise NotImplementedError(type_)


def places(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    members = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for name, value in members:
        yield from places(value, (*path, name))


def replaced(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = body.copy()
    copy[path[0]] = replaced(body[path[0]], path[1:], value)
    return copy


def value_at(body: Any, path: tuple[Any, ...]) -> Any:
    for name in path:
        body = body[name]
    return body


def decodes(body: Any, type_: type[msgspec.Struct]) -> bool:
    try:
        decoding.decode_body(json.dumps(body), type_)
    except InvalidRequestError:
        return False
    return True


def draft4(type_: type[msgspec.Struct]) -> jsonschema_rs.Draft4Validator:
    return jsonschema_rs.Draft4Validator(msgspec.json.schema(type_))


@pytest.mark.parametrize("type_", REQUESTS)
@given(data=st.data())
def test_what_follows_the_types_decodes_and_fits_their_schema(type_: type[msgspec.Struct], data: st.DataObject) -> None:
    body = data.draw(drawn_from(inspect.type_info(type_)))
    assert decodes(body, type_)
    assert draft4(type_).is_valid(body)


@pytest.mark.parametrize("type_", REQUESTS)
@settings(max_examples=300)
@given(data=st.data())
def test_beside_the_contract_the_function_and_the_schema_give_the_same_verdict(
    type_: type[msgspec.Struct], data: st.DataObject
) -> None:
    body = data.draw(drawn_from(inspect.type_info(type_)))
    path = data.draw(st.sampled_from(list(places(body))))
    old = value_at(body, path)
    wrong: list[Any] = [None, "", "x" * 5001, 0, -1, 51, 1.5, True, [], {}, ["x"], "P5", "\n"]
    if isinstance(old, str):
        wrong += [old + "\n", "\n" + old, old + " ", old.lower(), old + "é", old + "\r", old + "\u2028"]
    if isinstance(old, dict):
        wrong += [{**old, "unknown": 1}, *({k: v for k, v in old.items() if k != name} for name in old)]
    mutated = replaced(body, path, data.draw(st.sampled_from(wrong)))
    assume(mutated != body)
    assert decodes(mutated, type_) == draft4(type_).is_valid(mutated)


@pytest.mark.parametrize("name", PATTERNED)
@pytest.mark.parametrize("tail", ["\n", "\r", "\r\n", "\u0085", "\u2028", "\x00"])
def test_no_pattern_accepts_a_trailing_line_end(name: str, tail: str) -> None:
    type_, value = PATTERNED[name]
    assert msgspec.convert(value, type_) == value
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(value + tail, type_)


@pytest.mark.parametrize("digit", ["\u0663", "\uff13", "\u00b2"])
def test_only_ascii_digits_are_digits(digit: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(f"E10{digit}", contract.ErrorCode)


def test_defaults_are_those_of_the_specification(ticket_body: dict[str, Any]) -> None:
    request = decoding.decode_body(json.dumps(ticket_body), contract.CreateTicketRequest)
    assert (request.priority, request.lang) == ("P3", "it-IT")
    assert request.policies == contract.Policies(safe_instructions=True, grounded_only=True)
    assert decoding.decode_body('{"query": "fan"}', contract.KbSearchRequest).max_results == 5


@pytest.mark.parametrize("path", [(), ("customer",), ("asset",), ("policies",)])
def test_unknown_members_are_refused_at_every_level(ticket_body: dict[str, Any], path: tuple[str, ...]) -> None:
    body = {**ticket_body, "policies": {}}
    assert decodes(body, contract.CreateTicketRequest)
    assert not decodes(replaced(body, path, {**value_at(body, path), "vip": True}), contract.CreateTicketRequest)


@pytest.mark.parametrize("member", ["error_code", "priority", "lang", "policies"])
def test_an_optional_member_is_left_out_never_null(ticket_body: dict[str, Any], member: str) -> None:
    assert not decodes({**ticket_body, member: None}, contract.CreateTicketRequest)


@pytest.mark.parametrize("email", ["anna@example.com", "a.b+c@mail.example.co.uk"])
def test_an_email_address_is_accepted(ticket_body: dict[str, Any], email: str) -> None:
    ticket_body["customer"]["contact_email"] = email
    assert decodes(ticket_body, contract.CreateTicketRequest)


@pytest.mark.parametrize("email", ["anna", "anna@", "@example.com", "anna@localhost", "a b@example.com", "a@b@c.de"])
def test_what_is_no_email_address_is_refused(ticket_body: dict[str, Any], email: str) -> None:
    ticket_body["customer"]["contact_email"] = email
    assert not decodes(ticket_body, contract.CreateTicketRequest)


@pytest.mark.parametrize("value", ["manual", ["manual", "faq"]])
def test_a_filter_is_one_value_or_a_list(value: object) -> None:
    assert decodes({"query": "fan", "filters": {"doc_type": value}}, contract.KbSearchRequest)


@pytest.mark.parametrize("code", contract.FAILURES)
def test_each_failure_code_has_a_sentence_of_its_own(code: str) -> None:
    assert contract.failure(code) == contract.Failure(code=code, message=contract.FAILURES[code])


@pytest.mark.parametrize("code", ["States.TaskFailed", "SQS.AmazonSQSException", "arn:aws:iam::1:role/x", ""])
def test_an_internal_failure_code_never_leaves(code: str) -> None:
    assert contract.failure(code).code == "PROCESSING_FAILED"


def test_each_problem_has_a_type_of_its_own() -> None:
    uris = [problem.uri() for problem in contract.PROBLEMS.values()]
    assert len(set(uris)) == len(uris)


def test_every_route_names_a_function_and_problems_that_exist() -> None:
    for route in routes.ROUTES:
        assert all(key in contract.PROBLEMS for key in route.all_problems), route.operation_id
    assert len({route.operation_id for route in routes.ROUTES}) == len(routes.ROUTES)
