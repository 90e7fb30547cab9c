"""Notes what each role does: every call that IAM has allowed, by role and action, for `harness privileges`.

Runs in the emulator's own environment. What functions say to the model's stand-in and to the search node comes through
the emulator too (`emulator_faults`); there IAM is not asked, and the call itself is noted, under the action that AWS
would ask for. Calls of the harness's administrator are nobody's use.

The notes are kept on disk beside the emulator's state, and so outlive a restart of it.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ministack import app as ministack
from ministack.core import iam_evaluator
from ministack.services import sts

from harness.emulator_faults import _again, _read
from harness.fault_rules import MODEL, RELAY, SEARCH

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    from harness.emulator_faults import Faults

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Serve = Callable[[Message, Receive, Send], Awaitable[None]]

_KEPT = 64
"""Resources that are kept for one role and action: those that it called for last."""
_SAVE_SECONDS = 5.0
_CREDENTIAL = re.compile(r"Credential=([^/]+)/")
_MODEL_ACTIONS = {
    "converse": ("bedrock:InvokeModel",),
    "invoke": ("bedrock:InvokeModel",),
    "converse-stream": ("bedrock:InvokeModelWithResponseStream",),
    "invoke-with-response-stream": ("bedrock:InvokeModelWithResponseStream",),
    "apply": ("bedrock:ApplyGuardrail",),
}
_SEARCH_ACTIONS = {
    "DELETE": "es:ESHttpDelete",
    "GET": "es:ESHttpGet",
    "HEAD": "es:ESHttpHead",
    "POST": "es:ESHttpPost",
    "PUT": "es:ESHttpPut",
}
ANY_RESOURCE = "*"
"""For calls whose resource the emulator does not know."""


@dataclass
class Uses:
    """What has been seen. Safe to use from any thread."""

    file: Path
    seen: dict[tuple[str, str, str], dict[str, float]] = field(default_factory=dict)
    """Role, session and action -> resource -> when it was called last, in Unix time."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _changed: bool = False

    def note(self, role: str, session: str, action: str, resource: str) -> None:
        with self._lock:
            resources = self.seen.setdefault((role, session, action), {})
            # What was called last stands last: the longest ago makes room.
            resources.pop(resource, None)
            if len(resources) >= _KEPT:
                resources.pop(next(iter(resources)))
            resources[resource] = time.time()
            self._changed = True

    def show(self) -> list[dict[str, Any]]:
        with self._lock:
            return [
                {"role": role, "session": session, "action": action, "resource": resource, "at": at}
                for (role, session, action), resources in self.seen.items()
                for resource, at in resources.items()
            ]

    def forget(self) -> int:
        """Begin anew; how many there were."""
        with self._lock:
            count = len(self.seen)
            self.seen.clear()
            self._changed = True
        return count

    def save(self) -> None:
        if not self._changed:
            return
        self._changed = False
        new = self.file.with_suffix(f".{os.getpid()}")
        new.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(json.dumps(self.show()))
        new.replace(self.file)

    def load(self) -> None:
        """What was noted before a restart; nothing if that cannot be read."""
        try:
            noted = json.loads(self.file.read_text())
        except (OSError, ValueError):
            return
        for one in noted:
            self.seen.setdefault((one["role"], one["session"], one["action"]), {})[one["resource"]] = one["at"]


def caller(access_key: str) -> tuple[str, str] | None:
    """Role and session in whose names a key signs; None for anybody else."""
    session: Mapping[str, str] = sts._sessions.get(access_key) or {}  # noqa: SLF001  # there is no public way in
    parts = session.get("Arn", "").split("/")
    return (parts[1], parts[2]) if len(parts) == 3 else None


def note_what_iam_allows(uses: Uses) -> None:
    """Every call that its role's policies were asked about, and that they have let through."""
    enforce = iam_evaluator.enforce

    @functools.wraps(enforce)
    def enforcing(
        access_key: str, action: str, service: str, region: str, resource_arn: str = ANY_RESOURCE, **others: Any
    ) -> Any:
        denied = enforce(access_key, action, service, region, resource_arn=resource_arn, **others)
        known = caller(access_key) if denied is None and access_key else None
        if known is not None:
            uses.note(*known, action, resource_arn)
        return denied

    iam_evaluator.enforce = enforcing


def note_what_is_passed_on(uses: Uses, faults: Faults) -> Serve:
    """The emulator, with a note of each call to the model and to the search node."""
    serve: Serve = faults

    async def serving(scope: Message, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith(RELAY):
            await serve(scope, receive, send)
            return
        body = await _read(receive)
        if body is None:
            return
        where, _, rest = path.removeprefix(RELAY).partition("/")
        service, _, number = where.partition("~")
        known = _signer(scope) or _worker(faults, scope, number)
        if known is not None:
            for action in _actions(service, scope["method"], rest, body):
                uses.note(*known, action, ANY_RESOURCE)
        await serve(scope, _again(body, receive), send)

    return serving


def _signer(scope: Message) -> tuple[str, str] | None:
    found = _CREDENTIAL.search(_header(scope, b"authorization"))
    return caller(found[1]) if found else None


def _worker(faults: Faults, scope: Message, number: str) -> tuple[str, str] | None:
    """Role and function of the execution environment that calls, for calls that nobody signs."""
    worker = faults.standing.numbered.get(number) or faults.standing.worker(_header(scope, b"x-amzn-trace-id"))
    role = str((getattr(worker, "config", None) or {}).get("Role", "")).rpartition("/")[2]
    return (role, str(worker.func_name)) if role else None


def _header(scope: Message, wanted: bytes) -> str:
    return bytes(next((value for name, value in scope["headers"] if name.lower() == wanted), b"")).decode("latin-1")


def _actions(service: str, method: str, rest: str, body: bytes) -> tuple[str, ...]:
    """What AWS would ask IAM for."""
    if service == SEARCH:
        return (_SEARCH_ACTIONS[method],) if method in _SEARCH_ACTIONS else ()
    if service == MODEL:
        guarded = ("bedrock:ApplyGuardrail",) if b'"guardrailConfig"' in body else ()
        return (*_MODEL_ACTIONS.get(rest.rpartition("/")[2], ()), *guarded)
    return ()


def install(faults: Faults) -> Uses:
    """Begin to note, behind everything else that is around the emulator."""
    uses = Uses(Path(os.environ["STATE_DIR"]).parent / "uses.json")
    uses.load()
    note_what_iam_allows(uses)
    ministack.app = note_what_is_passed_on(uses, faults)
    faults.doors["GET", "uses"] = lambda _, __: {"uses": uses.show()}
    faults.doors["DELETE", "uses"] = lambda _, __: {"forgotten": uses.forget()}
    atexit.register(uses.save)
    threading.Thread(target=_keep, args=(uses,), name="uses", daemon=True).start()
    return uses


def _keep(uses: Uses) -> None:
    while True:
        time.sleep(_SAVE_SECONDS)
        uses.save()
