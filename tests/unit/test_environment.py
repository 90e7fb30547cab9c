"""Function environments: every fault at once."""

from __future__ import annotations

import msgspec
import pytest

from support import environment


def sample(field: msgspec.structs.FieldInfo) -> str:
    for value in ("1", "text"):
        try:
            msgspec.convert(value, field.type, strict=False)
        except msgspec.ValidationError:
            continue
        return value
    raise NotImplementedError(field)


@pytest.mark.parametrize("function", environment.FUNCTIONS)
def test_a_complete_environment_loads(function: str) -> None:
    struct = environment.FUNCTIONS[function]
    given = {field.encode_name: sample(field) for field in msgspec.structs.fields(struct)}
    assert given.keys() == environment.variables(struct)
    assert isinstance(environment.load(struct, given), struct)


@pytest.mark.parametrize("function", environment.FUNCTIONS)
def test_every_missing_variable_is_named(function: str) -> None:
    struct = environment.FUNCTIONS[function]
    with pytest.raises(environment.InvalidEnvironmentError) as caught:
        environment.load(struct, {})
    assert all(f"{name} is missing" in str(caught.value) for name in environment.variables(struct))


def test_malformed_and_missing_variables_are_told_together() -> None:
    with pytest.raises(environment.InvalidEnvironmentError) as caught:
        environment.load(environment.CreateTicket, {"IDEMPOTENCY_SECONDS": "a day", "TICKETS_TABLE": ""})
    message = str(caught.value)
    assert "IDEMPOTENCY_SECONDS: " in message
    assert "TICKETS_TABLE: " in message
    assert "STATE_MACHINE_ARN is missing" in message


@pytest.mark.parametrize(
    ("value", "origins"),
    [
        ("", set()),
        ("https://a.example", {"https://a.example"}),
        (" https://a , https://b,", {"https://a", "https://b"}),
    ],
)
def test_origins_are_listed_with_commas(value: str, origins: set[str]) -> None:
    loaded = environment.load(environment.GetTicket, {"TICKETS_TABLE": "t", "CORS_ALLOWED_ORIGINS": value})
    assert loaded.origins == origins
