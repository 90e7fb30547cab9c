"""An emulator for the session, and the engine's part played through the provider's own messages."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import boto3
import pytest
from google.protobuf import struct_pb2
from pulumi.runtime.proto import provider_pb2

from harness.paths import Paths
from harness.progress import Silent
from harness.provider.server import AwsProvider
from harness.provider.values import ARCHIVE, ASSET, SIGNATURE, plain, to_struct
from harness.toolchain.environments import ensure_emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import grpc

REGION = "eu-west-1"


def _emulator_python() -> str:
    given = os.environ.get("HARNESS_EMULATOR_PYTHON")
    if given:
        return given
    return str(ensure_emulator(Paths.find(), Silent()))


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an emulator of our own, without IAM enforcement."""
    folder = tmp_path_factory.mktemp("emulator")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "MINISTACK_OPENSEARCH_ENDPOINT": "127.0.0.1:9200",
        "DOCKER_HOST": f"unix://{folder}/no-docker.sock",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "ERROR",
    }
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([_emulator_python(), "-m", "ministack"], env=environment, stdout=log, stderr=log)
        try:
            _wait_for(f"{url}/_ministack/health", process)
            yield url
        finally:
            process.terminate()
            process.wait(20)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - our own emulator
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError("the emulator did not start")


class RpcError(Exception):
    """What the engine would show the user."""


class _Context:
    def abort(self, _code: grpc.StatusCode, message: str) -> NoReturn:
        raise RpcError(message)


class CheckError(Exception):
    """The failures of a check."""

    def __init__(self, failures: Mapping[str, str]) -> None:
        super().__init__(str(dict(failures)))
        self.failures = dict(failures)


@dataclass
class Resource:
    """A resource as the engine's state holds it."""

    type: str
    name: str
    id: str
    inputs: struct_pb2.Struct
    outputs: struct_pb2.Struct

    def __getitem__(self, name: str) -> Any:
        return plain(self.outputs)[name]

    def get(self, name: str) -> Any:
        return plain(self.outputs).get(name)


@dataclass
class Engine:
    """The engine's part: what it would call, in its order, with its messages."""

    provider: AwsProvider = field(default_factory=AwsProvider)
    context: Any = field(default_factory=_Context)

    def configure(self, **settings: Any) -> None:
        arguments = to_struct({"region": REGION, **settings})
        self.provider.Configure(provider_pb2.ConfigureRequest(args=arguments, acceptSecrets=True), self.context)

    def urn(self, kind: str, name: str) -> str:
        return f"urn:pulumi:test::test::{kind}::{name}"

    def check(self, kind: str, name: str, inputs: Any, old: Resource | None = None) -> struct_pb2.Struct:
        news = inputs if isinstance(inputs, struct_pb2.Struct) else to_struct(inputs)
        request = provider_pb2.CheckRequest(
            urn=self.urn(kind, name),
            type=kind,
            name=name,
            news=news,
            olds=old.inputs if old else None,
            randomSeed=name.encode(),
        )
        response = self.provider.Check(request, self.context)
        if response.failures:
            raise CheckError({failure.property: failure.reason for failure in response.failures})
        return response.inputs

    def failures(self, kind: str, inputs: Any) -> dict[str, str]:
        """What a check refuses: property → reason."""
        with pytest.raises(CheckError) as caught:
            self.check(kind, "thing", inputs)
        return caught.value.failures

    def diff(self, old: Resource, inputs: Any, ignore: tuple[str, ...] = ()) -> provider_pb2.DiffResponse:
        news = self.check(old.type, old.name, inputs, old)
        request = provider_pb2.DiffRequest(id=old.id, urn=self.urn(old.type, old.name), type=old.type, name=old.name)
        request.olds.CopyFrom(old.outputs)
        request.old_inputs.CopyFrom(old.inputs)
        request.news.CopyFrom(news)
        request.ignoreChanges.extend(ignore)
        return self.provider.Diff(request, self.context)

    def create(self, kind: str, inputs: Any, name: str = "thing", *, preview: bool = False) -> Resource:
        news = self.check(kind, name, inputs)
        request = provider_pb2.CreateRequest(
            urn=self.urn(kind, name), type=kind, name=name, properties=news, preview=preview
        )
        response = self.provider.Create(request, self.context)
        return Resource(kind, name, response.id, news, response.properties)

    def update(self, old: Resource, inputs: Any, *, preview: bool = False) -> Resource:
        news = self.check(old.type, old.name, inputs, old)
        request = provider_pb2.UpdateRequest(
            id=old.id, urn=self.urn(old.type, old.name), type=old.type, name=old.name, preview=preview
        )
        request.olds.CopyFrom(old.outputs)
        request.old_inputs.CopyFrom(old.inputs)
        request.news.CopyFrom(news)
        response = self.provider.Update(request, self.context)
        return Resource(old.type, old.name, old.id, news, response.properties)

    def refresh(self, old: Resource) -> Resource | None:
        request = provider_pb2.ReadRequest(id=old.id, urn=self.urn(old.type, old.name), type=old.type, name=old.name)
        request.properties.CopyFrom(old.outputs)
        request.inputs.CopyFrom(old.inputs)
        response = self.provider.Read(request, self.context)
        if not response.id:
            return None
        return Resource(old.type, old.name, response.id, response.inputs, response.properties)

    def delete(self, old: Resource) -> None:
        request = provider_pb2.DeleteRequest(id=old.id, urn=self.urn(old.type, old.name), type=old.type, name=old.name)
        request.properties.CopyFrom(old.outputs)
        request.old_inputs.CopyFrom(old.inputs)
        self.provider.Delete(request, self.context)


_accounts = itertools.count(1)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> str:
    """An account of the emulator that no other test uses: its access key is its number."""
    number = f"{os.getpid() % 1_000_000:06d}{next(_accounts):06d}"
    monkeypatch.setenv("HARNESS_AWS_ACCESS_KEY_ID", number)
    return number


@pytest.fixture
def engine(emulator: str, account: str, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A provider configured against the emulator, in an account of its own."""
    monkeypatch.setenv("HARNESS_AWS_ENDPOINT", emulator)
    playing = Engine()
    playing.configure(allowedAccountIds=[account])
    return playing


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A provider with nothing to call."""
    monkeypatch.delenv("HARNESS_AWS_ENDPOINT", raising=False)
    playing = Engine()
    playing.configure(allowedAccountIds=["111122223333"])
    return playing


@pytest.fixture
def client(emulator: str, account: str) -> Callable[[str], Any]:
    """boto3 clients in the test's account, to look and to meddle behind the provider's back."""

    def make(service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]  # the stubs know literals only
            service,
            endpoint_url=emulator,
            region_name=REGION,
            aws_access_key_id=account,
            aws_secret_access_key="test",
        )

    return make


@pytest.fixture
def archive() -> Callable[..., dict[str, Any]]:
    """Makes an archive as the engine sends it, of files given by name."""

    def make(**files: str) -> dict[str, Any]:
        assets = {
            f"{name}.py": {SIGNATURE: ASSET, "hash": str(hash(text)), "text": text} for name, text in files.items()
        }
        return {SIGNATURE: ARCHIVE, "hash": str(hash(tuple(sorted(files.items())))), "assets": assets}

    return make


@pytest.fixture
def trust() -> Callable[[str], dict[str, Any]]:
    """A role's trust in a service."""

    def make(service: str) -> dict[str, Any]:
        statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        return {"Version": "2012-10-17", "Statement": [statement]}

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of the test's own."""
    return tmp_path
