"""Changes made on purpose, previewed by the real engine: each is reported as what it is, and as nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from harness.review.changes import Preview, review
from harness.review.markdown import markdown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.review.changes import Review
    from tests.review.conftest import System

# Where no CLI is to be found it is built, once on a machine, which takes minutes.
pytestmark = pytest.mark.timeout(600)

CUSTOMER = '{"name": "customer_id", "type": "S"}'
TABLE_SOURCE = "terraform-provider-aws dynamodb/table.go: ForceNew"


def index(name: str) -> str:
    return f"""
        {{
            "name": "by-{name}",
            "key_schemas": [{{"attribute_name": "{name}", "key_type": "HASH"}}],
            "projection_type": "ALL",
        }},"""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A change, and what a review must say of it."""

    edits: Mapping[str, str]
    changes: Mapping[str, str]
    """Name -> action, of all that changes."""
    forced_by: Mapping[str, str] = field(default_factory=dict)
    """Path -> source, of all that forces a replacement."""
    risks: frozenset[tuple[str, str]] = frozenset()
    """Kind and name."""
    told: tuple[str, ...] = ()
    """Parts of the risks' sentences."""
    blocked: frozenset[str] = frozenset()


PREPARED = {
    "nothing": Prepared(edits={}, changes={}),
    "a component is renamed, with an alias": Prepared(
        edits={'Room("room")': 'Room("hall", pulumi.ResourceOptions(aliases=[pulumi.Alias(name="room")]))'}, changes={}
    ),
    "a component is renamed, without one": Prepared(
        edits={'Room("room")': 'Room("hall")'},
        changes={"hall-queue": "create", "hall-bus": "create", "room-queue": "delete", "room-bus": "delete"},
        risks=frozenset(
            {("data loss", "room-queue"), ("refused by AWS", "hall-queue"), ("refused by AWS", "hall-bus")}
        ),
        told=("messages that wait in it are lost", "`aliases` keep it"),
        blocked=frozenset({"room-queue"}),
    ),
    "a new index": Prepared(
        edits={
            CUSTOMER: f'{CUSTOMER}, {{"name": "status", "type": "S"}}',
            "    global_secondary_indexes=[": f"    global_secondary_indexes=[{index('status')}",
        },
        changes={"tickets": "update"},
    ),
    "two new indexes at once": Prepared(
        edits={
            CUSTOMER: f'{CUSTOMER}, {{"name": "status", "type": "S"}}, {{"name": "lang", "type": "S"}}',
            "    global_secondary_indexes=[": f"    global_secondary_indexes=[{index('status')}{index('lang')}",
        },
        changes={"tickets": "update"},
        risks=frozenset({("refused by AWS", "tickets")}),
        told=("2 changes of indexes at once (by-lang, by-status)", "GSI.OnlineOps"),
    ),
    "an index that becomes another one": Prepared(
        edits={'"name": "by-customer"': '"name": "by-owner"'},
        changes={"tickets": "update"},
        risks=frozenset({("refused by AWS", "tickets"), ("downtime", "tickets")}),
        told=("index by-customer is deleted: queries of it fail",),
    ),
    "another runtime": Prepared(
        edits={"python3.12": "python3.13"}, changes={"worker-function": "update", "live": "update"}
    ),
    "more memory": Prepared(
        edits={"memory_size=512": "memory_size=1024"}, changes={"worker-function": "update", "live": "update"}
    ),
    "another version of the domain": Prepared(
        edits={"OpenSearch_2.17": "OpenSearch_2.19"},
        changes={"search": "update"},
        risks=frozenset({("downtime", "search")}),
        told=("blue/green", "an upgrade cannot be taken back"),
    ),
    "another key of the table": Prepared(
        edits={'hash_key="ticket_id"': 'hash_key="id"', '{"name": "ticket_id", "type"': '{"name": "id", "type"'},
        changes={"tickets": "replace"},
        forced_by={"hashKey": TABLE_SOURCE},
        risks=frozenset({("data loss", "tickets"), ("downtime", "tickets")}),
        told=("its items are lost", "deleted before the new one is there"),
        blocked=frozenset({"tickets"}),
    ),
    "the domain's name": Prepared(
        edits={'domain_name="search"': 'domain_name="find"'},
        changes={"search": "replace"},
        forced_by={"domainName": "terraform-provider-aws opensearch/domain.go: ForceNew"},
        risks=frozenset({("data loss", "search")}),
        blocked=frozenset({"search"}),
    ),
    "more rights": Prepared(
        edits={'["dynamodb:GetItem"]': '["dynamodb:GetItem", "dynamodb:DeleteItem"]'},
        changes={"rights": "update"},
        risks=frozenset({("wider access", "rights")}),
        told=("now allows dynamodb:DeleteItem on arn:aws:dynamodb:*:*:table/tickets",),
    ),
    "a queue in order": Prepared(
        edits={'"work", name="work"': '"work", name="work.fifo", fifo_queue=True'},
        changes={"work": "replace"},
        forced_by={
            "fifoQueue": "terraform-provider-aws sqs/queue.go: ForceNew",
            "name": "terraform-provider-aws sqs/queue.go: ForceNew",
        },
        risks=frozenset({("data loss", "work")}),
        blocked=frozenset({"work"}),
    ),
    "no more alarm": Prepared(
        edits={'aws.cloudwatch.MetricAlarm(\n    "too-many",': 'dict(\n    logical="too-many",'},
        changes={"too-many": "delete"},
        risks=frozenset({("lost safety", "too-many")}),
        told=("nobody hears of what it watched",),
    ),
    "shorter memory": Prepared(
        edits={"retention_in_days=365": "retention_in_days=30"},
        changes={"calls": "update"},
        risks=frozenset({("lost safety", "calls")}),
        told=("retentionInDays goes from 365 to 30: older log events are deleted at once",),
    ),
    "no more protection": Prepared(
        edits={"protect=True": "protect=False"},
        changes={},
        risks=frozenset({("lost safety", "tickets"), ("lost safety", "search")}),
        told=("Pulumi protects it no more",),
    ),
}


def check(found: Review, prepared: Prepared) -> None:
    assert {change.name: change.action for change in found.changes} == prepared.changes
    forced = {p.path: p.source for change in found.changes for p in change.forced_by}
    assert forced == prepared.forced_by
    assert {(risk.kind, risk.name) for risk in found.risks} == prepared.risks
    sentences = "\n".join(risk.sentence for risk in found.risks)
    for part in prepared.told:
        assert part in sentences
    assert {stop.name for stop in found.blocked} == prepared.blocked
    assert found.passes is not bool(prepared.blocked)


@pytest.mark.parametrize("prepared", PREPARED.values(), ids=PREPARED.keys())
def test_a_change_is_reported_as_what_it_is(system: System, tmp_path: Path, prepared: Prepared) -> None:
    found = system.review(system.changed(tmp_path, prepared.edits))
    check(found, prepared)
    text = markdown(found)
    assert all(f"`{name}`" in text for name in prepared.changes)
    assert "hunter2" not in text


EVERYTHING = {
    'Room("room")': 'Room("hall")',
    'hash_key="ticket_id"': 'hash_key="id"',
    '{"name": "ticket_id", "type"': '{"name": "id", "type"',
    "OpenSearch_2.17": "OpenSearch_2.19",
    "python3.12": "python3.13",
    '["dynamodb:GetItem"]': '["dynamodb:*"]',
    '"work", name="work"': '"work", name="work.fifo", fifo_queue=True',
    "retention_in_days=365": "retention_in_days=30",
    "hunter2hunter2": "hunter3hunter3",
}


def test_the_official_plan_gives_the_same_review(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = system.changed(tmp_path, EVERYTHING)
    ours = system.review(engine)
    theirs = system.official(engine, tmp_path / "plan.json", monkeypatch)
    assert theirs.changes == ours.changes
    assert theirs.blocked == ours.blocked
    assert theirs.risks == ours.risks
    assert "hunter" not in (tmp_path / "plan.json").read_text()
    secret = next(change for change in ours.changes if change.name == "worker-function")
    shown = {found.path: (found.before, found.after) for found in secret.properties}
    assert shown["environment.variables.TOKEN"] == ("[secret]", "[secret]")


def test_what_is_named_may_be_replaced(system: System, tmp_path: Path) -> None:
    run = system.changed(tmp_path, PREPARED["another key of the table"].edits).preview()
    preview = Preview(stack="local", against="HEAD", judge="local", steps=run.plan)
    urn = next(stop.urn for stop in review(preview).blocked)
    for allowed in (urn, "tickets"):
        found = review(preview, [allowed])
        assert found.passes
        assert [stop.name for stop in found.allowed] == ["tickets"]
    assert not review(preview, ["work"]).passes
