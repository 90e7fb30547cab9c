"""Safeguards taken away, one at a time: the reliability tests must notice each.

A mutation replaces one text in one file of a copy of the sources. Where the text is gone, the mutation is out of date
and says so: it is mended together with the code.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.errors import HarnessError
from harness.source_copy import copy_of, python_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.progress import Progress

TESTS: Final = tuple(f"tests/reliability/test_{name}.py" for name in ("scenarios", "safeguards", "matrix", "machine"))
"""The quickest first. Not that of the document: it notices any change at all."""
AT_A_TIME: Final = 2
SECONDS: Final = 900
"""For one run of the tests: whoever does not come to an end has noticed too."""
_FAILED: Final = re.compile(r"^(?:FAILED|ERROR) (?P<test>\S+)", re.MULTILINE)
_REPOSITORIES: Final = "lambdas/support/repositories"
_SERVICES: Final = "lambdas/support/services"
_TEMPLATE: Final = "components/templates/ticket_workflow.asl.json"


@dataclass(frozen=True, kw_only=True)
class Mutation:
    name: str
    what: str
    """The safeguard that it takes away."""
    file: str
    old: str
    """Stands exactly once in the file."""
    new: str


@dataclass(frozen=True, kw_only=True)
class Result:
    name: str
    what: str
    killed: bool
    by: str
    """The test that failed, or why there is none."""


MUTATIONS: Final = (
    Mutation(
        name="create-condition",
        what="a second write of a ticket does not replace the first",
        file=f"{_REPOSITORIES}/ticket_table.py",
        old='ConditionExpression="attribute_not_exists(ticket_id)",',
        new="",
    ),
    Mutation(
        name="status-condition",
        what="no status goes back: the change of a ticket is conditional on its status",
        file=f"{_REPOSITORIES}/ticket_table.py",
        old='condition = "#status = :if_status AND attempt = :if_attempt"',
        new='condition = "(#status = :if_status OR attribute_exists(ticket_id)) AND attempt = :if_attempt"',
    ),
    Mutation(
        name="attempt-condition",
        what="the change of a ticket is conditional on its attempt",
        file=f"{_REPOSITORIES}/ticket_table.py",
        old='condition = "#status = :if_status AND attempt = :if_attempt"',
        new='condition = "#status = :if_status AND (attempt = :if_attempt OR attribute_exists(ticket_id))"',
    ),
    Mutation(
        name="solution-condition",
        what="an attempt's solution is written once",
        file=f"{_REPOSITORIES}/solution_table.py",
        old='ConditionExpression="attribute_not_exists(ticket_id) OR attempt < :attempt"',
        new='ConditionExpression="attribute_not_exists(ticket_id) OR attempt <= :attempt"',
    ),
    Mutation(
        name="failure-condition",
        what="a failure is new once",
        file=f"{_REPOSITORIES}/failure_table.py",
        old='ConditionExpression="attribute_not_exists(failure_id)",',
        new="",
    ),
    Mutation(
        name="idempotency-record",
        what="a key's first answer is remembered",
        file="lambdas/create_ticket/handler.py",
        old="    if key is None:\n",
        new="    if True:\n",
    ),
    Mutation(
        name="idempotency-deadline",
        what="a call that died lets the next one in when it can run no more",
        file="lambdas/support/idempotency.py",
        old="        self._config.register_lambda_context(context)\n",
        new="",
    ),
    Mutation(
        name="derived-id",
        what="a key's ticket has the same id with each call",
        file=f"{_SERVICES}/ticket_creation.py",
        old="    if key is None:\n        return f",
        new="    if True:\n        return f",
    ),
    Mutation(
        name="start-failure",
        what="a start that failed is recorded",
        file=f"{_SERVICES}/ticket_creation.py",
        old="            self._tickets.fail(ticket.ticket_id, ticket.attempt, START_FAILED, updated_at=moment)\n",
        new="",
    ),
    Mutation(
        name="attempt-in-name",
        what="each attempt has an execution of its own",
        file="lambdas/support/tickets.py",
        old='return f"{self.ticket_id}-{self.attempt}"',
        new='return f"{self.ticket_id}-1"',
    ),
    Mutation(
        name="store-before-answer",
        what="the solution is stored before the workflow is answered",
        file=f"{_SERVICES}/ticket_processing.py",
        old="        solution = self._solution(ticket)\n",
        new='        self._tasks.succeed(work.task_token, "READY")\n        solution = self._solution(ticket)\n',
    ),
    Mutation(
        name="stale-check",
        what="work on an attempt that is over is dropped",
        file=f"{_SERVICES}/ticket_processing.py",
        old='if ticket.status != "PROCESSING" or ticket.attempt != work.attempt:',
        new='if ticket.status != "PROCESSING":',
    ),
    Mutation(
        name="stale-answer",
        what="the execution of an attempt that is over is ended at once",
        file=f"{_SERVICES}/ticket_processing.py",
        old='        self._tasks.fail(work.task_token, SUPERSEDED, f"{ticket.status}, attempt {ticket.attempt}")\n',
        new="",
    ),
    Mutation(
        name="worker-answer",
        what="the worker tells the workflow of a failure",
        file="lambdas/process_ticket/handler.py",
        old="        self.tasks.fail(work.task_token, letter.failure_code, letter.error_type or letter.reason)\n",
        new="",
    ),
    Mutation(
        name="dead-letter-copy",
        what="a message that failed for good is copied to the failure queue",
        file="lambdas/support/consumer.py",
        old='            self._dead_letters.send(record["body"], letter)\n',
        new="            pass\n",
    ),
    Mutation(
        name="dead-letter-refused",
        what="a message whose copy could not be made comes again",
        file="lambdas/support/consumer.py",
        old="            self._put_off(record)\n            raise\n        count(",
        new="            self._put_off(record)\n        count(",
    ),
    Mutation(
        name="last-delivery",
        what="the last delivery says why it failed",
        file="lambdas/support/consumer.py",
        old='return "EXHAUSTED" if batch.receive_count(record) >= self._max_receives else None',
        new="return None",
    ),
    Mutation(
        name="permanent",
        what="an error that no retry mends is not retried",
        file="lambdas/support/consumer.py",
        old="        if verdict.permanent:\n",
        new="        if False:\n",
    ),
    Mutation(
        name="postpone",
        what="retries have pauses",
        file="lambdas/support/backoff.py",
        old="VisibilityTimeout=pause(receive_count, base=self._base, cap=self._cap),",
        new="VisibilityTimeout=0,",
    ),
    Mutation(
        name="partial-failures",
        what="only the messages of a batch that failed come again, and those do",
        file="lambdas/support/batch.py",
        old="strict=True) if not succeeded)",
        new="strict=True) if not done)",
    ),
    Mutation(
        name="failure-kept",
        what="the failures table keeps what failed",
        file=f"{_SERVICES}/dead_letter_processing.py",
        old="        new = self._failures.add(failure)\n",
        new="        new = True\n",
    ),
    Mutation(
        name="dlq-answer",
        what="the workflow is told of a failure from the failure queue",
        file=f"{_SERVICES}/dead_letter_processing.py",
        old="        if self._tasks.fail(work.task_token, letter.failure_code, letter.error_type or letter.reason):\n",
        new="        if False:\n",
    ),
    Mutation(
        name="dlq-ticket",
        what="a ticket whose workflow is gone is failed from the failure queue",
        file=f"{_SERVICES}/dead_letter_processing.py",
        old="        return self._tickets.fail(work.ticket_id, work.attempt, letter.failure_code, updated_at=moment)\n",
        new="        return bool(moment)\n",
    ),
    Mutation(
        name="dlq-solution",
        what="a ticket whose solution is stored does not fail from the failure queue",
        file=f"{_SERVICES}/dead_letter_processing.py",
        old="        if solution is not None and solution.attempt == work.attempt:\n",
        new="        if False:\n",
    ),
    Mutation(
        name="reconcile-start",
        what="reconcile starts what was never started",
        file=f"{_SERVICES}/reconciliation.py",
        old='if self._workflow.start(ticket) or self._workflow.state(ticket) == "RUNNING":',
        new='if self._workflow.state(ticket) == "RUNNING":',
    ),
    Mutation(
        name="reconcile-settle",
        what="reconcile takes the solution of an attempt whose outcome was not recorded",
        file=f"{_SERVICES}/reconciliation.py",
        old="        if solution is not None and solution.attempt == ticket.attempt:\n",
        new="        if solution is not None and False:\n",
    ),
    Mutation(
        name="reconcile-extend",
        what="a ticket that is on its way again gets a new deadline",
        file=f"{_SERVICES}/reconciliation.py",
        old="        extended = self._tickets.extend(ticket, epoch(self._clock() + self._process_deadline))\n",
        new="        extended = True\n",
    ),
    Mutation(
        name="reconcile-limit",
        what="a ticket is not started again for ever",
        file=f"{_SERVICES}/reconciliation.py",
        old="        if ticket.attempt >= self._max_attempts:\n",
        new="        if False:\n",
    ),
    Mutation(
        name="record-failure",
        what="the workflow records a failure with its code",
        file=_TEMPLATE,
        old='"ErrorEquals": ["INVALID_INPUT", "NOT_FOUND", "MODEL_NOT_FOUND", "ACCESS_DENIED",',
        new='"ErrorEquals": ["INVALID_INPUT", "NOT_FOUND", "MODEL_NOT_FOUND",',
    ),
    Mutation(
        name="record-breakdown",
        what="the workflow records that the work could not be handed over",
        file=_TEMPLATE,
        old='"ErrorEquals": ["States.ALL"],',
        new='"ErrorEquals": ["States.Permissions"],',
    ),
    Mutation(
        name="record-outcome-condition",
        what="an execution that is behind does not settle a later attempt",
        file=_TEMPLATE,
        old="""REMOVE #open",
        "ConditionExpression": "#status = :processing AND #attempt = :attempt",
        "ExpressionAttributeNames": {
          "#status": "status",
          "#attempt": "attempt",
          "#updated_at": "updated_at",
          "#open": "open"
""",
        new="""REMOVE #open",
        "ConditionExpression": "#status = :processing AND (#attempt = :attempt OR attribute_exists(ticket_id))",
        "ExpressionAttributeNames": {
          "#status": "status",
          "#attempt": "attempt",
          "#updated_at": "updated_at",
          "#open": "open"
""",
    ),
    Mutation(
        name="events-down",
        what="a change whose event could not be published stays in the stream",
        file=f"{_SERVICES}/ticket_events.py",
        old="                return part[0][0]\n",
        new="                return None\n",
    ),
    Mutation(
        name="events-refused",
        what="an event that the bus refused is published again",
        file=f"{_SERVICES}/ticket_events.py",
        old='                if "ErrorCode" in result:\n',
        new="                if False:\n",
    ),
)


def chosen(names: Sequence[str] | None) -> tuple[Mutation, ...]:
    """The mutations of these names, or all."""
    known = {mutation.name: mutation for mutation in MUTATIONS}
    if unknown := sorted(set(names or ()) - known.keys()):
        raise HarnessError(f"There is no mutation {', '.join(unknown)}.", f"Mutations are: {', '.join(known)}.")
    return tuple(known[name] for name in names) if names else MUTATIONS


def mutated(mutation: Mutation, root: Path) -> str:
    """The text of the mutation's file, mutated."""
    text = (root / mutation.file).read_text(encoding="utf-8") if (root / mutation.file).is_file() else ""
    if (count := text.count(mutation.old)) != 1:
        raise HarnessError(
            f"The mutation {mutation.name} looks for a text that stands {count} times in {mutation.file}:\n"
            f"{mutation.old}",
            "Bring the mutation in harness/mutations.py up to date with the code.",
        )
    return text.replace(mutation.old, mutation.new)


def run(mutations: Sequence[Mutation], root: Path, progress: Progress) -> tuple[Result, ...]:
    """Mutate, and run the tests, a few mutations at a time. Raises when the tests fail without a mutation, too."""
    with copy_of(root) as sources:
        texts = {mutation: mutated(mutation, sources) for mutation in mutations}
        step = "sources as they are"
        progress.start(step)
        if (failed := _failing(sources, {})) is not None:
            raise HarnessError(f"The tests fail without any mutation: {failed}", f"Run `pytest {' '.join(TESTS)}`.")
        progress.finish(step, "every test passes")
        step = "mutations"
        progress.start(step, total=len(mutations))

        def judge(mutation: Mutation) -> Result:
            failed = _failing(sources, {mutation.file: texts[mutation]})
            progress.advance(step)
            return Result(
                name=mutation.name, what=mutation.what, killed=failed is not None, by=failed or "every test passes"
            )

        with ThreadPoolExecutor(AT_A_TIME) as pool:
            results = tuple(pool.map(judge, mutations))
        progress.finish(step, f"{sum(result.killed for result in results)} of {len(results)} noticed")
    return results


def _failing(sources: Path, changes: dict[str, str]) -> str | None:
    """The first test that fails in a copy of the sources with these changes; ``None`` when every one passes."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = shutil.copytree(sources, Path(scratch) / "sources")
        for file, text in changes.items():
            (folder / file).write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *TESTS]
        environment = dict(os.environ) | {"PYTHONPATH": python_path(folder)}
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, check=False, timeout=SECONDS, text=True
            )
        except subprocess.TimeoutExpired:
            return f"no end within {SECONDS} s"
    if done.returncode == 0:
        return None
    found = _FAILED.search(done.stdout)
    return found["test"] if found else (done.stdout + done.stderr)[-500:]
