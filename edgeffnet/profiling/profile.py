"""`edgeffnet profile`: a target is measured, its profile fitted, judged on models left out, and written."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from edgeffnet.devices.fitting import fit, predict
from edgeffnet.devices.latency import doubts, interval
from edgeffnet.devices.leave_one_out import HeldOut
from edgeffnet.devices.profile import LOCAL, Device, Row, Runtime, Spread
from edgeffnet.devices.reference_models import reference_model
from edgeffnet.devices.toml_profile import parse, to_toml
from edgeffnet.errors import TargetError, UsageError
from edgeffnet.profiling.design import SUBJECTS, Subject, thread_counts
from edgeffnet.profiling.hardware import hardware
from edgeffnet.profiling.timings import Log, Taken, time_all

if TYPE_CHECKING:
    from edgeffnet.report.progress import Steps

_HELD_OUT = "held out of the fit, to state its error"
_SOURCE = "measured"
# As many fitted models as a profile must have to say anything.
_FEWEST_MODELS = 4


@dataclass(frozen=True)
class Profiled:
    """A written profile: the device with its rows, and how well the fit predicts the models held out.

    `resumed` counts timings that an interrupted run had left; `skipped` are models too slow to wait for.
    """

    path: Path
    target: str
    device: Device
    held_out: tuple[HeldOut, ...]
    skipped: tuple[str, ...]
    resumed: int
    seconds: float

    @property
    def rows(self) -> int:
        """Rows that the fits rest on."""
        return sum(not row.rejected for runtime in self.device.runtimes for row in runtime.rows)

    @property
    def mean_error(self) -> float:
        return sum(abs(item.error) for item in self.held_out) / len(self.held_out)

    @property
    def worst_error(self) -> float:
        return max(abs(item.error) for item in self.held_out)

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema_version": "1",
            "profile": str(self.path),
            "target": self.target,
            "device": self.device.name,
            "rows": self.rows,
            "mean_error": self.mean_error,
            "worst_error": self.worst_error,
            "held_out": [
                {
                    **{key: value for key, value in asdict(item.row).items() if key in _ROW_FIELDS},
                    "measured_ms": item.row.ms,
                    "estimated_ms": item.predicted_ms,
                    "low_ms": item.low_ms,
                    "high_ms": item.high_ms,
                }
                for item in self.held_out
            ],
            "skipped": list(self.skipped),
            "resumed_timings": self.resumed,
            "seconds": round(self.seconds, 3),
        }


_ROW_FIELDS = ("model", "precision", "threads")


def profile(
    target: str,
    output: Path,
    *,
    threads: Sequence[int] = (),
    subjects: Sequence[Subject] = SUBJECTS,
    steps: Steps | None = None,
) -> Profiled:
    """Measures `subjects` on `target` and writes the profile `output`, which appears whole or not at all.

    `threads` are the counts to measure at (see `design.thread_counts` otherwise). Timings are kept
    beside `output` until it is written: the same call after an interruption goes on from there.
    Raises UsageError for an output that cannot be, TargetError when the target fails.
    """
    from edgeffnet.report.progress import Steps
    from edgeffnet.report.quiet import quiet
    from edgeffnet.targets.address import parse as parse_address
    from edgeffnet.targets.address import target as target_at
    from edgeffnet.tensorflow_import import require_build_tools

    require_build_tools()
    require_output(output)
    if parse_address(target).kind == "qemu":
        raise UsageError(f"--target {target}: emulation gives no latency, so it cannot be profiled")
    steps, start = steps or Steps(), time.perf_counter()
    work = work_folder(output)
    with ExitStack() as stack:
        place = stack.enter_context(closing(target_at(target)))
        stack.enter_context(quiet())
        with steps("Reaching the target"):
            machine = place.run([{"do": "hello"}], timeout=120)[0]
        bare = hardware(machine, output.stem, local=target == LOCAL)
        counts = tuple(threads) or thread_counts(bare.cores)
        if not all(1 <= count <= bare.cores for count in counts):
            raise UsageError(f"--threads: {place.name} has {bare.cores} fast cores, so 1 to {bare.cores}")
        log = Log(work / "timings.jsonl", f"# {target} {machine['cpu']}, threads {', '.join(map(str, counts))}")
        with steps(f"Measuring {len(subjects)} models on {place.name}"):
            taken, skipped = time_all(subjects, counts, place, log, steps.advance)
    held = {subject.model for subject in subjects if subject.held_out}
    if len({found.model for found in taken} - held) < _FEWEST_MODELS or not {found.model for found in taken} & held:
        raise TargetError(f"{place.name} is too slow to be profiled: only {len(taken)} timings could be waited for")
    device, judged = fitted(bare, taken, held, log, machine)
    _write(output, device)
    shutil.rmtree(work, ignore_errors=True)
    return Profiled(output, target, device, judged, skipped, log.resumed, time.perf_counter() - start)


def work_folder(output: Path) -> Path:
    """Where the timings of an unfinished profile lie."""
    return output.parent / f".{output.name}.work"


def require_output(output: Path) -> None:
    """UsageError for a profile that could not be written, or found again by its path."""
    if output.suffix != ".toml":
        raise UsageError(f"--output {output}: a profile's name ends in .toml")
    if output.stem == LOCAL:
        raise UsageError(f'--output {output}: "local" is this machine without a profile; choose another name')
    if output.exists() and not output.is_file():
        raise UsageError(f"--output {output} is not a file; choose another")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--output {output}: {error.strerror}") from None


def fitted(
    bare: Device, taken: Sequence[Taken], held: set[str], log: Log, machine: dict[str, Any]
) -> tuple[Device, tuple[HeldOut, ...]]:
    """`bare` with the rows of `taken`, and what its fits say of the models in `held`, which they have not seen."""
    rows = tuple(
        Row(found.model, found.precision, found.threads, round(found.ms, 4), _SOURCE, _HELD_OUT * (found.model in held))
        for found in taken
    )
    name, _, version = log.timings[0].runtime.rpartition(" ")
    source = (
        f"edgeffnet profile, {time.strftime('%Y-%m-%d')}, {machine['cpu']}, {name} {version}: random weights, "
        "mean of one inference, median of the rounds"
    )
    runtime = Runtime(
        name="tflite",
        version=version,
        delegate=log.timings[0].path.lower(),
        clock=f"{bare.clock_ghz:g} GHz",
        rows=rows,
        measured=True,
    )
    spread = Spread(round(median(found.p90_over_mean for found in taken), 4), f"{source}; p90 over mean, median")
    device = replace(bare, runtimes=(runtime,), sources=((_SOURCE, source),), spread=spread)
    judged = tuple(_judged(device, runtime, row) for row in rows if row.rejected)
    mean = sum(abs(item.error) for item in judged) / len(judged)
    worst = max(abs(item.error) for item in judged)
    note = (
        f"error on {len(judged)} rows of {len(held)} models held out: {mean:.1%} mean, {worst:.1%} worst; "
        "another runtime version needs another profile"
    )
    return replace(device, runtimes=(replace(runtime, note=note),)), judged


def _judged(device: Device, runtime: Runtime, row: Row) -> HeldOut:
    made = fit(device, runtime.at(row.threads, row.precision), row.precision)
    model = reference_model(row.model)
    extra, _ = doubts(made, model)
    prediction = predict(made, model, row.threads, extra)
    factor = interval(made, prediction.log_sd, 0.9)
    return HeldOut(row, prediction.ms, prediction.ms / factor, prediction.ms * factor)


def _write(output: Path, device: Device) -> None:
    text = to_toml(device)
    parse(text, output.name)  # what this command writes, `--device` must read
    partial = output.with_name(f".{output.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(output)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UsageError(f"--output {output}: {error.strerror}; the timings are kept") from None
