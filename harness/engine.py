"""The Pulumi engine over this repository's program: preview, up, refresh and destroy of one stack.

The engine is the real CLI, driven by the Automation API with `__main__.py` as an inline program, so neither the
language plugin nor an account is needed.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import runpy
import shutil
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pulumi
import yaml
from pulumi import automation as auto

from components.bundling import BundleError
from harness import sdk_waiting, stack_file
from harness.engine_process import EngineCommand, end_orphan, write_plugins
from harness.errors import HarnessError
from harness.review import planned
from harness.tracebacks import brief

if TYPE_CHECKING:
    from pathlib import Path

    from pulumi.automation import events as engine_events

# When an engine is killed, its stream of events breaks off; that is told otherwise.
warnings.filterwarnings("ignore", "Error in event stream", UserWarning)
sdk_waiting.install()

PROJECT = "energy-support"
UNCHANGED = frozenset({"same", "read", "refresh", "read-discard"})
"""Engine operations that leave a resource as it is."""
QUIET_TYPES = ("pulumi:", "support:")
"""What a user would not call a resource of the system: the stack, its provider, our components."""

_SDK_MODULE = re.compile(r"\baws\.([a-z_0-9]+)\.")
"""A part of the SDK, as the components name it: each loads when it is first looked into."""

OnStep = Callable[["Step"], None]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One resource in a run: what the engine does with it, and what asks for it."""

    operation: str
    """create, update, replace, delete, same … (the engine's word)"""
    urn: str
    type: str
    name: str
    changed: tuple[str, ...] = ()
    """Property paths that differ."""
    replaces: tuple[str, ...] = ()
    """Those of them that force a replacement."""

    @property
    def changes(self) -> bool:
        return self.operation not in UNCHANGED

    @property
    def kind(self) -> str:
        """The type as people say it: ``sqs.Queue`` for ``aws:sqs/queue:Queue``."""
        return planned.kind_of(self.type)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A policy's finding."""

    policy: str
    pack: str
    level: str
    message: str
    urn: str | None


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one run of the engine did or would do."""

    stack: str
    operation: str
    seconds: float
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...]
    outputs: Mapping[str, object] = field(default_factory=dict)
    plan: tuple[planned.Planned, ...] = ()
    """The same steps with all that the engine tells of them, for a review."""

    @property
    def changes(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.changes and not step.type.startswith(QUIET_TYPES))

    @property
    def resources(self) -> tuple[Step, ...]:
        """Everything that stands after the run, less ``QUIET_TYPES``."""
        return tuple(s for s in self.steps if s.operation != "delete" and not s.type.startswith(QUIET_TYPES))

    def summary(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for step in self.steps:
            counts[step.operation] = counts.get(step.operation, 0) + 1
        return dict(sorted(counts.items()))


class RefusedError(HarnessError):
    """Policies refuse what a preview found; ``run`` is the preview, complete."""

    def __init__(self, message: str, mend: str, run: Run) -> None:
        super().__init__(message, mend)
        self.run = run


@dataclass(frozen=True, kw_only=True)
class Engine:
    """One stack of the program, with its state under ``state``.

    ``endpoint`` is the emulator's URL; without one the provider works offline, which is enough for a preview.
    ``api_url`` is the front's, which the API's users are told in place of the emulator's.
    """

    root: Path
    state: Path
    stack: str
    cli: Path
    endpoint: str | None = None
    api_url: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    """Settings in place of those of the stack file: ``functions.runtime`` -> ``host``."""
    judged: bool = True
    """Whether the policies judge the program."""

    def preview(self, on_step: OnStep | None = None, *, refresh: bool = False) -> Run:
        """What an `up` would change. ``refresh`` first looks at what is really there, and changes nothing."""
        return self._run("preview", on_step, refresh=refresh)

    def up(self, on_step: OnStep | None = None) -> Run:
        """Look at what is really there, then make it what the program says."""
        return self._run("up", on_step, refresh=True)

    def destroy(self, on_step: OnStep | None = None) -> Run:
        return self._run("destroy", on_step, refresh=False)

    def outputs(self) -> dict[str, object]:
        """The stack's outputs as the state holds them; empty before the first `up`."""
        if not self.state.exists():
            return {}
        return {name: output.value for name, output in self._open(self._program).outputs().items()}

    def size(self) -> int | None:
        """How many resources the last run left; None before the first."""
        file = self.state / ".pulumi" / "stacks" / PROJECT / f"{self.stack}.json"
        try:
            return len(json.loads(file.read_bytes())["checkpoint"]["latest"]["resources"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    # --- how a run goes

    def _run(self, operation: str, on_step: OnStep | None, *, refresh: bool) -> Run:
        listener = _Listener(self.root, on_step)
        started = time.monotonic()
        outputs: Mapping[str, object] = {}
        packs = [str(self.root / "policies")] if self.judged else []
        ahead = threading.Thread(target=self._import_ahead, daemon=True)
        ahead.start()

        def program() -> None:
            # The SDK's modules load when they are first used, which two threads must not do at once.
            ahead.join()
            self._program()

        stack = self._open(listener.watch(program))
        try:
            if operation == "destroy":
                stack.destroy(on_event=listener, color="never")
            elif operation == "up":
                done = stack.up(
                    on_event=listener, color="never", refresh=refresh, policy_packs=packs, show_secrets=False
                )
                outputs = {name: output.value for name, output in done.outputs.items()}
            else:
                stack.preview(on_event=listener, color="never", refresh=refresh, policy_packs=packs)
        except auto.errors.ConcurrentUpdateError:
            self._break_locks(stack)
            return self._run(operation, on_step, refresh=refresh)
        except auto.errors.CommandError as error:
            fault = listener.explain(operation, self.stack, error)
            if operation == "preview" and listener.mandatory:
                raise RefusedError(fault.message, fault.mend, self._ran(operation, listener, started, {})) from error
            raise fault from error
        return self._ran(operation, listener, started, outputs)

    def _ran(self, operation: str, listener: _Listener, started: float, outputs: Mapping[str, object]) -> Run:
        return Run(
            stack=self.stack,
            operation=operation,
            seconds=round(time.monotonic() - started, 2),
            steps=tuple(listener.steps.values()),
            findings=tuple(listener.findings),
            outputs=outputs,
            plan=planned.merged(listener.planned),
        )

    def _break_locks(self, stack: auto.Stack) -> None:
        """Remove the engine's own locks. Ours is held, so whoever started the engines that took them is gone."""
        for file in (self.state / ".pulumi" / "locks").rglob("*.json"):
            with suppress(FileNotFoundError, ValueError, KeyError):
                end_orphan(json.loads(file.read_bytes())["pid"])
        stack.cancel()

    def _open(self, program: Callable[[], None]) -> auto.Stack:
        work_dir = self._workspace()
        plugins = self.state / "plugins"
        write_plugins(plugins)
        try:
            return auto.create_or_select_stack(
                stack_name=self.stack,
                project_name=PROJECT,
                program=program,
                opts=auto.LocalWorkspaceOptions(
                    work_dir=str(work_dir),
                    pulumi_command=EngineCommand(self.cli, plugins),
                    pulumi_home=str(self.state / "home"),
                    env_vars=self._engine_environment(),
                ),
            )
        except (yaml.YAMLError, AttributeError, ValueError) as error:
            # The SDK reads the file without checking it, and fails in as many ways.
            raise HarnessError(f"Pulumi.yaml is no project file: {error}", "Correct it.") from error
        except auto.errors.CommandError as error:
            raise HarnessError(
                f"The engine cannot open stack {self.stack}: {said(error)}", "Mend that and run the command again."
            ) from error

    def _import_ahead(self) -> None:
        """Load the components while the engine starts and refreshes: the SDK below them costs seconds."""
        # What cannot be imported fails again in the program, which tells it.
        with suppress(Exception):
            named: set[str] = set()
            for module in pkgutil.iter_modules([str(self.root / "components")], "components."):
                importlib.import_module(module.name)
                file = self.root / "components" / f"{module.name.rpartition('.')[2]}.py"
                named.update(_SDK_MODULE.findall(file.read_text()) if file.exists() else ())
            sdk = importlib.import_module("pulumi_aws")
            for name in sorted(named):
                getattr(getattr(sdk, name), "__all__", None)

    def _program(self) -> None:
        runpy.run_path(str(self.root / "__main__.py"), run_name="__main__")

    def _engine_environment(self) -> dict[str, str]:
        values = {
            "PULUMI_BACKEND_URL": f"file://{self.state}",
            # The secrets in these stacks' state are drawn here and open nothing: no passphrase to protect them.
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_ERROR_OUTPUT_STRING": "true",
            # Our children may keep their byte code: importing the SDK costs seconds without it.
            "PYTHONDONTWRITEBYTECODE": "",
            **self.environment,
        }
        if self.endpoint is not None:
            values["HARNESS_AWS_ENDPOINT"] = self.endpoint
        if self.api_url is not None:
            values["HARNESS_API_URL"] = self.api_url
        return values

    def _workspace(self) -> Path:
        """A copy of the project and stack files: the engine may write to them, and must not write to yours."""
        settings = stack_file.changed(self.root, self.stack, self.settings)
        work_dir = self.state / "workspaces" / self.stack
        work_dir.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.root / "Pulumi.yaml", work_dir / "Pulumi.yaml")
        (work_dir / f"Pulumi.{self.stack}.yaml").write_text(settings)
        return work_dir


class _Listener:
    """Collects what the engine says while it runs the program in ``root``."""

    def __init__(self, root: Path, on_step: OnStep | None) -> None:
        self._root = root
        self.steps: dict[str, Step] = {}
        self.planned: list[planned.Planned] = []
        self.findings: list[Finding] = []
        self.errors: list[tuple[str | None, str]] = []
        self.raised: BaseException | None = None
        self._on_step = on_step

    def watch(self, program: Callable[[], None]) -> Callable[[], None]:
        """The program, its exception kept: the engine would tell it as a traceback, twice."""

        def watched() -> None:
            try:
                program()
            except BaseException as error:
                self.raised = error
                raise

        return watched

    def __call__(self, event: engine_events.EngineEvent) -> None:
        if event.resource_pre_event is not None:
            self.planned.append(planned.of_event(event.resource_pre_event.metadata))
            self._note(event.resource_pre_event.metadata, done=False)
        elif event.res_outputs_event is not None:
            self._note(event.res_outputs_event.metadata, done=True)
        elif event.policy_event is not None:
            policy = event.policy_event
            self.findings.append(
                Finding(
                    policy=policy.policy_name,
                    pack=policy.policy_pack_name,
                    level=policy.enforcement_level,
                    message=policy.message.strip(),
                    urn=policy.resource_urn,
                )
            )
        elif event.diagnostic_event is not None and event.diagnostic_event.severity == "error":
            self.errors.append((event.diagnostic_event.urn, event.diagnostic_event.message.strip()))

    def _note(self, metadata: engine_events.StepEventMetadata, *, done: bool) -> None:
        operation = str(metadata.op.value)
        if operation == "refresh" or metadata.type == "pulumi:pulumi:Stack":
            return
        detailed = metadata.detailed_diff or {}
        step = Step(
            operation=_OPERATIONS.get(operation, operation),
            urn=metadata.urn,
            type=metadata.type,
            name=metadata.urn.rsplit("::", 1)[-1],
            changed=tuple(sorted(detailed)) or tuple(metadata.diffs or ()),
            replaces=tuple(sorted(path for path, diff in detailed.items() if "replace" in diff.diff_kind.value)),
        )
        # A replacement comes as three steps (create, replace, delete): the middle one tells it best.
        before = self.steps.get(step.urn)
        if before is None or before.operation != "replace":
            self.steps[step.urn] = step
        if done and self._on_step is not None:
            self._on_step(step)

    @property
    def mandatory(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.level == "mandatory"]

    def explain(self, operation: str, stack: str, error: auto.errors.CommandError) -> HarnessError:
        if self.mandatory:
            lines = [f"{f.policy}: {f.message}" + (f" ({_name(f.urn)})" if f.urn else "") for f in self.mandatory]
            return HarnessError(f"Policies refuse stack {stack}:\n" + "\n".join(lines), "Mend what each finding names.")
        if self.raised is not None:
            return self._tell(stack, self.raised)
        texts = ((urn, brief(text, self._root)) for urn, text in self.errors if _worth_telling(text))
        told = [f"{_name(urn)}: {text}" if urn else text for urn, text in texts]
        text = "\n".join(dict.fromkeys(told)) or said(error)
        return HarnessError(
            f"{operation} of stack {stack} failed:\n{text}",
            "Mend the cause and run the command again" + (": what was done is kept." if operation == "up" else "."),
        )

    def _tell(self, stack: str, raised: BaseException) -> HarnessError:
        """A `RunError` speaks to the user; anything else is a mistake in the program, so it is told where."""
        if isinstance(raised.__cause__, BundleError):
            return HarnessError(raised.__cause__.message, raised.__cause__.mend)
        text = str(raised) if isinstance(raised, pulumi.RunError) else "".join(traceback.format_exception(raised))
        return HarnessError(
            f"The program cannot make stack {stack}: {brief(text, self._root)}",
            "Correct that and run the command again.",
        )


_OPERATIONS = {"create-replacement": "replace", "delete-replaced": "replace", "discard-replaced": "replace"}


def _worth_telling(text: str) -> bool:
    """Not what merely follows from the failure: the engine's closing sentence, and what it broke off."""
    closing = text.startswith(("update failed", "preview failed", "destroy failed"))
    return bool(text) and not closing and not text.endswith("context canceled")


def said(error: auto.errors.CommandError) -> str:
    """What the CLI wrote to standard error: all there is where the engine did not even start."""
    return str(error).rpartition("\n stderr: ")[2].strip().removeprefix("error: ") or "it did not say why"


def _name(urn: str | None) -> str:
    return urn.rsplit("::", 1)[-1] if urn else ""
