"""Who calls is what the authorizer says."""

from __future__ import annotations

from typing import Any

import pytest

from support.caller import Caller, from_authorizer
from support.problems import ForbiddenError, UnauthenticatedError


def claims(**more: Any) -> dict[str, Any]:
    return {"claims": {"sub": "user-1", **more}}


@pytest.mark.parametrize(
    ("claim", "groups"),
    [
        ("customer", {"customer"}),
        ("customer,operator", {"customer", "operator"}),
        ("[customer operator]", {"customer", "operator"}),
        ('["customer", "operator"]', {"customer", "operator"}),
        (["operator"], {"operator"}),
        ("customers-of-operator", {"customers-of-operator"}),
        ("", set()),
        (None, set()),
    ],
)
def test_groups_come_as_text_or_list(claim: object, groups: set[str]) -> None:
    assert from_authorizer(claims(**{"cognito:groups": claim})).groups == groups


@pytest.mark.parametrize("authorizer", [{}, {"claims": {}}, {"claims": None}, {"claims": {"sub": ""}}, {"sub": "x"}])
def test_without_an_identity_nobody_calls(authorizer: dict[str, object]) -> None:
    with pytest.raises(UnauthenticatedError):
        from_authorizer(authorizer)


def test_a_customer_sees_its_own_and_an_operator_all(customer: Caller, operator: Caller) -> None:
    assert customer.may_see("C1")
    assert not customer.may_see("C2")
    assert operator.may_see("C1")
    assert operator.may_see("C2")


@pytest.mark.parametrize("group", ["guest", "operators", ""])
def test_other_groups_see_nothing(group: str) -> None:
    caller = from_authorizer(claims(**{"cognito:groups": group, "custom:customer_id": "C1"}))
    assert not caller.may_see("C1")
    with pytest.raises(ForbiddenError):
        caller.require_group()


def test_only_a_customer_acts_for_a_customer(customer: Caller, operator: Caller) -> None:
    assert customer.own_customer() == "C1"
    with pytest.raises(ForbiddenError):
        operator.own_customer()
    with pytest.raises(ForbiddenError):
        from_authorizer(claims(**{"cognito:groups": "customer"})).own_customer()
    with pytest.raises(ForbiddenError):
        from_authorizer(claims(**{"cognito:groups": "operator", "custom:customer_id": "C1"})).own_customer()


def test_a_customer_without_a_customer_id_sees_nothing() -> None:
    assert not from_authorizer(claims(**{"cognito:groups": "customer"})).may_see("None")
