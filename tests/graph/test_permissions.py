"""Least privilege: what statements may say, and what each function is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from components import iam
from harness.access import listed

if TYPE_CHECKING:
    from harness.access import Access
    from harness.graph import Graph

ITEMS = {"Get": "dynamodb:GetItem", "Put": "dynamodb:PutItem", "Update": "dynamodb:UpdateItem"}
SEND = {"kms:Decrypt", "kms:GenerateDataKey"}
CONSUME = {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}
POSTPONE = {"sqs:ChangeMessageVisibility"}

EVERY_FUNCTION = {
    "WriteLogs": {"logs:CreateLogStream", "logs:PutLogEvents"},
    "WriteTraces": {"xray:PutTraceSegments", "xray:PutTelemetryRecords"},
    "SendToAsyncFailures": {"sqs:SendMessage"},
    "QueuesKeyThroughSqs": SEND,
}
TABLES = {"DataKeyThroughDynamodb": {"kms:Decrypt"}}
IN_VPC = {
    "MakeInterfaces": {
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:UnassignPrivateIpAddresses",
    },
    "SeeInterfaces": {"ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"},
}

OWN = {
    "create_ticket": {
        "TicketsItems": {ITEMS["Get"], ITEMS["Put"], ITEMS["Update"]},
        "IdempotencyKeysItems": {*ITEMS.values(), "dynamodb:DeleteItem"},
        "StartWorkflow": {"states:StartExecution"},
        **TABLES,
    },
    "list_tickets": {
        "TicketsIndex": {"dynamodb:Query"},
        "SignCursor": {"kms:GenerateMac", "kms:VerifyMac"},
        **TABLES,
    },
    "get_ticket": {"TicketsItems": {ITEMS["Get"]}, **TABLES},
    "get_solution": {"TicketsItems": {ITEMS["Get"]}, "SolutionsItems": {ITEMS["Get"]}, **TABLES},
    "get_solution_stream": {
        "TicketsItems": {ITEMS["Get"]},
        "SolutionsItems": {ITEMS["Get"]},
        "Stream": {"bedrock:InvokeModelWithResponseStream"},
        "StreamThroughProfile": {"bedrock:InvokeModelWithResponseStream"},
        "Guard": {"bedrock:ApplyGuardrail"},
        **TABLES,
    },
    "review_ticket": {
        "TicketsItems": {ITEMS["Get"], ITEMS["Update"]},
        "SolutionsItems": {ITEMS["Get"], ITEMS["Put"]},
        **TABLES,
    },
    "itsm_authorizer": {
        "ApiKeysItems": {ITEMS["Get"]},
        "DecryptPartners": {"kms:Decrypt"},
        "EncryptPartners": {"kms:Encrypt"},
        **TABLES,
    },
    "feedback_writer": {
        "ConsumeFeedback": CONSUME,
        "PostponeFeedback": POSTPONE,
        "SendToFeedbackDlq": {"sqs:SendMessage"},
        "TicketsItems": {ITEMS["Get"]},
        "FeedbackItems": {ITEMS["Put"]},
        **TABLES,
    },
    "kb_search": {"SearchPassages": {"es:ESHttpPost"}, "Embed": {"bedrock:InvokeModel"}, **IN_VPC},
    "kb_ingest": {
        "ConsumeKbIngest": CONSUME,
        "PostponeKbIngest": POSTPONE,
        "SendToKbIngestDlq": {"sqs:SendMessage"},
        "ReadDocuments": {"s3:GetObject"},
        "TellMissingDocuments": {"s3:ListBucket"},
        "DataKeyThroughS3": {"kms:Decrypt"},
        "IndexPassages": {"es:ESHttpPost"},
        "Embed": {"bedrock:InvokeModel"},
        **IN_VPC,
    },
    "process_ticket": {
        "ConsumeTickets": CONSUME,
        "PostponeTickets": POSTPONE,
        "SendToTicketsDlq": {"sqs:SendMessage"},
        "TicketsItems": {ITEMS["Get"]},
        "SolutionsItems": {ITEMS["Get"], ITEMS["Put"]},
        "SearchPassages": {"es:ESHttpPost"},
        "Embed": {"bedrock:InvokeModel"},
        "Generate": {"bedrock:InvokeModel"},
        "GenerateThroughProfile": {"bedrock:InvokeModel"},
        "Guard": {"bedrock:ApplyGuardrail"},
        "AnswerWorkflow": {"states:SendTaskSuccess", "states:SendTaskFailure", "states:SendTaskHeartbeat"},
        **TABLES,
        **IN_VPC,
    },
    "reconcile": {
        "TicketsIndex": {"dynamodb:Query"},
        "TicketsItems": {ITEMS["Update"]},
        "SolutionsItems": {ITEMS["Get"]},
        "StartWorkflow": {"states:StartExecution"},
        "WatchWorkflow": {"states:DescribeExecution"},
        **TABLES,
    },
    "dlq_processor": {
        "ConsumeTicketsDlq": CONSUME,
        "ConsumeKbIngestDlq": CONSUME,
        "ConsumeFeedbackDlq": CONSUME,
        "FailuresItems": {ITEMS["Put"]},
        "TicketsItems": {ITEMS["Update"]},
        "SolutionsItems": {ITEMS["Get"]},
        "EndWorkflow": {"states:SendTaskFailure", "states:SendTaskSuccess"},
        "PublishAlarms": {"sns:Publish"},
        "QueuesKeyThroughSns": SEND,
        **TABLES,
    },
    "publish_events": {
        "TicketsStream": {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"},
        "ListStreams": {"dynamodb:ListStreams"},
        "SendToEventsDlq": {"sqs:SendMessage"},
        "PublishEvents": {"events:PutEvents"},
        **TABLES,
    },
    "search_bootstrap": {
        "MakeIndex": {"es:ESHttpHead", "es:ESHttpPut"},
        "MakePipeline": {"es:ESHttpPut"},
        "MapRoles": {"es:ESHttpGet", "es:ESHttpPut"},
        **IN_VPC,
    },
    "connectivity_check": {
        "SearchPassages": {"es:ESHttpPost"},
        "TicketsTable": {"dynamodb:DescribeTable"},
        "LocateDocuments": {"s3:GetBucketLocation"},
        "Embed": {"bedrock:InvokeModel"},
        "ReachSecretsManager": {"secretsmanager:GetRandomPassword"},
        **IN_VPC,
    },
    "canary_ticket": {
        "ReadCanaryKey": {"secretsmanager:GetSecretValue"},
        "DataKeyThroughSecretsmanager": {"kms:Decrypt"},
    },
}
"""Function -> statement -> actions; a statement's id names the thing that it is about."""


def statement(**changes: object) -> iam.Statement:
    fields = {"sid": "Read", "actions": ("s3:GetObject",), "resources": ("arn:aws:s3:::b/*",), **changes}
    return iam.Statement(**fields)  # type: ignore[arg-type]  # the test gives wrong values on purpose


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"actions": ("s3:*",)}, "not one exact action"),
        ({"actions": ("*",)}, "not one exact action"),
        ({"actions": ("s3:Get*",)}, "not one exact action"),
        ({"actions": ()}, "must be named"),
        ({"resources": ()}, "must be named"),
        ({"resources": ("*",)}, "can be granted on less"),
        ({"actions": ("xray:PutTraceSegments", "s3:GetObject"), "resources": ("*",)}, "s3:GetObject can be granted"),
        ({"sid": "Read it"}, "no statement id"),
    ],
)
def test_a_statement_that_grants_too_much_cannot_be_made(changes: dict[str, object], message: str) -> None:
    with pytest.raises(iam.PolicyLintError, match=message):
        statement(**changes)


def test_statements_of_the_same_thing_become_one() -> None:
    grants = (iam.Grant((statement(),)), iam.Grant((statement(actions=("s3:PutObject", "s3:GetObject")),)))
    assert [s.actions for s in iam.merged(grants)] == [("s3:GetObject", "s3:PutObject")]


@pytest.mark.parametrize(
    "changes", [{"resources": ("arn:aws:s3:::other/*",)}, {"conditions": {"StringEquals": {"aws:x": "y"}}}]
)
def test_statements_of_the_same_name_must_speak_of_the_same(changes: dict[str, object]) -> None:
    with pytest.raises(iam.PolicyLintError, match="differ in more than their actions"):
        iam.merged((iam.Grant((statement(),)), iam.Grant((statement(**changes),))))


def test_no_role_may_do_anything_to_everything(graph: Graph, access: Access) -> None:
    for role in graph.of_type("aws:iam/role:Role"):
        for granted in access.statements_of(role):
            assert granted["Effect"] == "Allow"
            assert not any("*" in action for action in granted["Action"])
            if "*" in listed(granted["Resource"]):
                assert set(granted["Action"]) <= iam.UNSCOPED.keys()


def test_each_function_may_do_what_it_does_and_no_more(graph: Graph, access: Access) -> None:
    functions = {function.name: function for function in graph.of_type("aws:lambda/function:Function")}
    assert functions.keys() == OWN.keys() - (set() if graph.settings.observability.canary else {"canary_ticket"})
    for key, function in functions.items():
        granted = access.statements_of(access.role_of(function))
        assert {s["Sid"]: set(s["Action"]) for s in granted} == {**EVERY_FUNCTION, **OWN[key]}, key


def test_the_gateway_may_do_what_its_templates_do_and_no_more(graph: Graph, access: Access) -> None:
    allowed = {
        "api-status": {"TicketsItems": {ITEMS["Get"]}, **TABLES},
        "api-feedback": {"SendToFeedback": {"sqs:SendMessage"}, "QueuesKeyThroughSqs": SEND},
    }
    for name, statements in allowed.items():
        role = graph.one("aws:iam/role:Role", name)
        assert role.inputs["name"] == f"support-{graph.settings.environment}-{name}"
        assert {s["Sid"]: set(s["Action"]) for s in access.statements_of(role)} == statements


def test_a_partners_secret_is_opened_for_its_partner_only_and_none_is_made(graph: Graph, access: Access) -> None:
    key = graph.one("aws:kms/key:Key", "partners-key")
    authorizer = access.role_of(graph.one("aws:lambda/function:Function", "itsm_authorizer"))
    conditions = {s["Sid"]: s["Condition"] for s in access.statements_of(authorizer) if s["Resource"] == [key.arn]}
    assert conditions == {
        "DecryptPartners": {"StringLike": {"kms:EncryptionContext:api_key": "*"}},
        "EncryptPartners": {"StringEquals": {"kms:EncryptionContext:api_key": "decoy"}},
    }
    others = [role for role in graph.of_type("aws:iam/role:Role") if role is not authorizer]
    assert not any(key.arn in s["Resource"] for role in others for s in access.statements_of(role))


def test_a_statement_is_about_the_table_or_queue_that_it_names(graph: Graph, access: Access) -> None:
    prefix = f"support-{graph.settings.environment}-"
    for role in graph.of_type("aws:iam/role:Role"):
        for granted in access.statements_of(role):
            for arn in granted["Resource"]:
                if arn.startswith(("arn:aws:dynamodb:", "arn:aws:sqs:")):
                    thing = arn.split(prefix)[1].split("/")[0].title().replace("-", "")
                    assert thing in granted["Sid"], (role.name, granted["Sid"], arn)


@pytest.mark.spec("functions.role")
def test_each_function_has_a_role_of_its_own(graph: Graph) -> None:
    roles = [function.inputs["role"] for function in graph.of_type("aws:lambda/function:Function")]
    assert len(set(roles)) == len(roles)


def test_a_role_is_assumed_by_one_service(graph: Graph) -> None:
    for role in graph.of_type("aws:iam/role:Role"):
        (trust,) = role.json("assumeRolePolicy")["Statement"]
        assert list(trust["Principal"]) == ["Service"]
        assert isinstance(trust["Principal"]["Service"], str)


def test_what_is_granted_in_a_preview_holds_no_key(graph: Graph) -> None:
    policies = graph.of_type("aws:iam/rolePolicy:RolePolicy")
    known = [policy for policy in policies if policy.inputs["name"] == "grants"]
    assert known
    for policy in known:
        assert not policy.property_dependencies.get("policy"), policy.name
        assert ":kms:" not in policy.inputs["policy"]


def test_keys_are_used_through_the_service_that_holds_the_data(graph: Graph, access: Access) -> None:
    partners = graph.one("aws:kms/key:Key", "partners-key").arn
    for role in graph.of_type("aws:iam/role:Role"):
        for granted in access.statements_of(role):
            if granted["Resource"] != [partners] and {"kms:Decrypt", "kms:GenerateDataKey"} & set(granted["Action"]):
                assert list(granted["Condition"]["StringEquals"]) == ["kms:ViaService"]


def test_a_consumer_gives_up_messages_to_its_own_failure_queue_only(graph: Graph, access: Access) -> None:
    given_up = {"process_ticket": "tickets", "kb_ingest": "kb-ingest", "feedback_writer": "feedback"}
    queues = {queue.inputs["name"]: queue for queue in graph.of_type("aws:sqs/queue:Queue")}
    for function, thing in given_up.items():
        role = access.role_of(graph.one("aws:lambda/function:Function", function))
        may = {name for name, queue in queues.items() if access.allows(role, "sqs:SendMessage", queue.outputs["arn"])}
        prefix = f"support-{graph.settings.environment}"
        assert may == {f"{prefix}-{thing}-dlq", f"{prefix}-async-failures"}


def test_people_are_told_on_the_alarm_topic_and_its_key_lets_the_teller_in(graph: Graph, access: Access) -> None:
    topic = graph.one("aws:sns/topic:Topic")
    tellers = [
        function.name
        for function in graph.of_type("aws:lambda/function:Function")
        if access.allows(access.role_of(function), "sns:Publish", topic.outputs["arn"])
    ]
    assert tellers == ["dlq_processor"]
    processor = graph.one("aws:lambda/function:Function", "dlq_processor")
    for action in ("kms:GenerateDataKey", "kms:Decrypt"):
        assert access.allows(access.role_of(processor), action, topic.inputs["kmsMasterKeyId"])
    assert processor.inputs["environment"]["variables"]["ALARM_TOPIC_ARN"] == topic.arn


def test_events_are_published_in_the_services_own_name(graph: Graph, access: Access) -> None:
    publisher = graph.one("aws:lambda/function:Function", "publish_events")
    (granted,) = [s for s in access.statements_of(access.role_of(publisher)) if "events:PutEvents" in s["Action"]]
    assert granted["Condition"] == {"ForAllValues:StringEquals": {"events:source": "ai-service.tickets"}}
