"""Gradual release: calls of each function are moved to its newest version in steps, and back when an alarm rings.

`pulumi up` publishes versions and leaves the alias ``live`` where it is; a release moves it. On AWS CodeDeploy does
that (`release_by_codedeploy`); the local stack has none, so the harness takes its steps (`release_on_local_stack`).
"""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from components.names import ALIAS
from harness import interrupts
from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from harness.progress import Progress

    Tell = Callable[[str], None]


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """What releases one function."""

    group: str
    """CodeDeploy's deployment group."""
    alarms: list[str]
    """Any of them rolls the release back."""


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What the program exports of its releases (``components.release``)."""

    application: str
    configuration: str
    """Names the steps: ``CodeDeployDefault.LambdaCanary10Percent5Minutes``."""
    groups: dict[str, Group]
    """By function key."""


@dataclass(frozen=True, kw_only=True)
class Shift:
    """The calls of one function, to be moved from one version to another."""

    key: str
    function: str
    """Physical name."""
    group: Group
    before: str
    after: str


class Result(StrEnum):
    """How a function's release ended."""

    CURRENT = "current"
    """The newest version had all calls already."""
    RELEASED = "released"
    ROLLED_BACK = "rolled back"
    BROKEN = "broken"
    """The calls are neither here nor there: somebody has to look."""


@dataclass(frozen=True, kw_only=True)
class Released:
    """What became of one function."""

    function: str
    """Its key."""
    before: str
    """The version that had the calls."""
    after: str
    """The newest version."""
    result: Result
    why: str = ""
    """Where it was not released."""
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        return self.result in {Result.CURRENT, Result.RELEASED}


class Steps(NamedTuple):
    """A canary: ``share`` of the calls for ``minutes``, then all."""

    share: float
    minutes: int

    @classmethod
    def of(cls, configuration: str) -> Steps:
        """The steps that a name of CodeDeploy's own configurations says.

        Raises:
            HarnessError: it is not the name of a canary.
        """
        found = re.fullmatch(r"CodeDeployDefault\.LambdaCanary(\d+)Percent(\d+)Minutes", configuration)
        if found is None:
            raise HarnessError(
                f"{configuration} is no canary of CodeDeploy's.", "Name one in components/release.py, and deploy."
            )
        return cls(int(found[1]) / 100, int(found[2]))


class Shifter(Protocol):
    """Who moves the calls."""

    name: str
    """For people: ``CodeDeploy``."""

    def shift(self, shift: Shift, tell: Tell) -> str | None:
        """Move them, and wait for the end; None if all were moved, otherwise why they were moved back."""


class Release:
    """The releases of one stack; ``functions`` are its functions' physical names by key."""

    def __init__(self, lambda_: Any, functions: Mapping[str, str], described: Described, shifter: Shifter) -> None:
        self._lambda = lambda_
        self._functions = functions
        self._groups = described.groups
        self.by = shifter.name
        self._shifter = shifter

    def run(self, only: Collection[str], progress: Progress) -> tuple[Released, ...]:
        """Release all functions, or ``only`` these, side by side; those that are current already are told as such.

        Raises:
            HarnessError: a function is not known, AWS refuses, or two versions cannot share calls; nothing was moved.
        """
        interrupts.clear()
        planned = self._plan(only)
        shifts = [shift for shift in planned if shift.before != shift.after]
        for shift in shifts:
            self._check(shift)
        with ThreadPoolExecutor(max_workers=max(1, len(shifts)), thread_name_prefix="release") as pool:
            running = {shift.key: pool.submit(self._one, shift, progress) for shift in shifts}
            try:
                done = {key: future.result() for key, future in running.items()}
            except BaseException:
                interrupts.interrupt()
                raise
        return tuple(
            done.get(shift.key)
            or Released(function=shift.key, before=shift.before, after=shift.after, result=Result.CURRENT)
            for shift in planned
        )

    # --- details

    def _plan(self, only: Collection[str]) -> list[Shift]:
        unknown = sorted(set(only) - self._groups.keys())
        if unknown:
            raise HarnessError(
                f"No release moves the calls of {', '.join(unknown)}.",
                f"Functions are: {', '.join(sorted(self._groups))}.",
            )
        with _asking("read the functions' versions"):
            return [self._shift(key, group) for key, group in self._groups.items() if not only or key in only]

    def _shift(self, key: str, group: Group) -> Shift:
        name = self._functions[key]
        alias = _Alias.read(self._lambda, name)
        pages = self._lambda.get_paginator("list_versions_by_function").paginate(FunctionName=name)
        versions = [each["Version"] for page in pages for each in page["Versions"] if each["Version"].isdigit()]
        newest = max(versions, key=int, default=alias.version)
        return Shift(key=key, function=name, group=group, before=alias.version, after=newest)

    def _check(self, shift: Shift) -> None:
        """Lambda shares calls only between versions of one role and one dead-letter queue (facts/aws.md row 45)."""
        with _asking(f"compare the versions of {shift.key}"):
            before, after = (
                self._lambda.get_function_configuration(FunctionName=shift.function, Qualifier=version)
                for version in (shift.before, shift.after)
            )
        for part in ("Role", "DeadLetterConfig"):
            if before.get(part) != after.get(part):
                raise HarnessError(
                    f"{shift.key}: version {shift.after} has another {part} than {shift.before}, so Lambda does not "
                    "share calls between them.",
                    "Deploy once with the setting functions.release at all-at-once, then set it back to canary.",
                )

    def _one(self, shift: Shift, progress: Progress) -> Released:
        """Never raises what AWS answers: the releases beside this one go on."""
        started = time.monotonic()
        progress.start(shift.key)
        try:
            with _asking(f"release {shift.key}"):
                why = self._shifter.shift(shift, lambda note: progress.tell(shift.key, note))
                result, why = _ended(shift, _Alias.read(self._lambda, shift.function), why)
        except HarnessError as error:
            result, why = Result.BROKEN, error.message
        progress.finish(shift.key, f"{result}: {why}" if why else f"{result}: version {shift.after}")
        return Released(
            function=shift.key,
            before=shift.before,
            after=shift.after,
            result=result,
            why=why,
            seconds=round(time.monotonic() - started, 1),
        )


class _Alias(NamedTuple):
    version: str
    weights: Mapping[str, float]

    @classmethod
    def read(cls, lambda_: Any, function: str) -> _Alias:
        found = lambda_.get_alias(FunctionName=function, Name=ALIAS)
        weights = (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        return cls(found["FunctionVersion"], weights)


def _ended(shift: Shift, alias: _Alias, why: str | None) -> tuple[Result, str]:
    """What really came out: the alias says."""
    if alias.version == shift.after and not alias.weights:
        return Result.RELEASED, ""
    if alias.version == shift.before and not alias.weights:
        return Result.ROLLED_BACK, why or "the alias was moved back"
    stands = f"the alias stands at {alias.version}" + (f" with weights {dict(alias.weights)}" if alias.weights else "")
    return Result.BROKEN, f"{why}; {stands}" if why else stands


@contextmanager
def _asking(what: str) -> Iterator[None]:
    """Tell what AWS refused to do."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise HarnessError(
            f"Could not {what}: {error}", "Mend that and run the command again: a release under way is joined."
        ) from error
