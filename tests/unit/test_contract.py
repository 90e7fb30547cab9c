"""The contract: what follows it decodes, what stands beside it is refused, and both judges agree."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NoReturn

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator
from msgspec import inspect

from components import openapi
from support import contract, decoding, routes
from support.problems import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUESTS = list(dict.fromkeys(route.request for route in routes.ROUTES if route.request is not None))
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
    return takes(json.dumps(body).encode(), type_)


def takes(text: bytes, type_: type[msgspec.Struct]) -> bool:
    """Whether the function does."""
    try:
        decoding.decode_body(text, type_)
    except InvalidRequestError:
        return False
    return True


# --- gateway and function agree


class Raw(str):
    """A value as it stands in a JSON text, or in what is taken for one."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """An object's members, in order; names may come twice."""


ODD: Final[list[Any]] = [
    None, True, False, "", " ", "\n", "P5", "x" * 5001, "\u2028", "\x00", "\x7f", "😀", "e\u0301", "\ufeff",
    0, 1, 5, 6, -1, 50, 51, 1.5, 2**53 + 1, 2**63, 2**64, 10**40, [], {}, [[]], ["x"], [None], {"x": 1},
    # Numbers, each in one of several ways to write them, and what is none.
    *map(Raw, ["1.0", "1e0", "10e-1", "1E+0", "-0", "-0.0", "5.0", "5.000000000000000000001", "4.9999999999999999999"]),
    *map(Raw, ["1e400", "-1e400", "0.1e1", "NaN", "Infinity", "-Infinity", "01", "+1", ".5", "1.", "0x1"]),
    *map(Raw, ["1_0", "\u0661"]),
    # Texts that are none in UTF-8 and those that are; half a pair of surrogates has no meaning.
    *map(Raw, ['"\\ud800"', '"\\udc00x"', '"\\ud83d\\ude00"', '"\\u0000"', '"\\/"', '"\\x41"', '"\t"', "'x'", '"x']),
    *map(Raw, ["undefined", "nul", "TRUE", "", "[1,]", '{"x":1,}', "/**/1", "[" * 60 + "]" * 60]),
]  # fmt: skip
TAILS: Final = ["\n", "\r", "\r\n", "\u0085", "\u2028", "\x00", " ", "é", "😀"]
AROUND: Final = [b" ", b"\n", b"\t\r\n", b"\xef\xbb\xbf", b"\x0b", b"\x00", b"x", b"{}", b"//", b"\xff"]


def sized(type_: inspect.StrType, draw: st.DrawFn) -> str:
    """A text as long as it may be, as short as it may be, or one more or less, of letters of any size."""
    limits = [limit for limit in (type_.min_length, type_.max_length) if limit is not None] or [3]
    length = max(0, draw(st.sampled_from(limits)) + draw(st.sampled_from([-1, 0, 0, 1])))
    return draw(st.sampled_from(["x", "é", "\u2028", "😀", "\ufeff"])) * length


def text_type(type_: inspect.Type, path: tuple[Any, ...]) -> inspect.StrType | None:
    """The type of the text at a place of a body, if a text may stand there."""
    match type_:
        case inspect.Metadata():
            return text_type(type_.type, path)
        case inspect.UnionType():
            found = [text_type(option, path) for option in type_.types]
            return next((one for one in found if one is not None), None)
        case inspect.StrType() if not path:
            return type_
        case inspect.ListType() if path:
            return text_type(type_.item_type, path[1:])
        case inspect.StructType() if path:
            field = next((field for field in type_.fields if field.encode_name == path[0]), None)
            return text_type(field.type, path[1:]) if field else None
    return None


@st.composite
def beside(draw: st.DrawFn, type_: type[msgspec.Struct]) -> Any:
    """A body that follows a type, or one that differs from such a body in up to two places."""
    body = draw(drawn_from(inspect.type_info(type_)))
    for _ in range(draw(st.integers(0, 2))):
        path = draw(st.sampled_from(list(places(body))))
        old = value_at(body, path)
        candidates = [st.sampled_from(ODD)]
        if (texts := text_type(inspect.type_info(type_), path)) is not None:
            candidates.append(st.just(sized(texts, draw)))
        if isinstance(old, str) and not isinstance(old, Raw):
            ends = [old + tail for tail in TAILS] + [tail + old for tail in TAILS]
            candidates.append(st.sampled_from([*ends, old.lower(), old.upper(), old * 2, old[:-1]]))
        if isinstance(old, list):
            candidates.append(st.sampled_from([old * 2, old * 30, (old * 31)[:31], [*old, *old[:1]]]))
        if isinstance(old, dict) and old:
            candidates.append(st.sampled_from(changed_members(old, draw(st.sampled_from(sorted(old))))))
        body = replaced(body, path, draw(st.one_of(*candidates)))
        if isinstance(value_at(body, path), Pairs):
            break  # no place of a JSON value any more
    return body


def changed_members(old: dict[str, Any], name: str) -> list[Any]:
    value = old[name]
    others = [(key, other) for key, other in old.items() if key != name]
    twice = [
        Pairs([*others, (name, first), (name, last)]) for first, last in [(value, value), (value, 7), (None, value)]
    ]
    renamed = [dict([*others, (other, value)]) for other in (name.upper(), f"{name}\n", f" {name}", "", "__proto__")]
    return [dict(others), {**old, "unknown": 1}, {**old, "": None}, *renamed, *twice]


@st.composite
def texts(draw: st.DrawFn, type_: type[msgspec.Struct]) -> bytes:
    """A request's body, in one of the ways to write it, and at times with something before or behind."""
    text = written(draw(beside(type_)), ascii_only=draw(st.booleans()), blank=draw(st.sampled_from(["", " ", "\n"])))
    start, end = (draw(st.sampled_from(AROUND)) if draw(st.integers(0, 5)) == 0 else b"" for _ in range(2))
    return start + text.encode(errors="surrogatepass") + end


def written(value: Any, *, ascii_only: bool, blank: str) -> str:
    def write(one: Any) -> str:
        if isinstance(one, Raw):
            return str(one)
        if isinstance(one, dict | Pairs):
            pairs = one.items() if isinstance(one, dict) else one
            return "{" + f",{blank}".join(f"{write(name)}{blank}:{write(child)}" for name, child in pairs) + blank + "}"
        if isinstance(one, list):
            return "[" + f"{blank},".join(map(write, one)) + blank + "]"
        return json.dumps(one, ensure_ascii=ascii_only)

    return write(value)


def readings(text: bytes) -> list[Any] | None:
    """What a JSON text says: by the last of two members of a name, and by the first. None if it is none (RFC 8259)."""

    def not_json(word: str) -> NoReturn:
        raise ValueError(word)

    try:
        last = json.loads(text.decode(), parse_constant=not_json)
        first = json.loads(text.decode(), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    except (ValueError, UnicodeDecodeError):
        return None
    return [last, first]


def twice_named(text: bytes) -> bool:
    found = False

    def look(pairs: list[tuple[str, Any]]) -> None:
        nonlocal found
        found = found or len({name for name, _ in pairs}) < len(pairs)

    json.loads(text.decode(), object_pairs_hook=look)
    return found


def half_a_pair(value: Any) -> bool:
    """Whether a text or a name in it has half a pair of surrogates, which UTF-8 cannot carry."""
    return any(0xD800 <= ord(letter) <= 0xDFFF for letter in json.dumps(value, ensure_ascii=False))


class Gateway:
    """Judges as API Gateway does: by JSON Schema draft 4 and the models that the program gives it."""

    def __init__(self, type_: type[msgspec.Struct]) -> None:
        schema = {
            "$ref": f"#/components/schemas/{type_.__name__}",
            "components": {"schemas": openapi.models([type_])},
        }
        Draft4Validator.check_schema(schema)
        # One with Python's expressions, one with ECMA's: what they judge must not depend on whose they are.
        self._python, self._ecma = Draft4Validator(schema), jsonschema_rs.Draft4Validator(schema)

    def takes(self, value: Any) -> bool:
        verdict = bool(self._python.is_valid(value))
        if not half_a_pair(value):
            assert self._ecma.is_valid(value) == verdict
        return verdict


def lists_fit(value: Any, schema: dict[str, Any], components: dict[str, Any]) -> bool:
    """Whether every list is as long as the contract wants it: not asked by the gateway (facts/aws.md row 19)."""
    schema = components[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if "anyOf" in schema:
        return any(
            lists_fit(value, option, components)
            for option in schema["anyOf"]
            if (option.get("type") == "array") == isinstance(value, list)
        )
    if isinstance(value, list):
        return bool(schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)))
    if isinstance(value, dict):
        known = schema["properties"].items()
        return all(lists_fit(value[name], child, components) for name, child in known if name in value)
    return True


@pytest.mark.parametrize("type_", REQUESTS)
@given(data=st.data())
def test_what_follows_the_types_is_taken_by_both(type_: type[msgspec.Struct], data: st.DataObject) -> None:
    body = data.draw(drawn_from(inspect.type_info(type_)))
    assert decodes(body, type_)
    assert Gateway(type_).takes(body)


@pytest.mark.parametrize("type_", REQUESTS)
def test_gateway_and_function_agree_on_every_body_that_both_can_judge(type_: type[msgspec.Struct]) -> None:
    """And where only the function can, the gateway lets it through.

    Three things the gateway cannot judge: how long a list is, a name that comes twice (it sees one of the two), and
    half a pair of surrogates (a character to it, none to UTF-8). What is no JSON by the letter is the function's to
    refuse.
    """
    gateway = Gateway(type_)
    _, components = msgspec.json.schema_components([type_], ref_template="#/{name}")
    seen: Counter[str] = Counter()

    @settings(max_examples=800)
    @given(text=texts(type_))
    def agree(text: bytes) -> None:
        taken = takes(text, type_)
        said = readings(text)
        if said is None:
            assert not taken
            seen["no JSON"] += 1
            return
        verdicts = {gateway.takes(value) for value in said}
        if taken:
            assert verdicts == {True}
            seen["taken by both"] += 1
        elif verdicts == {False}:
            seen["refused by both"] += 1
        else:
            fits = lists_fit(said[0], {"$ref": f"#/{type_.__name__}"}, components)
            assert twice_named(text) or half_a_pair(said[0]) or not fits
            seen["refused by the function"] += 1

    agree()
    # Or the agreement would say little.
    assert all(seen[kind] >= 50 for kind in ("no JSON", "taken by both", "refused by both")), seen
    assert seen["refused by the function"], seen


@pytest.mark.parametrize("number", ["1.0", "1e0", "10e-1", "5.0", "5.000000000000000000001"])
def test_a_number_with_a_fraction_or_an_exponent_is_no_integer_to_either(number: str) -> None:
    text = b'{"rating": %s, "resolved": true}' % number.encode()
    assert not takes(text, contract.FeedbackRequest)
    assert not Gateway(contract.FeedbackRequest).takes(json.loads(text))


@pytest.mark.parametrize("type_", REQUESTS)
@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"a":' * 100_000, b'{"a":' * 2_000 + b"1" + b"}" * 2_000])
def test_a_body_of_any_depth_is_refused_and_no_more(type_: type[msgspec.Struct], text: bytes) -> None:
    assert not takes(text, type_)


# --- values


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
