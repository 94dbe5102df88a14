"""Who runs the models of an audit: processes of this machine that share the images, or a target."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any

from edgeffnet.audit.predictions import Predictor
from edgeffnet.audit.subject import Subject
from edgeffnet.errors import TargetError, TargetLostError, UsageError
from edgeffnet.targets import address, agent
from edgeffnet.targets.local import LocalTarget
from edgeffnet.targets.phone import Phone
from edgeffnet.targets.remote import RemoteTarget
from edgeffnet.validation import load_request, missing_runtimes


@dataclass(frozen=True)
class Crew:
    """Where the models run: `workers` share the images, each with `threads` threads (None: the target's choice)."""

    target: str
    workers: tuple[RemoteTarget, ...]
    threads: int | None

    @property
    def local(self) -> bool:
        return isinstance(self.workers[0], LocalTarget)

    def predictor(self) -> Predictor:
        return Predictor(self.workers, self.threads, compress=not self.local)

    def machine(self, subjects: tuple[Subject, ...]) -> tuple[dict[str, Any], dict[str, str]]:
        """What the machine is, and the runtime of each subject's file there; TargetError where one cannot run."""
        there = self.workers[0]
        loads = [load_request(there, one.artifact, one.file) for one in subjects]
        try:
            found, cores, *loaded = there.run([{"do": "hello"}, {"do": "cores", "threads": self.threads}, *loads], 300)
        except TargetLostError:
            raise
        except TargetError:
            missing = missing_runtimes([one.artifact for one in subjects], there)
            for one in subjects:
                if one.artifact in missing:
                    raise TargetError(f"{one.file} cannot run on {there.name}: {missing[one.artifact]}") from None
            raise
        machine = {**found, "workers": len(self.workers), "threads": cores["threads"]}
        return machine, {one.file: str(load["runtime"]) for one, load in zip(subjects, loaded, strict=True)}


@contextmanager
def crew(target: str, threads: int | None, workers: int | None) -> Iterator[Crew]:
    """The crew at `target`, by default on this machine one worker for each of its fastest cores.

    UsageError for several workers on a target, and for one that has no Python.
    """
    with ExitStack() as stack:
        first = stack.enter_context(closing(address.target(target)))
        if isinstance(first, Phone):
            raise UsageError(f"--target {target}: an audit needs Python there, which benchmark_model does without")
        if not isinstance(first, LocalTarget):
            if workers not in (None, 1):
                raise UsageError(
                    f"--workers {workers}: workers are processes of this machine, and {target} is one target"
                )
            yield Crew(target, (first,), threads)
            return
        each = threads or 1
        count = workers or max(1, len(agent.fastest_cores()) // each)
        others = [stack.enter_context(closing(LocalTarget())) for _ in range(count - 1)]
        yield Crew(target, (first, *others), each)
