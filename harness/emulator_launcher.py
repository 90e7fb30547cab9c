"""Starts the emulator with four of its gaps closed; runs in the emulator's own environment.

Three make it judge a request as AWS would, so that the roles which the program writes for AWS are the ones proved here:

- transport: queues, topics and buckets refuse whatever does not come over TLS. On this machine the transport is plain
  HTTP that never leaves loopback, so it is declared as a TLS-terminating proxy in front would declare it;
- task tokens: AWS authorises `SendTask*` on the state machine that waits for the token, the emulator on nothing;
- events: AWS knows the condition key `events:source` of a `PutEvents` call (EventBridge user guide, "Using IAM policy
  conditions"), the emulator does not.

The fourth makes a function's start cost what it costs on AWS, where a layer is mounted, not unpacked:

- layers: unpacked once and shared by all execution environments, with their byte code, not once for each of them.

The parity table says so. Written for the version that requirements/emulator.txt pins: an attribute that is no longer
there stops the start, with its name.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import tempfile
import threading
import types
import zipfile
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from ministack import app as ministack
from ministack.core import iam_actions, lambda_runtime
from ministack.services import lambda_svc, stepfunctions

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_TOKENS_KEPT = 10_000
"""Far more than tasks that wait at one time."""


def count_loopback_as_tls() -> None:
    """Every request says that it came over HTTPS."""
    serve: Callable[[Message, Receive, Send], Awaitable[None]] = ministack.app

    async def over_tls(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            others = [(name, value) for name, value in scope["headers"] if name.lower() != b"x-forwarded-proto"]
            scope = {**scope, "headers": [*others, (b"x-forwarded-proto", b"https")]}
        await serve(scope, receive, send)

    ministack.app = over_tls


def authorise_task_tokens_on_their_state_machine() -> None:
    """Remember which state machine waits for which token, and let IAM ask for it.

    A token stays known when its task is over: AWS then says so to whoever may answer the machine's tasks.
    """
    machines: dict[str, str] = {}
    running = threading.local()
    execute, wait, resource_of = (
        stepfunctions._execute_task,  # noqa: SLF001  # there is no public way in
        stepfunctions._invoke_with_callback,  # noqa: SLF001
        iam_actions.extract_resource_arn,
    )

    @functools.wraps(execute)
    def executing(state: Message, raw_input: Any, execution: Message, context: Message) -> Any:
        running.machine = context["StateMachine"]["Id"]
        return execute(state, raw_input, execution, context)

    @functools.wraps(wait)
    def waiting_for(resource: str, effective: Any, token: str, state: Message) -> Any:
        machines[token] = running.machine
        if len(machines) > _TOKENS_KEPT:
            machines.pop(next(iter(machines)), None)
        return wait(resource, effective, token, state)

    @functools.wraps(resource_of)
    def judged(service: str, method: str, path: str, headers: Message, body: bytes, *others: Any) -> str:
        if service == "states":
            token = _field(body, "taskToken")
            if token in machines:
                return machines[token]
        return str(resource_of(service, method, path, headers, body, *others))

    stepfunctions._execute_task = executing  # noqa: SLF001
    stepfunctions._invoke_with_callback = waiting_for  # noqa: SLF001
    iam_actions.extract_resource_arn = judged


def tell_the_source_of_events() -> None:
    """Give IAM the sources that a `PutEvents` call names."""
    tags_of = iam_actions.request_tag_context

    @functools.wraps(tags_of)
    def context(service: str, action: str, body: bytes, parameters: Message) -> Message:
        known: Message = tags_of(service, action, body, parameters)
        if action == "events:PutEvents":
            entries = _field(body, "Entries") or []
            known = {**known, "events:source": sorted({entry.get("Source", "") for entry in entries})}
        return known

    iam_actions.request_tag_context = context


def read_streams_anew_after_a_restart() -> None:
    """Forget how far a table's stream was read: its records do not outlive a restart, and are counted from 0 again."""
    restore = lambda_svc._restore_esm_positions  # noqa: SLF001

    @functools.wraps(restore)
    def restoring(store: Any, positions: Any) -> None:
        if store is not lambda_svc._dynamodb_stream_positions:  # noqa: SLF001
            restore(store, positions)

    lambda_svc._restore_esm_positions = restoring  # noqa: SLF001


def share_unpacked_archives() -> None:
    """Unpack each archive once, and give every execution environment links to what is in it."""
    folder = Path(tempfile.gettempdir()) / "unpacked"

    class Shared(zipfile.ZipFile):
        @functools.cached_property
        def unpacked(self) -> Path:
            """The archive's own folder, named by its content."""
            digest = hashlib.sha256(Path(str(self.filename)).read_bytes()).hexdigest()
            target = folder / digest
            if not target.exists():
                folder.mkdir(exist_ok=True)
                scratch = tempfile.mkdtemp(dir=folder)
                super().extractall(scratch, super().namelist())
                # Another environment may have been faster: then its folder is as good.
                with contextlib.suppress(OSError):
                    Path(scratch).rename(target)
            return target

        def namelist(self) -> list[str]:
            """What lies at the top: a look at each of a thousand members is what made starts slow."""
            return [path.name for path in self.unpacked.iterdir()]

        def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:
            if members is not None or pwd is not None:
                super().extractall(path, members, pwd)
                return
            for entry in self.unpacked.iterdir():
                (Path(path or ".") / entry.name).symlink_to(entry)

    module = types.ModuleType(zipfile.__name__)
    module.__dict__.update(zipfile.__dict__, ZipFile=Shared)
    lambda_runtime.zipfile = module


def _field(body: bytes, name: str) -> Any:
    try:
        return json.loads(body or b"{}").get(name)
    except (ValueError, AttributeError):
        return None


if __name__ == "__main__":
    count_loopback_as_tls()
    authorise_task_tokens_on_their_state_machine()
    tell_the_source_of_events()
    read_streams_anew_after_a_restart()
    share_unpacked_archives()
    ministack.main()
