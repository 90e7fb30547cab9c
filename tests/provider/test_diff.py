"""A diff names exactly the leaves that changed, says which replace the resource, and sees through ways of writing."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.provider import differ, lifecycle
from harness.provider.registry import all_types, resource_type
from harness.provider.values import ARCHIVE, SIGNATURE, UNKNOWN, path_parts, path_text, plain, to_struct, walk

QUEUE = resource_type("aws:sqs/queue:Queue")
FUNCTION = resource_type("aws:lambda/function:Function")
DOMAIN = resource_type("aws:opensearch/domain:Domain")
ROLE = resource_type("aws:iam/role:Role")
POLICY = resource_type("aws:iam/rolePolicy:RolePolicy")
INVOCATION = resource_type("aws:lambda/invocation:Invocation")
PERMISSION = resource_type("aws:lambda/permission:Permission")
USAGE_PLAN = resource_type("aws:apigateway/usagePlan:UsagePlan")

SCALARS = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8)
NAMES = st.text(min_size=1, max_size=6)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=12
)
PROPERTIES = st.dictionaries(NAMES, VALUES, max_size=5)


def paths(kind: Any, old: dict[str, Any], new: dict[str, Any], *ignore: str) -> list[str]:
    return [path_text(leaf.path) for leaf in lifecycle.diff(kind, old, new, ignore).leaves]


@given(PROPERTIES)
def test_the_same_inputs_never_differ(inputs: dict[str, Any]) -> None:
    assert paths(QUEUE, inputs, copy.deepcopy(inputs)) == []


@given(PROPERTIES)
def test_what_the_protocol_carries_comes_back(inputs: dict[str, Any]) -> None:
    assert plain(to_struct(inputs)) == {name: value for name, value in inputs.items() if value is not None}


@given(PROPERTIES.filter(bool), st.data())
def test_a_changed_leaf_always_differs_and_is_named(inputs: dict[str, Any], data: st.DataObject) -> None:
    path, was = data.draw(st.sampled_from(list(walk(inputs))))
    now = data.draw(SCALARS.filter(lambda value: not (value == was and type(value) is type(was))))
    changed = copy.deepcopy(inputs)
    place: Any = changed
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = now
    if differ.same(inputs, changed):  # nothing against nothing: an empty list and null say the same
        assert now is None
        return
    found = paths(QUEUE, inputs, changed)
    assert found
    # What became empty is named where it became so, above the leaf it may have been.
    assert all(path[: len(parts)] == parts or parts[: len(path)] == path for parts in map(path_parts, found))


@given(st.lists(st.text(min_size=1, max_size=5) | st.integers(0, 99), min_size=1, max_size=4))
def test_a_path_is_read_as_it_was_written(parts: list[str | int]) -> None:
    path = ("top", *parts)
    assert path_parts(path_text(path)) == path


@settings(max_examples=50)
@given(
    st.lists(st.sampled_from(["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:*"]), min_size=1, unique=True), st.data()
)
def test_policies_are_compared_by_meaning(actions: list[str], data: st.DataObject) -> None:
    statement = {"Sid": "A", "Effect": "Allow", "Action": actions, "Resource": ["*"]}
    shuffled = {
        "Resource": "*",
        "Action": actions[0] if len(actions) == 1 else data.draw(st.permutations(actions)),
        "Effect": "Allow",
        "Sid": "A",
    }
    old = {"role": "r", "name": "p", "policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}
    new = {**old, "policy": json.dumps({"Statement": shuffled, "Version": "2012-10-17"}, indent=2)}
    assert paths(POLICY, old, new) == []
    other = {**old, "policy": json.dumps({"Version": "2012-10-17", "Statement": {**shuffled, "Effect": "Deny"}})}
    assert paths(POLICY, old, other) == ["policy"]


def test_a_condition_with_another_value_is_another_policy() -> None:
    def with_source(source: Any) -> dict[str, Any]:
        statement = {"Effect": "Allow", "Action": "*", "Condition": {"ArnLike": {"aws:SourceArn": source}}}
        return {"policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}

    assert paths(POLICY, with_source("a"), with_source(["a"])) == []
    assert paths(POLICY, with_source("a"), with_source("b")) == ["policy"]


def test_documents_are_compared_as_json_and_true_is_not_one() -> None:
    old = {"redrivePolicy": '{"a": 1, "b": [1, 2]}'}
    assert paths(QUEUE, old, {"redrivePolicy": '{"b":[1,2],"a":1}'}) == []
    assert paths(QUEUE, old, {"redrivePolicy": '{"b":[2,1],"a":1}'}) == ["redrivePolicy"]
    assert paths(QUEUE, old, {"redrivePolicy": '{"b":[1,2],"a":true}'}) == ["redrivePolicy"]


def test_an_archive_at_another_path_with_the_same_content_is_no_change() -> None:
    def at(path: str, content: str) -> dict[str, Any]:
        return {"code": {SIGNATURE: ARCHIVE, "hash": content, "path": path}}

    assert paths(FUNCTION, at("/a/f.zip", "1"), at("/b/f.zip", "1")) == []
    assert paths(FUNCTION, at("/a/f.zip", "1"), at("/a/f.zip", "2")) == ["code"]


def test_sets_have_no_order_and_lists_do() -> None:
    alarm = resource_type("aws:cloudwatch/metricAlarm:MetricAlarm")
    assert paths(alarm, {"alarmActions": ["a", "b"]}, {"alarmActions": ["b", "a"]}) == []
    assert paths(FUNCTION, {"layers": ["a", "b"]}, {"layers": ["b", "a"]}) == ["layers[0]", "layers[1]"]


def test_a_default_spelt_out_is_no_change() -> None:
    assert paths(QUEUE, {"name": "q"}, {"name": "q", "fifoQueue": False, "delaySeconds": 0}) == []
    assert paths(FUNCTION, {}, {"timeout": 3, "environment": {"variables": {}}, "tags": {}}) == []


def test_leaves_are_told_one_by_one_with_what_happened() -> None:
    old = {"environment": {"variables": {"A": "1", "B": "2"}}, "layers": ["x", "y"], "tags": {"a.b": "1"}}
    new = {"environment": {"variables": {"A": "9", "C": "3"}}, "layers": ["x"], "tags": {"a.b": "2"}}
    leaves = {path_text(leaf.path): leaf.change.value for leaf in lifecycle.diff(FUNCTION, old, new).leaves}
    assert leaves == {
        "environment.variables.A": "update",
        "environment.variables.B": "delete",
        "environment.variables.C": "add",
        "layers[1]": "delete",
        'tags["a.b"]': "update",
    }


@pytest.mark.parametrize("ignore", ["environment", "environment.variables.A", "environment.variables[*]", "*"])
def test_ignored_changes_are_no_changes(ignore: str) -> None:
    old, new = ({"environment": {"variables": {"A": value}}} for value in "12")
    assert paths(FUNCTION, old, new, ignore) == []
    assert paths(FUNCTION, old, {**new, "timeout": 9}, ignore) == ([] if ignore == "*" else ["timeout"])


def test_a_change_behind_the_ignored_path_is_a_change() -> None:
    old, new = ({"environment": {"variables": {"A": value, "B": value}}} for value in "12")
    assert paths(FUNCTION, old, new, "environment.variables.A") == ["environment.variables.B"]


# --- replacement


def replacing(kind: Any, old: dict[str, Any], new: dict[str, Any]) -> set[str]:
    return {path_text(leaf.path) for leaf in lifecycle.diff(kind, old, new).leaves if leaf.replace}


def test_a_replacement_carries_its_source() -> None:
    leaf = lifecycle.diff(QUEUE, {"name": "a"}, {"name": "b"}).leaves[0]
    assert leaf.replace == "terraform-provider-aws sqs/queue.go: ForceNew"


@pytest.mark.parametrize("kind", all_types(), ids=lambda kind: kind.pulumi_type)
def test_every_forced_replacement_names_where_that_is_said(kind: Any) -> None:
    for prop in kind.properties.values():
        assert not prop.replace or "terraform-provider-" in prop.replace or "pulumi" in prop.replace


def test_a_usage_plan_whose_stages_change_is_made_anew_after_the_old_one() -> None:
    old = {"name": "partners", "apiStages": [{"apiId": "a", "stage": "v1"}]}
    found = lifecycle.diff(USAGE_PLAN, old, {**old, "apiStages": [{"apiId": "b", "stage": "v1"}]})
    assert "emulator" in found.leaves[0].replace
    assert found.delete_before_replace


def test_another_region_replaces() -> None:
    assert replacing(QUEUE, {"region": "eu-west-1"}, {"region": "us-east-1"}) == {"region"}


def test_a_fixed_name_is_freed_before_it_is_taken_again() -> None:
    old = {"name": "r", "path": "/a/"}
    assert lifecycle.diff(ROLE, old, {**old, "path": "/b/"}).delete_before_replace
    assert not lifecycle.diff(ROLE, old, {"name": "s", "path": "/b/"}).delete_before_replace
    automatic = {**old, "__defaults": ["name"]}
    assert not lifecycle.diff(ROLE, automatic, {**automatic, "path": "/b/"}).delete_before_replace


def test_a_permission_collides_only_with_one_of_the_same_statement() -> None:
    old = {"function": "f", "statementId": "s", "sourceArn": "a"}
    assert lifecycle.diff(PERMISSION, old, {**old, "sourceArn": "b"}).delete_before_replace
    nameless = {"function": "f", "sourceArn": "a"}
    assert not lifecycle.diff(PERMISSION, nameless, {**nameless, "sourceArn": "b"}).delete_before_replace


def test_an_invocation_is_made_anew_when_its_triggers_or_its_input_change() -> None:
    old = {"functionName": "f", "input": "{}", "triggers": {"code": "1"}}
    assert replacing(INVOCATION, old, {**old, "triggers": {"code": "2"}}) == {"triggers.code"}
    assert replacing(INVOCATION, old, {**old, "input": '{"a": 1}'}) == {"input"}
    crud = {**old, "lifecycleScope": "CRUD"}
    assert replacing(INVOCATION, crud, {**crud, "input": '{"a": 1}'}) == set()


@pytest.mark.parametrize(
    ("old", "new", "replaced"),
    [
        ({"vpcOptions": {"subnetIds": ["a"]}}, {}, True),
        ({"vpcOptions": {"subnetIds": ["a"]}}, {"vpcOptions": {"subnetIds": ["b"]}}, False),
        ({"encryptAtRest": {"enabled": False}}, {"encryptAtRest": {"enabled": True}}, False),
        ({"encryptAtRest": {"enabled": True}}, {"encryptAtRest": {"enabled": False}}, True),
        (
            {"encryptAtRest": {"enabled": True, "kmsKeyId": "a"}},
            {"encryptAtRest": {"enabled": True, "kmsKeyId": "b"}},
            True,
        ),
        ({"clusterConfig": {"instanceCount": 1}}, {"clusterConfig": {"instanceCount": 2}}, False),
    ],
)
def test_a_domain_is_replaced_for_what_cannot_be_undone(
    old: dict[str, Any], new: dict[str, Any], *, replaced: bool
) -> None:
    assert bool(replacing(DOMAIN, old, new)) is replaced


def test_an_unknown_value_is_a_change() -> None:
    assert paths(FUNCTION, {"layers": ["a"]}, {"layers": [UNKNOWN]}) == ["layers[0]"]
    assert paths(FUNCTION, {"layers": ["a"]}, {"layers": UNKNOWN}) == ["layers"]
