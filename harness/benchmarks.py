"""What is promised, measured: each row names its promise, takes its own figures, and says whether they keep it.

Times are of this machine, now: a row that has to compare compares within one run.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from components.bundling import bundle
from harness import (
    demonstration,
    import_budget,
    knowledge_base,
    many_tickets,
    overhead,
    preview_timing,
    repeatability,
    stack_file,
    stream_timing,
    tickets,
)
from harness.judging import pack_cost
from harness.progress import Silent
from harness.search_modes import MODES
from harness.source_copy import copy_of, python_path
from support import typed

if TYPE_CHECKING:
    from components.bundling import Bundles
    from components.settings import Functions
    from harness.local_stack import LocalStack
    from harness.progress import Progress
    from harness.search_evaluation import Metrics

TICKETS: Final = 100
AT_A_TIME: Final = 10
CALLS: Final = 500
WARM_UP_CALLS: Final = 20
PREVIEWS: Final = 3
PRODUCTION: Final = "prod"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One row of the report."""

    row: str
    promise: str
    measured: Mapping[str, object]
    kept: bool


@dataclass(frozen=True)
class Bench:
    stack: LocalStack

    def tickets(self, progress: Progress) -> Figure:
        """100 tickets, 10 at a time, to their end; then some with the production's batching window beside it."""
        with self.stack.as_customer() as client:
            answered = many_tickets.send(client, [demonstration.REQUEST] * TICKETS, AT_A_TIME, progress)
            with self._batching_window(
                stack_file.read(self.stack.paths.root, PRODUCTION).functions.batching_window_seconds
            ):
                beside = many_tickets.send(client, [demonstration.REQUEST] * TICKETS, AT_A_TIME, progress)
        here, production = many_tickets.timing(answered), many_tickets.timing(beside)
        return Figure(
            row="tickets",
            promise="all READY, median under 3 s",
            measured={"window_0": here, "window_production": production},
            kept=here.statuses == {"READY": TICKETS} and here.median_settled is not None and here.median_settled < 3,
        )

    def solution(self, progress: Progress) -> Figure:
        """GET solution through the gateway, warm, one caller."""
        with self.stack.as_customer() as client:
            ticket_id = tickets.answer(client, demonstration.REQUEST).ticket_id
            for _ in range(WARM_UP_CALLS):
                client.get_solution(ticket_id)
            title = "GET solution"
            progress.start(title, total=CALLS)
            taken: list[float] = []
            for _ in range(CALLS):
                started = time.perf_counter()
                client.get_solution(ticket_id)
                taken.append(time.perf_counter() - started)
                progress.advance(title)
            progress.finish(title)
        taken.sort()
        p99 = many_tickets.percentile(taken, 99)
        return Figure(
            row="solution",
            promise="p99 under 200 ms",
            measured={
                "calls": CALLS,
                "p50": round(statistics.median(taken), 4),
                "p99": p99,
                "max": round(taken[-1], 4),
            },
            kept=p99 < 0.2,
        )

    def overhead(self, progress: Progress) -> Figure:
        """What our handlers' work adds to a call of a function that does nothing."""
        token = self.stack.id_token("customer", demonstration.CUSTOMER_ID)
        measured = overhead.measure(self.stack, token, progress)
        return Figure(
            row="overhead",
            promise="p50 of create_ticket at most 3 x, of get_ticket at most 2 x that of a function that does nothing",
            measured={each.operation: {**msgspec.structs.asdict(each), "ratio": each.ratio} for each in measured},
            kept=all(each.ratio <= overhead.LIMITS[each.operation] for each in measured),
        )

    def stream(self, progress: Progress) -> Figure:
        """A solution as its reader sees it written, at the stand-in's pace of 50 chunks in 2 s."""
        timing = stream_timing.measure(self.stack, progress)
        return Figure(
            row="stream",
            promise="first chunk under 300 ms, largest gap under 150 ms, all chunks in order",
            measured={"milliseconds": timing},
            kept=timing.first_chunk < 300
            and timing.largest_gap < 150
            and timing.in_order
            and timing.chunks == stream_timing.CHUNKS,
        )

    def search(self, _: Progress) -> Figure:
        """Words, meaning and both, on the questions that nobody tuned by."""
        documents = knowledge_base.documents()
        questions = knowledge_base.questions("held_out", corpus=documents)
        modes = self.stack.search_modes()
        figures: dict[str, Metrics] = {mode: modes.evaluate(mode, questions, documents) for mode in MODES}
        both = figures["hybrid"]
        return Figure(
            row="search",
            promise="hybrid above BM25 alone and above k-NN alone, in recall@5 and nDCG@10, held out",
            measured=figures,
            kept=all(
                both.recall_at_5 > figures[alone].recall_at_5 and both.ndcg_at_10 > figures[alone].ndcg_at_10
                for alone in ("bm25", "knn")
            ),
        )

    def preview(self, _: Progress) -> Figure:
        """Nothing to change, three times, and once more from a copy of the sources in another folder."""
        changes = [len(self.stack.preview("local", Silent()).changes) for _ in range(PREVIEWS)]
        with copy_of(self.stack.paths.root) as folder:
            answer = _harness(folder, self.stack.paths.local, "preview", "--stack", "local", "--json")
        elsewhere = typed.decode(answer, dict[str, Any])["changes"]
        return Figure(
            row="preview",
            promise="0 changes, 3 times in a row, also from another folder",
            measured={"changes": changes, "in_another_folder": elsewhere},
            kept=not any(changes) and elsewhere == 0,
        )

    def preview_time(self, progress: Progress) -> Figure:
        """Each stack's preview, as a command and against as many empty resources."""
        measured = preview_timing.measure(self.stack.paths, progress)
        return Figure(
            row="preview-time",
            promise=f"at most {preview_timing.MOST} x as many empty resources, {preview_timing.SECONDS:g} s a command",
            measured={stack: {**asdict(timing), "ratio": timing.ratio} for stack, timing in measured.items()},
            kept=all(timing.kept for timing in measured.values()),
        )

    def policies(self, progress: Progress) -> Figure:
        """Production's preview with the policies and without."""
        cost = pack_cost.measure(self.stack.paths, PRODUCTION, progress)
        return Figure(
            row="policies",
            promise=f"a preview with policies at most {pack_cost.MOST} x one without, and under "
            f"{pack_cost.SECONDS:g} s more",
            measured={**asdict(cost), "ratio": cost.ratio, "more": cost.more},
            kept=cost.kept,
        )

    def repeat(self, progress: Progress) -> Figure:
        """Production's preview over its own state, from elsewhere and by another Python, with archives built anew."""
        changes = repeatability.measure(self.stack.paths, progress)
        return Figure(
            row="repeat",
            promise="0 changes: again, files touched, in another folder, on another Python",
            measured=changes,
            kept=not any(changes.values()),
        )

    def handler(self, _: Progress) -> Figure:
        """One line more in one handler, until it is deployed."""
        function = "get_ticket"
        with _edited(self.stack.paths.root / "lambdas" / function / "handler.py", "\n# measured by `harness bench`\n"):
            started = time.perf_counter()
            answer = _harness(self.stack.paths.root, self.stack.paths.local, "up", "--json")
            seconds = time.perf_counter() - started
        self.stack.up(Silent())
        changed = sorted({step["name"] for step in typed.decode(answer, dict[str, Any])["changes"]})
        return Figure(
            row="handler",
            promise="12 s, only that function changes",
            measured={"seconds": round(seconds, 2), "changed": changed},
            kept=seconds <= 12 and bool(changed) and all(name.startswith(function) for name in changed),
        )

    def restart(self, _: Progress) -> Figure:
        """Everything cached, the stack down: until the demonstration's ticket is READY."""
        self.stack.down(Silent())
        started = time.perf_counter()
        answer = _harness(self.stack.paths.root, self.stack.paths.local, "local")
        seconds = time.perf_counter() - started
        return Figure(
            row="restart",
            promise="40 s",
            measured={"seconds": round(seconds, 1)},
            kept=seconds <= 40 and b"READY" in answer,
        )

    def bundles(self, _: Progress) -> Figure:
        """Production's archives, cold in two folders and then unchanged."""
        target = self._production.target
        made: list[Bundles] = []
        cold: list[float] = []
        unchanged = 0.0
        with copy_of(self.stack.paths.root) as elsewhere, tempfile.TemporaryDirectory() as scratch:
            for number, root in enumerate((self.stack.paths.root, elsewhere)):
                cache = Path(scratch) / str(number)
                started = time.perf_counter()
                made.append(bundle(target, root=root, cache=cache))
                cold.append(round(time.perf_counter() - started, 2))
                started = time.perf_counter()
                bundle(target, root=root, cache=cache)
                unchanged = max(unchanged, time.perf_counter() - started)
        packed = made[0].dependencies.packed_bytes
        first, second = ([archive.sha256 for archive in bundles.archives] for bundles in made)
        return Figure(
            row="bundles",
            promise="same sha256, cold under 5 s, unchanged under 0.1 s, dependencies under 10 MB packed",
            measured={
                "same": first == second,
                "cold_seconds": cold,
                "unchanged_seconds": round(unchanged, 3),
                "dependencies_packed_bytes": packed,
            },
            kept=first == second and max(cold) < 5 and unchanged < 0.1 and packed < 10_000_000,
        )

    def imports(self, _: Progress) -> Figure:
        """Each API handler imported from its archive, against boto3 with one client, turn by turn in one run."""
        report = import_budget.measure()
        return Figure(
            row="imports",
            promise="get 1.25 x, create 1.35 x, search 1.5 x of boto3 with one client",
            measured={
                each.function: {"ratio": each.ratio, "with_its_client": each.ratio_with_client}
                for each in report.imports
            },
            kept=all(each.within for each in report.imports),
        )

    # --- details

    @property
    def _production(self) -> Functions:
        return stack_file.read(self.stack.paths.root, PRODUCTION).functions

    @contextmanager
    def _batching_window(self, seconds: int) -> Iterator[None]:
        """The ticket queue read with another window; the next `up` would mend it, and so does leaving the block."""
        functions = self.stack.client("lambda")
        name = self.stack.outputs().functions["process_ticket"]
        source = functions.list_event_source_mappings(FunctionName=f"{name}:live")["EventSourceMappings"][0]
        functions.update_event_source_mapping(UUID=source["UUID"], MaximumBatchingWindowInSeconds=seconds)
        try:
            yield
        finally:
            before = source.get("MaximumBatchingWindowInSeconds", 0)
            functions.update_event_source_mapping(UUID=source["UUID"], MaximumBatchingWindowInSeconds=before)


Row = Callable[[Bench, "Progress"], Figure]
ROWS: Final[Mapping[str, Row]] = {
    "bundles": Bench.bundles,
    "imports": Bench.imports,
    "preview": Bench.preview,
    "preview-time": Bench.preview_time,
    "policies": Bench.policies,
    "repeat": Bench.repeat,
    "handler": Bench.handler,
    "search": Bench.search,
    "solution": Bench.solution,
    "overhead": Bench.overhead,
    "stream": Bench.stream,
    "tickets": Bench.tickets,
    "restart": Bench.restart,
}


@contextmanager
def _edited(file: Path, addition: str) -> Iterator[None]:
    before = file.read_text()
    file.write_text(before + addition)
    try:
        yield
    finally:
        file.write_text(before)


def _harness(root: Path, local: Path, *arguments: str) -> bytes:
    """A command as a user runs it, from the sources in ``root``, on the stack in ``local``."""
    environment = dict(os.environ) | {
        "PYTHONPATH": python_path(root),
        "HARNESS_LOCAL_DIR": str(local),
    }
    done = subprocess.run(
        [sys.executable, "-c", "from harness.cli import main; main()", *arguments],
        cwd=root,
        env=environment,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"harness {' '.join(arguments)} failed:\n{done.stderr.decode()}")
    return done.stdout
