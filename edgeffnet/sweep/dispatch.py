"""Jobs in their order: whoever is free takes the next, a device measures one at a time, and nothing is done twice."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import asdict
from pathlib import Path

from edgeffnet.bundle.manifest import tool_versions
from edgeffnet.cache.makers import sources
from edgeffnet.errors import AccuracyError, TargetError
from edgeffnet.journal import Journal
from edgeffnet.report.schema import REPORT
from edgeffnet.sweep.inputs import state
from edgeffnet.sweep.jobs import Job, Work
from edgeffnet.sweep.run import Order, Outcome
from edgeffnet.sweep.workers import Workers

Progress = Callable[[int, int, str], None]

_KEY = "key"


def dispatch(work: Work, folder: Path, workers: Workers, journal: Journal, progress: Progress) -> dict[str, Outcome]:
    """How each job ended, by its name; commands start in `folder`.

    One whose need failed is not run, and has no outcome. Those whose folder holds what an earlier run has made of the
    same, with the same code, tools and files, are taken from the journal, unless what they need was made anew.
    Raises TargetError where the workers are gone.
    """
    return _Dispatch(work, folder, workers, journal, progress).run()


def done(job: Job, outcome: Outcome) -> bool:
    """Whether the job has a result; a gate that failed is one."""
    return outcome.code == 0 or (job.kind == "audit" and outcome.code == AccuracyError.exit_code)


class _Dispatch:
    def __init__(self, work: Work, folder: Path, workers: Workers, journal: Journal, progress: Progress) -> None:
        self.work = work
        self.folder = folder
        self.workers = workers
        self.journal = journal
        self.progress = progress
        self.outcomes: dict[str, Outcome] = {}
        self.running: dict[Future[Outcome], Job] = {}
        self.sources, self.tools = sources(), tool_versions()
        self.keys = _keys(work, self.sources, self.tools)
        self.sweep = uuid.uuid4().hex

    def run(self) -> dict[str, Outcome]:
        for job in self.work.jobs.values():
            if all(need in self.outcomes for need in job.needs) and (known := self._known(job)) is not None:
                self.outcomes[job.name] = known
        try:
            while self._start() or self.running:
                self._tell()
                for future in wait(self.running, return_when=FIRST_COMPLETED).done:
                    self._ended(self.running.pop(future), future)
        finally:
            if self.running:
                self.workers.stop(self.sweep)
        return self.outcomes

    def _known(self, job: Job) -> Outcome | None:
        """What the journal says of the result that lies in the job's folder."""
        entry = self.journal.get(job.name)
        if entry is None or entry.get(_KEY) != self.keys[job.name]:
            return None
        found = Outcome(entry["code"], entry["said"], entry["seconds"])
        return found if done(job, found) and _reported(job) else None

    def _start(self) -> bool:
        """Starts what can be; whether anything was."""
        begun = False
        for job in self._ready():
            if self.workers.capacity is not None and len(self.running) >= self.workers.capacity:
                break
            busy = {other.resource for other in self.running.values()}
            if job.resource is not None and job.resource in busy:
                continue
            # What measures this machine waits until nothing else is left to run on it.
            if job.alone and (self.running or any(not other.alone for other in self._ready())):
                continue
            # From here on the folder may hold anything.
            self.journal.put(job.name, {_KEY: None})
            order = Order(job.words, str(self.folder), self.sweep, self.sources, self.tools)
            self.running[self.workers.submit(order)] = job
            begun = True
            if job.alone:
                break
        return begun

    def _ready(self) -> list[Job]:
        started = {job.name for job in self.running.values()}
        if any(job.alone for job in self.running.values()):
            return []
        return [
            job
            for job in self.work.jobs.values()
            if job.name not in self.outcomes and job.name not in started and all(map(self._done, job.needs))
        ]

    def _done(self, name: str) -> bool:
        return name in self.outcomes and done(self.work.jobs[name], self.outcomes[name])

    def _ended(self, job: Job, future: Future[Outcome]) -> None:
        try:
            error = future.exception()
        except CancelledError:
            raise TargetError("the cluster's scheduler is gone: the same command goes on once it is back") from None
        outcome = Outcome(1, f"lost: {' '.join(str(error).split())}", 0.0) if error else future.result()
        if done(job, outcome) and not _reported(job):
            said = f"{job.output}: nothing there though the command ended well: the output has to lie on a shared disk"
            outcome = Outcome(TargetError.exit_code, said, outcome.seconds)
        self.outcomes[job.name] = outcome
        self.journal.put(job.name, {_KEY: self.keys[job.name], **asdict(outcome)})

    def _tell(self) -> None:
        names = ", ".join(job.name for job in self.running.values())
        self.progress(len(self.outcomes), len(self.work.jobs), names)


def _reported(job: Job) -> bool:
    return next(job.output.rglob(REPORT), None) is not None


def _keys(work: Work, code: str, tools: Mapping[str, str]) -> Mapping[str, str]:
    """What each job's result depends on, `code` and `tools` included, hashed."""
    made: dict[str, str] = {}
    states: dict[Path, str] = {}
    for job in work.jobs.values():
        for path in job.files:
            if path not in states:
                states[path] = state(path)
        files = {str(path): states[path] for path in job.files}
        said = [job.result_of, files, [made[name] for name in job.needs], code, tools]
        made[job.name] = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    return made
