"""The client's types are the contract's, and take what a newer service may answer."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_support_client import types
from harness import client_types
from harness.paths import REPOSITORY
from support import contract, routes

SOURCE = (REPOSITORY / client_types.PATH).read_text()
STRUCTS = {
    name: value for name, value in vars(types).items() if isinstance(value, type) and issubclass(value, msgspec.Struct)
}
STRUCTS.pop("Struct")
ANSWERS = [route.answer.type for route in routes.ROUTES if route.answer.type is not None]
ANSWERS = [*dict.fromkeys(ANSWERS), contract.Problem, *contract.STREAM_EVENTS.values()]


def described(schema: Any) -> Any:
    """A schema without what the client leaves to the service: closed objects and closed sets of values."""
    if isinstance(schema, list):
        return [described(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: described(value) for name, value in schema.items() if name not in {"additionalProperties", "enum"}}
    return kept | {"type": "string"} if "enum" in schema else kept


@pytest.mark.parametrize("name", STRUCTS)
def test_each_type_says_what_the_contract_says(name: str) -> None:
    ours, theirs = STRUCTS[name], getattr(contract, name)
    assert described(msgspec.json.schema(ours)) == described(msgspec.json.schema(theirs))
    assert ours.__doc__ == theirs.__doc__


def test_every_type_of_the_routes_is_there() -> None:
    wanted = {type_.__name__ for route in routes.ROUTES for type_ in (route.request, route.answer.type) if type_}
    assert wanted <= STRUCTS.keys()
    constants = {value for value in vars(types).values() if isinstance(value, types.Route)}
    assert constants == {types.Route(route.method, route.path) for route in routes.ROUTES}


def test_every_event_of_a_stream_is_there() -> None:
    assert {name: type_.__name__ for name, type_ in types.STREAM_EVENTS.items()} == {
        name: type_.__name__ for name, type_ in contract.STREAM_EVENTS.items()
    }
    assert set(get_args(types.StreamEvent)) == set(types.STREAM_EVENTS.values())


def test_sets_of_values_are_closed_for_type_checkers() -> None:
    block = next(node for node in ast.parse(SOURCE).body if isinstance(node, ast.If))
    closed = {
        ast.unparse(node.targets[0]): ast.unparse(node.value) for node in block.body if isinstance(node, ast.Assign)
    }
    literals = {name: value for name, value in vars(contract).items() if get_origin(value) is Literal}
    assert closed == {name: f"Literal[{', '.join(map(repr, get_args(value)))}]" for name, value in literals.items()}


def test_a_request_that_says_the_least_is_the_services_own_with_its_defaults(ticket: Any) -> None:
    decoded = msgspec.json.decode(msgspec.json.encode(ticket()), type=contract.CreateTicketRequest)
    assert msgspec.to_builtins(decoded) == msgspec.to_builtins(ticket())
    search = msgspec.json.encode(types.KbSearchRequest(query="fan"))
    assert msgspec.json.decode(search, type=contract.KbSearchRequest) == contract.KbSearchRequest(query="fan")


# --- a newer service


def sample(type_: msgspec.inspect.Type) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - a row per kind of type
    """What a service that is newer than the client may answer: known members with new values, and unknown ones."""
    match type_:
        case msgspec.inspect.Metadata():
            return sample(type_.type)
        case msgspec.inspect.StrType() | msgspec.inspect.LiteralType():
            return st.text(max_size=10)
        case msgspec.inspect.IntType():
            return st.integers(-(2**60), 2**60)
        case msgspec.inspect.FloatType():
            return st.floats(allow_nan=False, allow_infinity=False)
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.ListType():
            return st.lists(sample(type_.item_type), max_size=3)
        case msgspec.inspect.UnionType():
            return st.one_of(*(sample(option) for option in type_.types))
        case msgspec.inspect.StructType():
            required = {field.encode_name: sample(field.type) for field in type_.fields if field.required}
            optional = {field.encode_name: sample(field.type) for field in type_.fields if not field.required}
            unknown = st.dictionaries(
                st.sampled_from(["new_1", "new_2"]), st.none() | st.integers() | st.text(), max_size=2
            )
            return st.builds(dict.__or__, unknown, st.fixed_dictionaries(required, optional=optional))
    raise NotImplementedError(type_)


@pytest.mark.parametrize("theirs", ANSWERS)
@given(data=st.data())
def test_what_a_newer_service_answers_is_read(theirs: type[msgspec.Struct], data: st.DataObject) -> None:
    answered = data.draw(sample(msgspec.inspect.type_info(theirs)))
    ours = STRUCTS[theirs.__name__]
    read = msgspec.to_builtins(msgspec.json.decode(msgspec.json.encode(answered), type=ours))
    for name in read:
        assert name in answered


# --- the generator


def test_the_generator_refuses_what_it_cannot_say(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(msgspec.Struct):
        """Holds a set of values that has no name."""

        colour: Literal["red", "green"]

    monkeypatch.setattr(contract, "Odd", Odd, raising=False)
    monkeypatch.setattr(contract, "Problem", Odd)
    with pytest.raises(NotImplementedError, match="name in the contract"):
        client_types.document()


def test_the_types_stand_alone() -> None:
    imported = {
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        for path in Path(inspect.getfile(types)).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    ours = {str(name).partition(".")[0] for name in imported}
    assert not ours & {"support", "components", "harness", "policies", "boto3", "botocore"}
