"""Values survive DynamoDB."""

from __future__ import annotations

import pytest
from boto3.dynamodb.types import TypeDeserializer
from hypothesis import given
from hypothesis import strategies as st

from support.items import from_attribute, from_item, to_attribute, to_item

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**37), 10**37) | st.floats(-1e120, 1e120) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES))
def test_an_item_comes_back_as_it_was(item: dict[str, object]) -> None:
    assert from_item(to_item(item)) == item


@given(st.recursive(st.none() | st.booleans() | st.integers(0, 10**9) | st.text(), st.lists, max_leaves=8))
def test_boto3_reads_what_we_write(value: object) -> None:
    assert TypeDeserializer().deserialize(to_attribute(value)) == value


def test_whole_numbers_stay_whole() -> None:
    assert isinstance(from_attribute({"N": "3"}), int)
    assert isinstance(from_attribute({"N": "3.5"}), float)
    assert from_attribute({"N": "1E+3"}) == 1000.0


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object()])
def test_what_has_no_type_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        to_attribute(value)


def test_types_that_we_do_not_write_are_refused() -> None:
    with pytest.raises(TypeError):
        from_attribute({"SS": ["a"]})
