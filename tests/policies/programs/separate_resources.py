"""A shop's orders, compliant in unusual ways: every setting a resource of its own, keys by alias, documents as objects.

Names follow another scheme than ours, JSON is laid out by hand, and nothing that may be left out is there.
"""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pulumi_aws as aws

ACCOUNT, REGION = "123456789012", "eu-west-1"
provider = aws.Provider(
    "ireland",
    region=REGION,
    allowed_account_ids=[ACCOUNT],
    default_tags=aws.ProviderDefaultTagsArgs(
        tags={"Project": "shop", "Environment": "prod", "Owner": "shop@example.com"}
    ),
)
here = pulumi.ResourceOptions(provider=provider)
kept = pulumi.ResourceOptions(provider=provider, protect=True)


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


# --- keys, which everything else names by alias -----------------------------------------------------------------------


def key(name: str, *services: str) -> str:
    """A key for some services; its alias."""
    document = {
        "Statement": [
            {
                "Sid": "TheAccountDecides",
                "Principal": {"AWS": [f"arn:aws:iam::{ACCOUNT}:root"]},
                "Effect": "Allow",
                "Resource": ["*"],
                "Action": ["kms:*"],
            },
            *(
                {
                    "Principal": {"Service": service},
                    "Effect": "Allow",
                    "Resource": "*",
                    "Action": ["kms:GenerateDataKey*", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt"],
                    "Condition": {"StringEquals": {"aws:sourceaccount": ACCOUNT}},
                }
                for service in services
            ),
        ],
        "Version": "2012-10-17",
    }
    policy = json.dumps(document, indent=3)
    made = aws.kms.Key(name, description=name, enable_key_rotation=True, policy=policy, opts=kept)
    aws.kms.Alias(name, name=f"alias/shop/{name}", target_key_id=made.key_id, opts=here)
    return f"alias/shop/{name}"


messages = key("messages", "sns.amazonaws.com", "events.amazonaws.com")
files = key("files", "s3.amazonaws.com")
logs = key("logs", f"logs.{REGION}.amazonaws.com")
rows = key("rows", "dynamodb.amazonaws.com")
configuration = key("configuration", "lambda.amazonaws.com")


def by_arn(alias: str) -> str:
    return arn("kms", alias)


# --- a bucket, in a dozen resources -----------------------------------------------------------------------------------


def document(*statements: dict[str, object]) -> Any:
    """An object, which the SDK's type of one does not take in all its shapes."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def bucket(name: str, *, log_to: aws.s3.Bucket | None = None) -> aws.s3.Bucket:
    made = aws.s3.Bucket(name, bucket=f"shop-{name}-{ACCOUNT}", opts=kept)
    block = aws.s3.BucketPublicAccessBlock(
        name,
        bucket=made.id,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=here,
    )
    aws.s3.BucketServerSideEncryptionConfigurationV2(
        name,
        bucket=made.id,
        rules=[
            {
                "bucket_key_enabled": True,
                "apply_server_side_encryption_by_default": {
                    "sse_algorithm": "aws:kms:dsse",
                    "kms_master_key_id": by_arn(files),
                },
            }
        ],
        opts=here,
    )
    aws.s3.BucketVersioningV2(name, bucket=made.bucket, versioning_configuration={"status": "Enabled"}, opts=here)
    aws.s3.BucketOwnershipControls(name, bucket=made.id, rule={"object_ownership": "BucketOwnerEnforced"}, opts=here)
    aws.s3.BucketLifecycleConfigurationV2(
        name,
        bucket=made.id,
        rules=[
            {
                "id": "old",
                "status": "Enabled",
                "filter": {"prefix": ""},
                "abort_incomplete_multipart_upload": {"days_after_initiation": 7},
                "noncurrent_version_expiration": {"noncurrent_days": 90},
            }
        ],
        opts=here,
    )
    if log_to is not None:
        aws.s3.BucketLoggingV2(name, bucket=made.id, target_bucket=log_to.bucket, target_prefix=f"{name}/", opts=here)
    statements: list[dict[str, object]] = [
        {
            "Sid": "OverTlsOnly",
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": ["s3:*"],
            "Resource": [f"arn:aws:s3:::shop-{name}-{ACCOUNT}", f"arn:aws:s3:::shop-{name}-{ACCOUNT}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": ["false"]}},
        }
    ]
    if log_to is None:
        statements.append(
            {
                "Effect": "Allow",
                "Principal": {"Service": ["logging.s3.amazonaws.com"]},
                "Action": "s3:PutObject",
                "Resource": f"arn:aws:s3:::shop-{name}-{ACCOUNT}/*",
                "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
            }
        )
    aws.s3.BucketPolicy(
        name,
        bucket=made.id,
        policy=document(*statements),
        opts=pulumi.ResourceOptions(provider=provider, depends_on=[block]),
    )
    return made


access_logs = bucket("access-logs")
invoices = bucket("invoices", log_to=access_logs)

# --- a table ----------------------------------------------------------------------------------------------------------

orders_table = aws.dynamodb.Table(
    "orders",
    name="shop.orders",
    billing_mode="PAY_PER_REQUEST",
    hash_key="order",
    attributes=[{"name": "order", "type": "S"}],
    server_side_encryption={"enabled": True, "kms_key_arn": by_arn(rows)},
    point_in_time_recovery={"enabled": True},
    deletion_protection_enabled=True,
    opts=kept,
)

# --- queues, whose settings are resources of their own ----------------------------------------------------------------


def tls_only(name: str, queue: aws.sqs.Queue) -> None:
    document = """
    {
      "Version" : "2012-10-17",
      "Statement" : {
        "Sid" : "OverTlsOnly",
        "Condition" : { "Bool" : { "aws:SecureTransport" : false } },
        "Effect" : "Deny",
        "Action" : [ "SQS:*" ],
        "Principal" : { "AWS" : [ "*" ] },
        "Resource" : "%s"
      }
    }
    """
    aws.sqs.QueuePolicy(name, queue_url=queue.url, policy=document % arn("sqs", f"shop-{name}"), opts=here)


unprocessed = aws.sqs.Queue(
    "unprocessed",
    name="shop-unprocessed",
    kms_master_key_id=messages,
    message_retention_seconds=1_209_600,
    opts=here,
)
orders = aws.sqs.Queue(
    "orders",
    name="shop-orders",
    kms_master_key_id=messages,
    visibility_timeout_seconds=180,
    receive_wait_time_seconds=20,
    message_retention_seconds=345_600,
    opts=here,
)
tls_only("unprocessed", unprocessed)
tls_only("orders", orders)
aws.sqs.RedrivePolicy(
    "orders",
    queue_url=orders.id,
    redrive_policy=unprocessed.arn.apply(
        lambda to: '{ "maxReceiveCount" : "4",\n  "deadLetterTargetArn" : "%s" }' % to  # noqa: UP031 - as people write it
    ),
    opts=here,
)
aws.sqs.RedriveAllowPolicy(
    "unprocessed",
    queue_url=unprocessed.id,
    redrive_allow_policy=orders.arn.apply(
        lambda source: json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [source]})
    ),
    opts=here,
)

# --- a function, with its log group by another name -------------------------------------------------------------------

group = aws.cloudwatch.LogGroup(
    "worker", name="/shop/worker", retention_in_days=400, kms_key_id=by_arn(logs), opts=kept
)
role = aws.iam.Role(
    "worker",
    name="shop-worker",
    assume_role_policy=document(
        {"Effect": "Allow", "Action": ["sts:AssumeRole"], "Principal": {"Service": ["lambda.amazonaws.com"]}}
    ),
    opts=here,
)
grants = aws.iam.Policy(
    "worker",
    name="shop-worker",
    policy=json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
                    "Resource": [arn("sqs", "shop-orders")],
                },
                {"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": [arn("sqs", "shop-unprocessed")]},
                {"Effect": "Allow", "Action": ["dynamodb:PutItem"], "Resource": [arn("dynamodb", "table/shop.orders")]},
                {
                    "Effect": "Allow",
                    "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                    "Resource": [arn("logs", "log-group:/shop/worker:*")],
                },
                {
                    "Effect": "Allow",
                    "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
                    "Resource": ["*"],
                },
            ],
        },
        sort_keys=True,
        separators=(" , ", " : "),
    ),
    opts=here,
)
attached = aws.iam.RolePolicyAttachment("worker", role=role.name, policy_arn=grants.arn, opts=here)
worker = aws.lambda_.Function(
    "worker",
    name="shop-worker",
    role=role.arn,
    runtime="python3.13",
    handler="worker.handle",
    s3_bucket=f"shop-artifacts-{ACCOUNT}",
    s3_key="worker.zip",
    timeout=30,
    reserved_concurrent_executions=5,
    tracing_config={"mode": "Active"},
    environment={"variables": {"TABLE": "shop.orders", "IDEMPOTENCY_TOKEN_SECONDS": "3600"}},
    kms_key_arn=by_arn(configuration),
    logging_config={"log_format": "JSON", "log_group": group.name},
    dead_letter_config={"target_arn": unprocessed.arn},
    opts=pulumi.ResourceOptions(provider=provider, depends_on=[attached]),
)
aws.lambda_.EventSourceMapping(
    "orders",
    event_source_arn=orders.arn,
    function_name=worker.arn,
    batch_size=10,
    function_response_types=["ReportBatchItemFailures"],
    scaling_config={"maximum_concurrency": 5},
    opts=here,
)

# --- alarms, which reach people through an encrypted topic ------------------------------------------------------------

people = aws.sns.Topic("people", name="shop-people", kms_master_key_id=messages, opts=here)
for_people = document(
    {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sns:Publish",
        "Resource": arn("sns", "shop-people"),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    },
    {
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": arn("sns", "shop-people"),
        "Condition": {"ArnLike": {"AWS:SourceArn": arn("cloudwatch", "alarm:*")}},
    },
)
aws.sns.TopicPolicy(
    "people",
    arn=people.arn,
    policy=for_people,
    opts=here,
)
aws.sns.TopicSubscription("people", topic=people.arn, protocol="email", endpoint="shop@example.com", opts=here)


def of_unprocessed(metric: str) -> Any:
    return {
        "namespace": "AWS/SQS",
        "metric_name": metric,
        "dimensions": {"QueueName": unprocessed.name},
        "period": 60,
        "stat": "Maximum",
    }


aws.cloudwatch.MetricAlarm(
    "unprocessed",
    name="shop-unprocessed",
    alarm_description="Orders that could not be processed.",
    comparison_operator="GreaterThanThreshold",
    evaluation_periods=1,
    threshold=0,
    treat_missing_data="notBreaching",
    metric_queries=[
        {"id": "waiting", "expression": "visible + hidden", "label": "waiting", "return_data": True},
        {"id": "visible", "metric": of_unprocessed("ApproximateNumberOfMessagesVisible")},
        {"id": "hidden", "metric": of_unprocessed("ApproximateNumberOfMessagesNotVisible")},
    ],
    alarm_actions=[people.arn],
    opts=here,
)
aws.cloudwatch.MetricAlarm(
    "orders-age",
    name="shop-orders-age",
    alarm_description="Orders wait too long.",
    comparison_operator="GreaterThanThreshold",
    evaluation_periods=3,
    threshold=600,
    period=60,
    statistic="Maximum",
    namespace="AWS/SQS",
    metric_name="ApproximateAgeOfOldestMessage",
    dimensions={"QueueName": orders.name},
    treat_missing_data="notBreaching",
    alarm_actions=[people.arn],
    opts=here,
)
aws.cloudwatch.MetricAlarm(
    "worker-errors",
    name="shop-worker-errors",
    alarm_description="The worker fails.",
    comparison_operator="GreaterThanThreshold",
    evaluation_periods=1,
    threshold=0,
    period=60,
    statistic="Sum",
    namespace="AWS/Lambda",
    metric_name="Errors",
    dimensions={"FunctionName": worker.name},
    treat_missing_data="notBreaching",
    alarm_actions=[people.arn],
    opts=here,
)

# --- a secret, its rotation apart -------------------------------------------------------------------------------------

credentials = aws.secretsmanager.Secret("bank", name="shop/bank", kms_key_id=by_arn(rows), opts=kept)
aws.secretsmanager.SecretRotation(
    "bank",
    secret_id=credentials.id,
    rotation_lambda_arn=arn("lambda", "function:shop-rotate"),
    rotation_rules={"schedule_expression": "rate(30 days)"},
    opts=here,
)
pulumi.export("queue", orders.url)
pulumi.export("bucket", invoices.bucket)
