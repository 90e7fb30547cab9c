"""A booking service, compliant in unusual ways: an API of methods and integrations, container images, events all along.

Its functions run from images, so that they have no runtime; the API has no OpenAPI document; what happens goes from a
topic through a queue to a function; a schedule and an Express workflow do the rest.
"""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pulumi_aws as aws

ACCOUNT, REGION = "123456789012", "eu-west-1"
IMAGES = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
provider = aws.Provider(
    "ireland",
    region=REGION,
    allowed_account_ids=[ACCOUNT],
    default_tags=aws.ProviderDefaultTagsArgs(
        tags={"Project": "booking", "Environment": "prod", "ManagedBy": "pulumi", "Owner": "booking@example.com"}
    ),
)
here = pulumi.ResourceOptions(provider=provider)
kept = pulumi.ResourceOptions(provider=provider, protect=True)


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


# One key for all of it, of which nothing is known before it is made.
key = aws.kms.Key(
    "booking",
    description="Bookings",
    enable_key_rotation=True,
    rotation_period_in_days=90,
    policy=json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"},
                *(
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": service},
                        "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
                        "Resource": "*",
                        "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
                    }
                    for service in (
                        "sns.amazonaws.com",
                        "events.amazonaws.com",
                        "scheduler.amazonaws.com",
                        "cloudwatch.amazonaws.com",
                    )
                ),
                {
                    "Effect": "Allow",
                    "Principal": {"Service": f"logs.{REGION}.amazonaws.com"},
                    "Action": ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*", "kms:DescribeKey"],
                    "Resource": "*",
                    "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": arn("logs", "log-group:*")}},
                },
            ],
        }
    ),
    opts=kept,
)

failures = aws.sqs.Queue(
    "failures",
    name="booking-failures",
    kms_master_key_id=key.arn,
    message_retention_seconds=1_209_600,
    opts=here,
)
bookings = aws.sqs.Queue(
    "bookings",
    name="booking-bookings",
    kms_master_key_id=key.key_id,
    visibility_timeout_seconds=180,
    redrive_policy=failures.arn.apply(lambda to: json.dumps({"deadLetterTargetArn": to, "maxReceiveCount": 3})),
    opts=here,
)
topic = aws.sns.Topic("booked", name="booking-booked", kms_master_key_id=key.arn, opts=here)
people = aws.sns.Topic("people", name="booking-people", kms_master_key_id=key.arn, opts=here)


def tls_only(service: str, resource: str, *statements: dict[str, object]) -> str:
    denied = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": f"{service}:*" if service == "sqs" else "sns:Publish",
        "Resource": resource,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [*statements, denied]})


def published(resource: str, service: str, action: str, source: str) -> dict[str, object]:
    return {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": action,
        "Resource": resource,
        "Condition": {"ArnLike": {"aws:SourceArn": source}},
    }


QUEUE, TOPIC, PEOPLE = arn("sqs", "booking-bookings"), arn("sns", "booking-booked"), arn("sns", "booking-people")
RULE, SCHEDULE = arn("events", "rule/booking-cancelled"), arn("scheduler", "schedule/default/booking-nightly")
FAILURES = arn("sqs", "booking-failures")
aws.sqs.QueuePolicy(
    "bookings",
    queue_url=bookings.url,
    policy=tls_only("sqs", QUEUE, published(QUEUE, "sns.amazonaws.com", "sqs:SendMessage", TOPIC)),
    opts=here,
)
aws.sqs.QueuePolicy(
    "failures",
    queue_url=failures.url,
    policy=tls_only(
        "sqs",
        FAILURES,
        published(FAILURES, "sns.amazonaws.com", "sqs:SendMessage", TOPIC),
        published(FAILURES, "events.amazonaws.com", "sqs:SendMessage", RULE),
    ),
    opts=here,
)
aws.sns.TopicPolicy(
    "booked",
    arn=topic.arn,
    policy=tls_only("sns", TOPIC, published(TOPIC, "events.amazonaws.com", "sns:Publish", RULE)),
    opts=here,
)
aws.sns.TopicPolicy(
    "people",
    arn=people.arn,
    policy=tls_only(
        "sns",
        PEOPLE,
        published(PEOPLE, "cloudwatch.amazonaws.com", "sns:Publish", arn("cloudwatch", "alarm:booking-*")),
    ),
    opts=here,
)
aws.sns.TopicSubscription(
    "bookings",
    topic=topic.arn,
    protocol="sqs",
    endpoint=bookings.arn,
    raw_message_delivery=True,
    redrive_policy=failures.arn.apply(lambda to: json.dumps({"deadLetterTargetArn": to})),
    opts=here,
)

# --- functions from images --------------------------------------------------------------------------------------------


def log_group(name: str) -> aws.cloudwatch.LogGroup:
    return aws.cloudwatch.LogGroup(name, name=name, retention_in_days=731, kms_key_id=key.arn, opts=kept)


def trusted(service: str, **condition: object) -> str:
    statement: dict[str, object] = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


Grant = tuple[list[str], str]


def function(name: str, timeout: int, *grants: Grant, asynchronous: bool = False) -> aws.lambda_.Function:
    group = log_group(f"/aws/lambda/booking-{name}")
    role = aws.iam.Role(
        f"{name}-role", name=f"booking-{name}", assume_role_policy=trusted("lambda.amazonaws.com"), opts=here
    )
    every = [
        (["logs:CreateLogStream", "logs:PutLogEvents"], arn("logs", f"log-group:/aws/lambda/booking-{name}:*")),
        (["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*"),
        (["sqs:SendMessage"], FAILURES),
        *grants,
    ]
    grant = aws.iam.RolePolicy(
        f"{name}-grants",
        name="grants",
        role=role.id,
        policy=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": action, "Resource": on} for action, on in every],
            }
        ),
        opts=here,
    )
    made = aws.lambda_.Function(
        name,
        name=f"booking-{name}",
        role=role.arn,
        package_type="Image",
        image_uri=f"{IMAGES}/booking/{name}@sha256:{'0' * 64}",
        timeout=timeout,
        reserved_concurrent_executions=20,
        tracing_config={"mode": "Active"},
        opts=pulumi.ResourceOptions(provider=provider, depends_on=[grant, group]),
    )
    if asynchronous:
        aws.lambda_.FunctionEventInvokeConfig(
            name,
            function_name=made.name,
            maximum_retry_attempts=1,
            destination_config={"on_failure": {"destination": failures.arn}},
            opts=here,
        )
    return made


book = function("book", 10, (["sns:Publish"], TOPIC))
handle = function("handle", 30, (["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], QUEUE))
nightly = function("nightly", 300, asynchronous=True)
aws.lambda_.EventSourceMapping(
    "bookings",
    event_source_arn=bookings.arn,
    function_name=handle.name,
    function_response_types=["ReportBatchItemFailures"],
    opts=here,
)

# --- the API, piece by piece ------------------------------------------------------------------------------------------

api = aws.apigateway.RestApi(
    "booking",
    name="booking",
    endpoint_configuration={"types": "REGIONAL"},
    security_policy="TLS_1_2",
    opts=here,
)
validator = aws.apigateway.RequestValidator(
    "all", rest_api=api.id, validate_request_body=True, validate_request_parameters=True, opts=here
)
path = aws.apigateway.Resource(
    "bookings", rest_api=api.id, parent_id=api.root_resource_id, path_part="bookings", opts=here
)
model = aws.apigateway.Model(
    "booking",
    rest_api=api.id,
    name="Booking",
    content_type="application/json",
    schema=json.dumps({"type": "object", "required": ["guest"], "properties": {"guest": {"type": "string"}}}),
    opts=here,
)
post = aws.apigateway.Method(
    "post",
    rest_api=api.id,
    resource_id=path.id,
    http_method="POST",
    authorization="AWS_IAM",
    request_validator_id=validator.id,
    request_models={"application/json": model.name},
    opts=here,
)
options = aws.apigateway.Method(
    "options",
    rest_api=api.id,
    resource_id=path.id,
    http_method="OPTIONS",
    authorization="NONE",
    request_validator_id=validator.id,
    opts=here,
)
called = aws.apigateway.Integration(
    "post",
    rest_api=api.id,
    resource_id=path.id,
    http_method=post.http_method,
    type="AWS_PROXY",
    integration_http_method="POST",
    uri=book.invoke_arn,
    timeout_milliseconds=12_000,
    opts=here,
)
mocked = aws.apigateway.Integration(
    "options",
    rest_api=api.id,
    resource_id=path.id,
    http_method=options.http_method,
    type="MOCK",
    request_templates={"application/json": '{"statusCode": 204}'},
    opts=here,
)
deployment = aws.apigateway.Deployment(
    "booking",
    rest_api=api.id,
    triggers={"version": "1"},
    opts=pulumi.ResourceOptions(provider=provider, depends_on=[called, mocked]),
)
access = log_group("/booking/api")
stage = aws.apigateway.Stage(
    "live",
    rest_api=api.id,
    deployment=deployment.id,
    stage_name="live",
    xray_tracing_enabled=True,
    access_log_settings={
        "destination_arn": access.arn,
        "format": '{"id":"$context.requestId","status":"$context.status","ip":"$context.identity.sourceIp"}',
    },
    opts=here,
)
aws.apigateway.MethodSettings(
    "every",
    rest_api=api.id,
    stage_name=stage.stage_name,
    method_path="*/*",
    settings={
        "metrics_enabled": True,
        "logging_level": "ERROR",
        "data_trace_enabled": False,
        "throttling_burst_limit": 50,
        "throttling_rate_limit": 25,
    },
    opts=here,
)
writer = aws.iam.Role(
    "gateway", name="booking-gateway", assume_role_policy=trusted("apigateway.amazonaws.com"), opts=here
)
aws.iam.RolePolicyAttachment(
    "gateway",
    role=writer.name,
    policy_arn="arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs",
    opts=here,
)
aws.apigateway.Account("gateway", cloudwatch_role_arn=writer.arn, opts=here)
aws.lambda_.Permission(
    "api",
    action="lambda:InvokeFunction",
    function=book.name,
    principal="apigateway.amazonaws.com",
    source_arn=api.execution_arn.apply(lambda execution: f"{execution}/live/POST/bookings"),
    opts=here,
)

# --- its firewall -----------------------------------------------------------------------------------------------------


def visible(metric: str) -> Any:
    return {"cloudwatch_metrics_enabled": True, "sampled_requests_enabled": True, "metric_name": metric}


def managed(name: str, priority: int) -> Any:
    return {
        "name": name,
        "priority": priority,
        "override_action": {"none": {}},
        "statement": {"managed_rule_group_statement": {"vendor_name": "AWS", "name": name}},
        "visibility_config": visible(name),
    }


firewall = aws.wafv2.WebAcl(
    "booking",
    name="booking",
    scope="REGIONAL",
    default_action={"allow": {}},
    rules=[
        managed("AWSManagedRulesCommonRuleSet", 1),
        managed("AWSManagedRulesKnownBadInputsRuleSet", 2),
        {
            "name": "rate",
            "priority": 3,
            "action": {"block": {}},
            "statement": {"rate_based_statement": {"limit": 1000, "aggregate_key_type": "IP"}},
            "visibility_config": visible("rate"),
        },
    ],
    visibility_config=visible("booking"),
    opts=here,
)
aws.wafv2.WebAclAssociation("booking", resource_arn=stage.arn, web_acl_arn=firewall.arn, opts=here)
firewall_log = log_group("aws-waf-logs-booking")
aws.wafv2.WebAclLoggingConfiguration(
    "booking",
    resource_arn=firewall.arn,
    log_destination_configs=[firewall_log.arn],
    redacted_fields=[{"single_header": {"name": "authorization"}}],
    opts=here,
)

# --- a rule, a schedule and an Express workflow -----------------------------------------------------------------------

cancelled = aws.cloudwatch.EventRule(
    "cancelled",
    name="booking-cancelled",
    event_pattern='{\n  "source" : [ "booking" ],\n  "detail-type" : [ "cancelled" ]\n}',
    opts=here,
)
aws.cloudwatch.EventTarget(
    "cancelled",
    rule=cancelled.name,
    arn=topic.arn,
    dead_letter_config={"arn": failures.arn},
    retry_policy={"maximum_event_age_in_seconds": 3600, "maximum_retry_attempts": 10},
    opts=here,
)
scheduler = aws.iam.Role(
    "scheduler",
    name="booking-scheduler",
    assume_role_policy=trusted(
        "scheduler.amazonaws.com",
        StringEquals={"aws:SourceAccount": ACCOUNT},
        ArnLike={"aws:SourceArn": arn("scheduler", "schedule-group/default")},
    ),
    opts=here,
)
aws.iam.RolePolicy(
    "scheduler",
    name="grants",
    role=scheduler.id,
    policy=json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "lambda:InvokeFunction",
                    "Resource": arn("lambda", "function:booking-nightly"),
                },
                {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": FAILURES},
            ],
        }
    ),
    opts=here,
)
aws.scheduler.Schedule(
    "nightly",
    name="booking-nightly",
    schedule_expression="cron(0 3 * * ? *)",
    kms_key_arn=key.arn,
    flexible_time_window={"mode": "FLEXIBLE", "maximum_window_in_minutes": 30},
    target={
        "arn": nightly.arn,
        "role_arn": scheduler.arn,
        "dead_letter_config": {"arn": failures.arn},
        "retry_policy": {"maximum_retry_attempts": 2},
    },
    opts=here,
)
machine_role = aws.iam.Role(
    "machine",
    name="booking-machine",
    assume_role_policy=trusted(
        "states.amazonaws.com",
        StringEquals={"aws:SourceAccount": ACCOUNT},
        ArnLike={"aws:SourceArn": arn("states", "stateMachine:booking")},
    ),
    opts=here,
)
deliver = [
    f"logs:{name}"
    for name in (
        "CreateLogDelivery",
        "DeleteLogDelivery",
        "DescribeLogGroups",
        "DescribeResourcePolicies",
        "GetLogDelivery",
        "ListLogDeliveries",
        "PutResourcePolicy",
        "UpdateLogDelivery",
    )
]
aws.iam.RolePolicy(
    "machine",
    name="grants",
    role=machine_role.id,
    policy=json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": ["sns:Publish"], "Resource": [TOPIC]},
                # None of these takes a resource (Step Functions developer guide, "Logging with CloudWatch Logs").
                {"Effect": "Allow", "Action": deliver, "Resource": "*"},
                {
                    "Effect": "Allow",
                    "Action": [
                        "xray:PutTraceSegments",
                        "xray:PutTelemetryRecords",
                        "xray:GetSamplingRules",
                        "xray:GetSamplingTargets",
                    ],
                    "Resource": ["*"],
                },
            ],
        }
    ),
    opts=here,
)
executions = log_group("/aws/vendedlogs/states/booking")
aws.sfn.StateMachine(
    "booking",
    name="booking",
    type="EXPRESS",
    role_arn=machine_role.arn,
    definition=topic.arn.apply(
        lambda to: json.dumps(
            {
                "StartAt": "Tell",
                "TimeoutSeconds": 120,
                "States": {
                    "Tell": {
                        "Type": "Task",
                        "Resource": "arn:aws:states:::sns:publish",
                        "Parameters": {"TopicArn": to, "Message.$": "$"},
                        "TimeoutSeconds": 60,
                        "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 2}],
                        "End": True,
                    }
                },
            },
            indent="\t",
        )
    ),
    logging_configuration={
        "level": "ALL",
        "include_execution_data": False,
        "log_destination": executions.arn.apply(lambda group: f"{group}:*"),
    },
    tracing_configuration={"enabled": True},
    encryption_configuration={"type": "CUSTOMER_MANAGED_KMS_KEY", "kms_key_id": key.arn},
    opts=here,
)

# --- alarms -----------------------------------------------------------------------------------------------------------

aws.sns.TopicSubscription(
    "people", topic=people.arn, protocol="https", endpoint="https://pager.example.com/booking", opts=here
)


def alarm(name: str, namespace: str, metric: str, dimensions: dict[str, pulumi.Input[str]], statistic: str) -> None:
    aws.cloudwatch.MetricAlarm(
        name,
        name=f"booking-{name}",
        alarm_description=f"{metric} of {name}.",
        comparison_operator="GreaterThanOrEqualToThreshold",
        evaluation_periods=1,
        threshold=1,
        period=60,
        statistic=statistic,
        namespace=namespace,
        metric_name=metric,
        dimensions=dimensions,
        treat_missing_data="notBreaching",
        alarm_actions=[people.arn],
        opts=here,
    )


alarm("failures", "AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": "booking-failures"}, "Sum")
for each in ("book", "handle", "nightly"):
    alarm(f"{each}-errors", "AWS/Lambda", "Errors", {"FunctionName": f"booking-{each}"}, "Sum")
alarm(
    "machine-failed",
    "AWS/States",
    "ExecutionsFailed",
    {"StateMachineArn": arn("states", "stateMachine:booking")},
    "Sum",
)
alarm("api-errors", "AWS/ApiGateway", "5XXError", {"ApiName": "booking", "Stage": "live"}, "Sum")
