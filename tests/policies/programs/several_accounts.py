"""A trust between accounts, compliant in unusual ways: who may do what is narrow, but seldom written in the usual way.

Roles that other accounts may take, with an external id or within one's own organisation; buckets that services deliver
to; a Deny with NotAction; condition operators in every case; wildcards where AWS takes nothing else.
"""

from __future__ import annotations

import json

import pulumi
import pulumi_aws as aws

ACCOUNT, PARTNER, REGION = "123456789012", "210987654321", "eu-west-1"
ORGANISATION = "o-abcdefghij"
provider = aws.Provider(
    "ireland",
    region=REGION,
    allowed_account_ids=[ACCOUNT],
    default_tags=aws.ProviderDefaultTagsArgs(
        tags={"Project": "audit", "Environment": "prod", "ManagedBy": "pulumi", "Owner": "audit@example.com"}
    ),
)
here = pulumi.ResourceOptions(provider=provider)
kept = pulumi.ResourceOptions(provider=provider, protect=True)


def document(*statements: dict[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Id": "audit", "Statement": list(statements)}, indent=1)


def bucket_arn(name: str) -> str:
    return f"arn:aws:s3:::audit-{name}-{ACCOUNT}"


# --- roles that somebody else takes -----------------------------------------------------------------------------------

auditor = aws.iam.Role(
    "auditor",
    name="audit-auditor",
    max_session_duration=3600,
    assume_role_policy=document(
        {
            "Sid": "ThePartnerWhoAuditsUs",
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"AWS": f"arn:aws:iam::{PARTNER}:role/auditors"},
            "Condition": {"stringequals": {"STS:ExternalId": "3f1c9a52-audit"}},
        }
    ),
    opts=here,
)
aws.iam.RolePolicy(
    "auditor",
    name="grants",
    role=auditor.id,
    policy=document(
        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": [f"{bucket_arn('trail')}/AWSLogs/{ACCOUNT}/*"]},
        {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": bucket_arn("trail"),
            "Condition": {"StringLike": {"s3:prefix": ["AWSLogs/*"]}},
        },
        # Neither takes a resource.
        {"Effect": "Allow", "Action": ["cloudtrail:DescribeTrails", "ec2:DescribeVpcs"], "Resource": "*"},
        {
            "Sid": "NothingButReading",
            "Effect": "Deny",
            "NotAction": ["s3:Get*", "s3:List*", "cloudtrail:Describe*", "ec2:Describe*"],
            "Resource": "*",
        },
        {
            "Sid": "NothingElsewhere",
            "Effect": "Deny",
            "NotAction": ["cloudtrail:*"],
            "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:RequestedRegion": [REGION]}},
        },
    ),
    opts=here,
)
sibling = aws.iam.Role(
    "sibling",
    name="audit-sibling",
    assume_role_policy=document(
        {
            "Sid": "OurOrganisation",
            "Effect": "Allow",
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Principal": {"AWS": "*"},
            "Condition": {
                "StringEquals": {"aws:PrincipalOrgID": ORGANISATION},
                "ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/audit-collector"},
            },
        }
    ),
    opts=here,
)
aws.iam.RolePolicy(
    "sibling",
    name="grants",
    role=sibling.id,
    policy=document(
        {
            "Effect": "Allow",
            "Action": "s3:PutObject",
            "Resource": f"{bucket_arn('trail')}/collected/${{aws:PrincipalAccount}}/*",
        }
    ),
    opts=here,
)
pipeline = aws.iam.Role(
    "pipeline",
    name="audit-pipeline",
    assume_role_policy=document(
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"},
            "Condition": {
                "StringEquals": {
                    "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
                    "token.actions.githubusercontent.com:sub": "repo:example/audit:environment:prod",
                }
            },
        }
    ),
    opts=here,
)
aws.iam.RolePolicy(
    "pipeline",
    name="grants",
    role=pipeline.id,
    policy=document(
        {"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": f"arn:aws:iam::{ACCOUNT}:role/audit-delivery",
            "Condition": {"StringEquals": {"iam:PassedToService": "firehose.amazonaws.com"}},
        },
    ),
    opts=here,
)

# --- a key of which the partner may decrypt ---------------------------------------------------------------------------

key = aws.kms.Key(
    "trail",
    description="What the trail records",
    enable_key_rotation=True,
    policy=document(
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "kms:*",
            "Resource": "*",
        },
        {
            "Sid": "TheTrailEncrypts",
            "Effect": "Allow",
            "Principal": {"Service": "cloudtrail.amazonaws.com"},
            "Action": ["kms:GenerateDataKey*", "kms:DescribeKey"],
            "Resource": "*",
            "Condition": {
                "StringEquals": {"aws:SourceArn": f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/audit"},
                "StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": f"arn:aws:cloudtrail:*:{ACCOUNT}:trail/*"},
            },
        },
        {
            "Sid": "ThePartnerReads",
            "Effect": "Allow",
            "Principal": {"AWS": [f"arn:aws:iam::{PARTNER}:role/auditors"]},
            "Action": "kms:Decrypt",
            "Resource": "*",
            "Condition": {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}},
        },
        {
            "Sid": "LogsEncrypt",
            "Effect": "Allow",
            "Principal": {"Service": f"logs.{REGION}.amazonaws.com"},
            "Action": ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
            "Resource": "*",
            "Condition": {
                "ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:*"}
            },
        },
    ),
    opts=kept,
)

# --- buckets that services deliver to ---------------------------------------------------------------------------------


def bucket(
    name: str, *statements: dict[str, object], log_to: str | None = None
) -> tuple[aws.s3.Bucket, aws.s3.BucketPolicy]:
    made = aws.s3.Bucket(name, bucket=f"audit-{name}-{ACCOUNT}", opts=kept)
    aws.s3.BucketPublicAccessBlock(
        name,
        bucket=made.id,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=here,
    )
    aws.s3.BucketServerSideEncryptionConfiguration(
        name,
        bucket=made.id,
        rules=[
            {
                "apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms", "kms_master_key_id": key.arn},
                "bucket_key_enabled": True,
            }
        ],
        opts=here,
    )
    aws.s3.BucketVersioning(name, bucket=made.id, versioning_configuration={"status": "Enabled"}, opts=here)
    aws.s3.BucketOwnershipControls(name, bucket=made.id, rule={"object_ownership": "BucketOwnerEnforced"}, opts=here)
    aws.s3.BucketLifecycleConfiguration(
        name,
        bucket=made.id,
        rules=[
            {
                "id": "old",
                "status": "Enabled",
                "abort_incomplete_multipart_upload": {"days_after_initiation": 1},
                "noncurrent_version_expiration": {"noncurrent_days": 365},
            }
        ],
        opts=here,
    )
    if log_to is not None:
        aws.s3.BucketLogging(name, bucket=made.id, target_bucket=log_to, target_prefix=f"{name}/", opts=here)
    tls: dict[str, object] = {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "s3:*",
        "Resource": [bucket_arn(name), f"{bucket_arn(name)}/*"],
        "Condition": {"BoolIfExists": {"AWS:SecureTransport": "false"}},
    }
    return made, aws.s3.BucketPolicy(name, bucket=made.id, policy=document(*statements, tls), opts=here)


access, _ = bucket(
    "access",
    {
        "Sid": "S3LogsAccess",
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"{bucket_arn('access')}/*",
        "Condition": {
            "ArnLike": {"aws:SourceArn": [bucket_arn("trail")]},
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
        },
    },
)
TRAIL = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/audit"
trail_bucket, trail_policy = bucket(
    "trail",
    {
        "Effect": "Allow",
        "Principal": {"Service": "cloudtrail.amazonaws.com"},
        "Action": "s3:GetBucketAcl",
        "Resource": bucket_arn("trail"),
        "Condition": {"StringEquals": {"aws:SourceArn": TRAIL}},
    },
    {
        "Effect": "Allow",
        "Principal": {"Service": "cloudtrail.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"{bucket_arn('trail')}/AWSLogs/{ACCOUNT}/*",
        "Condition": {"StringEquals": {"aws:SourceArn": TRAIL, "s3:x-amz-acl": "bucket-owner-full-control"}},
    },
    {
        "Sid": "VpcFlowLogs",
        "Effect": "Allow",
        "Principal": {"Service": "delivery.logs.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"{bucket_arn('trail')}/flows/AWSLogs/{ACCOUNT}/*",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": [ACCOUNT]},
            "ArnLike": {"aws:SourceArn": f"arn:aws:logs:{REGION}:{ACCOUNT}:*"},
        },
    },
    {
        "Sid": "ThePartnerReads",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{PARTNER}:role/auditors"},
        "Action": ["s3:GetObject"],
        "Resource": f"{bucket_arn('trail')}/AWSLogs/*",
    },
    {
        "Sid": "NobodyDeletes",
        "Effect": "Deny",
        "Principal": "*",
        "NotAction": ["s3:Get*", "s3:List*", "s3:Put*"],
        "Resource": f"{bucket_arn('trail')}/*",
        "Condition": {"ArnNotLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/audit-keeper"}},
    },
    log_to=f"audit-access-{ACCOUNT}",
)
trail_log = aws.cloudwatch.LogGroup("trail", name="/audit/trail", retention_in_days=365, kms_key_id=key.arn, opts=kept)
trail_writer = aws.iam.Role(
    "trail",
    name="audit-trail",
    assume_role_policy=document(
        {
            "Effect": "Allow",
            "Principal": {"Service": "cloudtrail.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceArn": TRAIL, "aws:SourceAccount": ACCOUNT}},
        }
    ),
    opts=here,
)
aws.iam.RolePolicy(
    "trail",
    name="grants",
    role=trail_writer.id,
    policy=document(
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/audit/trail:log-stream:*",
        }
    ),
    opts=here,
)
aws.cloudtrail.Trail(
    "audit",
    name="audit",
    s3_bucket_name=trail_bucket.bucket,
    kms_key_id=key.arn,
    is_multi_region_trail=True,
    include_global_service_events=True,
    enable_log_file_validation=True,
    cloud_watch_logs_group_arn=trail_log.arn.apply(lambda group: f"{group}:*"),
    cloud_watch_logs_role_arn=trail_writer.arn,
    opts=pulumi.ResourceOptions(provider=provider, protect=True, depends_on=[trail_policy]),
)
