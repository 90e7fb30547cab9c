"""DynamoDB: tables with indexes, streams, time to live and point-in-time recovery."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from harness.provider.calls import Aws, AwsError, ProviderError
from harness.provider.differ import Kind, same
from harness.provider.resource import Live, Prop, ResourceType, State, Update
from harness.provider.shapes import Problem, Request
from harness.provider.tags import Tagging
from harness.provider.values import Properties, is_unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SOURCE: Final = "terraform-provider-aws dynamodb/table.go: ForceNew"

_NAMES: Final = {
    "TableName": "name",
    "AttributeDefinitions": "attributes",
    "AttributeName": "name",
    "AttributeType": "type",
    "IndexName": "name",
    "ProvisionedThroughput": "",
    "ReadCapacityUnits": "readCapacity",
    "WriteCapacityUnits": "writeCapacity",
    "SSESpecification": "serverSideEncryption",
    "TimeToLiveSpecification": "ttl",
    "PointInTimeRecoverySpecification": "pointInTimeRecovery",
    "PointInTimeRecoveryEnabled": "enabled",
}
_TAGS: Final = Tagging(listing="ListTagsOfResource")


class Table(ResourceType):
    """`aws.dynamodb.Table`."""

    pulumi_type = "aws:dynamodb/table:Table"
    service = "dynamodb"
    name = "name"
    gone = frozenset({"ResourceNotFoundException"})
    exists = frozenset({"ResourceInUseException"})
    sentence = (
        "Items, indexes, conditions, transactions, streams and expiry work; encryption and recovery are settings only."
    )
    properties = MappingProxyType(
        {
            "name": Prop("TableName", replace=_SOURCE),
            "hashKey": Prop(replace=_SOURCE),
            "rangeKey": Prop(replace=_SOURCE),
            "attributes": Prop("AttributeDefinitions", kind=Kind.SET),
            "billingMode": Prop(default="PROVISIONED"),
            "readCapacity": Prop(local=True),
            "writeCapacity": Prop(local=True),
            "globalSecondaryIndexes": Prop(kind=Kind.SET),
            "localSecondaryIndexes": Prop(replace=_SOURCE, kind=Kind.SET),
            "streamEnabled": Prop(default=False),
            "streamViewType": Prop(),
            "tableClass": Prop(default="STANDARD"),
            "deletionProtectionEnabled": Prop(default=False),
            "ttl": Prop(default={"enabled": False}),
            "pointInTimeRecovery": Prop(default={"enabled": False}),
            "serverSideEncryption": Prop(default={"enabled": False}),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        requests = [Request("CreateTable", self._create_params(inputs), _NAMES)]
        name = inputs.get("name")
        if isinstance(inputs.get("ttl"), dict):
            requests.append(
                Request("UpdateTimeToLive", {"TableName": name, "TimeToLiveSpecification": _ttl(inputs)}, _NAMES)
            )
        if isinstance(inputs.get("pointInTimeRecovery"), dict):
            recovery = {"TableName": name, "PointInTimeRecoverySpecification": _recovery(inputs)}
            requests.append(Request("UpdateContinuousBackups", recovery, _NAMES))
        return requests

    def check(self, inputs: Properties) -> Iterable[Problem]:
        """Developer Guide, naming rules; API reference, CreateTable: every key must be declared, and nothing else."""
        name = inputs.get("name")
        if isinstance(name, str) and not is_unknown(name) and not re.fullmatch(r"[a-zA-Z0-9_.-]{3,255}", name):
            yield Problem("name", f"{name!r}: 3 to 255 letters, digits, hyphens, underscores and dots")
        attributes, indexes = inputs.get("attributes"), [*_indexes(inputs, "global"), *_indexes(inputs, "local")]
        if not isinstance(attributes, list):
            return
        declared = {str(item.get("name")) for item in attributes if isinstance(item, dict)}
        holders = (inputs, *indexes)
        keys = {str(holder[key]) for holder in holders for key in ("hashKey", "rangeKey") if holder.get(key)}
        keys.update(item["attributeName"] for index in indexes for item in index.get("keySchemas") or ())
        if any(is_unknown(key) for key in keys | declared):
            return
        for key in sorted(keys - declared):
            yield Problem("attributes", f"{key} is a key of the table or of an index and is not declared")
        for name in sorted(declared - keys):
            yield Problem("attributes", f"{name} is no key of the table nor of an index: only keys are declared")

    def _create_params(self, inputs: Properties) -> dict[str, Any]:
        params: dict[str, Any] = {
            "TableName": inputs.get("name"),
            "KeySchema": _key_schema(inputs),
            "AttributeDefinitions": _attributes(inputs),
            "BillingMode": inputs.get("billingMode", "PROVISIONED"),
            "ProvisionedThroughput": _throughput(inputs, inputs),
            "GlobalSecondaryIndexes": [_index(item, inputs, throughput=True) for item in _indexes(inputs, "global")]
            or None,
            "LocalSecondaryIndexes": [_index(item, inputs, throughput=False) for item in _indexes(inputs, "local")]
            or None,
            "StreamSpecification": _stream(inputs) if inputs.get("streamEnabled") else None,
            "SSESpecification": _encryption(inputs) if inputs.get("serverSideEncryption") else None,
            "TableClass": inputs.get("tableClass"),
            "DeletionProtectionEnabled": inputs.get("deletionProtectionEnabled"),
            **_TAGS.given(inputs),
        }
        return {name: value for name, value in params.items() if value is not None}

    def create(self, aws: Aws, inputs: Properties) -> str:
        name = str(inputs["name"])
        aws("CreateTable", **self._create_params(inputs))
        _wait(aws, name)
        if (inputs.get("ttl") or {}).get("enabled"):
            aws("UpdateTimeToLive", TableName=name, TimeToLiveSpecification=_ttl(inputs))
        if (inputs.get("pointInTimeRecovery") or {}).get("enabled"):
            aws("UpdateContinuousBackups", TableName=name, PointInTimeRecoverySpecification=_recovery(inputs))
        return name

    def find(self, aws: Aws, inputs: Properties) -> str | None:  # noqa: ARG002 - the name is the id
        return str(inputs["name"])

    def read(self, aws: Aws, state: State) -> Live:
        table = aws("DescribeTable", TableName=state.id)["Table"]
        arn = table["TableArn"]
        keys = {key["KeyType"]: key["AttributeName"] for key in table["KeySchema"]}
        billing = table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
        stream = table.get("StreamSpecification", {})
        encryption = table.get("SSEDescription", {})
        expiry = aws("DescribeTimeToLive", TableName=state.id).get("TimeToLiveDescription", {})
        expires = expiry.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}
        backups = aws("DescribeContinuousBackups", TableName=state.id).get("ContinuousBackupsDescription", {})
        recovery = backups.get("PointInTimeRecoveryDescription", {})
        throughput = table.get("ProvisionedThroughput", {}) if billing == "PROVISIONED" else {}
        live: Properties = {
            "name": table["TableName"],
            "hashKey": keys["HASH"],
            "rangeKey": keys.get("RANGE"),
            "attributes": [
                {"name": item["AttributeName"], "type": item["AttributeType"]} for item in table["AttributeDefinitions"]
            ],
            "billingMode": billing,
            "readCapacity": throughput.get("ReadCapacityUnits"),
            "writeCapacity": throughput.get("WriteCapacityUnits"),
            "globalSecondaryIndexes": [
                _live_index(item, _written(state.inputs, "global", item), billing)
                for item in table.get("GlobalSecondaryIndexes", ())
            ],
            "localSecondaryIndexes": [
                _live_index(item, _written(state.inputs, "local", item), "")
                for item in table.get("LocalSecondaryIndexes", ())
            ],
            "streamEnabled": bool(stream.get("StreamEnabled")),
            "streamViewType": stream.get("StreamViewType") if stream.get("StreamEnabled") else None,
            "tableClass": table.get("TableClassSummary", {}).get("TableClass", "STANDARD"),
            "deletionProtectionEnabled": table.get("DeletionProtectionEnabled", False),
            "ttl": {"enabled": True, "attributeName": expiry.get("AttributeName")} if expires else {"enabled": False},
            "pointInTimeRecovery": _live_recovery(recovery),
            "serverSideEncryption": _live_encryption(encryption),
            "tags": _TAGS.read(aws, ResourceArn=arn),
        }
        computed = {
            "arn": arn,
            "streamArn": table.get("LatestStreamArn"),
            "streamLabel": table.get("LatestStreamLabel"),
        }
        return Live(live, {name: value for name, value in computed.items() if value is not None})

    def update(self, aws: Aws, update: Update) -> None:
        name, new = update.id, update.new
        self._update_table(aws, update)
        self._update_indexes(aws, update)
        if update.touches("ttl"):
            self._update_expiry(aws, update)
        if update.touches("pointInTimeRecovery"):
            aws("UpdateContinuousBackups", TableName=name, PointInTimeRecoverySpecification=_recovery(new))
        if update.touches("tags"):
            arn = aws("DescribeTable", TableName=name)["Table"]["TableArn"]
            _TAGS.change(aws, update, ResourceArn=arn)

    @staticmethod
    def _update_table(aws: Aws, update: Update) -> None:
        new = update.new
        params: dict[str, Any] = {}
        if update.touches("billingMode", "readCapacity", "writeCapacity"):
            params |= {
                "BillingMode": new.get("billingMode", "PROVISIONED"),
                "ProvisionedThroughput": _throughput(new, new),
            }
        if update.touches("tableClass"):
            params["TableClass"] = new.get("tableClass", "STANDARD")
        if update.touches("deletionProtectionEnabled"):
            params["DeletionProtectionEnabled"] = new.get("deletionProtectionEnabled", False)
        if update.touches("serverSideEncryption"):
            params["SSESpecification"] = _encryption(new)
        if params:
            aws("UpdateTable", TableName=update.id, **params)
            _wait(aws, update.id)
        if update.touches("streamEnabled", "streamViewType"):
            if update.old.get("streamEnabled"):  # another view needs the old stream switched off first
                aws("UpdateTable", TableName=update.id, StreamSpecification={"StreamEnabled": False})
                _wait(aws, update.id)
            if new.get("streamEnabled"):
                aws("UpdateTable", TableName=update.id, StreamSpecification=_stream(new))
                _wait(aws, update.id)

    @staticmethod
    def _update_indexes(aws: Aws, update: Update) -> None:
        """One index at a time, as AWS wants it (DynamoDB Developer Guide, GSI.OnlineOps)."""
        if not update.touches("globalSecondaryIndexes"):
            return
        old = {item["name"]: item for item in _indexes(update.old, "global")}
        new = {item["name"]: item for item in _indexes(update.new, "global")}
        changed = {name for name in old.keys() & new.keys() if not same(old[name], new[name])}
        for name in sorted((old.keys() - new.keys()) | changed):
            aws("UpdateTable", TableName=update.id, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": name}}])
            _wait(aws, update.id)
        for name in sorted((new.keys() - old.keys()) | changed):
            made = {"Create": _index(new[name], update.new, throughput=True)}
            definitions = _attributes(update.new)
            aws(
                "UpdateTable", TableName=update.id, AttributeDefinitions=definitions, GlobalSecondaryIndexUpdates=[made]
            )
            _wait(aws, update.id)

    @staticmethod
    def _update_expiry(aws: Aws, update: Update) -> None:
        new = update.new.get("ttl") or {}
        there = aws("DescribeTimeToLive", TableName=update.id).get("TimeToLiveDescription", {})
        enabled, attribute = there.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}, there.get("AttributeName")
        if enabled and (not new.get("enabled") or attribute != new.get("attributeName")):
            off = {"Enabled": False, "AttributeName": attribute}
            aws("UpdateTimeToLive", TableName=update.id, TimeToLiveSpecification=off)
        if new.get("enabled") and (not enabled or attribute != new.get("attributeName")):
            aws("UpdateTimeToLive", TableName=update.id, TimeToLiveSpecification=_ttl(update.new))

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteTable", TableName=state.id)

        def is_gone() -> bool:
            try:
                aws("DescribeTable", TableName=state.id)
            except AwsError as error:
                return error.code in self.gone
            return False

        aws.wait(is_gone, f"table {state.id} to be deleted", 120)


def _wait(aws: Aws, name: str) -> None:
    def is_active() -> bool:
        table = aws("DescribeTable", TableName=name)["Table"]
        if table["TableStatus"] in {"ARCHIVED", "INACCESSIBLE_ENCRYPTION_CREDENTIALS"}:
            raise ProviderError(f"table {name} became {table['TableStatus']}")
        indexes = table.get("GlobalSecondaryIndexes", ())
        return table["TableStatus"] == "ACTIVE" and all(
            index.get("IndexStatus", "ACTIVE") == "ACTIVE" for index in indexes
        )

    aws.wait(is_active, f"table {name} to be active", 120)


def _indexes(inputs: Mapping[str, Any], scope: str) -> list[dict[str, Any]]:
    found = inputs.get(f"{scope}SecondaryIndexes")
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _attributes(inputs: Properties) -> Any:
    attributes = inputs.get("attributes")
    if not isinstance(attributes, list):
        return attributes
    return [{"AttributeName": item.get("name"), "AttributeType": item.get("type")} for item in attributes]


def _key_schema(keys: Mapping[str, Any], hash_key: str | None = None) -> list[dict[str, str]]:
    """The keys of a table or an index; an index may list them (`keySchemas`), a local one has the table's hash key."""
    if keys.get("keySchemas"):
        return [{"AttributeName": item["attributeName"], "KeyType": item["keyType"]} for item in keys["keySchemas"]]
    named = (("HASH", keys.get("hashKey") or hash_key), ("RANGE", keys.get("rangeKey")))
    return [{"AttributeName": name, "KeyType": kind} for kind, name in named if name]


def _throughput(keys: Mapping[str, Any], inputs: Properties) -> dict[str, Any] | None:
    if inputs.get("billingMode", "PROVISIONED") != "PROVISIONED":
        return None
    return {"ReadCapacityUnits": keys.get("readCapacity"), "WriteCapacityUnits": keys.get("writeCapacity")}


def _index(item: Mapping[str, Any], inputs: Properties, *, throughput: bool) -> dict[str, Any]:
    projection = {
        "ProjectionType": item.get("projectionType"),
        "NonKeyAttributes": item.get("nonKeyAttributes") or None,
    }
    index = {
        "IndexName": item.get("name"),
        "KeySchema": _key_schema(item, None if throughput else inputs.get("hashKey")),
        "Projection": {name: value for name, value in projection.items() if value is not None},
        "ProvisionedThroughput": _throughput(item, inputs) if throughput else None,
    }
    return {name: value for name, value in index.items() if value is not None}


def _written(inputs: Properties, scope: str, live: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((item for item in _indexes(inputs, scope) if item.get("name") == live["IndexName"]), {})


def _live_index(item: Mapping[str, Any], written: Mapping[str, Any], billing: str) -> dict[str, Any]:
    """An index as the program would write it; keys in the form that the program chose."""
    projection = item.get("Projection", {})
    keys = {key["KeyType"]: key["AttributeName"] for key in item["KeySchema"]}
    index: dict[str, Any] = {"name": item["IndexName"], "projectionType": projection.get("ProjectionType")}
    if written.get("keySchemas"):
        index["keySchemas"] = [
            {"attributeName": k["AttributeName"], "keyType": k["KeyType"]} for k in item["KeySchema"]
        ]
    else:
        index |= {"hashKey": keys.get("HASH"), "rangeKey": keys.get("RANGE")}
    if "hashKey" not in written and not billing:
        index.pop("hashKey", None)  # a local index does not name the table's own key
    if projection.get("NonKeyAttributes"):
        index["nonKeyAttributes"] = projection["NonKeyAttributes"]
    if billing == "PROVISIONED":
        throughput = item.get("ProvisionedThroughput", {})
        index |= {
            "readCapacity": throughput.get("ReadCapacityUnits"),
            "writeCapacity": throughput.get("WriteCapacityUnits"),
        }
    return {name: value for name, value in index.items() if value is not None}


def _stream(inputs: Properties) -> dict[str, Any]:
    return {"StreamEnabled": True, "StreamViewType": inputs.get("streamViewType")}


def _ttl(inputs: Properties) -> dict[str, Any]:
    ttl = inputs.get("ttl") or {}
    return {"Enabled": ttl.get("enabled", False), "AttributeName": ttl.get("attributeName")}


def _recovery(inputs: Properties) -> dict[str, Any]:
    recovery = inputs.get("pointInTimeRecovery") or {}
    specification = {"PointInTimeRecoveryEnabled": recovery.get("enabled", False)}
    if recovery.get("recoveryPeriodInDays") is not None:
        specification["RecoveryPeriodInDays"] = recovery["recoveryPeriodInDays"]
    return specification


def _encryption(inputs: Properties) -> dict[str, Any]:
    encryption = inputs.get("serverSideEncryption") or {}
    specification: dict[str, Any] = {"Enabled": encryption.get("enabled", False)}
    if encryption.get("enabled"):
        specification["SSEType"] = "KMS"
    if encryption.get("kmsKeyArn"):
        specification["KMSMasterKeyId"] = encryption["kmsKeyArn"]
    return specification


def _live_recovery(recovery: Mapping[str, Any]) -> dict[str, Any]:
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        return {"enabled": False}
    return {"enabled": True}


def _live_encryption(encryption: Mapping[str, Any]) -> dict[str, Any]:
    if encryption.get("Status") not in {"ENABLED", "ENABLING", "UPDATING"}:
        return {"enabled": False}
    key = encryption.get("KMSMasterKeyArn")
    return {"enabled": True, "kmsKeyArn": key} if key else {"enabled": True}


TYPES = (Table(),)
