"""S3: a bucket, and the configurations that pulumi-aws keeps in resources of their own."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from harness.provider.calls import Aws, AwsError
from harness.provider.differ import Kind
from harness.provider.resource import RECORDED, Live, Prop, ResourceType, Singleton, State, Update
from harness.provider.shapes import Problem, Request
from harness.provider.tags import from_pairs, pairs
from harness.provider.values import Properties, is_unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SOURCE: Final = "terraform-provider-aws s3/bucket.go: ForceNew"


class Bucket(ResourceType):
    """`aws.s3.Bucket`."""

    pulumi_type = "aws:s3/bucket:Bucket"
    service = "s3"
    name = "bucket"
    gone = frozenset({"NoSuchBucket", "404"})
    exists = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})
    sentence = (
        "Stores objects and versions for real; what used to be set on the bucket itself is a resource of its own."
    )
    properties = MappingProxyType(
        {
            "bucket": Prop(replace=_SOURCE),
            "objectLockEnabled": Prop(
                "ObjectLockEnabledForBucket", replace=_SOURCE, default=False, recorded="S3 tells it by another call"
            ),
            "forceDestroy": Prop(default=False, local=True),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("CreateBucket", inputs)]

    def check(self, inputs: Properties) -> Iterable[Problem]:
        """S3 User Guide, bucket naming rules."""
        name = inputs.get("bucket")
        if isinstance(name, str) and not is_unknown(name):
            bare = name.replace("-", "").replace(".", "")
            edges = name[:1].isalnum() and name[-1:].isalnum()
            if not 3 <= len(name) <= 63 or not bare.isalnum() or name != name.lower() or not edges:
                yield Problem(
                    "bucket",
                    f"{name!r}: 3 to 63 lower-case letters, digits, hyphens and dots, a letter or digit at the ends",
                )

    def create(self, aws: Aws, inputs: Properties) -> str:
        place = None if aws.region == "us-east-1" else {"LocationConstraint": aws.region}
        self.call(aws, "CreateBucket", inputs, CreateBucketConfiguration=place)
        self._tag(aws, inputs["bucket"], inputs)
        return str(inputs["bucket"])

    @staticmethod
    def _tag(aws: Aws, bucket: str, inputs: Properties) -> None:
        if inputs.get("tags"):
            aws("PutBucketTagging", Bucket=bucket, Tagging={"TagSet": pairs(inputs["tags"])})
        else:
            aws("DeleteBucketTagging", Bucket=bucket)

    def find(self, aws: Aws, inputs: Properties) -> str | None:
        aws("HeadBucket", Bucket=inputs["bucket"])
        return str(inputs["bucket"])

    def read(self, aws: Aws, state: State) -> Live:
        aws("HeadBucket", Bucket=state.id)
        tags = _unless(aws, "NoSuchTagSet", "GetBucketTagging", state.id).get("TagSet")
        computed = {
            "arn": aws.arn(state.id, region=False, account=False),
            "bucketDomainName": f"{state.id}.s3.amazonaws.com",
            "bucketRegionalDomainName": f"{state.id}.s3.{aws.region}.amazonaws.com",
            "bucketRegion": aws.region,
        }
        return Live({"bucket": state.id, "tags": from_pairs(tags)}, computed)

    def update(self, aws: Aws, update: Update) -> None:
        if update.touches("tags"):
            self._tag(aws, update.id, update.new)

    def delete(self, aws: Aws, state: State) -> None:
        if state.inputs.get("forceDestroy"):
            self._empty(aws, state.id)
        aws("DeleteBucket", Bucket=state.id)

    @staticmethod
    def _empty(aws: Aws, bucket: str) -> None:
        while True:
            page = aws("ListObjectVersions", Bucket=bucket)
            found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
            if not found:
                break
            aws("DeleteObjects", Bucket=bucket, Delete={"Objects": [_version(item) for item in found], "Quiet": True})
        while keys := aws("ListObjectsV2", Bucket=bucket).get("Contents"):
            aws(
                "DeleteObjects",
                Bucket=bucket,
                Delete={"Objects": [{"Key": item["Key"]} for item in keys], "Quiet": True},
            )


def _version(item: Mapping[str, Any]) -> dict[str, str]:
    return {"Key": item["Key"], "VersionId": item["VersionId"]}


def _unless(aws: Aws, code: str, operation: str, bucket: str) -> dict[str, Any]:
    """What an operation answers, or nothing where S3 answers "not configured" with an error."""
    try:
        return aws(operation, Bucket=bucket)
    except AwsError as error:
        if error.code == code:
            return {}
        raise


class BucketConfiguration(Singleton):
    """One configuration of a bucket: written whole by `Put…`, read by `Get…`, taken away by `Delete…`.

    Subclasses name the operations' common part, the request member that holds the configuration, and S3's error code
    for "not configured".
    """

    service = "s3"
    identity = ("bucket",)
    operation: ClassVar[str]
    member: ClassVar[str]
    removal: ClassVar[str] = ""
    """The operation that takes it away, where it is not `Delete` and the common part."""

    def requests(self, inputs: Properties) -> Iterable[Request]:
        operation = f"Put{self.operation}"
        params = {"Bucket": inputs.get("bucket"), self.member: self.configuration(inputs)}
        return [Request(operation, params, {**self.names(operation, self.member), self.member: ""})]

    def configuration(self, inputs: Properties) -> dict[str, Any]:
        """The configuration as the request wants it."""
        return self.body(inputs, f"Put{self.operation}", self.member)

    def put(self, aws: Aws, inputs: Properties) -> str:
        aws(f"Put{self.operation}", Bucket=inputs["bucket"], **{self.member: self.configuration(inputs)})
        return str(inputs["bucket"])

    def read(self, aws: Aws, state: State) -> Live | None:
        operation = f"Get{self.operation}"
        found = aws(operation, Bucket=state.id)
        live = self.properties_of(
            found.get(self.member) or found, operation, *([self.member] if self.member in found else [])
        )
        return Live({**live, "bucket": state.id})

    def delete(self, aws: Aws, state: State) -> None:
        aws(self.removal or f"Delete{self.operation}", Bucket=state.id)


_BUCKET: Final = Prop(replace="terraform-provider-aws s3/bucket_*.go: ForceNew on bucket", local=True)


class BucketPublicAccessBlock(BucketConfiguration):
    """`aws.s3.BucketPublicAccessBlock`."""

    pulumi_type = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    operation, member, removal = "PublicAccessBlock", "PublicAccessBlockConfiguration", "DeletePublicAccessBlock"
    gone = frozenset({"NoSuchPublicAccessBlockConfiguration", "NoSuchBucket"})
    level = RECORDED
    sentence = "Kept as a setting; the emulator has no public side to block."
    properties = MappingProxyType(
        {
            "bucket": _BUCKET,
            "blockPublicAcls": Prop(default=False),
            "blockPublicPolicy": Prop(default=False),
            "ignorePublicAcls": Prop(default=False),
            "restrictPublicBuckets": Prop(default=False),
        }
    )


class BucketServerSideEncryptionConfiguration(BucketConfiguration):
    """`aws.s3.BucketServerSideEncryptionConfiguration`."""

    pulumi_type = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    operation, member, removal = "BucketEncryption", "ServerSideEncryptionConfiguration", "DeleteBucketEncryption"
    gone = frozenset({"ServerSideEncryptionConfigurationNotFoundError", "NoSuchBucket"})
    level = RECORDED
    sentence = "Kept as a setting; objects are not encrypted on this machine."
    properties = MappingProxyType({"bucket": _BUCKET, "rules": Prop(kind=Kind.SET)})
    renames = MappingProxyType({"kmsMasterKeyId": "KMSMasterKeyID", "sseAlgorithm": "SSEAlgorithm"})


class BucketOwnershipControls(BucketConfiguration):
    """`aws.s3.BucketOwnershipControls`."""

    pulumi_type = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
    operation, member = "BucketOwnershipControls", "OwnershipControls"
    gone = frozenset({"OwnershipControlsNotFoundError", "NoSuchBucket"})
    level = RECORDED
    sentence = "Kept as a setting."
    properties = MappingProxyType({"bucket": _BUCKET, "rule": Prop("Rules")})

    def read(self, aws: Aws, state: State) -> Live | None:
        live = super().read(aws, state)
        if live is not None and isinstance(live.inputs.get("rule"), list):
            live.inputs["rule"] = next(iter(live.inputs["rule"]), None)
        return live


class BucketVersioning(BucketConfiguration):
    """`aws.s3.BucketVersioning`."""

    pulumi_type = "aws:s3/bucketVersioning:BucketVersioning"
    operation, member = "BucketVersioning", "VersioningConfiguration"
    gone = frozenset({"NoSuchBucket"})
    sentence = "Versions are kept for real."
    properties = MappingProxyType({"bucket": _BUCKET, "versioningConfiguration": Prop(local=True)})

    def configuration(self, inputs: Properties) -> dict[str, Any]:
        given = inputs.get("versioningConfiguration") or {}
        return {"Status": given.get("status"), **({"MFADelete": given["mfaDelete"]} if given.get("mfaDelete") else {})}

    def read(self, aws: Aws, state: State) -> Live | None:
        found = aws("GetBucketVersioning", Bucket=state.id)
        live = {"status": found.get("Status", "Disabled"), "mfaDelete": found.get("MFADelete")}
        return Live(
            {"bucket": state.id, "versioningConfiguration": {name: text for name, text in live.items() if text}}
        )

    def delete(self, aws: Aws, state: State) -> None:
        aws("PutBucketVersioning", Bucket=state.id, VersioningConfiguration={"Status": "Suspended"})


class BucketPolicy(Singleton):
    """`aws.s3.BucketPolicy`."""

    pulumi_type = "aws:s3/bucketPolicy:BucketPolicy"
    service = "s3"
    identity = ("bucket",)
    gone = frozenset({"NoSuchBucketPolicy", "NoSuchBucket"})
    sentence = "Kept, and enforced with AUTH=true."
    properties = MappingProxyType(
        {
            "bucket": Prop(replace="terraform-provider-aws s3/bucket_policy.go: ForceNew"),
            "policy": Prop(kind=Kind.POLICY),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("PutBucketPolicy", inputs)]

    def put(self, aws: Aws, inputs: Properties) -> str:
        self.call(aws, "PutBucketPolicy", inputs)
        return str(inputs["bucket"])

    def read(self, aws: Aws, state: State) -> Live:
        return Live({"bucket": state.id, "policy": aws("GetBucketPolicy", Bucket=state.id)["Policy"]})

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteBucketPolicy", Bucket=state.id)


class BucketNotification(BucketConfiguration):
    """`aws.s3.BucketNotification`: all of a bucket's notifications at once."""

    pulumi_type = "aws:s3/bucketNotification:BucketNotification"
    operation, member = "BucketNotificationConfiguration", "NotificationConfiguration"
    gone = frozenset({"NoSuchBucket"})
    sentence = "Queues, topics and functions are really told of objects made and removed."
    properties = MappingProxyType(
        {
            "bucket": _BUCKET,
            "eventbridge": Prop(default=False, local=True),
            "lambdaFunctions": Prop("LambdaFunctionConfigurations", kind=Kind.SET),
            "queues": Prop("QueueConfigurations", kind=Kind.SET),
            "topics": Prop("TopicConfigurations", kind=Kind.SET),
        }
    )
    _targets: ClassVar[Mapping[str, str]] = {
        "lambdaFunctions": "LambdaFunctionArn",
        "queues": "QueueArn",
        "topics": "TopicArn",
    }

    def configuration(self, inputs: Properties) -> dict[str, Any]:
        body: dict[str, Any] = {"EventBridgeConfiguration": {}} if inputs.get("eventbridge") else {}
        for name, target in self._targets.items():
            given = inputs.get(name)
            if isinstance(given, list) and given:
                body[self.properties[name].api] = [_notification(item, target) for item in given]
        return body

    def read(self, aws: Aws, state: State) -> Live | None:
        found = aws("GetBucketNotificationConfiguration", Bucket=state.id)
        live: Properties = {"bucket": state.id, "eventbridge": "EventBridgeConfiguration" in found}
        for name, target in self._targets.items():
            named = {item["id"] for item in state.inputs.get(name) or () if item.get("id")}
            configurations = found.get(self.properties[name].api) or ()
            live[name] = [_live_notification(item, target, named) for item in configurations]
        # One that says nothing is the same as none.
        return Live(live) if any(live[name] for name in ("eventbridge", *self._targets)) or not state.outputs else None

    def delete(self, aws: Aws, state: State) -> None:
        aws("PutBucketNotificationConfiguration", Bucket=state.id, NotificationConfiguration={})


def _notification(item: Mapping[str, Any], target: str) -> dict[str, Any]:
    property_name = target[0].lower() + target[1:]
    rules = [{"Name": kind, "Value": item[name]} for kind, name in _FILTERS if item.get(name)]
    configuration = {"Id": item.get("id"), target: item.get(property_name), "Events": item.get("events")}
    if rules:
        configuration["Filter"] = {"Key": {"FilterRules": rules}}
    return {name: value for name, value in configuration.items() if value is not None}


_FILTERS: Final = (("prefix", "filterPrefix"), ("suffix", "filterSuffix"))


def _live_notification(item: Mapping[str, Any], target: str, named: set[str]) -> dict[str, Any]:
    rules = {
        rule["Name"].lower(): rule["Value"] for rule in item.get("Filter", {}).get("Key", {}).get("FilterRules", ())
    }
    live: dict[str, Any] = {target[0].lower() + target[1:]: item.get(target), "events": item.get("Events")}
    if item.get("Id") in named:  # else S3 made it up
        live["id"] = item["Id"]
    live.update({name: rules[kind] for kind, name in _FILTERS if rules.get(kind)})
    return live


class BucketLifecycleConfiguration(BucketConfiguration):
    """`aws.s3.BucketLifecycleConfiguration`."""

    pulumi_type = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    operation, member, removal = "BucketLifecycleConfiguration", "LifecycleConfiguration", "DeleteBucketLifecycle"
    gone = frozenset({"NoSuchLifecycleConfiguration", "NoSuchBucket"})
    sentence = "Kept as a setting; nothing expires on this machine."
    level = RECORDED
    properties = MappingProxyType({"bucket": _BUCKET, "rules": Prop(kind=Kind.SET)})
    renames = MappingProxyType({"id": "ID"})


TYPES = (
    Bucket(),
    BucketPublicAccessBlock(),
    BucketServerSideEncryptionConfiguration(),
    BucketVersioning(),
    BucketOwnershipControls(),
    BucketPolicy(),
    BucketNotification(),
    BucketLifecycleConfiguration(),
)
