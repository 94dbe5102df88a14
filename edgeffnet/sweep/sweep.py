"""A sweep from its plan to one CSV and a frontier for each device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeffnet.errors import UsageError
from edgeffnet.journal import Journal
from edgeffnet.report.plots import frontier, size_accuracy
from edgeffnet.report.plots.canvas import require_library
from edgeffnet.report.progress import Steps
from edgeffnet.sweep import results
from edgeffnet.sweep.dispatch import dispatch, done
from edgeffnet.sweep.jobs import Work, work_of
from edgeffnet.sweep.plan import Plan, read
from edgeffnet.sweep.results import Row
from edgeffnet.sweep.run import Outcome
from edgeffnet.sweep.workers import DaskWorkers, LocalWorkers, Workers
from edgeffnet.whole_file import write_whole, writing_alone

RESULTS, JOURNAL, _LOCK = "results.csv", "journal.jsonl", ".lock"
# Of another form a journal cannot be read.
_QUESTION = {"sweep": 1}


@dataclass(frozen=True)
class Sweep:
    """What came of it: a row for each model of each cell, how every job ended, and the files drawn."""

    output: Path
    work: Work
    rows: tuple[Row, ...]
    outcomes: Mapping[str, Outcome]
    plots: tuple[Path, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """Jobs without a result, by name; those that wait for one of them left out."""
        return tuple(name for name in self.work.jobs if name in self.outcomes and not self._done(name))

    @property
    def gates_failed(self) -> tuple[str, ...]:
        """Audits by name whose gates failed."""
        return tuple(name for name in self.work.jobs if name in self.outcomes and self.outcomes[name].code)

    def _done(self, name: str) -> bool:
        return done(self.work.jobs[name], self.outcomes[name])

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "rows": [asdict(row) for row in self.rows],
            "jobs": [
                {
                    "name": job.name,
                    "command": ["edgeffnet", *job.words],
                    **asdict(self.outcomes.get(job.name, Outcome(-1, "not run: what it needs failed", 0.0))),
                }
                for job in self.work.jobs.values()
            ],
            "plots": [path.relative_to(self.output).as_posix() for path in self.plots],
        }


def sweep(
    path: Path, output: Path, *, jobs: int | None = None, scheduler: str | None = None, steps: Steps | None = None
) -> Sweep:
    """Runs the plan in the file `path` and writes results.csv and a frontier for each device into `output`.

    `jobs` commands at once on this machine (one for each core, where memory holds them), or on the Dask cluster at
    `scheduler`. Interrupted or killed, the same call goes on. A job that fails costs its own rows and nothing else:
    `failed` names it. Raises DataError for a plan that is wrong, UsageError for an output that cannot be used, and
    TargetError for a cluster that cannot be reached.
    """
    require_library("a frontier")
    plan = read(path)
    output = output.absolute()
    work = work_of(plan, output)
    workers = _workers(plan, jobs, scheduler)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--output {output}: {error.strerror}") from None
    steps = steps or Steps()
    with writing_alone(output / _LOCK, output, "sweep"), workers:
        journal = Journal(output / JOURNAL, _QUESTION)
        with steps("Sweeping"):
            outcomes = dispatch(work, plan.folder, workers, journal, steps.advance)
        rows = results.rows(work.cells, outcomes)
        _write(output / RESULTS, results.to_csv(rows))
        return Sweep(output, work, rows, outcomes, tuple(_drawn(plan, rows, output)))


def planned(path: Path, output: Path) -> tuple[Path, Work]:
    """The folder that the plan's paths start from, and its jobs, none of them run."""
    plan = read(path)
    return plan.folder, work_of(plan, output.absolute())


def _workers(plan: Plan, jobs: int | None, scheduler: str | None) -> Workers:
    if scheduler is None:
        return LocalWorkers(jobs)
    if jobs is not None:
        raise UsageError("--jobs is for this machine, and --scheduler for a cluster: give one of them")
    here = next((board.name for board in plan.boards if board.here), None)
    if here is not None:
        raise UsageError(f"device {here} is local, which on a cluster is any of its machines: name one, as ssh://host")
    return DaskWorkers(scheduler)


def _drawn(plan: Plan, rows: tuple[Row, ...], output: Path) -> list[Path]:
    made = []
    for board in plan.boards:
        for data, points in results.points(rows, board).items():
            path = output / "frontier" / board.name / f"{data}.svg"
            drawn = [point.to_dict() for point in points]
            _write(path, frontier.svg(drawn, board.name, board.budget.latency_ms, board.percentile))
            made.append(path)
    for data, networks in results.built(rows).items():
        if len(networks) > 1:
            path = output / "accuracy" / f"{data}.svg"
            _write(path, size_accuracy.svg(networks, data))
            made.append(path)
    return made


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
