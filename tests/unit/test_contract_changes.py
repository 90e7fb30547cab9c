"""Changes of the contract: what breaks callers is named as such, and nothing that breaks them is missed."""

from __future__ import annotations

import copy
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contract_changes import Change, changes
from harness.published_contract import EVENTS, published

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PUBLISHED: Final = published()
JSON, PROBLEM, STREAM = "application/json", "application/problem+json", "text/event-stream"


def after(change: Callable[[Any], object]) -> tuple[Change, ...]:
    """What is told of the published document, changed."""
    changed = copy.deepcopy(PUBLISHED)
    change(changed)
    return changes(PUBLISHED, changed)


def reversed_(change: Callable[[Any], object]) -> tuple[Change, ...]:
    """What is told where the change is taken back."""
    changed = copy.deepcopy(PUBLISHED)
    change(changed)
    return changes(changed, PUBLISHED)


def schema(document: Any, name: str) -> Any:
    return document["components"]["schemas"][name]


def members(document: Any, name: str) -> Any:
    return schema(document, name)["properties"]


def operation(document: Any, method: str, path: str) -> Any:
    return document["paths"][path][method]


def response(document: Any, name: str) -> Any:
    return document["components"]["responses"][name]


def test_what_did_not_change_is_not_told() -> None:
    assert changes(PUBLISHED, published()) == ()


def test_other_words_change_nothing() -> None:
    def reword(document: Any) -> None:
        document["info"]["description"] = "Other words."
        schema(document, "Asset")["description"] = "Other words."
        members(document, "CreateTicketRequest")["error_code"]["examples"] = ["E999"]
        operation(document, "post", "/tickets")["summary"] = "Other words"
        document["components"]["securitySchemes"]["ItsmSignature"]["description"] = "Other words."

    assert after(reword) == ()


# --- what is named

# Change -> where it is told, words of the sentence, whether it breaks, and whether taking it back does.
TABLE: Final[dict[str, tuple[Callable[[Any], object], str, str, bool, bool]]] = {
    "path removed": (lambda d: d["paths"].pop("/kb/search"), "POST /kb/search", "is gone", True, False),
    "method removed": (
        lambda d: d["paths"]["/tickets/{id}/review"].pop("get"),
        "GET /tickets/{id}/review",
        "is gone",
        True,
        False,
    ),
    "operation renamed": (
        lambda d: operation(d, "get", "/tickets").update(operationId="tickets"),
        "GET /tickets",
        "was listTickets and is tickets",
        True,
        True,
    ),
    "address": (lambda d: d["servers"][0].update(url="/v2"), "The API", "has another address", True, True),
    "group shut out": (
        lambda d: operation(d, "get", "/tickets/{id}")["security"].pop(),
        "GET /tickets/{id}",
        "can no longer be called with CognitoIdToken",
        True,
        False,
    ),
    "other credentials": (
        lambda d: d["components"]["securitySchemes"]["ItsmSignature"].update(name="X-Signature"),
        "POST /itsm/tickets",
        "can no longer be called",
        True,
        True,
    ),
    "parameter removed": (
        lambda d: operation(d, "get", "/tickets")["parameters"].pop(0),
        "GET /tickets query parameter limit",
        "is no longer taken",
        True,
        False,
    ),
    "parameter required": (
        lambda d: operation(d, "get", "/tickets")["parameters"][2].update(required=True),
        "GET /tickets query parameter customer_id",
        "takes less: it is required",
        True,
        False,
    ),
    "new required parameter": (
        lambda d: operation(d, "post", "/kb/search").update(
            parameters=[{"name": "X", "in": "header", "required": True, "schema": {"type": "string"}}]
        ),
        "POST /kb/search header parameter X",
        "is new, and required",
        True,
        True,
    ),
    "new parameter": (
        lambda d: operation(d, "post", "/kb/search").update(
            parameters=[{"name": "X", "in": "header", "required": False, "schema": {"type": "string"}}]
        ),
        "POST /kb/search header parameter X",
        "is new",
        False,
        True,
    ),
    "parameter narrowed": (
        lambda d: operation(d, "get", "/tickets")["parameters"][0]["schema"].update(maximum=50),
        "GET /tickets query parameter limit",
        "takes less: maximum was 100, is 50",
        True,
        False,
    ),
    "another default": (
        lambda d: operation(d, "get", "/tickets")["parameters"][0]["schema"].update(default=10),
        "GET /tickets query parameter limit",
        "takes something else: default was 20, is 10",
        True,
        True,
    ),
    "body required": (
        lambda d: operation(d, "post", "/kb/search")["requestBody"].pop("required"),
        "POST /kb/search body",
        "takes more: it is not required",
        False,
        True,
    ),
    "no body any more": (
        lambda d: operation(d, "post", "/kb/search").pop("requestBody"),
        "POST /kb/search body",
        "is no longer taken",
        True,
        True,
    ),
    "media type of a body": (
        lambda d: operation(d, "post", "/kb/search")["requestBody"].update(
            content={"text/xml": {"schema": {"type": "string"}}}
        ),
        "POST /kb/search body",
        f"is no longer {JSON}",
        True,
        True,
    ),
    "new required member": (
        lambda d: (
            members(d, "FeedbackRequest").update(channel={"type": "string"}),
            schema(d, "FeedbackRequest")["required"].append("channel"),
        ),
        "FeedbackRequest.channel",
        "takes less: it is required",
        True,
        True,
    ),
    "new optional member": (
        lambda d: members(d, "FeedbackRequest").update(channel={"type": "string"}),
        "FeedbackRequest.channel",
        "is new",
        False,
        True,
    ),
    "member of a request required": (
        lambda d: schema(d, "FeedbackRequest")["required"].append("comment"),
        "FeedbackRequest.comment",
        "takes less: it is required",
        True,
        False,
    ),
    "value of a request removed": (
        lambda d: members(d, "CreateTicketRequest")["priority"]["enum"].remove("P4"),
        "CreateTicketRequest.priority",
        'takes less: enum was ["P1", "P2", "P3", "P4"], is ["P1", "P2", "P3"]',
        True,
        False,
    ),
    "value of both added": (
        lambda d: members(d, "Asset")["product_type"]["enum"].append("HEAT_PUMP"),
        "Asset.product_type",
        "may hold what it could not: enum",
        True,
        True,
    ),
    "pattern of a request": (
        lambda d: members(d, "Customer")["id"].update(pattern="^K[0-9]+$"),
        "Customer.id",
        "takes something else: pattern",
        True,
        True,
    ),
    "request shortened": (
        lambda d: members(d, "CreateTicketRequest")["symptom_text"].update(maxLength=100),
        "CreateTicketRequest.symptom_text",
        "takes less: maxLength was 5000, is 100",
        True,
        False,
    ),
    "type of a request": (
        lambda d: members(d, "FeedbackRequest")["rating"].update(type="number"),
        "FeedbackRequest.rating",
        "takes more: type",
        False,
        True,
    ),
    "one or a list": (
        lambda d: members(d, "KbSearchRequest").update(
            query={"anyOf": [{"type": "string", "minLength": 1, "maxLength": 1000}, {"type": "array"}]}
        ),
        "KbSearchRequest.query",
        'takes more: also {"type": "array"}',
        False,
        True,
    ),
    "alternative narrowed": (
        lambda d: members(d, "KbFilters")["product_model"]["anyOf"][1].update(maxItems=5),
        "KbFilters.product_model",
        "takes less: maxItems was 20, is 5",
        True,
        False,
    ),
    "further condition": (
        lambda d: schema(d, "ReviewRequest").update({"else": {}}),
        "ReviewRequest",
        "takes something else: else",
        True,
        True,
    ),
    "request opened": (
        lambda d: schema(d, "FeedbackRequest").pop("additionalProperties"),
        "FeedbackRequest",
        "takes more: additionalProperties",
        False,
        True,
    ),
    "another success": (
        lambda d: (r := operation(d, "post", "/tickets")["responses"]).update({"200": r.pop("202")}),
        "POST /tickets answer 202",
        "is no longer given",
        True,
        True,
    ),
    "problem removed": (
        lambda d: operation(d, "post", "/tickets")["responses"].pop("422"),
        "POST /tickets answer 422",
        "is no longer given",
        False,
        False,
    ),
    "media type of an answer": (
        lambda d: (c := operation(d, "get", "/tickets")["responses"]["200"]["content"]).update(
            {"application/hal+json": c.pop(JSON)}
        ),
        "GET /tickets answer 200",
        f"is no longer {JSON}",
        True,
        True,
    ),
    "header removed": (
        lambda d: operation(d, "post", "/tickets")["responses"]["202"].pop("headers"),
        "POST /tickets answer 202 header Location",
        "is no longer given",
        True,
        False,
    ),
    "header not always": (
        lambda d: response(d, "Throttled")["headers"]["Retry-After"].update(required=False),
        "GET /tickets answer 429 header Retry-After",
        "may hold what it could not: it is not always there",
        True,
        False,
    ),
    "member of an answer removed": (
        lambda d: (
            members(d, "SolutionView").pop("confidence"),
            schema(d, "SolutionView")["required"].remove("confidence"),
        ),
        "SolutionView.confidence",
        "is no longer given",
        True,
        False,
    ),
    "member of an answer optional": (
        lambda d: schema(d, "SolutionView")["required"].remove("steps"),
        "SolutionView.steps",
        "may hold what it could not: it is not required",
        True,
        False,
    ),
    "member of an answer added": (
        lambda d: members(d, "SolutionView").update(model={"type": "string"}),
        "SolutionView.model",
        "is new",
        False,
        True,
    ),
    "value of an answer added": (
        lambda d: members(d, "StatusView")["status"]["enum"].append("PAUSED"),
        "StatusView.status",
        "may hold what it could not: enum",
        True,
        False,
    ),
    "type of an answer": (
        lambda d: members(d, "KbResult")["score"].update(type="string"),
        "KbResult.score",
        "holds something else: type",
        True,
        True,
    ),
    "answer's limit": (
        lambda d: members(d, "SolutionView")["confidence"].update(maximum=100),
        "SolutionView.confidence",
        "may hold what it could not: maximum was 1, is 100",
        True,
        False,
    ),
    "items of an answer": (
        lambda d: members(d, "SolutionView")["steps"]["items"].update(type="object"),
        "SolutionView.steps[]",
        "holds something else: type",
        True,
        True,
    ),
    "further problem of a status": (
        lambda d: response(d, "InProgress")["content"][PROBLEM]["schema"]["properties"]["type"]["enum"].append("urn:x"),
        "POST /tickets answer 409.type",
        "is of other types",
        False,
        False,
    ),
    "member of all problems": (
        lambda d: schema(d, "Problem")["required"].remove("detail"),
        "Problem.detail",
        "may hold what it could not: it is not required",
        True,
        False,
    ),
    "event removed": (
        lambda d: operation(d, "get", "/tickets/{id}/solution/stream")["responses"]["200"]["content"][STREAM][
            EVENTS
        ].pop("replace"),
        "GET /tickets/{id}/solution/stream answer 200 event replace",
        "is no longer told",
        True,
        False,
    ),
    "member of an event removed": (
        lambda d: (
            members(d, "StreamComplete").pop("grounded"),
            schema(d, "StreamComplete")["required"].remove("grounded"),
        ),
        "StreamComplete.grounded",
        "is no longer given",
        True,
        False,
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_a_change_is_told_where_it_is_and_whether_it_breaks(name: str) -> None:
    change, place, words, breaks, breaks_back = TABLE[name]
    told = after(change)
    assert any(one.breaking for one in told) == breaks, told
    named = [one for one in told if one.place == place and words in one.sentence]
    assert len(named) == 1, told
    assert named[0].operations
    assert any(one.breaking for one in reversed_(change)) == breaks_back


def test_breaking_changes_come_first_and_each_is_told_once() -> None:
    def change(document: Any) -> None:
        members(document, "Asset")["model"]["maxLength"] = 40
        members(document, "FeedbackRequest")["channel"] = {"type": "string"}

    told = after(change)
    assert [one.breaking for one in told] == [True, False, False]
    assert len({str(one) for one in told}) == len(told)
    taken, given = (one for one in told if one.place == "Asset.model")
    assert taken.operations == ("POST /tickets", "POST /itsm/tickets")
    assert "GET /tickets/{id}" in given.operations


def test_a_schema_that_holds_itself_is_compared_to_its_end() -> None:
    def nest(document: Any) -> None:
        members(document, "FieldError")["causes"] = {
            "type": "array",
            "items": {"$ref": "#/components/schemas/FieldError"},
        }

    nested = copy.deepcopy(PUBLISHED)
    nest(nested)
    assert changes(nested, copy.deepcopy(nested)) == ()


# --- nothing that breaks is missed

NAMES: Final = ("a", "b")
leaves = st.one_of(
    st.fixed_dictionaries({"type": st.just("string")}, optional={
        "minLength": st.integers(0, 3), "maxLength": st.integers(0, 3), "pattern": st.sampled_from(["^x", "y$"]),
    }),
    st.fixed_dictionaries({"enum": st.lists(st.sampled_from(["x", "xy", "y", "zzz"]), min_size=1, unique=True)}),
    st.fixed_dictionaries({"type": st.sampled_from(["integer", "number"])}, optional={
        "minimum": st.integers(-1, 2), "maximum": st.integers(-1, 2),
    }),
    st.sampled_from([{"type": "boolean"}, {"const": "x"}, {"const": 1}, {}]),
)  # fmt: skip


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(st.sampled_from(NAMES), inner, max_size=2)},
            optional={
                "required": st.lists(st.sampled_from(NAMES), unique=True, min_size=1),
                "additionalProperties": st.just(False),  # noqa: FBT003 - JSON Schema's word
            },
        ),
        st.fixed_dictionaries(
            {"type": st.just("array"), "items": inner},
            optional={"minItems": st.integers(0, 2), "maxItems": st.integers(0, 2)},
        ),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)}),
    )


schemas = st.recursive(leaves, containers, max_leaves=5)


def parts(schema: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a schema, or one that it is made of, stands."""
    yield path
    for name, member in schema.get("properties", {}).items():
        yield from parts(member, (*path, "properties", name))
    for number, one in enumerate(schema.get("anyOf", [])):
        yield from parts(one, (*path, "anyOf", number))
    if "items" in schema:
        yield from parts(schema["items"], (*path, "items"))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    """A schema, and one that differs from it in a part: what people do to a contract."""
    old = draw(schemas)
    new = {"": copy.deepcopy(old)}
    holder: Any = new
    path: tuple[Any, ...] = ("", *draw(st.sampled_from(list(parts(old)))))
    for step in path[:-1]:
        holder = holder[step]
    part: Any = holder[path[-1]]
    other: Any = draw(schemas)
    fewer = draw(st.sets(st.sampled_from(sorted(part)))) if part else set()
    kept = {keyword: value for keyword, value in part.items() if keyword not in fewer}
    holder[path[-1]] = draw(st.sampled_from([kept, kept | other, other | kept, other]))
    return old, new[""]


SMALL: Final[list[Any]] = ["", "x", "y", "xy", "zzz", "xxxx", -1, 0, 1, 2, 3, 0.5, True, False]
VALUES: Final[list[Any]] = [
    *SMALL,
    None,
    [],
    *([one] for one in SMALL),
    ["x", 1],
    [[], ["x"], {}],
    {},
    *({name: one} for name, one in product(NAMES, [*SMALL, [], ["x"], {}, {"a": "x"}, {"b": 1}])),
    *({"a": one, "b": other} for one, other in product(["x", "y", 1, [], {}], repeat=2)),
    {"c": 1},
    {"a": "x", "c": 1},
]


def with_schema(side: str, schema: Any) -> Any:
    """A document of one operation, whose body or answer is of that schema."""
    media = {"content": {JSON: {"schema": {"$ref": "#/components/schemas/It"}}}}
    operation: dict[str, Any] = {"operationId": "do", "responses": {"200": media if side == "answer" else {}}}
    if side == "request":
        operation["requestBody"] = media
    return {
        "servers": [],
        "paths": {"/it": {"post": operation}},
        "components": {"schemas": {"It": schema}, "securitySchemes": {}},
    }


def opened(schema: Any) -> Any:
    """As callers must read an answer: members that are not described may be there."""
    if isinstance(schema, list):
        return [opened(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {keyword: opened(value) for keyword, value in schema.items() if keyword != "additionalProperties"}


def valid(schema: Any) -> set[int]:
    judge = jsonschema_rs.Draft202012Validator(schema)
    return {number for number, value in enumerate(VALUES) if judge.is_valid(value)}


@settings(max_examples=1500)
@given(pair=pairs())
def test_what_is_not_named_breaking_refuses_nothing_that_was_taken(pair: tuple[Any, Any]) -> None:
    old, new = pair
    told = changes(with_schema("request", old), with_schema("request", new))
    if not any(change.breaking for change in told):
        assert valid(old) <= valid(new)


@settings(max_examples=1500)
@given(pair=pairs())
def test_what_is_not_named_breaking_gives_nothing_that_could_not_come(pair: tuple[Any, Any]) -> None:
    old, new = pair
    told = changes(with_schema("answer", old), with_schema("answer", new))
    if not any(change.breaking for change in told):
        assert valid(opened(new)) <= valid(opened(old))


@settings(max_examples=300)
@given(schema=schemas)
def test_a_schema_did_not_change_from_itself(schema: Any) -> None:
    for side in ("request", "answer"):
        assert changes(with_schema(side, schema), with_schema(side, copy.deepcopy(schema))) == ()
