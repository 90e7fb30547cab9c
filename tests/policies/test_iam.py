"""Policy documents: what the rules refuse, let pass, and say they cannot judge, whatever way a document is written."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given as each
from hypothesis import settings as drawn
from hypothesis import strategies as st

from harness.judging.analyzer import UNKNOWN, Analyzer, Judged, secret
from harness.judging.document_mutants import rewrites, unknowns, violations
from policies import actions
from policies.judge import judge
from policies.rules import iam_escalation, iam_places
from policies.rules.iam import RULES
from policies.settings import Settings
from policies.values import Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from policies.rule import Rule
    from policies.values import Value

ROLE, ROLE_POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"
QUEUE_POLICY, KEY = "aws:sqs/queuePolicy:QueuePolicy", "aws:kms/key:Key"
PERMISSION, REST_API = "aws:lambda/permission:Permission", "aws:apigateway/restApi:RestApi"
ENDPOINT, TABLE_TYPE = "aws:ec2/vpcEndpoint:VpcEndpoint", "aws:dynamodb/table:Table"
ACCOUNT = "123456789012"
TABLE = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/support-local-tickets"
QUEUE = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:support-local-tickets"
TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:support-local-alarms"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
LAMBDA = {"Service": "lambda.amazonaws.com"}
IDS = {rule.id for rule in RULES}


def allow(**elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": TABLE, **elements}


def attached(**elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUEUE, **elements}


def trust(**elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": LAMBDA, **elements}


def written(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def resource(type_: str, called: str = "it", **inputs: Any) -> Judged:
    return Judged(type=type_, name=called, urn=f"urn:pulumi:prod::energy-support::{type_}::{called}", inputs=inputs)


OURS = replace(resource(TABLE_TYPE, "ours"), outputs={"arn": TABLE})
"""Tells which account the stack is in."""


def findings(type_: str, **inputs: Any) -> list[tuple[str, str]]:
    """(rule, message) of what the rules on IAM say of one resource, violations before what they cannot judge."""
    told = [each for each in Analyzer().judge([OURS, resource(type_, **inputs)]) if each.rule in IDS]
    return [(str(each.rule), each.message) for each in sorted(told, key=lambda each: each.unknown)]


def rules(type_: str, **inputs: Any) -> set[str]:
    """The rules that are violated; nothing may be unjudged."""
    found = findings(type_, **inputs)
    assert not [message for _, message in found if "cannot judge" in message]
    return {rule for rule, _ in found}


def quickly(type_: str, path: str, document: Value) -> set[str]:
    """As `rules`, of plain values and past the SDK, for tests of many documents."""
    urn = f"urn:pulumi:prod::energy-support::{type_}::it"
    name, _, inner = path.partition("[]")
    value = [{inner.removeprefix("."): document}] if inner else [document] if path.endswith("[]") else document
    stack = [
        Resource(TABLE_TYPE, "ours", urn + "-ours", {"arn": TABLE}),
        Resource(type_, "it", urn, {name: value, **({"principal": LAMBDA["Service"]} if name == "sourceArn" else {})}),
    ]
    return {each.rule.id for each in judge(stack, Settings()).findings if each.rule.id in IDS and each.urn == urn}


# --- what roles may do


@pytest.mark.parametrize(
    "statement",
    [
        allow(),
        allow(Action=["dynamodb:GetItem", "dynamodb:Query"], Resource=[TABLE, f"{TABLE}/index/*"]),
        allow(Action=["xray:PutTraceSegments", "xray:PutTelemetryRecords"], Resource="*"),
        allow(Action="cloudwatch:PutMetricData", Resource="*"),
        allow(Action="s3:GetObject", Resource="arn:aws:s3:::support-local-knowledge-base/kb/*"),
        allow(Action="s3:GetObject", Resource="arn:*:s3:::support-local-knowledge-base/kb/*"),
        allow(Action="logs:PutLogEvents", Resource=f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/aws/lambda/a:*"),
        allow(Action="states:DescribeExecution", Resource=f"arn:aws:states:eu-west-1:{ACCOUNT}:execution:workflow:*"),
        allow(Action="states:SendTaskSuccess", Resource=f"arn:aws:states:eu-west-1:{ACCOUNT}:stateMachine:workflow"),
        allow(Action="states:SendTaskSuccess", Resource="*"),
        allow(Action="logs:DescribeLogGroups", Resource=f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:*"),
        allow(
            Action="bedrock:InvokeModel", Resource="arn:aws:bedrock:*::foundation-model/amazon.titan-embed-text-v2:0"
        ),
        allow(Action=["ec2:CreateNetworkInterface"], Resource=f"arn:aws:ec2:eu-west-1:{ACCOUNT}:*/*"),
        allow(Action="lambda:InvokeFunction", Resource=f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:orders:live"),
        allow(Action="es:ESHttpPost", Resource=f"arn:aws:es:eu-west-1:{ACCOUNT}:domain/support/kb/_search"),
        allow(
            Action="kms:Decrypt",
            Resource=f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/*",
            Condition={"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/orders"}},
        ),
        allow(
            Action="secretsmanager:GetSecretValue", Resource="*", Condition={"StringEquals": {"aws:ResourceTag/a": "b"}}
        ),
        allow(Action="iam:ChangePassword", Resource=f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"),
        allow(
            Action="autoscaling:SetDesiredCapacity",
            Resource=f"arn:aws:autoscaling:eu-west-1:{ACCOUNT}:autoScalingGroup:*:autoScalingGroupName/web",
        ),
        {"Effect": "Deny", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "NotAction": "dynamodb:GetItem", "NotResource": TABLE},
    ],
)
def test_a_grant_that_names_actions_and_resources_passes(statement: dict[str, Any]) -> None:
    assert findings(ROLE_POLICY, role="r", policy=written(statement)) == []


@pytest.mark.parametrize(
    ("statement", "rule", "says"),
    [
        (allow(Action="*"), "iam-action", "policy.Statement[0].Action"),
        (allow(Action="dynamodb:*"), "iam-action", "policy.Statement[0].Action"),
        (allow(Action=["dynamodb:GetItem", "dynamodb:Get*"]), "iam-action", "policy.Statement[0].Action"),
        (allow(Action="dynamodb:GetItems"), "iam-action-exists", "dynamodb:GetItems"),
        (allow(Action="dynamo:GetItem"), "iam-action-exists", "dynamo:GetItem"),
        (allow(Action=["dynamodb:GetItem", "*:*x"]), "iam-action", "*:*x"),
        ({"Effect": "Deny", "Action": "s3:PutBuckets", "Resource": "*"}, "iam-action-exists", "s3:PutBuckets"),
        (allow(Resource="*"), "iam-resource", "policy.Statement[0].Resource"),
        (allow(Resource="**"), "iam-resource", "policy.Statement[0].Resource"),
        (
            allow(Action=["xray:PutTraceSegments", "sqs:SendMessage"], Resource="*"),
            "iam-resource",
            "for sqs:SendMessage",
        ),
        (allow(Resource=f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/*"), "iam-resource", "every resource"),
        (allow(Resource=f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:*"), "iam-resource", "every resource"),
        (allow(Resource=f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table*"), "iam-resource", "every resource"),
        (allow(Resource=f"arn:aws:dynamodb:*:{ACCOUNT}:table/t"), "iam-resource", "any service, region or account"),
        (allow(Action="s3:ListBucket", Resource="arn:aws:s3:::*"), "iam-resource", "every resource"),
        (allow(Resource="tickets"), "iam-resource", "no ARN"),
        (allow(Action="ec2:RunInstances", Resource=f"arn:aws:ec2:eu-west-1:{ACCOUNT}:*/*"), "iam-resource", "every"),
        (allow(Action="ec2:DeleteNetworkInterface", Resource="arn:aws:ec2:*:*:*/*"), "iam-resource", "any service"),
        (
            allow(Action="kms:Decrypt", Resource="*", Condition={"StringLike": {"kms:ResourceAliases": "*"}}),
            "iam-resource",
            "kms:Decrypt",
        ),
        (allow(Resource=QUEUE), "iam-resource-fits", "dynamodb:GetItem"),
        (allow(Resource=[TABLE, QUEUE]), "iam-resource-fits", QUEUE),
        (allow(Action="s3:GetObject", Resource="arn:aws:s3:::bucket"), "iam-resource-fits", "s3:GetObject"),
        (allow(Action="s3:ListBucket", Resource="arn:aws:s3:::bucket/*"), "iam-resource-fits", "s3:ListBucket"),
        (allow(Action="xray:PutTraceSegments"), "iam-resource-fits", "nothing but *"),
        (
            allow(Action="logs:PutLogEvents", Resource=f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:a"),
            "iam-resource-fits",
            "logs:PutLogEvents",
        ),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": TABLE}, "iam-negation", "NotAction"),
        ({"Effect": "Allow", "Action": "dynamodb:GetItem", "NotResource": TABLE}, "iam-negation", "NotResource"),
        (
            allow(Action="iam:PutRolePolicy", Resource=f"arn:aws:iam::{ACCOUNT}:role/worker"),
            "iam-escalation",
            "PutRole",
        ),
        (allow(Principal="*"), "iam-document", "has no place"),
    ],
)
def test_a_grant_that_goes_too_far_or_nowhere_is_refused_with_its_place_and_mend(
    statement: dict[str, Any], rule: str, says: str
) -> None:
    found = findings(ROLE_POLICY, role="r", policy=written(statement))
    assert rule in {id_ for id_, _ in found}
    messages = [message for id_, message in found if id_ == rule]
    assert any(says in message for message in messages)
    assert all("Mend: " in message and "https://docs.aws.amazon.com/" in message for message in messages)


def test_rights_are_delegated_only_within_bounds() -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/teams/*"
    bound = {"StringEquals": {"iam:PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/boundary"}}
    grant = allow(Action="iam:AttachRolePolicy", Resource=role)
    assert rules(ROLE_POLICY, role="r", policy=written(grant)) == {"iam-escalation"}
    assert rules(ROLE_POLICY, role="r", policy=written({**grant, "Condition": bound})) == set()
    anything = {"StringLike": {"iam:PermissionsBoundary": "*"}}
    assert rules(ROLE_POLICY, role="r", policy=written({**grant, "Condition": anything})) == {"iam-escalation"}


def test_what_a_condition_bounds_that_is_not_known_yet_cannot_be_judged() -> None:
    grant = allow(Action="iam:AttachRolePolicy", Resource=f"arn:aws:iam::{ACCOUNT}:role/teams/a")
    decrypt = allow(Action="kms:Decrypt", Resource="*")
    for statement in (
        {**grant, "Condition": {"StringEquals": {"iam:PermissionsBoundary": UNKNOWN}}},
        {**decrypt, "Condition": {"StringEquals": {"aws:ResourceTag/team": UNKNOWN}}},
    ):
        found = findings(ROLE_POLICY, role="r", policy={"Version": "2012-10-17", "Statement": [statement]})
        assert found
        assert all("cannot judge" in message for _, message in found)


def test_a_user_may_mend_its_own_credentials() -> None:
    own = allow(Action="iam:CreateAccessKey", Resource=f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}")
    assert rules(ROLE_POLICY, role="r", policy=written(own)) == set()
    assert rules(ROLE_POLICY, role="r", policy=written({**own, "Resource": f"arn:aws:iam::{ACCOUNT}:user/eve"})) == {
        "iam-escalation"
    }


def test_what_two_policies_of_a_role_allow_together_is_seen() -> None:
    passing = resource(
        ROLE_POLICY, "passes", role="deployer", policy=written(allow(Action="iam:PassRole", Resource="*"))
    )
    making = resource(
        ROLE_POLICY,
        "makes",
        role="deployer",
        policy=written(
            allow(Action="lambda:CreateFunction", Resource=f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:orders")
        ),
    )
    role = resource(ROLE, "deployer", name="deployer", assumeRolePolicy=written(trust()))

    def escalations(resources: Iterable[Judged]) -> list[str]:
        return [each.urn for each in Analyzer().judge([OURS, *resources]) if each.rule == "iam-escalation"]

    assert escalations([role, making]) == []
    assert escalations([role, passing]) == []
    assert escalations([role, passing, making]) == [role.urn]


def test_every_action_that_is_feared_is_one_that_aws_has() -> None:
    """What is misspelt in a list of dangers is not looked for."""
    feared = (
        *(*iam_escalation.BY_THEMSELVES, *iam_escalation.ON_ANYTHING, *iam_escalation.WITH_A_ROLE),
        *(iam_escalation.PASSING, *iam_escalation._MODEL_CALLS),
    )
    assert [name for name in feared if (found := actions.find(name)) is None or found.name != name] == []


# --- documents


@pytest.mark.parametrize(
    "policy",
    [
        "not json",
        "[]",
        json.dumps({"Version": "2012-10-17"}),
        json.dumps({"Statement": [allow()]}),
        json.dumps({"Version": "2012-10-17", "Statement": ["x"]}),
        json.dumps({"Version": "2012-10-17", "Statement": [allow()], "Statements": []}),
        written(allow(Effect="allow")),
        written({**allow(), "Ressource": "*"}),
        written(allow(Action=[])),
        written(allow(Action=7)),
        written(allow(Resource=None)),
        written(allow(Condition={"StringEqual": {"aws:SourceAccount": ACCOUNT}})),
        written(allow(Condition=["x"])),
        written(allow(NotResource="arn:aws:s3:::a")),
        written({"Effect": "Allow", "Action": "sqs:SendMessage"}),
        written({"Effect": "Allow", "Resource": TABLE}),
        written(allow()).replace('"Action"', '"Action": "dynamodb:PutItem", "Action"'),
        None,
    ],
)
def test_a_document_that_is_wrong_is_a_finding_and_never_a_pass(policy: str | None) -> None:
    assert "iam-document" in rules(ROLE_POLICY, role="r", policy=policy)


@each(st.text())
def test_no_text_is_taken_for_a_document_unless_it_is_one(text: str) -> None:
    assert quickly(ROLE_POLICY, "policy", text) == {"iam-document"}


GARBAGE = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(["*", "Allow", TABLE]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Effect", "Action", "Resource", "Principal", "Condition", "Statement", "AWS", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@each(GARBAGE, st.sampled_from([place for place in iam_places.PLACES if "[]" not in place.path and not place.absent]))
def test_garbage_is_refused_wherever_a_document_must_stand(garbage: object, place: iam_places.Place) -> None:
    assert "iam-document" in quickly(place.type, place.path, garbage)
    assert "iam-document" in quickly(place.type, place.path, {"Version": "2012-10-17", "Statement": [garbage]})


@each(GARBAGE, st.sampled_from(["Principal", "Condition", "Action", "Resource", "Effect", "Version"]))
def test_garbage_in_a_part_of_a_document_breaks_no_rule(garbage: object, element: str) -> None:
    for place in iam_places.PLACES:
        if "[]" not in place.path and place.path != "body":
            quickly(place.type, place.path, {"Version": "2012-10-17", "Statement": [{**attached(), element: garbage}]})


PATTERNS = st.sampled_from(["*", "dynamodb:*", "dynamodb:Get*", "dynamodb:?etItem", "*:GetItem", "s3:*", "?", "d*:*"])


@each(
    PATTERNS, st.lists(st.sampled_from(["dynamodb:GetItem", "sqs:SendMessage", "s3:GetObject"]), max_size=3), st.data()
)
def test_no_document_of_a_role_with_a_wildcard_action_passes(
    pattern: str, others: list[str], data: st.DataObject
) -> None:
    """Wherever it stands, however it is written, whatever else there is."""
    place = data.draw(st.integers(0, len(others)))
    wild = data.draw(st.sampled_from([pattern, pattern.upper(), pattern.lower()]))
    statement = allow(
        Action=[*others[:place], wild, *others[place:]], Resource=data.draw(st.sampled_from([TABLE, "*"]))
    )
    document = {"Version": "2012-10-17", "Statement": data.draw(st.permutations([allow(), statement]))}
    assert "iam-action" in quickly(ROLE_POLICY, "policy", data.draw(st.sampled_from([document, json.dumps(document)])))


DOCUMENTS = {
    "identity": (ROLE_POLICY, written(allow(), allow(Action=["xray:PutTraceSegments"], Resource="*"))),
    "trust": (
        ROLE,
        written(
            trust(Principal={"Service": "states.amazonaws.com"}, Condition={"ArnLike": {"aws:SourceArn": f"{QUEUE}*"}})
        ),
    ),
    "own": (
        QUEUE_POLICY,
        written(
            attached(Principal={"Service": "sns.amazonaws.com"}, Condition={"ArnEquals": {"aws:SourceArn": [TOPIC]}}),
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "sqs:*",
                "Resource": QUEUE,
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ),
    ),
    "key": (
        KEY,
        written(
            {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"},
            {
                "Effect": "Allow",
                "Principal": {"Service": "logs.eu-west-1.amazonaws.com"},
                "Action": ["kms:Encrypt*", "kms:Decrypt*"],
                "Resource": "*",
                "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:eu-west-1:{ACCOUNT}:*"}},
            },
        ),
    ),
    "resource": (
        ENDPOINT,
        written(
            attached(Principal="*", Condition={"ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/a"}})
        ),
    ),
}
"""Kind -> a resource's type, and a document that passes there."""
each_kind = pytest.mark.parametrize("kind", DOCUMENTS)


def _path(kind: str) -> str:
    return "assumeRolePolicy" if kind == "trust" else "policy"


def _is_read_alike_by_all(text: str) -> bool:
    try:
        document = json.loads(text)
    except ValueError:
        return False
    return (
        json.dumps(document) == text
        and "Statement" in document
        and all({"Effect", "Action"} <= each.keys() for each in document["Statement"])
    )


@each_kind
def test_writing_a_document_in_another_way_changes_no_verdict(kind: str) -> None:
    type_, document = DOCUMENTS[kind]
    for rewrite in rewrites(document):
        assert quickly(type_, _path(kind), rewrite.document) == set(), rewrite.name
    for mutant in violations(document, kind):  # type: ignore[arg-type]  # the keys are the kinds
        assert isinstance(mutant.document, str)
        if not _is_read_alike_by_all(mutant.document):
            continue
        before = quickly(type_, _path(kind), mutant.document)
        for rewrite in rewrites(mutant.document):
            assert before == quickly(type_, _path(kind), rewrite.document), (mutant.name, rewrite.name)


@each_kind
def test_every_change_for_the_worse_is_refused(kind: str) -> None:
    type_, document = DOCUMENTS[kind]
    tried = 0
    for mutant in violations(document, kind):  # type: ignore[arg-type]  # the keys are the kinds
        if mutant.rules & IDS:
            assert mutant.rules & quickly(type_, _path(kind), mutant.document), mutant.name
            tried += 1
    assert tried > 10


@each_kind
def test_whatever_of_a_document_is_not_known_is_told(kind: str) -> None:
    type_, document = DOCUMENTS[kind]
    for mutant in unknowns(document, UNKNOWN):
        found = findings(type_, **{_path(kind): mutant.document})
        assert any("cannot judge" in message for _, message in found), mutant.name


def test_a_document_that_is_not_known_is_told_by_each_rule_that_would_judge_it() -> None:
    found = findings(ROLE_POLICY, role="r", policy=UNKNOWN)
    assert all("cannot judge `policy`" in message for _, message in found)
    assert {"iam-document", "iam-action", "iam-resource", "iam-escalation"} <= {rule for rule, _ in found}


def test_of_a_document_known_in_part_the_rest_is_judged() -> None:
    policy = {"Version": "2012-10-17", "Statement": [allow(Action="dynamodb:Get*", Resource=UNKNOWN)]}
    found = findings(ROLE_POLICY, role="r", policy=policy)
    assert found[0][0] == "iam-action"
    assert all("cannot judge `policy.Statement[0].Resource`" in message for _, message in found[1:])
    assert found[1:]


def test_a_secret_document_is_judged_like_any_other() -> None:
    assert rules(ROLE_POLICY, role="r", policy=secret(written(allow(Action="*")))) >= {"iam-action"}
    assert rules(ROLE_POLICY, role="r", policy=secret(written(allow()))) == set()


POOLS: dict[str, st.SearchStrategy[Any]] = {
    "Effect": st.sampled_from(["Allow", "Allow", "Allow", "Deny"]),
    "Action": st.lists(
        st.sampled_from(
            [
                *("*", "sqs:*", "dynamodb:Quer?", "sqs:Sendmesage", "sqs:SendMessage", "s3:GetObject", "kms:Decrypt"),
                *("xray:PutTraceSegments", "iam:PassRole", "lambda:CreateFunction", "sts:AssumeRole"),
            ]
        ),
        min_size=1,
        max_size=3,
    ),
    "Resource": st.lists(st.sampled_from(["*", QUEUE, TABLE, "arn:aws:s3:::a/*", "arn:aws:sqs:*:*:a"]), min_size=1),
    "Principal": st.sampled_from(
        ["*", LAMBDA, {"AWS": [ROOT]}, {"AWS": "999999999999"}, {"Service": ["sns.amazonaws.com", "s3.amazonaws.com"]}]
    ),
    "Condition": st.sampled_from(
        [
            {"ArnLike": {"aws:SourceArn": TOPIC}},
            {"StringEquals": {"aws:SourceAccount": [ACCOUNT], "sts:ExternalId": "a"}},
            {"Bool": {"aws:SecureTransport": "false"}},
            {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}},
            {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
        ]
    ),
}
STATEMENTS = st.fixed_dictionaries(
    {name: POOLS[name] for name in ("Effect", "Action")},
    optional={name: POOLS[name] for name in ("Resource", "Principal", "Condition")},
)


@each(st.lists(STATEMENTS, min_size=1, max_size=3), st.sampled_from(list(DOCUMENTS)))
def test_no_two_ways_of_writing_any_document_differ_in_their_verdict(
    statements: list[dict[str, Any]], kind: str
) -> None:
    type_, _ = DOCUMENTS[kind]
    before = quickly(type_, _path(kind), written(*statements))
    for rewrite in rewrites(written(*statements)):
        assert quickly(type_, _path(kind), rewrite.document) == before, rewrite.name


# --- who is let in


def test_a_role_may_be_taken_by_whom_it_names_and_by_nobody_else() -> None:
    assert rules(ROLE, assumeRolePolicy=written(trust())) == set()
    for anybody in ("*", {"AWS": "*"}, {"AWS": [ROOT, "*"]}):
        assert "iam-principal" in rules(ROLE, assumeRolePolicy=written(trust(Principal=anybody)))


def test_another_account_is_let_in_with_an_external_id_only() -> None:
    stranger = trust(Principal={"AWS": "arn:aws:iam::999999999999:role/theirs"})
    assert rules(ROLE, assumeRolePolicy=written(stranger)) == {"iam-cross-account"}
    for condition in (
        {"StringEquals": {"sts:ExternalId": "secret-between-two"}},
        {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}},
        {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    ):
        assert rules(ROLE, assumeRolePolicy=written({**stranger, "Condition": condition})) == set()
    for condition in (
        {"StringLike": {"sts:ExternalId": "*"}},
        {"StringEqualsIfExists": {"sts:ExternalId": "a"}},
        {"Bool": {"aws:MultiFactorAuthPresent": "false"}},
    ):
        assert rules(ROLE, assumeRolePolicy=written({**stranger, "Condition": condition})) == {"iam-cross-account"}
    assert rules(ROLE, assumeRolePolicy=written(trust(Principal={"AWS": ROOT}))) == set()


def test_without_a_word_of_the_stacks_own_account_another_one_cannot_be_told() -> None:
    role = resource(ROLE, assumeRolePolicy=written(trust(Principal={"AWS": ROOT})))
    told = [each.message for each in Analyzer().judge([role]) if each.rule == "iam-cross-account"]
    assert len(told) == 1
    assert "cannot judge" in told[0]
    provider = resource("pulumi:providers:aws", "aws", allowedAccountIds=json.dumps([ACCOUNT]))
    assert [each for each in Analyzer().judge([provider, role]) if each.rule == "iam-cross-account"] == []


def test_a_repositorys_workflow_is_told_from_a_strangers() -> None:
    issuer = "token.actions.githubusercontent.com"
    web = trust(
        Action="sts:AssumeRoleWithWebIdentity",
        Principal={"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"},
    )
    for subject, expected in (
        ("repo:example/orders:ref:refs/heads/main", set()),
        ("repo:example/*", set()),
        ("repo:*", {"iam-federated-trust"}),
        ("repo:exam*/orders:*", {"iam-federated-trust"}),
        ("*", {"iam-federated-trust"}),
    ):
        condition = {"StringLike": {f"{issuer}:sub": subject}, "StringEquals": {f"{issuer}:aud": "sts.amazonaws.com"}}
        assert rules(ROLE, assumeRolePolicy=written({**web, "Condition": condition})) == expected, subject
    assert rules(ROLE, assumeRolePolicy=written(web)) == {"iam-federated-trust"}


@pytest.mark.parametrize(
    "condition",
    [
        {"ArnEquals": {"aws:SourceArn": TABLE}},
        {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::bucket"}},
        {"StringEquals": {"AWS:SourceAccount": "000000000000"}},
        {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-1/*/ou-2/*"}},
        {"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "2001:db8::/32"]}},
    ],
)
def test_anybody_is_let_in_under_a_condition_that_bounds_who_it_is(condition: dict[str, Any]) -> None:
    assert rules(QUEUE_POLICY, policy=written(attached(Principal="*", Condition=condition))) == set()


@pytest.mark.parametrize(
    "condition",
    [
        None,
        {"Bool": {"aws:SecureTransport": "true"}},
        {"StringLike": {"aws:PrincipalArn": "*"}},
        {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:*"}},
        {"StringEqualsIfExists": {"aws:SourceAccount": "000000000000"}},
        {"ForAllValues:StringEquals": {"aws:PrincipalOrgID": "o-1"}},
        {"StringNotEquals": {"aws:SourceAccount": "000000000000"}},
        {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}},
        {"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}},
    ],
)
def test_anybody_is_not_let_in_under_a_condition_that_bounds_nothing(condition: dict[str, Any] | None) -> None:
    statement = attached(Principal={"AWS": "*"}, **({"Condition": condition} if condition else {}))
    assert rules(QUEUE_POLICY, policy=written(statement)) == {"iam-principal"}


def test_an_api_may_be_open_to_all_but_those_from_elsewhere() -> None:
    """The policy of a private API in API Gateway's guide."""
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}
    elsewhere = {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}
    others = {**everybody, "Effect": "Deny", "Condition": elsewhere}
    assert rules(REST_API, policy=written(everybody, others)) == set()
    assert rules(REST_API, policy=written(everybody)) == {"iam-principal"}
    for broken in (
        {**others, "Resource": "execute-api:/prod/*"},
        {**others, "Action": "execute-api:ManageConnections"},
        {**others, "Principal": {"AWS": ROOT}},
        {**others, "Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1"}}},
        {**others, "Condition": {**elsewhere, "Bool": {"aws:SecureTransport": "false"}}},
    ):
        assert "iam-principal" in rules(REST_API, policy=written(everybody, broken))


def test_a_resource_is_not_opened_by_a_pattern_that_covers_its_policy_too() -> None:
    reader = {"AWS": f"arn:aws:iam::{ACCOUNT}:role/reader"}
    objects = allow(Principal=reader, Resource="arn:aws:s3:::documents/*")
    for pattern, expected in (
        ("s3:GetObject*", set()),
        ("s3:PutObject*", {"iam-action"}),
        ("s3:*Object", {"iam-action"}),
    ):
        document = written({**objects, "Action": pattern})
        assert rules("aws:s3/bucketPolicy:BucketPolicy", policy=document) == expected, pattern


def test_a_service_acts_only_for_whom_a_policy_names() -> None:
    from_sns = attached(Principal={"Service": "sns.amazonaws.com"})
    assert rules(QUEUE_POLICY, policy=written(from_sns)) == {"iam-confused-deputy"}
    for condition in ({"ArnEquals": {"aws:SourceArn": TOPIC}}, {"StringEquals": {"aws:SourceAccount": ACCOUNT}}):
        assert rules(QUEUE_POLICY, policy=written({**from_sns, "Condition": condition})) == set()


def test_an_endpoint_needs_a_policy_that_names_who_may_use_it() -> None:
    caller = {"ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/support-local-kb_search"}}
    assert rules(ENDPOINT, policy=written(attached(Principal="*", Condition=caller))) == set()
    assert rules(ENDPOINT, policy=written(attached(Principal="*"))) == {"iam-principal"}
    assert rules(ENDPOINT) == {"iam-document"}


# --- where documents stand


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_what_a_rule_refuses_it_refuses_wherever_it_watches(rule: Rule) -> None:
    """Also on types that our stacks do not use."""
    settings = Settings()
    tried = 0
    for guard in rule.guards:
        values = guard.weaker if guard.want is None else guard.want.weaker(settings)
        for value in values:
            found = quickly(guard.type, guard.path, value)
            assert rule.id in found, (guard.type, guard.path, value)
            tried += 1
    assert tried


def test_inline_and_managed_policies_of_a_role_are_judged() -> None:
    inline = [{"name": "a", "policy": written(allow(Action="dynamodb:Get*"))}]
    managed = ["arn:aws:iam::aws:policy/AdministratorAccess"]
    role = {"assumeRolePolicy": written(trust())}
    assert rules(ROLE, **role, inlinePolicies=inline, managedPolicyArns=managed) == {"iam-action", "iam-managed-policy"}
    for unjudged in (
        {"inlinePolicies": [{"name": "a", "policy": UNKNOWN}]},
        {"inlinePolicies": UNKNOWN},
        {"managedPolicyArns": UNKNOWN},
    ):
        found = findings(ROLE, **role, **unjudged)
        assert found
        assert all("cannot judge" in message for _, message in found)


def test_of_awss_own_policies_only_the_one_for_the_gateways_logs_is_attached() -> None:
    attachment = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    logs = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
    assert rules(attachment, role="r", policyArn=logs) == set()
    assert rules(attachment, role="r", policyArn=f"arn:aws:iam::{ACCOUNT}:policy/own") == set()
    aws = "arn:aws:iam::aws:policy/AmazonSQSFullAccess"
    assert rules(attachment, role="r", policyArn=aws) == {"iam-managed-policy"}


def test_a_queue_is_closed_to_plain_text_with_a_wildcard_that_denies() -> None:
    assert rules(QUEUE_POLICY, policy=DOCUMENTS["own"][1]) == set()


def test_in_a_keys_policy_the_wildcard_resource_means_the_key() -> None:
    good = DOCUMENTS["key"][1]
    assert rules(KEY, policy=good) == set()
    everything = good.replace('"kms:Encrypt*"', '"kms:*"')
    assert rules(KEY, policy=everything) == {"iam-action"}


def test_a_key_without_a_policy_of_its_own_is_administered_by_iam() -> None:
    assert rules(KEY, enableKeyRotation=True) == set()


def test_the_policy_inside_an_apis_document_is_judged() -> None:
    open_to_all = {
        "Version": "2012-10-17",
        "Statement": [attached(Principal="*", Action="execute-api:Invoke", Resource="execute-api:/*")],
    }
    body = json.dumps({"openapi": "3.0.1", "paths": {}, "x-amazon-apigateway-policy": open_to_all})
    ((rule, message),) = findings(REST_API, body=body)
    assert rule == "iam-principal"
    assert "body.x-amazon-apigateway-policy.Statement[0].Principal" in message


# --- functions


def test_a_function_is_called_only_by_a_source_that_is_named() -> None:
    service = {"action": "lambda:InvokeFunction", "function": "f", "principal": "apigateway.amazonaws.com"}
    arn = f"arn:aws:execute-api:eu-west-1:{ACCOUNT}:abc/*/GET/tickets"
    assert rules(PERMISSION, **service, sourceArn=arn) == set()
    assert rules(PERMISSION, **service) == {"lambda-permission"}
    assert rules(PERMISSION, **service, sourceArn="*") == {"lambda-permission"}
    assert rules(PERMISSION, **{**service, "principal": "*"}) == {"lambda-permission"}
    assert rules(PERMISSION, **{**service, "principal": ROOT}) == set()
    assert rules(PERMISSION, **{**service, "principal": "alexa-appkit.amazon.com"}) == {"lambda-permission"}
    assert rules(PERMISSION, **{**service, "principal": "alexa-appkit.amazon.com"}, eventSourceToken="skill") == set()
    assert rules(PERMISSION, **{**service, "principal": "999999999999"}) == {"iam-cross-account"}


def test_a_bucket_that_calls_a_function_is_named_with_its_account() -> None:
    bucket = {"function": "f", "principal": "s3.amazonaws.com", "sourceArn": "arn:aws:s3:::documents"}
    assert rules(PERMISSION, **bucket) == {"lambda-permission"}
    assert rules(PERMISSION, **bucket, sourceAccount=ACCOUNT) == set()


def test_a_source_that_is_not_known_yet_is_settled_by_what_it_is_made_from() -> None:
    api = resource(REST_API, "api", name="api")
    inputs = {"function": "f", "principal": "apigateway.amazonaws.com", "sourceArn": UNKNOWN}
    permission = resource(PERMISSION, "permission", **inputs)
    (told,) = [each for each in Analyzer().judge([OURS, api, permission]) if each.rule == "lambda-permission"]
    assert (told.unknown, told.mandatory) == (True, False)
    assert "`sourceArn`" in told.message
    made = replace(permission, made_from={"sourceArn": [api.urn]})
    assert [each for each in Analyzer().judge([OURS, api, made]) if each.rule in IDS] == []


# --- AWS's action data


def test_actions_are_found_whatever_their_letters() -> None:
    send = actions.find("SQS:sendmessage")
    assert send is not None
    assert send.name == "sqs:SendMessage"
    assert send.takes(QUEUE)
    assert not send.takes(TABLE)
    assert actions.find("sqs:SendMesage") is None
    assert actions.find("../actions/sqs:SendMessage") is None
    assert actions.find("sqs") is None


def test_a_pattern_stands_for_the_actions_that_it_matches() -> None:
    assert [action.name for action in actions.matching("sqs:Send*")] == ["sqs:SendMessage"]
    assert {action.name for action in actions.matching("SQS:?eceiveMessage")} == {"sqs:ReceiveMessage"}
    assert list(actions.matching("sqs:Sends*")) == []


ARN_TEXT = st.text(alphabet="ab*?/:", max_size=6)


@drawn(max_examples=200)
@each(ARN_TEXT, st.text(alphabet="ab/:", max_size=6))
def test_a_pattern_may_match_whatever_it_does_match(pattern: str, name: str) -> None:
    """`may_match` of two patterns is never stricter than a match of one with a text of the other."""
    theirs = "arn:${Partition}:x:${Region}:${Account}:thing/${Name}"
    ours = f"arn:aws:x:eu-west-1:{ACCOUNT}:{pattern}"
    if actions.covers(pattern, f"thing/{name}"):
        assert actions.may_match(theirs, ours)
