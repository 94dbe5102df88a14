"""A real adbd in a network namespace of its own, and the user's own adb: what works, and what each fault says."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from edgeffnet.errors import UsageError
from edgeffnet.report import html, schema
from edgeffnet.targets.adb import refusal
from edgeffnet.targets.address import target
from tests.conftest import Run, command
from tests.integration import phone_programs
from tests.integration.conftest import eventually, marked, needed, some_images, stop

SERIAL = "127.0.0.1:5555"


@dataclass
class Bridge:
    """A network namespace, the device's daemon in it, and adb's own server."""

    device: subprocess.Popen[bytes]
    folder: Path
    mark: str
    network: int

    @property
    def url(self) -> str:
        return f"adb://{SERIAL}?python={sys.executable}&cache={self.folder}/cache"

    def words(self, *words: object) -> list[str]:
        return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{self.network}", *map(str, words)]

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "HOME": str(self.folder)}
        return subprocess.run(
            self.words(*words), capture_output=True, text=True, timeout=120, check=False, env=environment
        )

    def edgeffnet(self, *words: object) -> subprocess.CompletedProcess[str]:
        return self.run(*command(words))

    def start(self, *words: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self.words(*command(words)), stderr=subprocess.PIPE, stdout=subprocess.PIPE)


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[Bridge]:
    """A device that adb is connected to, on the loopback of its own namespace."""
    adbd = shutil.which("adbd", path="/usr/sbin:/usr/bin")
    needed(adbd and shutil.which("adb"), "needs adb and adbd: apt install adb; adbd from bookworm-backports")
    mark = f"EDGEFFNET_TEST_MARK=adb{os.getpid()}"
    device = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", f"ip link set lo up && exec env {mark} {adbd}"],
        stderr=(tmp_path / "log").open("wb"),
    )
    up = eventually(lambda: b"adbd started" in (tmp_path / "log").read_bytes() or device.poll() is not None)
    needed(up and device.poll() is None, "needs network namespaces: root, iproute2")
    # The namespace has to outlive the device: adb's server in it is ended last.
    network = os.open(f"/proc/{device.pid}/ns/net", os.O_RDONLY)
    made = Bridge(device, tmp_path, mark, network)
    try:
        assert eventually(lambda: "connected to" in made.run("adb", "connect", SERIAL).stdout)
        yield made
    finally:
        made.run("adb", "kill-server")
        os.close(network)
        stop(device)


def nothing_left(bridge: Bridge) -> bool:
    return eventually(lambda: marked(bridge.mark) in ([], [bridge.device.pid]))


def test_validate_over_adb(bridge: Bridge, bundle: Path) -> None:
    done = bridge.edgeffnet("validate", bundle / "model_int8.tflite", "--target", bridge.url, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    schema.check(report)
    (made,) = report["models"]
    assert made["latency"]["kind"] == "measured"
    assert nothing_left(bridge)


def test_a_phone_without_python(bridge: Bridge, integer: Path, data: Path, run: Run, tmp_path: Path) -> None:
    val = some_images(data, tmp_path, 30)
    program, judge = phone_programs.benchmark_model(tmp_path), phone_programs.evaluator(tmp_path)
    url = f"adb://{SERIAL}?benchmark_model={program}&evaluator={judge}&cache={bridge.folder}/phone"
    done = bridge.edgeffnet("validate", integer, "--val", val, "--target", url, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    schema.check(found)
    assert "benchmark_model" in html.render(found)
    by_name = {made["name"]: made for made in found["models"]}
    for name in ("TFLite int8", "TFLite fp32"):
        latency = by_name[name]["latency"]
        assert (latency["runtime"], latency["kind"], latency["verified"]) == ("benchmark_model", "measured", False)
        assert latency["min_ms"] <= latency["low_ms"] <= latency["mean_ms"] <= latency["high_ms"]
        assert latency["runs"] >= 150
        assert latency["warm_up_runs"] >= 5 * latency["rounds"]
        assert latency["affinity"]
        assert "p90_ms" not in latency
    assert "127.5" in by_name["TFLite fp32"]["accuracy_not_measured"]
    assert "only .tflite" in by_name["ONNX fp32"]["not_run"]
    assert any("unverified" in note for note in found["notes"])
    here = run("validate", integer / "model_int8.tflite", "--val", val, "--json")
    assert here.returncode == 0, here.stderr
    (own,) = json.loads(here.stdout)["models"]
    for rank in ("top1", "top5"):
        assert by_name["TFLite int8"]["accuracy"][rank]["value"] == pytest.approx(own["accuracy"][rank]["value"])
    assert nothing_left(bridge)
    assert bridge.edgeffnet("target", "clear", url).returncode == 0
    assert not (bridge.folder / "phone").exists()


def test_accuracy_without_an_evaluator_is_not_measured(
    bridge: Bridge, bundle: Path, data: Path, tmp_path: Path
) -> None:
    val = some_images(data, tmp_path, 2)
    url = f"adb://{SERIAL}?benchmark_model={phone_programs.benchmark_model(tmp_path)}&cache={bridge.folder}/phone"
    done = bridge.edgeffnet("validate", bundle / "model_int8.tflite", "--val", val, "--target", url)
    assert done.returncode == 0, done.stderr
    assert "accuracy not measured: no Python there, and no evaluator was given" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("echo 'Failed to apply XNNPACK delegate.'; echo 'Benchmarking failed.'", "Failed to apply XNNPACK"),
        ("echo nothing to see", "not understood"),
        ("echo gone wrong; exit 3", "ended with 3: gone wrong"),
        ("kill -SEGV $$", "ended with 139"),
        ("yes", "MB of output"),
    ],
    ids=["refused", "other words", "exit code", "crash", "endless"],
)
def test_a_program_that_fails_on_the_phone(bridge: Bridge, bundle: Path, program: str, said: str) -> None:
    path = bridge.folder / "-odd $(touch x) 'name'"
    path.write_text(f"#!/bin/sh\n{program}\n")
    url = f"adb://{SERIAL}?{urlencode({'benchmark_model': path, 'cache': f'{bridge.folder}/phone; touch y'})}"
    done = bridge.edgeffnet("validate", bundle / "model_int8.tflite", "--target", url)
    assert done.returncode == 5
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert nothing_left(bridge)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupt_ends_the_phones_program(bridge: Bridge, bundle: Path, sent: signal.Signals) -> None:
    path = bridge.folder / "program"
    path.write_text("#!/bin/sh\nwhile :; do :; done\n")
    url = f"adb://{SERIAL}?benchmark_model={path}&cache={bridge.folder}/phone"
    process = bridge.start("validate", bundle / "model_int8.tflite", "--target", url)
    assert eventually(lambda: str(bridge.folder / "phone") in running(bridge))
    process.send_signal(sent)
    process.communicate(timeout=30)
    assert nothing_left(bridge)


def running(bridge: Bridge) -> str:
    """The command lines of what runs on the device."""
    found = []
    for pid in marked(bridge.mark):
        with contextlib.suppress(OSError):
            found.append(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " "))
    return "\n".join(found)


def test_a_build_needs_percentiles(run: Run, tmp_path: Path) -> None:
    url = f"adb://R58M123ABC?benchmark_model={phone_programs.benchmark_model(tmp_path)}"
    done = run("build", "--variant", "lite0", "--target", url)
    assert done.returncode == 2
    assert "edgeffnet validate" in done.stderr


def test_names_are_data_on_the_device(bridge: Bridge, bundle: Path) -> None:
    odd = "-o a'b\"c;touch x$(touch y)`touch z`&|"
    python = bridge.folder / odd
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    url = f"adb://{SERIAL}?{urlencode({'python': python, 'cache': bridge.folder / f'{odd} cache'})}"
    done = bridge.edgeffnet("validate", bundle / "model_int8.tflite", "--target", url, "--json")
    assert done.returncode == 0, done.stderr
    assert not [path for path in (Path("/"), bridge.folder) for name in "xyz" if (path / name).exists()]


def test_two_devices_and_no_serial(bridge: Bridge) -> None:
    bridge.run("adb", "start-server")
    assert eventually(lambda: "emulator-5554" in bridge.run("adb", "devices").stdout)
    done = bridge.edgeffnet("target", "check", "adb://")
    assert done.returncode == 5
    assert SERIAL in done.stderr
    assert "emulator-5554" in done.stderr


def test_a_device_that_is_not_there(bridge: Bridge) -> None:
    done = bridge.edgeffnet("target", "check", "adb://R58M123ABC")
    assert done.returncode == 5
    assert "there is no device R58M123ABC" in done.stderr


def test_no_python_on_the_device(bridge: Bridge) -> None:
    done = bridge.edgeffnet("target", "check", f"adb://{SERIAL}?python=/nowhere/python3")
    assert done.returncode == 5
    assert "no Python there" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_device_that_goes_away(bridge: Bridge, bundle: Path) -> None:
    process = bridge.start("validate", bundle / "model_int8.tflite", "--target", bridge.url, "--mlperf")
    assert eventually(lambda: len(marked(bridge.mark)) >= 3)
    os.kill(bridge.device.pid, signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 5
    assert errors.count(b"\n") == 1, errors
    assert nothing_left(bridge)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupt_ends_what_runs_there(bridge: Bridge, bundle: Path, sent: signal.Signals) -> None:
    process = bridge.start("validate", bundle / "model_int8.tflite", "--target", bridge.url, "--mlperf")
    assert eventually(lambda: len(marked(bridge.mark)) >= 3)
    time.sleep(1)
    process.send_signal(sent)
    process.communicate(timeout=30)
    assert nothing_left(bridge)


def adb_message(command: bytes, first: int = 0, second: int = 0, data: bytes = b"") -> bytes:
    """A message of adb's protocol: six words, then the data."""
    number = int.from_bytes(command, "little")
    return struct.pack("<6I", number, first, second, len(data), sum(data), number ^ 0xFFFFFFFF) + data


@pytest.mark.parametrize(("answers", "reason"), [(True, "unauthorized"), (False, "offline")])
def test_a_device_that_does_not_let_us_in(bridge: Bridge, answers: bool, reason: str) -> None:
    """A peer that asks for a key and accepts none, as a phone with its screen locked, or never answers at all."""
    token = adb_message(b"AUTH", 1, 0, bytes(20))
    # It answers until the key itself is offered (AUTH 3); then the phone waits for its user.
    program = f"""
import socket, struct
server = socket.create_server(("127.0.0.1", 5599))
print("up", flush=True)
held = []
while True:
    client = server.accept()[0]
    held.append(client)
    offered = not {answers}
    while not offered:
        header = client.recv(24, socket.MSG_WAITALL)
        if len(header) < 24:
            break
        client.recv(struct.unpack("<6I", header)[3], socket.MSG_WAITALL)
        offered = header[:4] == b"AUTH" and header[4] == 3
        if not offered:
            client.sendall({token!r})
"""
    peer = subprocess.Popen(bridge.words(sys.executable, "-c", program), stdout=subprocess.PIPE)
    try:
        assert peer.stdout
        assert peer.stdout.readline() == b"up\n"
        connecting = subprocess.Popen(bridge.words("adb", "connect", "127.0.0.1:5599"), stdout=subprocess.DEVNULL)
        assert eventually(lambda: f"127.0.0.1:5599\t{reason}" in bridge.run("adb", "devices").stdout)
        done = bridge.edgeffnet("target", "check", "adb://127.0.0.1:5599")
        assert done.returncode == 5
        assert reason in done.stderr
        assert done.stderr.count("\n") == 1
    finally:
        stop(connecting)
        stop(peer)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("error: device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set\n", "allow this computer's key"),
        ("error: device offline\n", "is offline"),
        ("adb: device offline\n", "is offline"),
    ],
)
def test_what_adb_says_of_a_device_it_may_not_use(said: str, reason: str) -> None:
    """Its words, as adb 34 prints them."""
    assert reason in (refusal("R58M123ABC", "python3", 1, said) or "")


@pytest.mark.parametrize("address", ["adb://-s", "adb://a b", "adb://$(touch x)", "adb://me@phone", "adb://a;b"])
def test_a_serial_that_is_none(address: str) -> None:
    with pytest.raises(UsageError):
        target(address)
