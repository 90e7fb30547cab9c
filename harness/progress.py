"""Progress of long work: what the workers report, and how a person sees it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol, Self

from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console


class Progress(Protocol):
    """Steps run side by side, so each call names its step. Safe to call from several threads."""

    def start(self, step: str, total: int | None = None) -> None:
        """The step begins; ``total`` units of work, None if that is not known. A second start sets ``total`` anew."""

    def advance(self, step: str, units: int = 1) -> None:
        """``units`` more of the step's work are done."""

    def tell(self, step: str, note: str) -> None:
        """``note`` says how the step goes, now; the next one takes its place."""

    def finish(self, step: str, note: str = "") -> None:
        """The step is done; ``note`` says what came out, or that nothing had to be done."""


class Silent:
    """For scripts and tests: shows nothing."""

    def start(self, step: str, total: int | None = None) -> None: ...

    def advance(self, step: str, units: int = 1) -> None: ...

    def tell(self, step: str, note: str) -> None: ...

    def finish(self, step: str, note: str = "") -> None: ...


class Bars:
    """One line a step: a live bar on a terminal, plain lines at its start and end elsewhere (a CI log)."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._tasks: dict[str, TaskID] = {}
        self._started: dict[str, float] = {}
        self._live = RichProgress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description:<24}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[note]}[/]"),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def start(self, step: str, total: int | None = None) -> None:
        with self._lock:
            if step in self._tasks:
                self._live.update(self._tasks[step], total=total)
                return
            self._started[step] = time.monotonic()
            self._tasks[step] = self._live.add_task(step, total=total, note="")
            if not self._console.is_terminal:
                self._console.print(f"  {step} …")

    def advance(self, step: str, units: int = 1) -> None:
        with self._lock:
            if step in self._tasks:
                self._live.advance(self._tasks[step], units)

    def tell(self, step: str, note: str) -> None:
        with self._lock:
            if step in self._tasks:
                self._live.update(self._tasks[step], note=note)

    def finish(self, step: str, note: str = "") -> None:
        if step not in self._tasks:
            self.start(step, 1)
        with self._lock:
            task = self._tasks[step]
            total = next(known.total for known in self._live.tasks if known.id == task) or 1
            self._live.update(task, total=total, completed=total, note=note)
            if not self._console.is_terminal:
                seconds = time.monotonic() - self._started[step]
                self._console.print(f"✓ {step} ({seconds:.1f} s){': ' + note if note else ''}")
