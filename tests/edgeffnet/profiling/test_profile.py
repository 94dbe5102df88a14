"""Profiles made by measuring: what the fit finds, what a run leaves, what an interrupted one resumes."""

from __future__ import annotations

import json
import math
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from edgeffnet import devices, scaling
from edgeffnet.devices.features import features
from edgeffnet.devices.fitting import prior_prices
from edgeffnet.devices.reference_models import reference_model
from edgeffnet.errors import UsageError
from edgeffnet.profiling.design import SUBJECTS, Subject, thread_counts
from edgeffnet.profiling.profile import Profiled, profile, work_folder
from edgeffnet.profiling.timings import ROUNDS, Log, Timing
from edgeffnet.targets.local import LocalTarget
from tests.conftest import Run


def machine_name() -> str:
    with closing(LocalTarget()) as here:
        return str(here.run([{"do": "hello"}], timeout=60)[0]["cpu"])


def lawful_ms(model: str, precision: str, threads: int) -> float:
    """What a machine 1.7 times slower than its hardware suggests, with dear sigmoids, would take."""
    here = devices.load("local")
    amounts = features(
        reference_model(model).operators,
        element_bytes={"fp32": 4, "int8": 1}[precision],
        cache_bytes=here.cache_kib * 1024,
    )
    prices = prior_prices(here, precision)
    prices[8] *= 1.5
    return 1.7 * sum(amount * price for amount, price in zip(amounts, prices, strict=True)) / threads**0.8


def leave_timings(output: Path, rounds: int = ROUNDS, models: tuple[str, ...] | None = None) -> Path:
    """The work folder of a run that was interrupted after `rounds` rounds of timings that follow a law."""
    log = work_folder(output) / "timings.jsonl"
    log.parent.mkdir()
    counts = thread_counts(devices.load("local").cores)
    lines = [f"# local {machine_name()}, threads {', '.join(map(str, counts))}"]
    for number in range(rounds):
        for model in models or tuple(subject.model for subject in SUBJECTS):
            for threads in counts:
                for precision in ("fp32", "int8"):
                    ms = lawful_ms(model, precision, threads) * (1 + 0.01 * (number - 1))
                    timing = Timing(model, precision, threads, number, ms, 1.05 * ms, 50, "LiteRT 9.9", "XNNPACK")
                    lines.append(json.dumps(asdict(timing)))
    log.write_text("\n".join(lines) + "\n")
    return log


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Profiled:
    output = tmp_path_factory.mktemp("profile") / "desk.toml"
    leave_timings(output)
    return profile("local", output)


def test_a_run_whose_timings_were_all_made_measures_nothing_and_leaves_only_the_profile(made: Profiled) -> None:
    assert made.resumed == ROUNDS * len(SUBJECTS) * 2 * len(thread_counts(devices.load("local").cores))
    assert [path.name for path in made.path.parent.iterdir()] == ["desk.toml"]
    assert devices.load(made.path) == made.device


def test_the_fit_finds_the_law_and_says_how_well_on_models_it_has_not_seen(made: Profiled) -> None:
    held = {subject.model for subject in SUBJECTS if subject.held_out}
    assert {item.row.model for item in made.held_out} == held
    assert made.mean_error < 0.05 and made.worst_error < 0.1
    fitted = {row.model for runtime in made.device.runtimes for row in runtime.used("int8")}
    assert not fitted & held


@pytest.mark.parametrize("name", ["lite0", "lite4", "b0", "b2"])
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_written_profile_estimates_official_networks_it_never_measured(
    made: Profiled, name: str, precision: str
) -> None:
    device = devices.load(made.path)
    estimate = devices.estimate(device, scaling.official(name), precision=precision, threads=1)
    assert isinstance(estimate, devices.Estimate)
    assert abs(math.log(estimate.mean_ms / lawful_ms(name, precision, 1))) < 0.1
    assert not estimate.published
    assert any("held out" in note for note in estimate.notes)
    assert (estimate.runtime, estimate.runtime_version) == ("tflite", "9.9")
    assert estimate.p90_over_mean == pytest.approx(1.05)


def test_each_thread_count_is_fitted_by_itself(made: Profiled) -> None:
    """So that a count at which small networks gain nothing, and large ones much, is met."""
    (runtime,) = made.device.runtimes
    most = thread_counts(made.device.cores)[-1]
    slowed = tuple(
        replace(row, ms=row.ms + 5.0) if row.threads == most and row.threads > 1 else row for row in runtime.rows
    )
    odd = replace(made.device, runtimes=(replace(runtime, rows=slowed),))
    for threads in thread_counts(odd.cores):
        estimate = devices.estimate(odd, scaling.official("lite1"), threads=threads)
        assert isinstance(estimate, devices.Estimate)
        law = lawful_ms("lite1", "int8", threads) + (5.0 if threads == most and threads > 1 else 0.0)
        assert abs(math.log(estimate.mean_ms / law)) < 0.12


def test_the_device_option_takes_it_and_says_estimated_from_measured_rows(made: Profiled, run: Run) -> None:
    done = run("build", "--device", made.path, "--max-latency", "1s", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("estimated") >= 3
    assert "rows measured on the device" in done.stdout and "published rows" not in done.stdout
    shown = run("devices", made.path)
    assert "held out of the fit" in shown.stdout and "rows measured on it" in shown.stdout


def test_timings_of_another_machine_are_begun_anew(tmp_path: Path) -> None:
    log = leave_timings(tmp_path / "desk.toml")
    assert Log(log, "# another machine").timings == []
    assert log.read_text() == "# another machine\n"


def test_a_line_that_was_cut_off_is_measured_again(tmp_path: Path) -> None:
    log = leave_timings(tmp_path / "desk.toml")
    text = log.read_text()
    log.write_text(text[:-20])
    identity = text.splitlines()[0]
    found = Log(log, identity)
    assert found.resumed == len(text.splitlines()) - 2
    last = SUBJECTS[-1].model
    counts = thread_counts(devices.load("local").cores)
    assert not found.has(last, counts[-1], ROUNDS - 1)
    assert found.has(last, counts[0], 0)


@pytest.mark.parametrize(
    ("output", "target", "threads", "said"),
    [
        ("desk.txt", "local", (), ".toml"),
        ("local.toml", "local", (), "choose another name"),
        ("desk.toml", "qemu://cortex-a72", (), "emulation"),
        ("desk.toml", "local", (999,), "fast cores"),
        ("folder.toml", "local", (), "not a file"),
    ],
)
def test_what_cannot_be_profiled_is_said_and_nothing_is_left(
    tmp_path: Path, output: str, target: str, threads: tuple[int, ...], said: str
) -> None:
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(UsageError, match=said):
        profile(target, tmp_path / output, threads=threads)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.toml"]


def test_no_official_variant_is_among_the_subjects() -> None:
    official = {scaling.official(name) for name in scaling.VARIANTS}
    shapes = {(net.family, net.stages, net.resolution) for net in official}
    for subject in SUBJECTS:
        net = subject.architecture
        assert (net.family, net.stages, net.resolution) not in shapes


@pytest.mark.slow
def test_measuring_this_machine_gives_a_profile_and_goes_on_after_an_interruption(tmp_path: Path) -> None:
    models = ("lite:0.5,0.5,96", "lite:0.5,0.5,128", "efficientnet:0.5,0.5,96", "lite:0.75,0.5,128")
    subjects = (*(Subject(model) for model in models), Subject("lite:0.6,0.5,112", held_out=True))
    subjects = tuple(sorted(subjects, key=lambda subject: subject.macs))
    output = tmp_path / "desk.toml"

    class StoppedError(Exception):
        pass

    def kept() -> int:
        found = tmp_path / ".desk.toml.work" / "timings.jsonl"
        return found.read_text().count("\n{") if found.exists() else 0

    class Stopping(LocalTarget):
        def run(self, *arguments, **options):  # type: ignore[no-untyped-def]
            if kept() >= 4:  # disturbed timings are taken again, so runs are no measure
                raise StoppedError
            return super().run(*arguments, **options)

    from edgeffnet.targets import address

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(address, "target", lambda _: Stopping())
        with pytest.raises(StoppedError):
            profile("local", output, threads=(1,), subjects=subjects)
    assert not output.exists()
    left = kept()
    made = profile("local", output, threads=(1,), subjects=subjects)
    assert made.resumed == left >= 4
    assert made.worst_error < 0.5
    for runtime in devices.load(output).runtimes:
        assert all(0 < row.ms < 1000 for row in runtime.rows)
