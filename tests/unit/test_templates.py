"""The mapping templates, rendered by a VTL engine: whatever a caller writes stays a value."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from urllib.parse import parse_qsl

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness import vtl
from support.caller import Caller, from_authorizer
from support.contract import PROBLEMS, FeedbackResponse, Problem, StatusView, TicketId

TEMPLATES = Path(__file__).parents[2] / "components" / "templates"
REQUEST_ID = "8f14e45f-ceea-467f-a9a1-2c8a1d1e5b4c"
NOT_FOUND = PROBLEMS["not_found"]
VALUES = {"table": "support-test-tickets", "not_found_type": NOT_FOUND.uri(), "not_found_title": NOT_FOUND.title}
SPECIAL = (
    "'", '"', "\\", "\\'", '\\"', "''", '""', "#", "##", "#*", "*#", "#[[", "]]#", "#end", "#set($a = 1)", "#stop",
    "#if(true)", "#parse('x')", "#evaluate('$util')", "$", "$!", "${", "}", "$util.urlDecode('%22')", "$input.body",
    "$context.requestId", "$context.authorizer.claims", "\n", "\r\n", "\t", "\0", "&Action=DeleteQueue", "&", "=", "%",
    "+", " ", "%26", "{", "}", "[", "]", ",", ":", "/", "<", "é", "\u2028", "\ufeff", "🔌", "\ud800", "operator",
    "customer", "C1", "tkt_", "a" * 5000,
)  # fmt: skip
"""Pieces that mean something to VTL, JSON, forms, or to the code around them."""
hostile = st.one_of(
    st.lists(st.sampled_from(SPECIAL), max_size=12).map("".join),
    st.text(st.characters(), max_size=200),
    st.lists(st.one_of(st.sampled_from(SPECIAL), st.text(st.characters(), max_size=5)), max_size=8).map("".join),
)
ticket_ids = st.from_regex(r"tkt_[0-9a-f]{12,64}", fullmatch=True)
claims = st.fixed_dictionaries(
    {},
    optional={
        "sub": hostile,
        "cognito:groups": st.one_of(hostile, st.sampled_from(["customer", "[customer]", "[customer operator]"])),
        "custom:customer_id": st.one_of(hostile, st.sampled_from(["C1", "C2", ""])),
        "email": hostile,
    },
)


def template(name: str) -> str:
    text = (TEMPLATES / f"{name}.vtl").read_text()
    for placeholder, value in VALUES.items():
        text = text.replace(f"@{placeholder}@", value)
    assert not re.search(r"@\w+@", text)
    return text


def render(name: str, *, claims: dict[str, str] | None = None, path: str = "", body: str = "") -> vtl.Rendered:
    context: dict[str, object] = {"requestId": REQUEST_ID}
    if claims is not None:
        context["authorizer"] = {"claims": claims}
    parameters = vtl.Parameters(path={"id": path}, header={"id": "a header"}, querystring={"id": "a query"})
    return vtl.render(template(name), body=body, parameters=parameters, context=context)


def decoded(value: str) -> str:
    return base64.b64decode(value, validate=True).decode()


def as_sent(value: str) -> str:
    """What UTF-8 can carry of ``value``: half a surrogate pair is none."""
    return value.encode(errors="replace").decode()


# --- feedback: what the queue gets


@given(path=hostile, body=hostile, claims=claims)
@example(path="x&Action=DeleteQueue", body='{"comment":"\\"}"}', claims={"sub": "\"}&#set($a='1')"})
def test_the_message_is_one_form_of_three_fields_whatever_the_caller_writes(
    path: str, body: str, claims: dict[str, str]
) -> None:
    form = parse_qsl(
        render("feedback_request", claims=claims, path=path, body=body).text,
        strict_parsing=True,
        keep_blank_values=True,
    )
    assert [name for name, _ in form] == ["Action", "Version", "MessageBody"]
    assert dict(form) | {"MessageBody": ""} == {"Action": "SendMessage", "Version": "2012-11-05", "MessageBody": ""}
    message = json.loads(dict(form)["MessageBody"])
    assert message.keys() == {"feedback_id", "ticket_id", "principal", "groups", "customer_id", "body"}
    assert message.pop("feedback_id") == REQUEST_ID
    assert {name: decoded(value) for name, value in message.items()} == {
        "ticket_id": as_sent(path),
        "principal": as_sent(claims.get("sub", "")),
        "groups": as_sent(claims.get("cognito:groups", "")),
        "customer_id": as_sent(claims.get("custom:customer_id", "")),
        "body": as_sent(body),
    }


def test_the_message_of_nobody_names_nobody() -> None:
    form = dict(parse_qsl(render("feedback_request", path="tkt_1", body="{}").text, strict_parsing=True))
    message = json.loads(form["MessageBody"])
    assert (message["principal"], message["groups"], message["customer_id"]) == ("", "", "")


@given(claims=claims, path=hostile)
def test_the_answer_to_feedback_tells_its_id_and_nothing_else(claims: dict[str, str], path: str) -> None:
    sqs = '{"SendMessageResponse":{"SendMessageResult":{"MessageId":"internal"}}}'
    rendered = render("feedback_response", claims=claims, path=path, body=sqs)
    assert msgspec.json.decode(rendered.text, type=FeedbackResponse).feedback_id == REQUEST_ID
    assert json.loads(rendered.text) == {"feedback_id": REQUEST_ID, "status": "ACCEPTED"}
    assert (rendered.status, rendered.headers) == (None, {})


# --- status: what DynamoDB is asked


@given(path=st.one_of(hostile, ticket_ids, ticket_ids.map(lambda ticket_id: ticket_id + "\n")))
@example(path='tkt_0123456789ab"}},"TableName":"secrets')
def test_the_table_is_asked_for_one_key_and_only_for_a_tickets(path: str) -> None:
    asked = json.loads(render("status_request", path=path).text)
    try:
        expected = msgspec.convert(path, TicketId)
    except msgspec.ValidationError:
        # No ticket has this id: it is not found, as any other.
        expected = "-"
    assert asked.pop("Key") == {"ticket_id": {"S": expected}}
    assert asked == {
        "TableName": VALUES["table"],
        "ConsistentRead": True,
        "ProjectionExpression": "ticket_id, customer_id, #status, sla_deadline",
        "ExpressionAttributeNames": {"#status": "status"},
    }


# --- status: what the caller sees

TICKET = {"ticket_id": "tkt_0123456789ab", "status": "READY", "sla_deadline": "2026-01-31T12:00:00Z"}


def item(customer_id: str = "C1") -> str:
    attributes = TICKET | {"customer_id": customer_id}
    return json.dumps({"Item": {name: {"S": value} for name, value in attributes.items()}})


def is_shown(rendered: vtl.Rendered) -> bool:
    """Whether it is the ticket, in three fields; if not, it is the problem that a ticket which is not there gives."""
    if rendered.status is None:
        msgspec.json.decode(rendered.text, type=StatusView)
        assert json.loads(rendered.text) == TICKET
        assert rendered.headers == {}
        return True
    msgspec.json.decode(rendered.text, type=Problem)
    assert (rendered.status, rendered.headers) == (404, {"Content-Type": "application/problem+json"})
    assert json.loads(rendered.text) == {
        "type": NOT_FOUND.uri(),
        "title": NOT_FOUND.title,
        "status": 404,
        "detail": "No such ticket.",
        "request_id": REQUEST_ID,
    }
    return False


@pytest.mark.parametrize(
    ("groups", "customer_id", "shown"),
    [
        ("customer", "C1", True),
        ("[customer]", "C1", True),
        ("[guest customer]", "C1", True),
        ("[guest, customer]", "C1", True),
        ("guest,customer", "C1", True),
        ("customer", "C2", False),
        ("customer", "C11", False),
        ("customer", "c1", False),
        ("customer", " C1", False),
        ("customer", "", False),
        ("customer", None, False),
        ("guest", "C1", False),
        ("", "C1", False),
        (None, "C1", False),
        ("operator", None, True),
        ("operator", "C2", True),
        ("[operator]", None, True),
        ("[customer operator]", "C2", True),
        ("customer,operator", "C2", True),
        ("operators", None, False),
        ("co-operator", None, False),
        ("operator2", "C2", False),
        ("OPERATOR", None, False),
        ("customers", "C1", False),
        ("customer operator2", "C2", False),
    ],
)
def test_a_ticket_is_shown_to_its_own_customer_and_to_operators(
    groups: str | None, customer_id: str | None, *, shown: bool
) -> None:
    known = {"sub": "s", "cognito:groups": groups, "custom:customer_id": customer_id}
    claims = {name: value for name, value in known.items() if value is not None}
    assert is_shown(render("status_response", claims=claims, body=item())) == shown


def test_a_ticket_without_a_customer_is_shown_to_operators_only() -> None:
    for claims in ({"cognito:groups": "customer", "custom:customer_id": ""}, {"cognito:groups": "customer"}):
        assert not is_shown(render("status_response", claims=claims, body=item("")))
    assert is_shown(render("status_response", claims={"cognito:groups": "operator"}, body=item("")))


def test_nobody_is_shown_nothing() -> None:
    assert not is_shown(render("status_response", body=item()))
    assert not is_shown(render("status_response", claims={}, body=item()))


@pytest.mark.parametrize("body", ["{}", '{"Item":{}}', '{"__type":"…#InternalServerError"}', "", "not json", "[]"])
def test_no_item_looks_like_another_customers(body: str) -> None:
    assert not is_shown(render("status_response", claims={"cognito:groups": "operator"}, body=body))


@given(claims=claims, owner=st.sampled_from(["C1", "C2"]), path=hostile)
def test_whatever_the_claims_the_template_shows_what_the_functions_would(
    claims: dict[str, str], owner: str, path: str
) -> None:
    shown = is_shown(render("status_response", claims=claims, path=path, body=item(owner)))
    caller: Caller = from_authorizer({"claims": {**claims, "sub": "somebody"}})
    if shown:
        assert caller.may_see(owner)
    # The function's reading of the groups is wider only where a name holds what no group's name can.
    elif not re.search(r"[\s\"']", claims.get("cognito:groups", "")):
        assert not caller.may_see(owner)


# --- the engine


def test_escaping_is_apache_commons_langs() -> None:
    def escaped(text: str) -> str:
        return vtl.render("$util.escapeJavaScript($input.body)", body=text).text

    assert escaped('it\'s "a" \\ /\n\r\t\b\f\0\x7f') == 'it\\\'s \\"a\\" \\\\ \\/\\n\\r\\t\\b\\f\\u0000\x7f'
    assert escaped("é🔌") == "\\u00E9\\uD83D\\uDD0C"


@given(text=hostile)
def test_what_is_escaped_for_javascript_is_json_without_the_escaped_quote(text: str) -> None:
    # AWS's advice (mapping template reference): JSON knows no \'.
    rendered = vtl.render('"$util.escapeJavaScript($input.body).replaceAll("\\\\\'", "\'")"', body=text).text
    assert json.loads(rendered) == text


@given(text=hostile)
def test_encodings_round_trip(text: str) -> None:
    sent = as_sent(text)
    for template in (
        "$util.base64Decode($util.base64Encode($input.body))",
        "$util.urlDecode($util.urlEncode($input.body))",
        "$util.parseJson($input.json('$')).a",
    ):
        body = json.dumps({"a": sent}) if "parseJson" in template else text
        assert vtl.render(template, body=body).text == sent


@pytest.mark.parametrize(
    ("text", "encoded"), [("a b", "a+b"), ("~*-._", "%7E*-._"), ("&=%+", "%26%3D%25%2B"), ("é", "%C3%A9")]
)
def test_urls_are_encoded_as_java_does(text: str, encoded: str) -> None:
    assert vtl.render("$util.urlEncode($input.body)", body=text).text == encoded


def test_a_parameter_is_looked_for_in_path_query_and_headers() -> None:
    parameters = vtl.Parameters(path={"a": "1"}, querystring={"a": "2", "b": "3"}, header={"b": "4", "c": "5"})
    text = (
        "$input.params('a') $input.params('b') $input.params('c') $input.params().header.get('b') [$!input.params('d')]"
    )
    assert vtl.render(text, parameters=parameters).text == "1 3 5 4 []"


def test_json_is_read_by_path() -> None:
    body = '{"a": [{"b c": "x"}, {"n": 1.5, "t": true}]}'
    text = "$input.path('$.a[0]['b c']') $input.path('$.a[1].n') $input.json('$.a[1]') $input.path('$.a').size()"
    text = text.replace("'b c'", '"b c"')
    assert vtl.render(text, body=body).text == 'x 1.5 {"n":1.5,"t":true} 2'


@pytest.mark.parametrize("template", ["#if($a)", "#foreach($a in $b)", "$input.path('a')", "$input.path('$..a')"])
def test_what_cannot_be_rendered_is_told(template: str) -> None:
    with pytest.raises(vtl.VtlError):
        vtl.render(template, body='{"a": 1}')


def test_stage_variables_and_context_are_there() -> None:
    text = vtl.render(
        "$stageVariables.a $context.identity.sourceIp [$!context.nothing.at.all]",
        stage_variables={"a": "1"},
        context={"identity": {"sourceIp": "127.0.0.1"}},
    ).text
    assert text == "1 127.0.0.1 []"


@pytest.mark.parametrize(
    ("header", "origin", "allowed"),
    [
        ("Origin", "https://b.example", True),
        ("origin", "https://b.example", True),
        ("Origin", "https://c.example", False),
    ],
)
def test_an_allowed_page_is_answered_with_its_own_origin(header: str, origin: str, *, allowed: bool) -> None:
    text = (TEMPLATES / "preflight.vtl").read_text().replace("@origins@", '"https://b.example"')
    rendered = vtl.render(text, parameters=vtl.Parameters(header={header: origin}))
    assert rendered.headers == ({"Access-Control-Allow-Origin": origin} if allowed else {})
    assert rendered.text.strip() == ""


# --- what a service refuses


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ('{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}', 503),
        ('{"__type":"com.amazon.coral.availability#ThrottlingException"}', 503),
        ('{"Error":{"Code":"RequestThrottled"}}', 503),
        ('{"Error":{"Code":"InvalidParameterValue","Message":"Reason: Message must be shorter"}}', 413),
        ("<ErrorResponse><Error><Code>InvalidParameterValue</Code></Error></ErrorResponse>", 413),
        ('{"__type":"AccessDeniedException","Message":"arn:aws:iam::1:role/x is not authorized"}', None),
        ("#set($context.responseOverride.status = 200)", None),
        ("", None),
    ],
)
def test_what_a_service_refuses_is_told_by_its_cause(said: str, status: int | None) -> None:
    text = (TEMPLATES / "service_refusal.vtl").read_text().replace("@retry_after@", "5")
    for key in ("unavailable", "too_large", "internal"):
        text = text.replace(f"@{key}@", json.dumps({"problem": key, "request_id": "$context.requestId"}))
    rendered = vtl.render(text, body=said, parameters=vtl.Parameters(), context={"requestId": REQUEST_ID})

    expected = {503: "unavailable", 413: "too_large", None: "internal"}[status]
    assert json.loads(rendered.text) == {"problem": expected, "request_id": REQUEST_ID}
    assert rendered.status == status
    assert rendered.headers == ({"Retry-After": "5"} if status == 503 else {})
