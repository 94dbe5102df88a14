"""What a person sees while work goes on: steps with their seconds; nothing where nobody watches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from edgeffnet.report.quiet import own_stderr


class Steps:
    """Names each step on a terminal while it runs, and keeps how long it took."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(file=own_stderr())
        self.seconds: dict[str, float] = {}
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
        )
        self._task: TaskID | None = None
        self._name = ""

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        outer = self._task
        with self._progress:
            self._name, self._task = name, self._progress.add_task(name, total=None)
            try:
                yield
            finally:
                self._progress.remove_task(self._task)
                self._task = outer
        taken = time.perf_counter() - start
        self.seconds[name] = self.seconds.get(name, 0.0) + taken
        if self._console.is_terminal:
            self._console.print(f"  {name} [dim]{taken:.1f} s[/dim]", highlight=False)

    def advance(self, done: int, of: int, name: str) -> None:
        """Shows how far the current step is."""
        if self._task is not None:
            self._progress.update(self._task, completed=done, total=of, description=f"{self._name}: {name}")

    def say(self, text: str) -> None:
        """Leaves a line on the terminal."""
        if self._console.is_terminal:
            self._console.print(f"  {text}", highlight=False)
