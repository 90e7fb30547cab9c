"""The published document: valid, whole, and what the service does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import openapi
from harness.published_contract import EVENTS, STAGE, document, published
from support import contract, decoding, routes
from support.problems import InvalidRequestError
from support.services import ticket_review

if TYPE_CHECKING:
    from collections.abc import Iterator

    import msgspec

PUBLISHED: Final = published()
ROUTES: Final = [pytest.param(route, id=route.operation_id) for route in routes.ROUTES]


def operation(route: routes.Route) -> Any:
    return PUBLISHED["paths"][route.path][route.method.lower()]


def resolved(value: Any) -> Any:
    if "$ref" not in value:
        return value
    target: Any = PUBLISHED
    for step in value["$ref"].removeprefix("#/").split("/"):
        target = target[step]
    return target


def judge(name: str) -> jsonschema.Draft202012Validator:
    """Of values of a named schema."""
    return jsonschema.Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": PUBLISHED["components"]}
    )


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for child in value.values():
            yield from references(child)
    elif isinstance(value, list):
        for child in value:
            yield from references(child)


# --- the document


def test_the_document_is_the_same_every_time() -> None:
    assert document() == document()
    assert json.loads(document()) == PUBLISHED


def test_every_schema_is_one() -> None:
    for schema in PUBLISHED["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere_and_every_component_is_used() -> None:
    found = set(references(PUBLISHED))
    for reference in found:
        assert resolved({"$ref": reference})
    for kind in ("schemas", "responses"):
        assert {f"#/components/{kind}/{name}" for name in PUBLISHED["components"][kind]} <= found


def test_it_says_nothing_that_only_aws_needs_to_know() -> None:
    text = document()
    assert "amazon" not in text
    assert "arn:" not in text
    assert "execution_arn" not in text
    assert [server["url"] for server in PUBLISHED["servers"]] == [STAGE]


def test_every_route_is_there_and_no_other() -> None:
    described = {(path, method.upper()) for path, methods in PUBLISHED["paths"].items() for method in methods}
    assert described == {(route.path, route.method) for route in routes.ROUTES}


def test_no_word_of_a_docstring_is_left_in_its_own_markup() -> None:
    assert "``" not in document()
    for schema in PUBLISHED["components"]["schemas"].values():
        assert "\n " not in schema.get("description", "")


# --- operations


@pytest.mark.parametrize("route", ROUTES)
def test_every_answer_of_a_route_is_described(route: routes.Route) -> None:
    answers = operation(route)["responses"]
    assert answers.keys() == {str(route.answer.status), *map(str, route.problem_statuses())}
    assert route.answer.media_type in answers[str(route.answer.status)]["content"]
    for status, keys in route.problem_statuses().items():
        content = resolved(answers[str(status)])["content"]["application/problem+json"]["schema"]
        assert content["properties"]["status"] == {"const": status}
        assert content["properties"]["type"]["enum"] == [contract.PROBLEMS[key].uri() for key in keys]


@pytest.mark.parametrize("route", ROUTES)
def test_what_tells_to_wait_says_how_long(route: routes.Route) -> None:
    answers = operation(route)["responses"]
    waits = {status for status in answers if "Retry-After" in resolved(answers[status]).get("headers", {})}
    may = {contract.PROBLEMS[key].status for key in ("in_progress", "solution_not_ready") if key in route.problems}
    assert waits == {"429", "503", *map(str, may)}


@pytest.mark.parametrize("route", ROUTES)
def test_who_may_call_is_said(route: routes.Route) -> None:
    ways = operation(route)["security"]
    (scheme,) = {name for way in ways for name in way}
    assert scheme == {"cognito": "CognitoIdToken", "itsm-hmac": "ItsmSignature"}[route.authentication]
    assert scheme in PUBLISHED["components"]["securitySchemes"]
    assert {role for way in ways for roles in way.values() for role in roles} == route.groups


@pytest.mark.parametrize("route", ROUTES)
def test_parameters_are_those_of_the_route_with_their_defaults(route: routes.Route) -> None:
    described = {(each["in"], each["name"]): each for each in operation(route).get("parameters", [])}
    assert described.keys() == {(parameter.place, parameter.name) for parameter in route.parameters}
    for parameter in route.parameters:
        found = described[parameter.place, parameter.name]
        assert found["required"] == parameter.required
        assert found["schema"].get("default") == parameter.default


def test_where_a_ticket_is_stands_in_a_header() -> None:
    for path in ("/tickets", "/itsm/tickets"):
        assert PUBLISHED["paths"][path]["post"]["responses"]["202"]["headers"]["Location"]["required"]


def test_every_event_of_a_stream_is_described() -> None:
    content = PUBLISHED["paths"]["/tickets/{id}/solution/stream"]["get"]["responses"]["200"]["content"]
    events = content["text/event-stream"][EVENTS]
    assert {name: event["$ref"].rpartition("/")[2] for name, event in events.items()} == {
        name: type_.__name__ for name, type_ in contract.STREAM_EVENTS.items()
    }


def test_a_parameter_that_only_a_queue_takes_is_not_said_to_be_judged() -> None:
    (id_,) = PUBLISHED["paths"]["/tickets/{id}/feedback"]["post"]["parameters"]
    assert "pattern" not in id_["schema"]
    (id_,) = PUBLISHED["paths"]["/tickets/{id}/status"]["get"]["parameters"]
    assert "pattern" in id_["schema"]


# --- what is said is what is done


def test_examples_are_what_they_are_examples_of() -> None:
    for schema in PUBLISHED["components"]["schemas"].values():
        for member in schema.get("properties", {}).values():
            for example in member.get("examples", []):
                assert jsonschema.Draft202012Validator(member).is_valid(example)


BLANK: Final = [*(chr(code) for code in range(0x10000) if chr(code).isspace()), "\ufeff", "\u200b", "\u180e"]
verdicts = st.fixed_dictionaries(
    {"decision": st.sampled_from(["APPROVE", "EDIT", "REJECT"])},
    optional={
        "text": st.one_of(
            st.text("ab \n", min_size=1, max_size=4), st.sampled_from(BLANK), st.characters(codec="utf-8")
        ),
        "steps": st.lists(st.sampled_from(["Wait.", "Go on."]), max_size=2),
    },
)


@given(verdict=verdicts)
def test_a_verdict_that_goes_with_no_decision_is_described_as_such(verdict: dict[str, Any]) -> None:
    request = decoding.decode_body(json.dumps(verdict), contract.ReviewRequest)
    assert judge("ReviewRequest").is_valid(verdict) == (not ticket_review._faults(request))


@pytest.mark.parametrize("type_", [route.request for route in routes.ROUTES if route.request], ids=lambda t: t.__name__)
def test_the_gateway_takes_whatever_is_described(type_: type[msgspec.Struct]) -> None:
    """Keyword by keyword: its models say the same, or less."""
    models = openapi.models([type_])
    for name, model in models.items():
        assert_no_stricter(model, PUBLISHED["components"]["schemas"][name])


def assert_no_stricter(model: Any, described: Any) -> None:
    for keyword, value in model.items():
        match keyword:
            case "properties":
                assert value.keys() == described[keyword].keys()
                for name, child in value.items():
                    assert_no_stricter(child, described[keyword][name])
            case "items":
                assert_no_stricter(value, described[keyword])
            case "anyOf":
                for child, other in zip(value, described[keyword], strict=True):
                    assert_no_stricter(child, other)
            case _:
                assert described[keyword] == value


def test_a_number_with_a_fraction_of_nothing_is_no_integer() -> None:
    """JSON Schema would take it since draft 6, the gateway's draft 4 does not: so the document says it in words."""
    body = '{"rating": 1.0, "resolved": true}'
    assert judge("FeedbackRequest").is_valid(json.loads(body))
    with pytest.raises(InvalidRequestError):
        decoding.decode_body(body, contract.FeedbackRequest)
    assert "not `1.0`" in PUBLISHED["info"]["description"]
