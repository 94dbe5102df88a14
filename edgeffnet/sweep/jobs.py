"""A plan as commands: each artefact is made once, measured on every device, and audited once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

from edgeffnet.sweep.plan import Board, Data, Network, Plan

Kind = Literal["build", "audit", "validate"]
_ORDER: tuple[Kind, ...] = ("build", "audit", "validate")


@dataclass(frozen=True)
class Job:
    """A command of edgeffnet: its `words`, the folder it writes, and the jobs by name that come before it.

    `result_of` are the words that its result depends on, `files` those of the user that it reads. Jobs of one
    `resource` never run at once; while an `alone` one runs, nothing else does.
    """

    name: str
    kind: Kind
    words: tuple[str, ...]
    result_of: tuple[str, ...]
    output: Path
    needs: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    resource: str | None = None
    alone: bool = False


@dataclass(frozen=True)
class Cell:
    """One variant on one device with one set of images, and the jobs that tell of it."""

    network: Network
    board: Board
    data: Data
    build: Job
    validate: Job | None
    audit: Job | None


@dataclass(frozen=True)
class Work:
    """Cells in the plan's order, and each job once, those that others need first."""

    cells: tuple[Cell, ...]
    jobs: Mapping[str, Job]


def work_of(plan: Plan, output: Path) -> Work:
    """All that the plan takes, written below `output`, no job inside another's folder."""
    jobs: dict[str, Job] = {}
    cells = []

    def once(job: Job) -> Job:
        return jobs.setdefault(job.name, job)

    for network, board, data in product(plan.networks, plan.boards, plan.data):
        build = once(_build(plan, network, board, data, output))
        validate = None if board.target is None else once(_validate(network, board, data, build, output))
        audited = plan.audit is not None and data.val is not None and network.trained
        audit = once(_audit(plan, data, build, output)) if audited else None
        cells.append(Cell(network, board, data, build, validate, audit))
    listed = sorted(jobs.values(), key=lambda job: _ORDER.index(job.kind))
    return Work(tuple(cells), {job.name: job for job in listed})


def _build(plan: Plan, network: Network, board: Board, data: Data, output: Path) -> Job:
    """The same for all devices, but for those whose int8 saturates: they get other OpenVINO artefacts."""
    made = f"{network.name}/{data.name}"
    # No name holds an @.
    made += "@saturating" if board.profile.int8_saturates else ""
    folder = output / "bundles" / made
    about = (*network.words, *data.words(network.trained), *plan.build, "--no-latency")
    words = ("build", *board.profile_words, *about, "--force", f"--output={folder}")
    files = (*network.files, *data.files, *plan.files)
    return Job(f"build {made}", "build", words, (made, *about), folder, files=files)


def _validate(network: Network, board: Board, data: Data, build: Job, output: Path) -> Job:
    folder = output / "validations" / network.name / data.name / board.name
    about = ["validate", str(build.output), f"--target={board.target}", f"--percentile={board.percentile:g}"]
    about += [f"--threads={board.threads}"] if board.threads else []
    about += [f"--val={data.val}"] if data.val and network.trained else []
    return Job(
        f"validate {network.name}/{data.name} on {board.name}",
        "validate",
        (*about, f"--output={folder}"),
        tuple(about),
        folder,
        (build.name,),
        data.files,
        board.resource,
        board.here,
    )


def _audit(plan: Plan, data: Data, build: Job, output: Path) -> Job:
    made = build.name.removeprefix("build ")
    folder = output / "audits" / made
    about = ["audit", str(build.output), f"--val={data.val}", *(plan.audit or ())]
    about += [f"--calib={data.calib}"] if data.calib else []
    words = (*about, f"--output={folder}")
    return Job(f"audit {made}", "audit", words, tuple(about), folder, (build.name,), data.files)
