"""Lambda: functions with versions, layers, aliases, permissions, event sources, invoke configurations, invocations."""

from __future__ import annotations

import hashlib
import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from harness.provider.archives import text_archive, zip_bytes
from harness.provider.calls import Aws, AwsError, ProviderError
from harness.provider.differ import Kind
from harness.provider.resource import PARTLY, RECORDED, Created, Live, Prop, ResourceType, Singleton, State, Update
from harness.provider.shapes import Problem, Request
from harness.provider.tags import Tagging
from harness.provider.values import Properties, is_archive, is_unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FUNCTION_SOURCE: Final = "terraform-provider-aws lambda/function.go: ForceNew"
_LAYER_SOURCE: Final = "terraform-provider-aws lambda/layer_version.go: ForceNew (a layer version never changes)"
_ALIAS_SOURCE: Final = "terraform-provider-aws lambda/alias.go: ForceNew"
_PROVISIONED_SOURCE: Final = "terraform-provider-aws lambda/provisioned_concurrency_config.go: ForceNew"
_PERMISSION_SOURCE: Final = "terraform-provider-aws lambda/permission.go: ForceNew"
_SOURCE_MAPPING_SOURCE: Final = "terraform-provider-aws lambda/event_source_mapping.go: ForceNew"
_INVOKE_CONFIG_SOURCE: Final = "terraform-provider-aws lambda/function_event_invoke_config.go: ForceNew"
_INVOCATION_SOURCE: Final = "terraform-provider-aws lambda/invocation.go: ForceNew"
_GONE: Final = frozenset({"ResourceNotFoundException"})
_CALL: Final = "a call leaves nothing behind to read"

_CODE: Final = frozenset(
    {"code", "s3Bucket", "s3Key", "s3ObjectVersion", "imageUri", "architectures", "sourceCodeHash"}
)
_NOT_CONFIGURATION: Final = _CODE | {
    "tags",
    "reservedConcurrentExecutions",
    "publish",
    "codeSigningConfigArn",
    "skipDestroy",
}
_TAGS: Final = Tagging(listing="ListTags", pair=None)


class Function(ResourceType):
    """`aws.lambda_.Function`."""

    pulumi_type = "aws:lambda/function:Function"
    service = "lambda"
    name = "name"
    gone = _GONE
    exists = frozenset({"ResourceConflictException"})
    level = PARTLY
    sentence = (
        "Really runs, with versions, layers, reserved concurrency and timeouts; always on the emulator's own "
        "interpreter, whatever `runtime` and `architectures` say, and never inside a VPC."
    )
    properties = MappingProxyType(
        {
            "name": Prop("FunctionName", replace=_FUNCTION_SOURCE),
            "packageType": Prop(replace=_FUNCTION_SOURCE, default="Zip"),
            "role": Prop(),
            "handler": Prop(),
            "runtime": Prop(),
            "code": Prop(local=True),
            "s3Bucket": Prop(local=True, recorded="AWS tells the code's hash, not where it came from"),
            "s3Key": Prop(local=True, recorded="AWS tells the code's hash, not where it came from"),
            "s3ObjectVersion": Prop(local=True, recorded="AWS tells the code's hash, not where it came from"),
            "sourceCodeHash": Prop(local=True, recorded="only steers when code is uploaded again"),
            "architectures": Prop(default=["x86_64"]),
            "description": Prop(default=""),
            "memorySize": Prop(default=128),
            "timeout": Prop(default=3),
            "environment": Prop(default={"variables": {}}),
            "kmsKeyArn": Prop(default=""),
            "layers": Prop(),
            "deadLetterConfig": Prop(),
            "tracingConfig": Prop(default={"mode": "PassThrough"}),
            "loggingConfig": Prop(),
            "ephemeralStorage": Prop(default={"size": 512}),
            "vpcConfig": Prop(),
            "snapStart": Prop(),
            "reservedConcurrentExecutions": Prop(default=-1, local=True),
            "publish": Prop(default=False, local=True),
            "skipDestroy": Prop(default=False, local=True),
            "replaceSecurityGroupsOnDestroy": Prop(default=False, local=True),
            "replacementSecurityGroupIds": Prop(kind=Kind.SET, local=True),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        names = {**self.names("CreateFunction"), "Code": "code", "S3Bucket": "s3Bucket", "S3Key": "s3Key"}
        code = {"ZipFile": b""} if is_archive(inputs.get("code")) else self._stored_code(inputs)
        requests = [Request("CreateFunction", {**self.body(inputs, "CreateFunction"), "Code": code}, names)]
        reserved = inputs.get("reservedConcurrentExecutions")
        if reserved is not None and reserved != -1:
            params = {"FunctionName": inputs.get("name"), "ReservedConcurrentExecutions": reserved}
            requests.append(Request("PutFunctionConcurrency", params, {"FunctionName": "name"}))
        return requests

    def check(self, inputs: Properties) -> Iterable[Problem]:
        """API reference, CreateFunction: a zip function needs a handler, a runtime, and its code from one place."""
        if inputs.get("packageType", "Zip") == "Zip":
            for name in ("handler", "runtime"):
                if inputs.get(name) is None:
                    yield Problem(name, "required for a function in a zip archive")
        if (inputs.get("code") is None) == (inputs.get("s3Bucket") is None):
            yield Problem("code", "either code or s3Bucket is needed, and not both")
        layers = inputs.get("layers")
        if isinstance(layers, list) and len(layers) > 5:
            yield Problem("layers", f"{len(layers)} layers are more than 5 (Lambda quotas)")

    @staticmethod
    def _stored_code(inputs: Properties) -> dict[str, Any]:
        stored = {"S3Bucket": "s3Bucket", "S3Key": "s3Key", "S3ObjectVersion": "s3ObjectVersion"}
        return {member: inputs[name] for member, name in stored.items() if inputs.get(name) is not None}

    def _code(self, inputs: Properties) -> dict[str, Any]:
        return {"ZipFile": zip_bytes(inputs["code"])} if is_archive(inputs.get("code")) else self._stored_code(inputs)

    def create(self, aws: Aws, inputs: Properties) -> str:
        name = str(inputs["name"])
        self.call(aws, "CreateFunction", {**inputs, "publish": None}, Code=self._code(inputs), **_TAGS.given(inputs))
        _wait_function(aws, name)
        self._reserve(aws, name, inputs)
        if inputs.get("publish"):
            aws("PublishVersion", FunctionName=name)
        return name

    def find(self, aws: Aws, inputs: Properties) -> str | None:  # noqa: ARG002 - the name is the id
        return str(inputs["name"])

    def read(self, aws: Aws, state: State) -> Live:
        found = aws("GetFunction", FunctionName=state.id)
        configuration = found["Configuration"]
        live = self.properties_of(configuration, "GetFunction", "Configuration")
        live["role"] = configuration["Role"]
        live["layers"] = [layer["Arn"] for layer in configuration.get("Layers") or ()]
        live["environment"] = {"variables": configuration.get("Environment", {}).get("Variables") or {}}
        live["vpcConfig"] = _live_vpc(configuration.get("VpcConfig") or {})
        live["snapStart"] = _live_snap_start(configuration.get("SnapStart") or {})
        if "loggingConfig" not in state.inputs:
            live.pop("loggingConfig", None)  # AWS fills in the default group
        concurrency = found.get("Concurrency", {}).get("ReservedConcurrentExecutions")
        live["reservedConcurrentExecutions"] = -1 if concurrency is None else concurrency
        live["tags"] = found.get("Tags") or {}
        digest = configuration["CodeSha256"]
        recorded = state.outputs.get("codeSha256")
        if recorded is not None and recorded != digest:
            live["code"] = text_archive("code that was uploaded behind Pulumi's back", digest)
        return Live(live, self._computed(aws, state.id, configuration))

    @staticmethod
    def _computed(aws: Aws, name: str, configuration: Mapping[str, Any]) -> Properties:
        arn = configuration["FunctionArn"]
        versions = [item["Version"] for item in aws.pages("ListVersionsByFunction", "Versions", FunctionName=name)]
        latest = max((int(version) for version in versions if version.isdigit()), default=0)
        version = str(latest) if latest else "$LATEST"
        qualified = f"{arn}:{version}"
        return {
            "arn": arn,
            "invokeArn": _invoke_arn(aws, arn),
            "responseStreamingInvokeArn": _invoke_arn(aws, arn, streaming=True),
            "version": version,
            "qualifiedArn": qualified,
            "qualifiedInvokeArn": _invoke_arn(aws, qualified),
            "codeSha256": configuration["CodeSha256"],
            "sourceCodeHash": configuration["CodeSha256"],
            "sourceCodeSize": configuration["CodeSize"],
            "lastModified": configuration["LastModified"],
        }

    def update(self, aws: Aws, update: Update) -> None:
        name, new = update.id, update.new
        if update.changed & _CODE:
            architectures = new.get("architectures")
            aws("UpdateFunctionCode", FunctionName=name, Architectures=architectures, **self._code(new))
            _wait_function(aws, name)
        configured = update.changed - _NOT_CONFIGURATION
        if configured:
            # What is no longer given goes back to its default; what has none is emptied.
            emptied = {"layers": [], "deadLetterConfig": {}, "vpcConfig": {"subnetIds": [], "securityGroupIds": []}}
            self.call(aws, "UpdateFunctionConfiguration", {**self.reset(update, emptied), **new})
            _wait_function(aws, name)
        if update.touches("reservedConcurrentExecutions"):
            self._reserve(aws, name, new)
        if new.get("publish") and (configured or update.changed & (_CODE | {"publish"})):
            aws("PublishVersion", FunctionName=name)  # AWS makes one only if code or configuration is new
        arn = aws.arn(f"function:{update.id}")
        _TAGS.change(aws, update, Resource=arn)

    @staticmethod
    def _reserve(aws: Aws, name: str, inputs: Properties) -> None:
        reserved = inputs.get("reservedConcurrentExecutions", -1)
        if reserved >= 0:
            aws("PutFunctionConcurrency", FunctionName=name, ReservedConcurrentExecutions=reserved)
        else:
            aws("DeleteFunctionConcurrency", FunctionName=name)

    def delete(self, aws: Aws, state: State) -> None:
        if not state.inputs.get("skipDestroy"):
            aws("DeleteFunction", FunctionName=state.id)

    def volatile(self, changed: frozenset[str]) -> frozenset[str]:
        if not changed - {"tags", "reservedConcurrentExecutions"}:
            return frozenset()
        code = {"codeSha256", "sourceCodeHash", "sourceCodeSize"} if changed & _CODE else set()
        return frozenset({"lastModified", "version", "qualifiedArn", "qualifiedInvokeArn"} | code)


class LayerVersion(ResourceType):
    """`aws.lambda_.LayerVersion`."""

    pulumi_type = "aws:lambda/layerVersion:LayerVersion"
    service = "lambda"
    gone = _GONE
    sentence = "Really on the functions' path."
    properties = MappingProxyType(
        {
            "layerName": Prop(replace=_LAYER_SOURCE, local=True),
            "code": Prop(replace=_LAYER_SOURCE, local=True),
            "s3Bucket": Prop(
                replace=_LAYER_SOURCE, local=True, recorded="AWS tells the code's hash, not where it came from"
            ),
            "s3Key": Prop(
                replace=_LAYER_SOURCE, local=True, recorded="AWS tells the code's hash, not where it came from"
            ),
            "sourceCodeHash": Prop(
                replace=_LAYER_SOURCE, local=True, recorded="only steers when code is uploaded again"
            ),
            "compatibleArchitectures": Prop(replace=_LAYER_SOURCE, kind=Kind.SET),
            "compatibleRuntimes": Prop(replace=_LAYER_SOURCE, kind=Kind.SET),
            "description": Prop(replace=_LAYER_SOURCE, default=""),
            "licenseInfo": Prop(replace=_LAYER_SOURCE),
            "skipDestroy": Prop(default=False, local=True),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        params = {"LayerName": inputs.get("layerName"), "Content": {"ZipFile": b""}}
        return [self.request("PublishLayerVersion", inputs, **params)]

    def check(self, inputs: Properties) -> Iterable[Problem]:
        if (inputs.get("code") is None) == (inputs.get("s3Bucket") is None):
            yield Problem("code", "either code or s3Bucket is needed, and not both")

    def create(self, aws: Aws, inputs: Properties) -> str:
        stored = {"S3Bucket": inputs.get("s3Bucket"), "S3Key": inputs.get("s3Key")}
        content = {"ZipFile": zip_bytes(inputs["code"])} if is_archive(inputs.get("code")) else stored
        layer = self.call(aws, "PublishLayerVersion", inputs, LayerName=inputs["layerName"], Content=content)
        return str(layer["LayerVersionArn"])

    def read(self, aws: Aws, state: State) -> Live:
        layer_arn, _, version = state.id.rpartition(":")
        name = layer_arn.rpartition(":")[2]
        found = aws("GetLayerVersion", LayerName=name, VersionNumber=int(version))
        live = self.properties_of(found, "GetLayerVersion")
        live["layerName"] = state.inputs.get("layerName", name)
        content = found.get("Content", {})
        computed = {
            "arn": state.id,
            "layerArn": layer_arn,
            "version": version,
            "createdDate": found.get("CreatedDate"),
            "codeSha256": content.get("CodeSha256"),
            "sourceCodeHash": content.get("CodeSha256"),
            "sourceCodeSize": content.get("CodeSize"),
        }
        return Live(live, {key: value for key, value in computed.items() if value is not None})

    def update(self, aws: Aws, update: Update) -> None:
        """Only `skipDestroy` can change, and it is ours."""

    def delete(self, aws: Aws, state: State) -> None:
        if state.inputs.get("skipDestroy"):
            return
        layer_arn, _, version = state.id.rpartition(":")
        aws("DeleteLayerVersion", LayerName=layer_arn.rpartition(":")[2], VersionNumber=int(version))


class Alias(ResourceType):
    """`aws.lambda_.Alias`."""

    pulumi_type = "aws:lambda/alias:Alias"
    service = "lambda"
    name = "name"
    identity = ("name", "functionName")
    gone = _GONE
    exists = frozenset({"ResourceConflictException"})
    sentence = "Calls go to the version it names, or by chance to those that share them (`routingConfig`)."
    properties = MappingProxyType(
        {
            "name": Prop(replace=_ALIAS_SOURCE),
            "functionName": Prop(replace=_ALIAS_SOURCE),
            "functionVersion": Prop(),
            "description": Prop(default=""),
            "routingConfig": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("CreateAlias", inputs)]

    def create(self, aws: Aws, inputs: Properties) -> str:
        return str(self.call(aws, "CreateAlias", inputs)["AliasArn"])

    def find(self, aws: Aws, inputs: Properties) -> str | None:
        return str(aws("GetAlias", FunctionName=inputs["functionName"], Name=inputs["name"])["AliasArn"])

    def read(self, aws: Aws, state: State) -> Live:
        function_arn, _, name = state.id.rpartition(":")
        found = aws("GetAlias", FunctionName=function_arn, Name=name)
        live = self.properties_of(found, "GetAlias")
        live["functionName"] = _as_written(state.inputs.get("functionName"), function_arn)
        return Live(live, {"arn": state.id, "invokeArn": _invoke_arn(aws, state.id)})

    def update(self, aws: Aws, update: Update) -> None:
        routing = update.new.get("routingConfig") or {"additionalVersionWeights": {}}
        self.call(aws, "UpdateAlias", {"description": "", **update.new, "routingConfig": routing})

    def delete(self, aws: Aws, state: State) -> None:
        function_arn, _, name = state.id.rpartition(":")
        aws("DeleteAlias", FunctionName=function_arn, Name=name)


class ProvisionedConcurrencyConfig(Singleton):
    """`aws.lambda_.ProvisionedConcurrencyConfig`."""

    pulumi_type = "aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig"
    service = "lambda"
    identity = ("functionName", "qualifier")
    gone = _GONE | {"ProvisionedConcurrencyConfigNotFoundException"}
    level = RECORDED
    sentence = "Kept and read back; no execution environment is started before it is needed."
    properties = MappingProxyType(
        {
            "functionName": Prop(replace=_PROVISIONED_SOURCE),
            "qualifier": Prop(replace=_PROVISIONED_SOURCE),
            "provisionedConcurrentExecutions": Prop(),
            "skipDestroy": Prop(default=False, local=True),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("PutProvisionedConcurrencyConfig", inputs)]

    def check(self, inputs: Properties) -> Iterable[Problem]:
        """Lambda developer guide, provisioned concurrency: of a version or an alias (facts/aws.md row 37)."""
        if inputs.get("qualifier") == "$LATEST":
            yield Problem("qualifier", "$LATEST cannot have provisioned concurrency; name a version or an alias")

    def put(self, aws: Aws, inputs: Properties) -> str:
        self.call(aws, "PutProvisionedConcurrencyConfig", inputs)
        name, qualifier = inputs["functionName"], inputs["qualifier"]

        def is_ready() -> bool:
            found = aws("GetProvisionedConcurrencyConfig", FunctionName=name, Qualifier=qualifier)
            if found["Status"] == "FAILED":
                raise ProviderError(f"provisioned concurrency of {name}:{qualifier}: {found.get('StatusReason')}")
            return bool(found["Status"] == "READY")

        aws.wait(is_ready, f"provisioned concurrency of {name}:{qualifier} to be ready", 120)
        return f"{name}:{qualifier}"

    def read(self, aws: Aws, state: State) -> Live:
        name, _, qualifier = state.id.rpartition(":")
        found = aws("GetProvisionedConcurrencyConfig", FunctionName=name, Qualifier=qualifier)
        number = found["RequestedProvisionedConcurrentExecutions"]
        return Live({"functionName": name, "qualifier": qualifier, "provisionedConcurrentExecutions": number})

    def delete(self, aws: Aws, state: State) -> None:
        if not state.inputs.get("skipDestroy"):
            name, _, qualifier = state.id.rpartition(":")
            aws("DeleteProvisionedConcurrencyConfig", FunctionName=name, Qualifier=qualifier)


class Permission(ResourceType):
    """`aws.lambda_.Permission`."""

    pulumi_type = "aws:lambda/permission:Permission"
    service = "lambda"
    gone = _GONE
    exists = frozenset({"ResourceConflictException"})
    level = RECORDED
    sentence = "Kept in the function's policy; the emulator's API Gateway calls functions without asking it."
    properties = MappingProxyType(
        {
            "statementId": Prop(replace=_PERMISSION_SOURCE),
            "function": Prop("FunctionName", replace=_PERMISSION_SOURCE),
            "qualifier": Prop(replace=_PERMISSION_SOURCE),
            "action": Prop(replace=_PERMISSION_SOURCE),
            "principal": Prop(replace=_PERMISSION_SOURCE),
            "sourceArn": Prop(replace=_PERMISSION_SOURCE),
            "sourceAccount": Prop(replace=_PERMISSION_SOURCE),
            "principalOrgId": Prop("PrincipalOrgID", replace=_PERMISSION_SOURCE),
            "eventSourceToken": Prop(replace=_PERMISSION_SOURCE),
            "functionUrlAuthType": Prop(replace=_PERMISSION_SOURCE),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("AddPermission", {"statementId": "pulumi", **inputs})]

    def same_identity(self, old: Properties, new: Properties) -> bool:
        """Two statements collide if both are named by the program, and alike."""
        return new.get("statementId") is not None and all(
            old.get(name) == new.get(name) for name in ("statementId", "function", "qualifier")
        )

    @staticmethod
    def _statement_id(inputs: Properties) -> str:
        """The given one, else one made of what is permitted, so that an interrupted run finds its own again."""
        content = json.dumps({key: inputs[key] for key in sorted(inputs) if not key.startswith("__")})
        return str(inputs.get("statementId") or f"pulumi-{hashlib.sha256(content.encode()).hexdigest()[:24]}")

    def create(self, aws: Aws, inputs: Properties) -> str:
        statement = self._statement_id(inputs)
        self.call(aws, "AddPermission", {**inputs, "statementId": statement})
        return statement

    def find(self, aws: Aws, inputs: Properties) -> str | None:
        # A statement cannot be changed: the one that was left makes room for this one.
        self.delete(aws, State(self._statement_id(inputs), inputs, {}))
        return self.create(aws, inputs)

    def read(self, aws: Aws, state: State) -> Live | None:
        policy = aws("GetPolicy", FunctionName=state.inputs["function"], Qualifier=state.inputs.get("qualifier"))[
            "Policy"
        ]
        statement = next((item for item in json.loads(policy)["Statement"] if item.get("Sid") == state.id), None)
        if statement is None:
            return None
        principal = statement["Principal"]
        conditions = statement.get("Condition", {})
        equal = {key.lower(): value for key, value in conditions.get("StringEquals", {}).items()}
        like = {key.lower(): value for key, value in conditions.get("ArnLike", {}).items()}
        live = {
            "function": state.inputs["function"],
            "qualifier": state.inputs.get("qualifier"),
            "statementId": state.id,
            "action": statement["Action"],
            "principal": principal if isinstance(principal, str) else next(iter(principal.values())),
            "sourceArn": like.get("aws:sourcearn"),
            "sourceAccount": equal.get("aws:sourceaccount"),
            "principalOrgId": equal.get("aws:principalorgid"),
            "eventSourceToken": equal.get("lambda:eventsourcetoken"),
            "functionUrlAuthType": equal.get("lambda:functionurlauthtype"),
        }
        return Live(live)

    def update(self, aws: Aws, update: Update) -> None:
        """Nothing can change in place."""

    def delete(self, aws: Aws, state: State) -> None:
        aws(
            "RemovePermission",
            FunctionName=state.inputs["function"],
            StatementId=state.id,
            Qualifier=state.inputs.get("qualifier"),
        )


class EventSourceMapping(ResourceType):
    """`aws.lambda_.EventSourceMapping`."""

    pulumi_type = "aws:lambda/eventSourceMapping:EventSourceMapping"
    service = "lambda"
    gone = _GONE
    exists = frozenset({"ResourceConflictException"})
    find_first = True
    sentence = "Queues and table streams really feed the function, with partial batch failures and maximum concurrency."
    properties = MappingProxyType(
        {
            "eventSourceArn": Prop(replace=_SOURCE_MAPPING_SOURCE),
            "startingPosition": Prop(replace=_SOURCE_MAPPING_SOURCE),
            "startingPositionTimestamp": Prop(replace=_SOURCE_MAPPING_SOURCE),
            "functionName": Prop(),
            "enabled": Prop(default=True),
            "batchSize": Prop(),
            "maximumBatchingWindowInSeconds": Prop(default=0),
            "maximumRecordAgeInSeconds": Prop(),
            "maximumRetryAttempts": Prop(),
            "parallelizationFactor": Prop(),
            "bisectBatchOnFunctionError": Prop(default=False),
            "tumblingWindowInSeconds": Prop(default=0),
            "functionResponseTypes": Prop(kind=Kind.SET),
            "scalingConfig": Prop(),
            "filterCriteria": Prop(),
            "destinationConfig": Prop(),
            "metricsConfig": Prop(),
            "kmsKeyArn": Prop(),
            "tags": Prop(),
        }
    )
    renames = MappingProxyType({"destinationArn": "Destination"})

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("CreateEventSourceMapping", inputs)]

    def create(self, aws: Aws, inputs: Properties) -> str:
        uuid = str(
            self.call(aws, "CreateEventSourceMapping", {"enabled": True, **inputs}, **_TAGS.given(inputs))["UUID"]
        )
        _wait_mapping(aws, uuid)
        return uuid

    def find(self, aws: Aws, inputs: Properties) -> str | None:
        source, function = inputs.get("eventSourceArn"), inputs["functionName"]
        params = {"EventSourceArn": source, "FunctionName": function}
        try:
            found = list(aws.pages("ListEventSourceMappings", "EventSourceMappings", **params))
        except AwsError as error:
            if error.code in self.gone:
                return None
            raise
        return next((item["UUID"] for item in found if _as_written(function, item["FunctionArn"]) == function), None)

    def read(self, aws: Aws, state: State) -> Live | None:
        found = aws("GetEventSourceMapping", UUID=state.id)
        if found.get("State") == "Deleting":
            return None
        live = self.properties_of(found, "GetEventSourceMapping")
        live["functionName"] = _as_written(state.inputs.get("functionName"), found["FunctionArn"])
        live["enabled"] = found.get("State") not in {"Disabled", "Disabling"}
        arn = found.get("EventSourceMappingArn") or aws.arn(f"event-source-mapping:{state.id}")
        live["tags"] = _TAGS.read(aws, Resource=arn)
        computed = {"arn": arn, "uuid": state.id, "functionArn": found["FunctionArn"], "state": found.get("State")}
        return Live(live, computed)

    def update(self, aws: Aws, update: Update) -> None:
        if update.changed - {"tags"}:
            emptied: Properties = {
                "functionResponseTypes": [],
                "scalingConfig": {},
                "filterCriteria": {},
                "destinationConfig": {},
            }
            params = {"enabled": True, **self.reset(update, emptied), **update.new}
            self.call(aws, "UpdateEventSourceMapping", params, UUID=update.id)
            _wait_mapping(aws, update.id)
        arn = update.outputs["arn"]
        _TAGS.change(aws, update, Resource=arn)

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteEventSourceMapping", UUID=state.id)


class FunctionEventInvokeConfig(Singleton):
    """`aws.lambda_.FunctionEventInvokeConfig`."""

    pulumi_type = "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"
    service = "lambda"
    identity = ("functionName", "qualifier")
    gone = _GONE
    sentence = "Asynchronous calls are retried and their failures sent to the destination for real."
    properties = MappingProxyType(
        {
            "functionName": Prop(replace=_INVOKE_CONFIG_SOURCE),
            "qualifier": Prop(replace=_INVOKE_CONFIG_SOURCE, default="$LATEST"),
            "destinationConfig": Prop(),
            "maximumEventAgeInSeconds": Prop(default=21_600),
            "maximumRetryAttempts": Prop(default=2),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("PutFunctionEventInvokeConfig", inputs)]

    def put(self, aws: Aws, inputs: Properties) -> str:
        self.call(aws, "PutFunctionEventInvokeConfig", inputs)
        qualifier = inputs.get("qualifier")
        return f"{inputs['functionName']}:{qualifier}" if qualifier else str(inputs["functionName"])

    def read(self, aws: Aws, state: State) -> Live:
        name, qualifier = state.inputs["functionName"], state.inputs.get("qualifier")
        found = aws("GetFunctionEventInvokeConfig", FunctionName=name, Qualifier=qualifier)
        live = self.properties_of(found, "GetFunctionEventInvokeConfig")
        live["destinationConfig"] = {
            key: value for key, value in (live.get("destinationConfig") or {}).items() if value
        }
        return Live({**live, "functionName": name, "qualifier": qualifier or "$LATEST"})

    def delete(self, aws: Aws, state: State) -> None:
        aws(
            "DeleteFunctionEventInvokeConfig",
            FunctionName=state.inputs["functionName"],
            Qualifier=state.inputs.get("qualifier"),
        )


class Invocation(ResourceType):
    """`aws.lambda_.Invocation`: calls a function when it is created, and again when triggers or input change."""

    pulumi_type = "aws:lambda/invocation:Invocation"
    service = "lambda"
    sentence = "The function is really called; an error of its own fails the deployment."
    properties = MappingProxyType(
        {
            "functionName": Prop(replace=_INVOCATION_SOURCE, recorded=_CALL),
            "qualifier": Prop(replace=_INVOCATION_SOURCE, default="$LATEST", recorded=_CALL),
            "triggers": Prop(replace=_INVOCATION_SOURCE, local=True, recorded=_CALL),
            "input": Prop("Payload", kind=Kind.JSON, recorded=_CALL),
            "lifecycleScope": Prop(default="CREATE_ONLY", local=True, recorded=_CALL),
            "terraformKey": Prop(default="tf", local=True, recorded=_CALL),
            "tenantId": Prop(recorded=_CALL),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("Invoke", {**inputs, "qualifier": None})]

    def check(self, inputs: Properties) -> Iterable[Problem]:
        scope = inputs.get("lifecycleScope", "CREATE_ONLY")
        if scope not in {"CREATE_ONLY", "CRUD"} and not is_unknown(scope):
            yield Problem("lifecycleScope", f"{scope!r} is not one of CREATE_ONLY, CRUD")

    def replaces(self, name: str, old: Any, new: Any, inputs: Properties) -> str:
        if name == "input" and inputs.get("lifecycleScope", "CREATE_ONLY") == "CREATE_ONLY":
            return "terraform-provider-aws lambda/invocation.go: customizeDiffInputChangeWithCreateOnlyScope"
        return super().replaces(name, old, new, inputs)

    def create(self, aws: Aws, inputs: Properties) -> Created:
        result = self._invoke(aws, inputs, "create", None)
        content = f"{inputs['input']}{json.dumps(inputs.get('triggers'), sort_keys=True)}"
        digest = hashlib.sha256(content.encode()).hexdigest()[:32]
        return Created(f"{inputs['functionName']}_{inputs.get('qualifier', '$LATEST')}_{digest}", {"result": result})

    def read(self, aws: Aws, state: State) -> Live:  # noqa: ARG002 - a call leaves nothing to ask for
        return Live({}, {"result": state.outputs.get("result", "")})

    def update(self, aws: Aws, update: Update) -> Properties | None:
        if update.new.get("lifecycleScope") == "CRUD" and update.touches("input"):
            return {"result": self._invoke(aws, update.new, "update", update.old.get("input"))}
        return None

    def delete(self, aws: Aws, state: State) -> None:
        if state.inputs.get("lifecycleScope") == "CRUD":
            self._invoke(aws, state.inputs, "delete", state.inputs["input"])

    def volatile(self, changed: frozenset[str]) -> frozenset[str]:
        return frozenset({"result"}) if "input" in changed else frozenset()

    @staticmethod
    def _invoke(aws: Aws, inputs: Properties, action: str, previous: str | None) -> str:
        payload = inputs["input"]
        if inputs.get("lifecycleScope") == "CRUD":
            event = {"action": action, "prev_input": json.loads(previous) if previous else None}
            payload = json.dumps({**json.loads(payload), inputs.get("terraformKey", "tf"): event})
        params = {
            "FunctionName": inputs["functionName"],
            "Qualifier": inputs.get("qualifier"),
            "Payload": payload.encode(),
        }
        answer = aws("Invoke", InvocationType="RequestResponse", **params)
        result = answer["Payload"].read().decode()
        if answer.get("FunctionError"):
            raise ProviderError(f"lambda Invoke {inputs['functionName']}: the function failed: {_failure(result)}")
        return str(result)


def _failure(payload: str) -> str:
    try:
        error = json.loads(payload)
    except ValueError:
        return " ".join(payload.split())[:500]
    kind = error.get("errorType", "error") if isinstance(error, dict) else "error"
    message = error.get("errorMessage", payload) if isinstance(error, dict) else payload
    return f"{kind}: {' '.join(str(message).split())}"


def _invoke_arn(aws: Aws, arn: str, *, streaming: bool = False) -> str:
    """API Gateway's address of a function (AWS::ApiGateway::Method, integration URI)."""
    call = (
        f"2021-11-15/functions/{arn}/response-streaming-invocations"
        if streaming
        else f"2015-03-31/functions/{arn}/invocations"
    )
    return f"arn:{aws.partition}:apigateway:{aws.region}:lambda:path/{call}"


def _as_written(written: Any, arn: str) -> str:
    """The function as the program names it (name, ARN …), if that means the one of this ARN; else the ARN."""
    return written if isinstance(written, str) and (written == arn or arn.endswith(f":function:{written}")) else arn


def _wait_function(aws: Aws, name: str) -> None:
    def is_ready() -> bool:
        found = aws("GetFunctionConfiguration", FunctionName=name)
        if "Failed" in {found.get("State"), found.get("LastUpdateStatus")}:
            raise ProviderError(f"function {name}: {found.get('StateReason') or found.get('LastUpdateStatusReason')}")
        return found.get("State", "Active") != "Pending" and found.get("LastUpdateStatus") != "InProgress"

    aws.wait(is_ready, f"function {name} to be ready", 120)


def _wait_mapping(aws: Aws, uuid: str) -> None:
    settled = {"Enabled", "Disabled"}
    aws.wait(
        lambda: aws("GetEventSourceMapping", UUID=uuid).get("State") in settled,
        f"event source mapping {uuid} to settle",
        60,
    )


def _live_vpc(vpc: Mapping[str, Any]) -> Properties | None:
    if not vpc.get("SubnetIds"):
        return None
    return {"subnetIds": vpc["SubnetIds"], "securityGroupIds": vpc.get("SecurityGroupIds", [])}


def _live_snap_start(snap_start: Mapping[str, Any]) -> Properties | None:
    return {"applyOn": snap_start["ApplyOn"]} if snap_start.get("ApplyOn", "None") != "None" else None


TYPES = (
    Function(),
    LayerVersion(),
    Alias(),
    ProvisionedConcurrencyConfig(),
    Permission(),
    EventSourceMapping(),
    FunctionEventInvokeConfig(),
    Invocation(),
)
