"""A whole sweep: on this machine, over a real ssh server, and on a cluster that loses a worker."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run, command
from tests.integration.conftest import Server, eventually, free_port, some_images, stop

PLAN = """
[build]
recipe = "fast"
formats = ["tflite"]
no_cache = true
[variants.small]
variant = "lite0"
resolution = 64
[variants.smaller]
variant = "lite0"
resolution = 32
[variants.random]
phi = -5
classes = 4
weights = "random"
[devices.rpi4]
max_latency = "2ms"
[devices.rpi5]
[data.photographs]
"""
AUDITED = """
[data.own]
val = "eval.csv"
[audit]
min_agreement = 1
"""


def table(output: Path) -> list[dict[str, str]]:
    with (output / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def times(output: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted((output / "bundles").rglob("*.tflite"))}


@pytest.fixture(scope="module")
def alone(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plan, and what it gives on this machine."""
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "plan.toml").write_text(PLAN)
    done = run("sweep", folder / "plan.toml", "--output", folder / "alone")
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    shutil.copytree(folder / "alone", folder / "kept")
    return folder


def test_every_variant_is_built_once_and_told_for_each_device(alone: Path) -> None:
    rows = table(alone / "alone")
    assert [(row["variant"], row["device"], row["model"]) for row in rows] == [
        (variant, device, model)
        for variant in ("small", "smaller", "random")
        for device in ("rpi4", "rpi5")
        for model in ("TFLite fp32", "TFLite int8")
    ]
    assert len(times(alone / "alone")) == 6
    assert {row["latency_kind"] for row in rows} == {"estimated"}
    int8 = [row for row in rows if row["model"] == "TFLite int8"]
    assert {row["verdict"].partition(":")[0] for row in int8 if row["device"] == "rpi4"} <= {
        "fits",
        "may fit",
        "too slow",
    }
    assert all(not row["agreement"] for row in rows if row["variant"] == "random")
    assert all(float(row["agreement"]) > 50 for row in int8 if row["variant"] == "small")
    for device in ("rpi4", "rpi5"):
        assert "estimated" in (alone / "alone" / "frontier" / device / "photographs.svg").read_text()


def test_the_same_again_does_nothing_again_and_a_changed_plan_only_what_changed(alone: Path, run: Run) -> None:
    before, told = times(alone / "alone"), (alone / "alone" / "results.csv").read_bytes()
    done = run("sweep", alone / "plan.toml", "--output", alone / "alone", "--json")
    assert done.returncode == 0, done.stderr
    assert times(alone / "alone") == before
    assert (alone / "alone" / "results.csv").read_bytes() == told
    assert len(json.loads(done.stdout)["rows"]) == 12
    other = PLAN.replace("phi = -5", "phi = -4.9")
    (alone / "other.toml").write_text(other)
    done = run("sweep", alone / "other.toml", "--output", alone / "alone")
    assert done.returncode == 0, done.stderr
    changed = {name for name, time in times(alone / "alone").items() if before[name] != time}
    assert changed and all("/random/" in name for name in changed)


def test_killed_it_goes_on_to_the_same(alone: Path, run: Run) -> None:
    words = ["sweep", alone / "plan.toml", "--output", alone / "killed", "--jobs", "1"]
    process = subprocess.Popen(command(words), stderr=subprocess.PIPE)
    journal = alone / "killed" / "journal.jsonl"
    try:
        assert eventually(lambda: journal.exists() and len(journal.read_text().splitlines()) >= 2, 240)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()
    # The command that was under way ends with the one that started it.
    assert eventually(lambda: not running(str(alone / "killed")))
    done = run(*words)
    assert done.returncode == 0, done.stderr
    assert table(alone / "killed") == table(alone / "kept")


def test_interrupted_it_says_that_it_goes_on_and_leaves_nobody_behind(alone: Path) -> None:
    words = ["sweep", alone / "plan.toml", "--output", alone / "interrupted"]
    process = subprocess.Popen(command(words), stderr=subprocess.PIPE, text=True)
    assert eventually(lambda: len(running(str(alone / "interrupted" / "bundles"))) >= 1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on" in said
    assert not running(str(alone / "interrupted"))


def test_a_job_that_fails_costs_its_rows_alone_and_is_tried_again(alone: Path, run: Run) -> None:
    folder = alone / "failing"
    folder.mkdir()
    (folder / "broken.keras").write_text("nothing")
    broken = '[variants.broken]\nvariant = "lite0"\nweights = "broken.keras"\n'
    plan = PLAN.replace("[variants.smaller]", broken + "[variants.smaller]")
    (folder / "plan.toml").write_text(plan)
    done = run("sweep", folder / "plan.toml", "--output", folder / "out")
    assert done.returncode == 6
    assert done.stderr.count("\n") == 1
    assert "1 of 4 jobs failed, such as build broken/photographs" in done.stderr
    rows = table(folder / "out")
    assert [row["variant"] for row in rows if row["error"]] == ["broken", "broken"]
    assert sum(row["model"] == "TFLite int8" for row in rows) == 6


def test_images_of_ones_own_are_audited_and_measured_over_ssh_one_at_a_time(
    run: Run, data: Path, tmp_path: Path, server: Server
) -> None:
    some_images(data, tmp_path, 12)
    board = f'profile = "rpi5"\ntarget = "{server.url()}"\n'
    devices = f'[devices.one]\n{board}max_latency = "1s"\n[devices.two]\n{board}[data.own]'
    plan = (PLAN + AUDITED).replace("[data.photographs]\n\n[data.own]", devices)
    plan = plan.replace('[variants.random]\nphi = -5\nclasses = 4\nweights = "random"\n', "")
    (tmp_path / "plan.toml").write_text(plan)
    done = run("sweep", tmp_path / "plan.toml", "--output", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    rows = [row for row in table(tmp_path / "out") if row["model"] == "TFLite int8"]
    assert len(rows) == 2 * 4
    measured = [row for row in rows if row["device"] in ("one", "two")]
    assert {row["latency_kind"] for row in measured} == {"measured"}
    assert {row["accuracy_on"] for row in measured} == {"device"}
    assert {row["images"] for row in rows} == {"12"}
    assert {row["audit"].partition(":")[0] for row in rows} <= {"passed", "not told"}
    assert {row["verdict"].partition(":")[0] for row in rows if row["device"] == "one"} == {"fits"}
    jobs = [job["name"] for job in json.loads(done.stdout)["jobs"]]
    assert sum(name.startswith("audit") for name in jobs) == 2
    drawn = (tmp_path / "out" / "accuracy" / "own.svg").read_text()
    assert all(f"{name} in {precision}: " in drawn for name in ("small", "smaller") for precision in ("fp32", "int8"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A Dask scheduler and two workers of one thread each, on the loopback."""
    folder, port = tmp_path_factory.mktemp("cluster"), free_port()
    address = f"tcp://127.0.0.1:{port}"
    with ExitStack() as stack:
        quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        words = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port)]
        stack.enter_context(started([*words, "--no-dashboard"], **quiet))
        words = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--host", "127.0.0.1", "--no-nanny"]
        workers = [
            stack.enter_context(started([*words, "--nthreads", "1", "--no-dashboard", "--name", name], **quiet))
            for name in ("first", "second")
        ]
        assert eventually(lambda: connected(address) == 2, 60)
        yield address, workers


@contextmanager
def started(words: list[str], **how: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(words, **how)
    try:
        yield process
    finally:
        stop(process)


def connected(address: str) -> int:
    from distributed import Client

    try:
        with Client(address, timeout=5, set_as_default=False) as client:
            return len(client.scheduler_info(n_workers=-1)["workers"])
    except OSError:
        return 0


def test_a_cluster_gives_the_same_to_the_bit_though_it_loses_a_worker(
    alone: Path, cluster: tuple[str, list[subprocess.Popen[bytes]]]
) -> None:
    address, workers = cluster
    words = ["sweep", alone / "plan.toml", "--output", alone / "cluster", "--scheduler", address]
    process = subprocess.Popen(command(words), stderr=subprocess.PIPE)
    assert eventually(lambda: len(running(str(alone / "cluster" / "bundles"))) == 2, 60)
    workers[0].send_signal(signal.SIGKILL)
    _, said = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert table(alone / "cluster") == table(alone / "kept")
    for path in times(alone / "cluster"):
        assert Path(path.replace("/cluster/", "/kept/")).read_bytes() == Path(path).read_bytes()


def test_interrupted_on_a_cluster_it_leaves_no_command_behind(
    alone: Path, cluster: tuple[str, list[subprocess.Popen[bytes]]]
) -> None:
    words = ["sweep", alone / "plan.toml", "--output", alone / "stopped", "--scheduler", cluster[0]]
    process = subprocess.Popen(command(words), stderr=subprocess.PIPE, text=True)
    assert eventually(lambda: len(running(str(alone / "stopped" / "bundles"))) >= 1, 60)
    second = subprocess.run(command(words), capture_output=True, text=True, check=False)
    assert second.returncode == 2 and "another sweep is writing it" in second.stderr
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert eventually(lambda: not running(str(alone / "stopped")))


def test_a_device_that_is_local_has_no_place_on_a_cluster(alone: Path, run: Run) -> None:
    (alone / "local.toml").write_text(PLAN + '[devices.desk]\nprofile = "local"\n')
    done = run("sweep", alone / "local.toml", "--output", alone / "no", "--scheduler", "tcp://127.0.0.1:1")
    assert done.returncode == 2
    assert "device desk is local" in done.stderr
    assert not (alone / "no").exists()


@pytest.mark.parametrize("address", ["host", "http://127.0.0.1:1", "tcp://127.0.0.1"])
def test_what_is_no_address_of_a_scheduler_is_named(alone: Path, run: Run, address: str) -> None:
    done = run("sweep", alone / "plan.toml", "--output", alone / "no", "--scheduler", address)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and address in done.stderr


def test_a_scheduler_that_is_not_there_is_named(alone: Path, run: Run) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    done = run("sweep", alone / "plan.toml", "--output", alone / "no", "--scheduler", address)
    assert done.returncode == 5
    assert address in done.stderr
    assert done.stderr.count("\n") == 1


def running(words: str) -> list[int]:
    """Commands of a sweep that name `words`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if b"edgeffnet.sweep.leashed" in line and os.fsencode(words) in line:
            found.append(int(path.parent.name))
    return found
