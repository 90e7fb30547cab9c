"""Granted against used: how a grant is judged, and what may stand in the file of reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from components.iam import UNSCOPED
from harness import privileges
from harness.privileges import Grant, Justification, Justifications, Use

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.graph import Graph

STACKS = ("local", "dev", "staging", "prod")
ROLE = "support-local-get_ticket"
TABLE = "arn:aws:dynamodb:eu-central-1:000000000000:table/support-local-tickets"
READ = Grant(role=ROLE, statement="TicketsItems", action="dynamodb:GetItem", resources=(TABLE,))
NOTHING = Justifications(justified=())


def use(**changes: object) -> Use:
    fields = {"role": ROLE, "session": ROLE, "action": READ.action, "resource": TABLE, "at": 100.0, **changes}
    return Use(**fields)  # type: ignore[arg-type]  # the test chooses


def judged(grant: Grant, *uses: Use, known: Justifications = NOTHING, since: float = 0.0) -> str:
    (only,) = privileges.judge([grant], uses, known, since={ROLE: since}).judged
    return only.status


def test_what_a_function_did_is_used() -> None:
    assert judged(READ, use()) == "used"


@pytest.mark.parametrize(
    "changes",
    [
        {"role": "support-local-create_ticket", "session": "support-local-create_ticket"},
        {"action": "dynamodb:PutItem"},
        {"resource": f"{TABLE}-other"},
        # Somebody who has assumed the role to try it.
        {"session": "e2e"},
    ],
)
def test_what_another_did_or_what_was_done_elsewhere_is_no_use(changes: dict[str, object]) -> None:
    assert judged(READ, use(**changes)) == "unexplained"


def test_what_earlier_code_did_is_no_use() -> None:
    assert judged(READ, use(at=99.0), since=100.0) == "unexplained"


@pytest.mark.parametrize("session", ["apigateway", "lambda"])
def test_the_gateway_and_streaming_functions_count_as_they_work_here(session: str) -> None:
    assert judged(READ, use(session=session)) == "used"


def test_a_call_whose_resource_nobody_knows_counts_for_every_grant_of_the_action() -> None:
    assert judged(READ, use(resource="*")) == "used"


def test_a_grant_of_a_pattern_is_used_by_what_it_matches() -> None:
    grant = Grant(role=ROLE, statement="Read", action="s3:GetObject", resources=("arn:aws:s3:::documents/kb/*",))
    assert judged(grant, use(action="s3:GetObject", resource="arn:aws:s3:::documents/kb/it/a.md")) == "used"
    assert judged(grant, use(action="s3:GetObject", resource="arn:aws:s3:::documents/drafts/a.md")) == "unexplained"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "justified"),
        ({"actions": ("dynamodb:GetItem",)}, "justified"),
        ({"roles": ("get_ticket",)}, "justified"),
        ({"actions": ("dynamodb:PutItem",)}, "unexplained"),
        ({"roles": ("ticket",)}, "unexplained"),
        ({"statements": ("Other",)}, "unexplained"),
    ],
)
def test_a_reason_holds_for_what_it_names_only(changes: dict[str, tuple[str, ...]], status: str) -> None:
    fields: dict[str, object] = {"statements": ("TicketsItems",), "reason": "because", **changes}
    known = Justifications(justified=(Justification(**fields),))  # type: ignore[arg-type]  # the test chooses
    assert judged(READ, known=known) == status


def test_faults_name_what_must_not_be() -> None:
    grants = [
        READ,
        Grant(role=ROLE, statement="All", action="s3:*", resources=(TABLE,)),
        Grant(role=ROLE, statement="Wide", action="s3:GetObject", resources=("*",)),
    ]
    report = privileges.judge(
        grants,
        [use(), use(action="s3:*"), use(action="s3:GetObject", resource="*")],
        NOTHING,
        attached=[(ROLE, "arn:aws:iam::aws:policy/AdministratorAccess")],
    )
    assert [fault.split(": ")[1] for fault in report.faults] == [
        "s3:* (All) is a pattern, not one action",
        "s3:GetObject is granted on everything",
        "arn:aws:iam::aws:policy/AdministratorAccess is attached without a reason",
    ]


# --- the program's own


def test_no_stack_grants_patterns_or_everything_without_a_reason(graph: Graph) -> None:
    report = privileges.judge(
        privileges.of_graph(graph), (), privileges.justifications(), attached=privileges.attached_in_graph(graph)
    )
    assert report.judged
    assert report.wildcards == ()
    assert {each.action for each in report.unscoped} <= UNSCOPED.keys()
    assert all(each.reason for each in report.attached)


def test_every_reason_is_for_something_that_is_granted(graph_of: Callable[[str], Graph]) -> None:
    granted = [grant for stack in STACKS for grant in privileges.of_graph(graph_of(stack))]
    sids = {grant.statement for grant in granted}
    for each in privileges.justifications().justified:
        assert each.reason.endswith("."), each
        assert set(each.statements) <= sids, set(each.statements) - sids
        for statement in each.statements:
            assert any(each.covers(grant) and grant.statement == statement for grant in granted), (statement, each)
        for action in each.actions:
            assert any(each.covers(grant) and grant.action == action for grant in granted), (action, each)
        for role in each.roles:
            assert any(each.covers(grant) and grant.role.endswith(f"-{role}") for grant in granted), (role, each)
    attached = {arn.rpartition("/")[2] for stack in STACKS for _, arn in privileges.attached_in_graph(graph_of(stack))}
    assert {each.policy for each in privileges.justifications().attached} == attached


def test_every_action_on_everything_is_granted_to_somebody(graph_of: Callable[[str], Graph]) -> None:
    granted = {grant.action for stack in STACKS for grant in privileges.of_graph(graph_of(stack))}
    assert UNSCOPED.keys() <= granted
