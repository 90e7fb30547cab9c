"""The program's resource graph without an engine: the whole of ``__main__.py`` run against a monitor of our own.

Every output is resolved the way AWS would resolve it, so that nothing in the graph is unknown and rules can judge all
of it. An output that this module does not know how to make is an error as soon as anything uses it: were it empty
instead, a rule would pass on what it never saw (facts/policies.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import json
import runpy
import threading
import typing
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import pulumi
from pulumi.runtime import mocks, rpc
from pulumi.runtime.stack import Stack, wait_for_rpcs

from components import settings
from harness import stack_file
from harness.paths import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from pulumi.runtime.proto import resource_pb2, source_pb2

PROJECT: Final = "energy-support"
TIMEOUT: Final = 60
"""Seconds in which the program must have described itself."""
STACK_TYPE: Final = "pulumi:pulumi:Stack"
_UNSUPPLIED: Final = "\ue000unsupplied output\ue000"
"""Stands for an output that is not known here; a private character, so that nothing else looks like it."""


class GraphError(Exception):
    """The program could not be described: it failed, took too long, or used an output that is not known here."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource as the program asks for it, and as AWS would answer."""

    urn: str
    type: str
    """``aws:sqs/queue:Queue``."""
    name: str
    """The program's name for it."""
    custom: bool
    """False for components."""
    inputs: Mapping[str, Any]
    """In the provider's spelling, fully resolved; an archive is ``{"archive": path}``."""
    outputs: Mapping[str, Any]
    parent: str
    """URN."""
    dependencies: frozenset[str]
    """URNs of all that it waits for."""
    property_dependencies: Mapping[str, frozenset[str]]
    """Input -> URNs that its value comes from."""
    protect: bool
    provider: str
    """``urn::id`` of the provider given, empty for a default provider."""
    ignore_changes: tuple[str, ...]
    secrets: frozenset[str] = frozenset()
    """Inputs that are, or hold, a secret."""
    id: str = ""
    """As others refer to it; empty for components."""
    delete_timeout: str = ""
    """How long its deletion may take; empty for the provider's default."""
    place: str = field(default="", compare=False)
    """File and line where the program asks for it, in the repository: ``components/queues.py:88``."""

    @property
    def arn(self) -> str | None:
        """The ARN that AWS gave it, if it has one of its own."""
        return None if "arn" in self.inputs else self.outputs.get("arn")

    def json(self, name: str) -> Any:
        """An input that holds JSON text, decoded."""
        return json.loads(self.inputs[name])


@dataclass(frozen=True, kw_only=True)
class Graph:
    """The resources of one stack."""

    stack: str
    settings: settings.Settings
    resources: Mapping[str, Resource]
    """By URN, in order of URNs."""
    outputs: Mapping[str, Any]
    _reach: dict[str, frozenset[str]] = field(default_factory=dict, repr=False, compare=False)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self.resources.values())

    def of_type(self, type_: str) -> tuple[Resource, ...]:
        """All resources of a type, such as ``aws:sqs/queue:Queue``."""
        return tuple(resource for resource in self if resource.type == type_)

    def one(self, type_: str, name: str | None = None) -> Resource:
        """The only resource of a type, or the one with this name.

        Raises:
            LookupError: there is none, or more than one.
        """
        found = [resource for resource in self.of_type(type_) if name is None or resource.name == name]
        if len(found) != 1:
            raise LookupError(f"{len(found)} resources of type {type_}" + (f" are called {name}" if name else ""))
        return found[0]

    def waits_for(self, resource: Resource, other: Resource) -> bool:
        """Whether ``other`` exists before ``resource``, directly or through others."""
        return other.urn in self._reachable(resource.urn)

    def _reachable(self, urn: str) -> frozenset[str]:
        if urn not in self._reach:
            found: set[str] = set()
            waiting = list(self.resources[urn].dependencies)
            while waiting:
                current = waiting.pop()
                if current not in found:
                    found.add(current)
                    waiting.extend(self.resources[current].dependencies if current in self.resources else ())
            self._reach[urn] = frozenset(found)
        return self._reach[urn]


@functools.cache
def built(stack: str) -> Graph:
    """The graph of a stack of this project, made once in a process: documents share it, and change nothing in it."""
    return build(stack)


def build(stack: str, *, root: Path = REPOSITORY) -> Graph:
    """The graph of a stack, with the configuration of its file.

    Raises:
        GraphError: the program failed.
        HarnessError: there is no such stack.
    """
    return build_with(stack, stack_file.config(root, stack), root=root)


def build_with(stack: str, config: Mapping[str, str], *, root: Path = REPOSITORY) -> Graph:
    """The graph of a stack under any configuration (every value a string, as the engine passes it).

    Raises:
        components.settings.SettingsError: the configuration is wrong.
        GraphError: the program failed.
    """
    # A thread of its own: Pulumi keeps its state in context variables, and a fresh thread has none of anyone else's.
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"graph-{stack}") as pool:
        running = pool.submit(lambda: asyncio.run(asyncio.wait_for(_run(stack, config, root), TIMEOUT)))
        try:
            return running.result()
        except (TimeoutError, FutureTimeoutError) as error:
            raise GraphError(f"the program did not describe stack {stack} within {TIMEOUT} s") from error


async def _run(stack: str, config: Mapping[str, str], root: Path) -> Graph:
    # The first error is raised; the same error again, in everything that waited for the first, is noise.
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    parsed = settings.parse(config)
    monitor = _Monitor(Cloud(account_id=parsed.account_id, region=parsed.region, partition=parsed.partition), root)
    pulumi.runtime.set_mocks(monitor.mocks, project=PROJECT, stack=stack, preview=False, monitor=monitor)
    pulumi.runtime.set_all_config(dict(config))
    try:
        runpy.run_path(str(root / "__main__.py"), run_name="__main__")
    except BaseException:
        # What is under way ends first, or closing the loop would cut it off in the middle.
        with contextlib.suppress(Exception):
            await wait_for_rpcs()
        raise
    await wait_for_rpcs()
    root_resource = pulumi.runtime.get_root_resource()
    exported = root_resource.outputs if isinstance(root_resource, Stack) else {}
    outputs = await pulumi.Output.all(**exported).future()
    _refuse_unsupplied("the stack's outputs", outputs)
    return Graph(
        stack=stack,
        settings=parsed,
        resources=dict(sorted(monitor.registered.items())),
        outputs=outputs or {},
    )


class _Answers(mocks.Mocks):
    """Answers like AWS."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        return self._cloud.create(args.typ, args.name, args.inputs) if args.custom else (None, args.inputs)

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        raise GraphError(f"no answer is known to the provider function {args.token}")


class _Monitor(mocks.MockMonitor):
    """Sees the whole of each request, where plain mocks see type, name and inputs."""

    def __init__(self, cloud: Cloud, root: Path) -> None:
        super().__init__(_Answers(cloud))
        self._root = root
        self.registered: dict[str, Resource] = {}
        self._seen: set[str] = set()
        # Requests come from the loop's worker threads, several at a time.
        self._lock = threading.Lock()

    def RegisterResource(  # noqa: N802 - the engine's name for it
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        urn = self.make_urn(request.parent, request.type, request.name)
        with self._lock:
            if urn in self._seen:
                raise GraphError(f"two resources are called {urn}")
            self._seen.add(urn)
        response: resource_pb2.RegisterResourceResponse = super().RegisterResource(request)  # type: ignore[no-untyped-call]  # SDK
        if request.type == STACK_TYPE:
            return response
        given = rpc.deserialize_properties(request.object)
        inputs = _plain(given)
        _refuse_unsupplied(f"{request.type} {request.name}", inputs)
        outputs = _plain(self.resources[urn].state)
        self.registered[urn] = Resource(
            urn=urn,
            type=request.type,
            name=request.name,
            custom=request.custom,
            inputs=inputs,
            outputs={name: value for name, value in outputs.items() if not _is_unsupplied(value)},
            parent=request.parent,
            dependencies=frozenset(request.dependencies),
            property_dependencies={
                name: frozenset(dependency.urns) for name, dependency in request.propertyDependencies.items()
            },
            protect=request.protect,
            provider=request.provider,
            ignore_changes=tuple(request.ignoreChanges),
            secrets=frozenset(name for name, value in given.items() if rpc.is_rpc_secret(value)),
            id=str(self.resources[urn].id or ""),
            delete_timeout=request.customTimeouts.delete,
            place=_place(request.stackTrace, self._root),
        )
        return response


def _plain(value: Any) -> Any:
    """Inputs as plain data, secrets among them."""
    if rpc.is_rpc_secret(value):
        return _plain(rpc.unwrap_rpc_secret(value))
    if isinstance(value, pulumi.FileArchive):
        return {"archive": value.path}
    if isinstance(value, Mapping):
        return {key: _plain(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_plain(child) for child in value]
    return value


def _place(trace: source_pb2.StackTrace, root: Path) -> str:
    """The innermost frame in the repository; what lies in a hidden folder of it (``.venv``) is not its own."""
    start = f"{root.as_uri()}/"
    for frame in trace.frames:
        file = unquote(frame.pc.uri.removeprefix(start))
        if frame.pc.uri.startswith(start) and not file.startswith("."):
            return f"{file}:{frame.pc.line}"
    return ""


def _is_unsupplied(value: Any) -> bool:
    return isinstance(value, str) and _UNSUPPLIED in value


def _refuse_unsupplied(where: str, value: Any) -> None:
    if isinstance(value, Mapping):
        for name, child in value.items():
            _refuse_unsupplied(f"{where}: {name}", child)
    elif isinstance(value, list):
        for child in value:
            _refuse_unsupplied(where, child)
    elif _is_unsupplied(value):
        raise GraphError(f"{where} uses an output that harness/graph.py cannot supply: {value.split(_UNSUPPLIED)[1]}")


# --- what AWS would answer --------------------------------------------------------------------------------------------

Outputs = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """Resolves outputs: ids, ARNs and addresses, always the same for the same resource."""

    account_id: str
    region: str
    partition: str

    def create(self, type_: str, name: str, inputs: Mapping[str, Any]) -> tuple[str, Outputs]:
        """Id and outputs of a new resource; string outputs that are not known are marked, and refused when used."""
        unsupplied = _unsupplied(type_)
        automatic = {"name": f"{name}-{_token(type_, name)[:7]}"} if "name" in unsupplied else {}
        here = {"region": self.region} if "region" in unsupplied else {}
        outputs: Outputs = {**unsupplied, **automatic, **here, **inputs}
        id_, answer = self.answer(type_, name, outputs)
        return id_, {**outputs, **answer}

    def answer(self, type_: str, name: str, inputs: Mapping[str, Any]) -> tuple[str, Outputs]:
        """Id and what AWS adds to the inputs, as far as it is known here."""
        made = _ANSWERS.get(type_)
        if made is None:
            return f"{name}-id", {}
        # A resource may lie in another region than the provider's.
        answer = made(replace(self, region=inputs.get("region", self.region)), inputs, _token(type_, name))
        return str(answer.pop("id", f"{name}-id")), answer

    def arn(self, service: str, resource: str, *, regional: bool = True) -> str:
        region = self.region if regional else ""
        return f"arn:{self.partition}:{service}:{region}:{self.account_id}:{resource}"


def _token(type_: str, name: str) -> str:
    """Ten characters that stand for what AWS would draw at random."""
    return hashlib.sha256(f"{type_} {name}".encode()).hexdigest()[:10]


def _key(cloud: Cloud, _: Mapping[str, Any], token: str) -> Outputs:
    key_id = str(uuid.uuid5(uuid.NAMESPACE_URL, token))
    return {"id": key_id, "keyId": key_id, "arn": cloud.arn("kms", f"key/{key_id}")}


def _role(cloud: Cloud, inputs: Mapping[str, Any], _: str) -> Outputs:
    return {"id": inputs["name"], "arn": cloud.arn("iam", f"role/{inputs['name']}", regional=False)}


def _table(cloud: Cloud, inputs: Mapping[str, Any], _: str) -> Outputs:
    arn = cloud.arn("dynamodb", f"table/{inputs['name']}")
    stream = {"streamArn": f"{arn}/stream/2026-01-01T00:00:00.000"} if inputs.get("streamEnabled") else {}
    return {"id": inputs["name"], "arn": arn, **stream}


def _queue(cloud: Cloud, inputs: Mapping[str, Any], _: str) -> Outputs:
    url = f"https://sqs.{cloud.region}.amazonaws.com/{cloud.account_id}/{inputs['name']}"
    return {"id": url, "url": url, "arn": cloud.arn("sqs", inputs["name"])}


def _bucket(cloud: Cloud, inputs: Mapping[str, Any], _: str) -> Outputs:
    return {"id": inputs["bucket"], "arn": f"arn:{cloud.partition}:s3:::{inputs['bucket']}"}


def _function(cloud: Cloud, inputs: Mapping[str, Any], _: str) -> Outputs:
    arn = cloud.arn("lambda", f"function:{inputs['name']}")
    return {"id": inputs["name"], "arn": arn, "version": "1", "qualifiedArn": f"{arn}:1"}


def _alias(cloud: Cloud, inputs: Mapping[str, Any], _: str) -> Outputs:
    return {"arn": cloud.arn("lambda", f"function:{inputs['functionName']}:{inputs['name']}")}


def _layer(cloud: Cloud, inputs: Mapping[str, Any], _: str) -> Outputs:
    arn = f"{cloud.arn('lambda', 'layer:' + inputs['layerName'])}:1"
    return {"id": arn, "arn": arn, "version": "1"}


def _event_rule(cloud: Cloud, inputs: Mapping[str, Any], _: str) -> Outputs:
    """The default bus has no part in the names of its rules."""
    bus = f"{inputs['eventBusName']}/" if "eventBusName" in inputs else ""
    return {"id": bus + inputs["name"], "arn": cloud.arn("events", f"rule/{bus}{inputs['name']}")}


def _user_pool(cloud: Cloud, _: Mapping[str, Any], token: str) -> Outputs:
    pool_id = f"{cloud.region}_{token}"
    return {"id": pool_id, "arn": cloud.arn("cognito-idp", f"userpool/{pool_id}")}


def _domain(cloud: Cloud, inputs: Mapping[str, Any], token: str) -> Outputs:
    arn = cloud.arn("es", f"domain/{inputs['domainName']}")
    place = "vpc" if "vpcOptions" in inputs else "search"
    endpoint = f"{place}-{inputs['domainName']}-{token}.{cloud.region}.es.amazonaws.com"
    return {"id": arn, "arn": arn, "endpoint": endpoint}


def _rest_api(cloud: Cloud, _: Mapping[str, Any], token: str) -> Outputs:
    arn = f"arn:{cloud.partition}:apigateway:{cloud.region}::/restapis/{token}"
    return {"id": token, "arn": arn, "executionArn": cloud.arn("execute-api", token)}


def _stage(cloud: Cloud, inputs: Mapping[str, Any], _: str) -> Outputs:
    api, stage = inputs["restApi"], inputs["stageName"]
    url = f"https://{api}.execute-api.{cloud.region}.amazonaws.com/{stage}"
    arn = f"arn:{cloud.partition}:apigateway:{cloud.region}::/restapis/{api}/stages/{stage}"
    return {"id": f"ags-{api}-{stage}", "arn": arn, "invokeUrl": url}


def _usage_plan(cloud: Cloud, _: Mapping[str, Any], token: str) -> Outputs:
    return {"id": token[:6], "arn": f"arn:{cloud.partition}:apigateway:{cloud.region}::/usageplans/{token[:6]}"}


def _web_acl(cloud: Cloud, inputs: Mapping[str, Any], token: str) -> Outputs:
    scope = {"REGIONAL": "regional", "CLOUDFRONT": "global"}[inputs["scope"]]
    acl_id = str(uuid.uuid5(uuid.NAMESPACE_URL, token))
    return {"id": acl_id, "arn": cloud.arn("wafv2", f"{scope}/webacl/{inputs['name']}/{acl_id}")}


def _distribution(cloud: Cloud, _: Mapping[str, Any], token: str) -> Outputs:
    id_ = f"E{token.upper()}"
    arn = cloud.arn("cloudfront", f"distribution/{id_}", regional=False)
    return {"id": id_, "arn": arn, "domainName": f"d{token}.cloudfront.net", "hostedZoneId": "Z2FDTNDATAQYW2"}


def _domain_name(cloud: Cloud, inputs: Mapping[str, Any], token: str) -> Outputs:
    target = f"d-{token}.execute-api.{cloud.region}.amazonaws.com"
    arn = f"arn:{cloud.partition}:apigateway:{cloud.region}::/domainnames/{inputs['domainName']}"
    return {"id": inputs["domainName"], "arn": arn, "regionalDomainName": target, "regionalZoneId": f"Z{token.upper()}"}


def _password(_: Cloud, inputs: Mapping[str, Any], token: str) -> Outputs:
    return {"id": "none", "result": (token * int(inputs["length"]))[: int(inputs["length"])]}


def _guardrail(cloud: Cloud, _: Mapping[str, Any], token: str) -> Outputs:
    return {"id": token, "guardrailId": token, "guardrailArn": cloud.arn("bedrock", f"guardrail/{token}")}


def _vpc_endpoint(cloud: Cloud, inputs: Mapping[str, Any], token: str) -> Outputs:
    """The addresses of a service that a gateway leads to are a list that AWS keeps."""
    listed = {"prefixListId": f"pl-{token}"} if inputs["vpcEndpointType"] == "Gateway" else {}
    return {"id": f"vpce-{token}", "arn": cloud.arn("ec2", f"vpc-endpoint/vpce-{token}"), **listed}


def _service_linked_role(cloud: Cloud, inputs: Mapping[str, Any], _: str) -> Outputs:
    service = inputs["awsServiceName"]
    arn = cloud.arn("iam", f"role/aws-service-role/{service}/AWSServiceRoleForAmazonOpenSearchService", regional=False)
    return {"id": arn, "arn": arn}


def _drawn(prefix: str, output: str | None = None) -> Callable[[Cloud, Mapping[str, Any], str], Outputs]:
    """A resource whose id AWS draws, which it may tell by another name too."""

    def answer(_: Cloud, _inputs: Mapping[str, Any], token: str) -> Outputs:
        id_ = f"{prefix}-{token}"
        return {"id": id_, output: id_} if output else {"id": id_}

    return answer


def _secret(cloud: Cloud, inputs: Mapping[str, Any], token: str) -> Outputs:
    arn = cloud.arn("secretsmanager", f"secret:{inputs['name']}-{token[:6]}")
    return {"id": arn, "arn": arn}


def _named(service: str, resource: str) -> Callable[[Cloud, Mapping[str, Any], str], Outputs]:
    """A resource whose ARN ends in its name."""

    def answer(cloud: Cloud, inputs: Mapping[str, Any], _: str) -> Outputs:
        return {"id": inputs["name"], "arn": cloud.arn(service, resource + inputs["name"])}

    return answer


_ANSWERS: Final[Mapping[str, Callable[[Cloud, Mapping[str, Any], str], Outputs]]] = {
    "aws:apigateway/domainName:DomainName": _domain_name,
    "aws:apigateway/restApi:RestApi": _rest_api,
    "aws:apigateway/stage:Stage": _stage,
    "aws:apigateway/usagePlan:UsagePlan": _usage_plan,
    "aws:bedrock/guardrail:Guardrail": _guardrail,
    "aws:cloudfront/distribution:Distribution": _distribution,
    "aws:cloudtrail/trail:Trail": _named("cloudtrail", "trail/"),
    "aws:cloudwatch/eventBus:EventBus": _named("events", "event-bus/"),
    "aws:cloudwatch/eventRule:EventRule": _event_rule,
    "aws:cloudwatch/logDeliveryDestination:LogDeliveryDestination": _named("logs", "delivery-destination:"),
    "aws:cloudwatch/logDeliverySource:LogDeliverySource": _named("logs", "delivery-source:"),
    "aws:cloudwatch/logGroup:LogGroup": _named("logs", "log-group:"),
    "aws:cognito/userPool:UserPool": _user_pool,
    "aws:dynamodb/table:Table": _table,
    "aws:ec2/eip:Eip": _drawn("eipalloc", "allocationId"),
    "aws:ec2/internetGateway:InternetGateway": _drawn("igw"),
    "aws:ec2/natGateway:NatGateway": _drawn("nat"),
    "aws:ec2/routeTable:RouteTable": _drawn("rtb"),
    "aws:ec2/securityGroup:SecurityGroup": _drawn("sg"),
    "aws:ec2/subnet:Subnet": _drawn("subnet"),
    "aws:ec2/vpc:Vpc": _drawn("vpc"),
    "aws:ec2/vpcEndpoint:VpcEndpoint": _vpc_endpoint,
    "aws:iam/role:Role": _role,
    "aws:iam/serviceLinkedRole:ServiceLinkedRole": _service_linked_role,
    "aws:kms/key:Key": _key,
    "aws:lambda/alias:Alias": _alias,
    "aws:lambda/function:Function": _function,
    "aws:lambda/layerVersion:LayerVersion": _layer,
    "aws:opensearch/domain:Domain": _domain,
    "aws:s3/bucket:Bucket": _bucket,
    "aws:secretsmanager/secret:Secret": _secret,
    "aws:sfn/stateMachine:StateMachine": _named("states", "stateMachine:"),
    "aws:sns/topic:Topic": _named("sns", ""),
    "aws:sqs/queue:Queue": _queue,
    "aws:wafv2/webAcl:WebAcl": _web_acl,
    "random:index/randomPassword:RandomPassword": _password,
}
"""Resource type -> what AWS adds to its inputs."""


@functools.cache
def _unsupplied(type_: str) -> Mapping[str, str]:
    """The string outputs that every resource of this type has, each marked as not supplied."""
    package, _, path = type_.partition(":")
    if package != "aws":
        return {}
    module, _, class_name = path.replace("/", ":").split(":")
    import pulumi_aws  # noqa: PLC0415 - takes seconds, which the provider that only wants answers has not

    namespace = getattr(pulumi_aws, "lambda_" if module == "lambda" else module)
    marked: dict[str, str] = {}
    for member in vars(getattr(namespace, class_name)).values():
        getter = member.fget if isinstance(member, property) else None
        if getter is not None and typing.get_args(getter.__annotations__.get("return")) == (str,):
            output = getattr(getter, "_pulumi_name", getter.__name__)
            marked[output] = f"{_UNSUPPLIED}{type_} {output}{_UNSUPPLIED}"
    return marked
