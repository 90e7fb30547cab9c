# ruff: noqa: N802, ARG002 - methods have the protocol's names and parameters
"""Pulumi's provider protocol (`pulumirpc.ResourceProvider`) around `lifecycle.py`."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import threading
from concurrent import futures
from importlib import metadata
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar, cast

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from harness.provider import assumed, functions, lifecycle
from harness.provider.calls import ENDPOINT_VARIABLE, Clients, OfflineError, ProviderError, credentials
from harness.provider.differ import Change
from harness.provider.lifecycle import Configuration, Difference, Naming
from harness.provider.registry import resource_type
from harness.provider.resource import ResourceType, State
from harness.provider.values import Path, Properties, from_struct, is_unknown, path_text, plain, to_struct, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_log = logging.getLogger(__name__)
_Servicer = TypeVar("_Servicer")
_Request = TypeVar("_Request")
_Response = TypeVar("_Response")

_THREADS = 32

_KINDS = {
    (Change.ADD, False): provider_pb2.PropertyDiff.ADD,
    (Change.ADD, True): provider_pb2.PropertyDiff.ADD_REPLACE,
    (Change.DELETE, False): provider_pb2.PropertyDiff.DELETE,
    (Change.DELETE, True): provider_pb2.PropertyDiff.DELETE_REPLACE,
    (Change.UPDATE, False): provider_pb2.PropertyDiff.UPDATE,
    (Change.UPDATE, True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
}


class _Named(Protocol):
    urn: str
    type: str


def _one_line_errors(
    method: Callable[[_Servicer, _Request, grpc.ServicerContext], _Response],
) -> Callable[[_Servicer, _Request, grpc.ServicerContext], _Response]:
    """Answer every failure with one line that says what to do; what was not foreseen is logged with its traceback."""

    @functools.wraps(method)
    def answer(self: _Servicer, request: _Request, context: grpc.ServicerContext) -> _Response:
        try:
            return method(self, request, context)
        except ProviderError as error:
            _abort(context, str(error))
        except Exception as error:  # noqa: BLE001 - whatever it was, the engine gets one line
            _log.exception("%s failed", method.__name__)
            _abort(context, f"{method.__name__}: {type(error).__name__}: {' '.join(str(error).split())}")

    return answer


def _abort(context: grpc.ServicerContext, message: str) -> NoReturn:
    context.abort(grpc.StatusCode.UNKNOWN, message)
    raise AssertionError(message)  # abort raises; the stubs do not say so


class AwsProvider(provider_pb2_grpc.ResourceProviderServicer):
    """One provider process. The engine configures it once, then calls it from many threads."""

    def __init__(self, package: str = "aws") -> None:
        self._package = package
        self._cancelled = threading.Event()
        self._configuration = Configuration(cancelled=self._cancelled)

    # --- start and end

    def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        """Say what we understand: secrets; not outputs nor resource references, which the engine then makes plain."""
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, supports_autonaming_configuration=True)

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        """The version that the program asks for: that of the installed SDK."""
        return plugin_pb2.PluginInfo(version=metadata.version(f"pulumi_{self._package}"))

    def Attach(self, request: plugin_pb2.PluginAttach, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Nothing to do: the engine's address is not used."""
        return empty_pb2.Empty()

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Ctrl-C: stop waiting for anything."""
        self._cancelled.set()
        return empty_pb2.Empty()

    @_one_line_errors
    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """Every setting of the official provider is let through; what does not concern an emulator is not used."""
        return provider_pb2.CheckResponse(inputs=request.news)

    @_one_line_errors
    def DiffConfig(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        """A change of the region replaces the provider, and so all it made."""
        old, new = plain(request.old_inputs), plain(request.news)
        changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name) and name != "version")
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=changed,
            replaces=[name for name in changed if name == "region"],
        )

    @_one_line_errors
    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        """Take the region, the default tags and the account."""
        settings = {name: _json(value) for name, value in plain(request.args).items()}
        endpoint = os.environ.get(ENDPOINT_VARIABLE)
        allowed = settings.get("allowedAccountIds")
        account = next(iter(allowed), "") if isinstance(allowed, list) else ""
        tags = settings.get("defaultTags")
        region = settings.get("region") or os.environ.get("AWS_REGION") or Configuration.region
        configuration = Configuration(
            region=Configuration.region if is_unknown(region) else region,
            account=account if account and not is_unknown(account) else Configuration.account,
            default_tags=tags.get("tags") or {} if isinstance(tags, dict) and not is_unknown(tags.get("tags")) else {},
            clients=Clients(endpoint, credentials()) if endpoint else None,
            cancelled=self._cancelled,
        )
        _refuse_other_accounts(configuration, allowed)
        self._configuration = configuration
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
        )

    # --- resources

    @_one_line_errors
    def Check(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        """Fill in and judge the inputs."""
        news, secrets = from_struct(request.news)
        options = request.autonaming if request.HasField("autonaming") else None
        naming = Naming(
            logical=request.name or request.urn.rpartition("::")[2],
            seed=request.randomSeed,
            proposed=options.proposed_name if options is not None else "",
            allowed=options is None or options.mode != provider_pb2.CheckRequest.AutonamingOptions.DISABLE,
        )
        if assumed.wanted():
            made = assumed.check(_token(request), self._configuration, plain(request.olds), news, naming)
            return provider_pb2.CheckResponse(inputs=to_struct(made, secrets))
        inputs, problems = lifecycle.check(_type(request), self._configuration, plain(request.olds), news, naming)
        failures = [
            provider_pb2.CheckFailure(property=problem.property, reason=_without_secrets(problem.reason, news, secrets))
            for problem in problems
        ]
        return provider_pb2.CheckResponse(inputs=to_struct(inputs, secrets), failures=failures)

    @_one_line_errors
    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        """Compare inputs with inputs."""
        old = plain(request.old_inputs if request.HasField("old_inputs") else request.olds)
        return _diff_response(lifecycle.diff(_type(request), old, plain(request.news), request.ignoreChanges))

    @_one_line_errors
    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        """Create it, or say what would be known of it."""
        inputs, secrets = from_struct(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=to_struct(lifecycle.preview_create(inputs), secrets))
        if assumed.wanted():
            name = request.name or request.urn.rpartition("::")[2]
            known = assumed.kind(_token(request))
            there = assumed.create(known, _token(request), name, self._configuration, inputs)
            outputs = _outputs(known, there.outputs, secrets) if known else to_struct(there.outputs, secrets)
            return provider_pb2.CreateResponse(id=there.id, properties=outputs)
        kind = _type(request)
        self._need_endpoint()
        with _hiding(inputs, secrets):
            state = lifecycle.create(kind, self._configuration, inputs)
        return provider_pb2.CreateResponse(id=state.id, properties=_outputs(kind, state.outputs, secrets))

    @_one_line_errors
    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        """Refresh: what is really there. An empty id says that it is gone."""
        self._need_endpoint()
        kind = _type(request)
        inputs, secrets = from_struct(request.inputs)
        outputs, more_secrets = from_struct(request.properties)
        state = lifecycle.read(kind, self._configuration, State(request.id, inputs, outputs))
        if state is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=state.id,
            inputs=to_struct(state.inputs, _present(secrets, state.inputs)),
            properties=_outputs(kind, state.outputs, secrets | more_secrets),
        )

    @_one_line_errors
    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        """Change it in place, or say what would stay known of it."""
        kind = _type(request)
        news, secrets = from_struct(request.news)
        outputs = plain(request.olds)
        old_inputs = plain(request.old_inputs) if request.HasField("old_inputs") else outputs
        state = State(request.id, old_inputs, outputs)
        if request.preview:
            return provider_pb2.UpdateResponse(
                properties=_outputs(kind, lifecycle.preview_update(kind, state, news), secrets)
            )
        self._need_endpoint()
        with _hiding(news, secrets):
            written = lifecycle.update(kind, self._configuration, state, news, request.ignoreChanges)
        return provider_pb2.UpdateResponse(properties=_outputs(kind, written, secrets))

    @_one_line_errors
    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Delete it; one that is gone already is fine."""
        self._need_endpoint()
        inputs = plain(request.old_inputs) if request.HasField("old_inputs") else {}
        lifecycle.delete(_type(request), self._configuration, State(request.id, inputs, plain(request.properties)))
        return empty_pb2.Empty()

    # --- functions

    @_one_line_errors
    def Invoke(self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext) -> provider_pb2.InvokeResponse:
        """Call a provider function."""
        result = functions.invoke(request.tok, self._configuration, plain(request.args))
        response = provider_pb2.InvokeResponse()
        getattr(response, "return").CopyFrom(to_struct(result))  # a name that Python keeps for itself
        return response

    def _need_endpoint(self) -> None:
        if self._configuration.clients is None:
            raise OfflineError


def serve(package: str = "aws") -> tuple[grpc.Server, int]:
    """Start serving ``package`` on a free loopback port; the server and its port."""
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=_THREADS),
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(AwsProvider(package), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def _type(request: object) -> ResourceType:
    """The type that a request is about: named in it, or the last part of its URN's type chain (older engines)."""
    return resource_type(_token(request))


def _token(request: object) -> str:
    named = cast("_Named", request)
    return named.type or named.urn.split("::")[2].rpartition("$")[2]


def _outputs(kind: ResourceType, outputs: Properties, secrets: frozenset[Path]) -> struct_pb2.Struct:
    own = {(name,) for name in kind.secret_outputs if outputs.get(name) is not None}
    return to_struct(outputs, _present(secrets, outputs) | own)


@contextlib.contextmanager
def _hiding(properties: Properties, secrets: frozenset[Path]) -> Iterator[None]:
    """Keep secret values out of the errors of what runs inside: AWS likes to quote what it refuses."""
    try:
        yield
    except ProviderError as error:
        raise ProviderError(_without_secrets(str(error), properties, secrets)) from None


def _without_secrets(text: str, properties: Properties, secrets: frozenset[Path]) -> str:
    for path, value in walk(properties):
        hidden = any(path[: len(secret)] == secret for secret in secrets)
        if hidden and isinstance(value, str) and value:
            text = text.replace(value, "[secret]")
    return text


def _present(secrets: frozenset[Path], properties: Properties) -> frozenset[Path]:
    return frozenset(path for path in secrets if properties.get(str(path[0])) is not None)


def _diff_response(difference: Difference) -> provider_pb2.DiffResponse:
    detailed = {
        path_text(leaf.path): provider_pb2.PropertyDiff(kind=_KINDS[leaf.change, bool(leaf.replace)], inputDiff=True)
        for leaf in difference.leaves
    }
    names = dict.fromkeys(str(leaf.path[0]) for leaf in difference.leaves)
    replacing = dict.fromkeys(str(leaf.path[0]) for leaf in difference.leaves if leaf.replace)
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if detailed else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=list(names),
        replaces=list(replacing),
        detailedDiff=detailed,
        hasDetailedDiff=True,
        deleteBeforeReplace=difference.delete_before_replace,
    )


def _refuse_other_accounts(configuration: Configuration, allowed: Any) -> None:
    """As the official provider does: a stack of another account must not be deployed here by mistake."""
    if configuration.clients is None or not isinstance(allowed, list) or not allowed:
        return
    account = functions.invoke("aws:index/getCallerIdentity:getCallerIdentity", configuration, {})["accountId"]
    if account not in allowed:
        raise ProviderError(
            f"AWS account ID not allowed: {account}; allowedAccountIds of the provider are {', '.join(allowed)}"
        )


def _json(value: Any) -> Any:
    """Provider settings arrive as JSON text where they are no text themselves."""
    if isinstance(value, str) and value[:1] in {"[", "{"}:
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
