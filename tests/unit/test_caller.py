"""Who calls is what the authorizer says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.caller import Caller, from_authorizer
from support.problems import ForbiddenError, UnauthenticatedError


def claims(**more: Any) -> dict[str, Any]:
    return {"claims": {"sub": "user-1", **more}}


SIGNED_UNTIL = datetime(2026, 1, 31, 12, 5, 0, tzinfo=UTC)


def partner(**changes: str) -> dict[str, object]:
    """What the partners' authorizer says, and the gateway adds."""
    return {
        "principalId": "esk_1",
        "integrationLatency": "12",
        "api_key": "esk_1",
        "customer_id": "C1",
        "rate_limit_tier": "standard",
        "not_after": "2026-01-31T12:05:00Z",
        **changes,
    }


@pytest.mark.parametrize(
    ("claim", "groups"),
    [
        ("customer", {"customer"}),
        ("customer,operator", {"customer", "operator"}),
        ("[customer operator]", {"customer", "operator"}),
        ('["customer", "operator"]', {"customer", "operator"}),
        (["operator"], {"operator"}),
        ("customers-of-operator", set()),
        ("partner,administrators", set()),
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


def test_a_partner_acts_for_its_customer_and_for_no_other() -> None:
    caller = from_authorizer(partner(), clock=lambda: SIGNED_UNTIL)
    assert caller.principal == "esk_1"
    assert caller.own_customer() == "C1"
    assert caller.may_see("C1")
    assert not caller.may_see("C2")
    assert not caller.is_operator
    caller.require_group()


@pytest.mark.parametrize(
    ("late", "good"),
    [(timedelta(minutes=-5), True), (timedelta(0), True), (timedelta(milliseconds=999), True)]
    + [(timedelta(seconds=seconds), False) for seconds in (1, 60, 86_400)],
)
def test_a_partners_signature_ends_however_long_the_gateway_remembers_it(late: timedelta, *, good: bool) -> None:
    moment = SIGNED_UNTIL + late
    if good:
        from_authorizer(partner(), clock=lambda: moment)
        return
    with pytest.raises(UnauthenticatedError, match="too old"):
        from_authorizer(partner(), clock=lambda: moment)


@pytest.mark.parametrize("missing", ["api_key", "customer_id", "not_after"])
def test_a_partner_without_all_of_its_context_is_nobody(missing: str) -> None:
    for changed in (partner(**{missing: ""}), {name: value for name, value in partner().items() if name != missing}):
        with pytest.raises(UnauthenticatedError):
            from_authorizer(changed, clock=lambda: SIGNED_UNTIL)


def test_nobody_is_a_user_and_a_partner_at_once() -> None:
    both = partner() | claims(**{"cognito:groups": "operator"})
    assert from_authorizer(both, clock=lambda: SIGNED_UNTIL).principal == "user-1"
    oddities: list[object] = [{}, "", "operator", [], {"sub": ""}]
    for odd in oddities:
        with pytest.raises(UnauthenticatedError):
            from_authorizer(partner() | {"claims": odd}, clock=lambda: SIGNED_UNTIL)


def test_no_claim_makes_a_user_a_partner() -> None:
    # Whatever a user may have written into the attributes of its own account.
    known = from_authorizer(claims(**partner(), **{"cognito:groups": "partner"}), clock=lambda: SIGNED_UNTIL)
    assert (known.principal, known.groups, known.customer_id) == ("user-1", frozenset(), None)
    with pytest.raises(ForbiddenError):
        known.require_group()
