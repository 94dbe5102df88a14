"""A real OpenSSH server on the loopback: what works over it, and what each fault says and leaves behind."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeffnet.errors import TargetError, TargetLostError, UsageError
from edgeffnet.report import schema
from edgeffnet.targets.address import target
from edgeffnet.targets.target import Target
from tests.conftest import Run, command
from tests.integration.conftest import PATIENCE, Server, eventually, key, needed, some_images, start_server, stop


def load(path: str) -> list[dict[str, Any]]:
    return [{"do": "cores", "threads": 1}, {"do": "load", "name": "m", "path": path, "format": "tflite"}]


def long_job(there: Target, model: Path, folder: Path, seconds: float = 60) -> list[dict[str, Any]]:
    """Requests that keep the processor there busy."""
    np.savez_compressed(folder / "pixels.npz", pixels=np.zeros((1, 224, 224, 3), np.uint8))
    feed = {"inputs": there.push(folder / "pixels.npz"), "mean": [127] * 3, "std": [128] * 3}
    return [*load(there.push(model)), {"do": "sustain", "name": "m", "seconds": seconds, **feed}]


def refused(url: str, *, within: float = PATIENCE) -> str:
    """What a target that cannot be used says; in one line, in bounded time."""
    start = time.monotonic()
    with closing(target(url)) as there, pytest.raises(TargetError) as error:
        there.machine()
        there.run([{"do": "probe", "module": "numpy"}], timeout=10)
    assert time.monotonic() - start < within
    assert "\n" not in str(error.value)
    return str(error.value)


def nothing_left(server: Server) -> bool:
    cache = server.folder / "cache"
    return eventually(lambda: not server.agents() and not list(cache.glob("session-*")))


@pytest.fixture
def model(bundle: Path) -> Path:
    return bundle / "model_int8.tflite"


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file that takes seconds to send."""
    path = tmp_path / "large.tflite"
    with path.open("wb") as file:
        file.truncate(600 << 20)
    return path


# What works

# Another user cannot reach an interpreter in our home.
SYSTEM_PYTHON = 'exec "$(command -v python3 || command -v python3.11)" "$@"'


def test_a_model_goes_there_once_and_runs(server: Server, model: Path) -> None:
    with closing(target(server.url())) as there:
        path = there.push(model)
        _, loaded = there.run(load(path), timeout=60)
    assert "LiteRT" in loaded["runtime"]
    assert loaded["placement"]["partitions"] == 1
    arrived = Path(path).stat()
    with closing(target(server.url())) as there:
        assert there.push(model) == path
    assert (Path(path).stat().st_ino, Path(path).stat().st_mtime_ns) == (arrived.st_ino, arrived.st_mtime_ns)
    assert nothing_left(server)


def test_a_file_comes_back_whole(server: Server, model: Path, tmp_path: Path) -> None:
    with closing(target(server.url())) as there:
        there.pull(there.push(model), tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == model.read_bytes()


def test_validate_over_ssh_equals_this_machine(
    server: Server, bundle: Path, data: Path, run: Run, tmp_path: Path
) -> None:
    val = some_images(data, tmp_path, 80)
    done = run("validate", bundle / "model_int8.tflite", "--val", val, "--target", server.url(), "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    schema.check(report)
    (made,) = report["models"]
    assert made["comparison"]["images"] == 80
    assert made["comparison"]["bit_equal"]
    assert made["comparison"]["differing"] == 0
    assert made["latency"]["kind"] == "measured"
    assert made["latency"]["affinity"]
    assert nothing_left(server)


@pytest.fixture
def two(folder: Path) -> Iterator[tuple[Server, Server]]:
    """Two boards of one kind."""
    made = []
    for name in ("one", "two"):
        (folder / name).mkdir()
        made.append(start_server(folder / name, pwd.getpwuid(os.getuid()).pw_name))
    yield made[0], made[1]
    for server in made:
        server.cut()
        stop(server.process)


def test_two_boards_share_the_images(
    two: tuple[Server, Server], bundle: Path, data: Path, run: Run, tmp_path: Path
) -> None:
    val = some_images(data, tmp_path, 3 * 64 + 20)
    urls = [word for server in two for word in ("--target", server.url())]
    model = bundle / "model_int8.tflite"
    done = run("validate", model, "--val", val, *urls, "--threads", "1", "--json")
    assert done.returncode == 0, done.stderr
    (made,) = json.loads(done.stdout)["models"]
    assert made["comparison"]["images"] == 3 * 64 + 20
    assert made["comparison"]["bit_equal"]
    # Each board has the shards it ran, the model's file, and nothing of the other's work.
    shards = [{path.parent.name for path in server.folder.glob("cache/files/*/*.npz")} for server in two]
    assert shards[0]
    assert shards[1]
    assert len(shards[0] & shards[1]) <= 1
    assert all(nothing_left(server) for server in two)


def test_boards_of_two_kinds_do_not_share(server: Server, bundle: Path, run: Run) -> None:
    hide(server, "ai_edge_litert", "raise ImportError('hidden', name='ai_edge_litert')")
    url = server.url(python=hiding_python(server))
    words = ("validate", bundle / "model_int8.tflite", "--target", url, "--target", "local")
    done = run(*words)
    assert done.returncode == 2
    assert "of one kind" in done.stderr
    assert "LiteRT" in done.stderr


def test_an_alias_and_an_agents_key(server: Server) -> None:
    """As in a user's ~/.ssh/config: the host's name, port and user are there, and the key only in ssh-agent."""
    (server.folder / "ssh_config").write_text(
        f"Host board\n  HostName 127.0.0.1\n  Port {server.port}\n  User {server.user}\n"
        f"  UserKnownHostsFile {server.folder}/known_hosts\n  GlobalKnownHostsFile none\n  IdentityFile none\n"
    )
    socket_path = server.folder / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket_path], stdout=subprocess.DEVNULL)
    environment = {**os.environ, "SSH_AUTH_SOCK": str(socket_path)}
    url = f"ssh://board?config={server.config}&python={server.python}&cache={server.folder}/cache"
    check = command(["target", "check", url])
    try:
        assert eventually(socket_path.exists)
        done = subprocess.run(check, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 5
        assert "the login was refused" in done.stderr
        subprocess.run(["ssh-add", "-q", server.folder / "id"], env=environment, check=True)
        done = subprocess.run(check, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    finally:
        agent.terminate()
        agent.wait()


def test_a_build_is_measured_on_its_target(server: Server, run: Run, tmp_path: Path) -> None:
    hide(server, "onnxruntime", "raise ImportError('hidden', name='onnxruntime')")
    url = server.url(python=hiding_python(server))
    words = (
        "build",
        "--recipe",
        "fast",
        "--variant",
        "lite0",
        "--device",
        "rpi4",
        "--max-latency",
        "900ms",
        "--formats",
        "tflite,onnx",
    )
    done = run(*words, "--target", url, "--output", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["target"] == url
    assert report["chosen"]["latency"]["kind"] == "measured"
    by_name = {found["name"]: found for found in report["artifacts"]}
    assert by_name["TFLite int8"]["comparison"]["bit_equal"]
    assert by_name["ONNX fp32"]["latency"] is None
    assert "onnxruntime" in by_name["ONNX fp32"]["not_run"]
    assert nothing_left(server)


def test_the_last_tflite_runtime(server: Server, bundle: Path, data: Path, run: Run, tmp_path: Path) -> None:
    needed(sys.version_info[:2] == (3, 11), "needs Python 3.11: the last that tflite-runtime has a wheel for")
    packages = server.folder / "packages"
    install = ("-m", "pip", "install", "--quiet", "--only-binary=:all:", "--target", packages)
    subprocess.run([sys.executable, *map(str, install), "numpy<2", "tflite-runtime==2.14.0"], check=True)
    own = f'PYTHONPATH={packages} exec {Path(sys.executable).resolve()} -S "$@"'
    url = server.url(python=server.write_python(own, "older"))
    val = some_images(data, tmp_path, 10)
    done = run("validate", bundle, "--val", val, "--target", url, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    by_name = {made["name"]: made for made in found["models"]}
    for name in ("TFLite fp32", "TFLite int8"):
        assert by_name[name]["latency"]["runtime"] == "tflite-runtime 2.14.0"
        assert by_name[name]["comparison"]["images"] == 10
    assert by_name["OpenVINO int8"]["not_run"]
    assert any("other int8 kernels" in note for note in found["notes"])


def test_check_says_what_is_there(server: Server, run: Run) -> None:
    done = run("target", "check", server.url())
    assert done.returncode == 0, done.stderr
    for word in ("cores", "governor", "cooling", "memory", "disk", "python", "numpy", "ai-edge-litert"):
        assert word in done.stdout


def test_check_says_what_is_missing_and_how_to_get_it(server: Server, run: Run) -> None:
    python = server.write_python(f'exec {Path(sys.executable).resolve()} -S -E "$@"', "bare")
    done = run("target", "check", server.url(python=python), "--json")
    assert done.returncode == 5
    found = json.loads(done.stdout)
    assert found["missing"].startswith("numpy and an interpreter")
    assert "-m pip install numpy ai-edge-litert" in found["install"]
    assert nothing_left(server)


def test_another_user_without_rights(folder: Path, other_user: pwd.struct_passwd, model: Path) -> None:
    made = start_server(folder, other_user.pw_name)
    try:
        made.write_python(SYSTEM_PYTHON)
        with closing(target(made.url(cache=None))) as there:
            assert there.machine()["cache"] == f"{other_user.pw_dir}/.cache/edgeffnet"
            path = there.push(model)
            assert Path(path).stat().st_uid == other_user.pw_uid
        assert not made.agents()
    finally:
        stop(made.process)


def test_a_home_that_is_read_only(folder: Path, other_user: pwd.struct_passwd, model: Path) -> None:
    os.chown(other_user.pw_dir, 0, 0)
    made = start_server(folder, other_user.pw_name)
    try:
        made.write_python(SYSTEM_PYTHON)
        with closing(target(made.url(cache=None))) as there:
            assert Path(there.push(model)).is_relative_to(f"/tmp/edgeffnet-{other_user.pw_uid}")
            there.clear()
        assert not Path(f"/tmp/edgeffnet-{other_user.pw_uid}").exists()
        assert "nowhere to write" in refused(made.url(cache="/proc/cache"))
    finally:
        stop(made.process)


def test_clear_leaves_nothing(server: Server, model: Path, run: Run) -> None:
    with closing(target(server.url())) as there:
        there.push(model)
    done = run("target", "clear", server.url())
    assert done.returncode == 0, done.stderr
    assert not (server.folder / "cache").exists()


def test_what_a_login_shell_prints_is_passed_over(server: Server) -> None:
    python = server.write_python('echo "Welcome to the board"; echo \'{"a": 1}\'; exec ./python "$@"', "chatty")
    python.write_text(python.read_text().replace("./python", str(server.python)))
    with closing(target(server.url(python=python))) as there:
        assert there.machine()["cores"] >= 1


# Logins


def test_an_unknown_host_key_is_never_accepted(server: Server) -> None:
    known = server.folder / "known_hosts"
    known.write_text("")
    said = refused(server.url())
    assert f"ssh -F {server.config} -p {server.port} {server.user}@127.0.0.1" in said
    assert known.read_text() == ""


def test_a_changed_host_key_is_told_from_an_unknown_one(server: Server) -> None:
    other = key(server.folder / "other")
    (server.folder / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {other}")
    assert "ssh-keygen -R" in refused(server.url())


def test_a_wrong_key(server: Server) -> None:
    (server.folder / "authorized_keys").write_text(key(server.folder / "other"))
    assert "the login was refused" in refused(server.url())


def test_no_password_is_asked_for_or_taken(server: Server) -> None:
    with pytest.raises(UsageError, match="password") as error:
        target(server.url().replace("@", ":secret@", 1))
    assert "secret" not in str(error.value)


def test_a_host_that_is_down(server: Server) -> None:
    stop(server.process)
    assert "cannot be reached" in refused(server.url())


def test_a_name_that_nobody_has(server: Server) -> None:
    assert "cannot be reached" in refused(server.url(host="nowhere.invalid"), within=60)


def test_a_port_that_is_open_and_silent(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert "cannot be reached" in refused(server.url(port=port), within=40)


# What is there


def test_python_is_missing(server: Server) -> None:
    assert "?python=" in refused(server.url(python="/nowhere/python3"))


def test_python_is_too_old(server: Server) -> None:
    older = 'import sys; sys.version_info = (3, 7, 3); sys.version = \\"3.7.3\\"; exec(sys.argv[1])'
    python = server.write_python(f'exec {sys.executable} -c "{older}" "$2"', "old")
    said = refused(server.url(python=python))
    assert "Python 3.7.3" in said
    assert "3.8" in said


def test_numpy_is_missing(server: Server, model: Path) -> None:
    python = server.write_python(f'exec {Path(sys.executable).resolve()} -S -E "$@"', "bare")
    with closing(target(server.url(python=python))) as there:
        assert there.machine()["python"]
        with pytest.raises(TargetError, match="numpy is missing"):
            there.run(load(there.push(model)), timeout=30)


def test_the_interpreter_is_missing(server: Server, model: Path) -> None:
    hide(server, "ai_edge_litert", "raise ImportError('hidden', name='ai_edge_litert')")
    hide(server, "tensorflow", "raise ImportError('hidden', name='tensorflow')")
    python = hiding_python(server)
    with closing(target(server.url(python=python))) as there, pytest.raises(TargetError, match="is missing there"):
        there.run(load(there.push(model)), timeout=30)


@pytest.mark.parametrize(("sent", "reason"), [("SIGSEGV", "may not fit"), ("SIGILL", "another processor")])
@pytest.mark.parametrize("package", ["numpy", "ai_edge_litert"])
def test_a_package_that_crashes(server: Server, model: Path, package: str, sent: str, reason: str) -> None:
    hide(server, package, f"import os, signal; os.kill(os.getpid(), signal.{sent})")
    with closing(target(server.url(python=hiding_python(server)))) as there:
        path = there.push(model)
        with pytest.raises(TargetError, match=reason) as error:
            there.run(load(path), timeout=30)
        assert sent in str(error.value)
        assert there.machine()["cores"] >= 1


def hide(server: Server, package: str, code: str) -> None:
    place = server.folder / "hidden" / package
    place.mkdir(parents=True)
    (place / "__init__.py").write_text(code)


def hiding_python(server: Server) -> Path:
    line = server.python.read_text().splitlines()[-1].replace("PYTHONPATH=", f"PYTHONPATH={server.folder}/hidden:")
    return server.write_python(line, "hiding")


# Output and files


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('echo \'{"event": "ready"}\'; echo "Segmentation fault"; exec cat >/dev/null', "corrupt"),
        ('echo \'{"event": "ready"}\'; echo "[]"; exec cat >/dev/null', "corrupt"),
        ('echo \'{"event": "ready"}\'; printf "\\377\\376\\n"; exec cat >/dev/null', "corrupt"),
        ('echo \'{"event": "ready"}\'; yes | tr -d "\\n"', "a line of over"),
        ("yes", "prints without end"),
        ("yes | tr -d '\\n'", "a line of over"),
        ("exit 0", "ended"),
    ],
    ids=["text", "no event", "no text", "endless line", "endless lines", "endless line at once", "nothing"],
)
def test_output_that_is_not_the_agents(server: Server, line: str, said: str) -> None:
    assert said in refused(server.url(python=server.write_python(line, "wrong")))
    assert eventually(lambda: not server.agents())


def test_half_a_file_is_continued(server: Server, model: Path) -> None:
    with closing(target(server.url())) as there:
        path = Path(there.push(model))
        whole = path.read_bytes()
        path.unlink()
        Path(f"{path}.part").write_bytes(whole[: len(whole) // 2])
        before = Path(f"{path}.part").stat().st_ino
        there.push(model)
        assert path.stat().st_ino == before
        assert path.read_bytes() == whole


def test_a_damaged_half_is_sent_again(server: Server, model: Path) -> None:
    with closing(target(server.url())) as there:
        path = Path(there.push(model))
        whole = path.read_bytes()
        path.unlink()
        Path(f"{path}.part").write_bytes(b"\0" * (len(whole) // 2))
        there.push(model)
        assert path.read_bytes() == whole


def test_a_file_damaged_in_the_cache_is_sent_again(server: Server, model: Path) -> None:
    with closing(target(server.url())) as there:
        path = Path(there.push(model))
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        there.push(model)
        assert path.read_bytes() == whole


def test_a_disk_that_is_full(server: Server, model: Path) -> None:
    disk = server.folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], capture_output=True, check=False)
    needed(mounted.returncode == 0, "needs the right to mount a small file system")
    try:
        with closing(target(server.url(cache=disk / "cache"))) as there:
            with pytest.raises(TargetError, match=r"the disk is full: .* are needed"):
                there.push(model)
            assert there.machine()["cores"] >= 1
    finally:
        subprocess.run(["umount", disk], check=True)


# Names


def test_odd_names_are_data(server: Server, model: Path, tmp_path: Path) -> None:
    odd = "-o a'b\"c;touch x$(touch y)`touch z`&|"
    folder = tmp_path / odd
    folder.mkdir()
    (folder / f"{odd}.tflite").write_bytes(model.read_bytes())
    python = server.write_python(server.python.read_text().splitlines()[-1], odd)
    url = server.url(python=python, cache=server.folder / f"{odd} cache")
    with closing(target(url)) as there:
        there.run(load(there.push(folder / f"{odd}.tflite")), timeout=60)
    assert sorted(path.name for path in Path.home().iterdir() if path.name in "xyz") == []


@pytest.mark.parametrize("host", ["-oProxyCommand=touch x", "a b", "a;b", "$(touch x)", "a'b", "`x`", ""])
def test_a_host_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(UsageError):
        target(f"ssh://{host}:22")


@pytest.mark.parametrize("user", ["-oProxyCommand=touch x", "a b", "a;b", "$(touch x)", "a'b"])
def test_a_user_that_is_none_is_refused(user: str) -> None:
    with pytest.raises(UsageError):
        target(f"ssh://{user}@127.0.0.1")


# A link that is cut


def lost(call: Callable[[], object], cut: Callable[[], object], when: Callable[[], bool]) -> float:
    """Seconds from the cut, made as soon as `when` is true, until the call says that the target is lost."""
    moment: list[float] = []

    def act() -> None:
        if eventually(when):
            moment.append(time.monotonic())
            cut()

    cutter = threading.Thread(target=act)
    cutter.start()
    with pytest.raises(TargetLostError):
        call()
    cutter.join()
    return time.monotonic() - moment[0]


def holds_some(folder: Path, pattern: str) -> Callable[[], bool]:
    """Whether a file in `folder` has something in it by now."""
    return lambda: any(path.stat().st_size > 0 for path in folder.glob(pattern))


def test_the_server_dies_during_a_run(server: Server, model: Path, tmp_path: Path) -> None:
    with closing(target(server.url())) as there:
        job = long_job(there, model, tmp_path)
        assert lost(lambda: there.run(job, timeout=90), server.cut, lambda: len(server.agents()) >= 2) < 10
        assert nothing_left(server)
        there.run(job[:2], timeout=60)


def test_the_server_dies_during_a_push(server: Server, large: Path) -> None:
    files = server.folder / "cache" / "files"
    with closing(target(server.url())) as there:
        there.machine()
        assert lost(lambda: there.push(large), server.cut, holds_some(files, "*/*.part")) < 10
        assert nothing_left(server)
        (part,) = files.glob("*/*.part")
        sent = part.stat().st_size
        assert sent > 0
        path = Path(there.push(large))
        assert path.stat().st_size == large.stat().st_size


def test_the_server_dies_during_a_pull(server: Server, large: Path, tmp_path: Path) -> None:
    with closing(target(server.url())) as there:
        there.machine()
        cut_when = holds_some(tmp_path, "back.part")
        assert lost(lambda: there.pull(str(large), tmp_path / "back"), server.cut, cut_when) < 10
        assert not (tmp_path / "back").exists()
        assert not (tmp_path / "back.part").exists()
        assert nothing_left(server)


@pytest.fixture
def isolated(folder: Path) -> Iterator[Server]:
    """An sshd in a network namespace of its own, whose link can be cut without a goodbye."""
    made = start_server(
        folder,
        pwd.getpwuid(os.getuid()).pw_name,
        prefix=("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "-"),
    )
    up = eventually(lambda: b"listening" in (folder / "log").read_bytes() or made.process.poll() is not None)
    needed(up and made.process.poll() is None, "needs network namespaces: root, iproute2")
    yield made
    made.cut()
    stop(made.process)


def inside(server: Server, *words: object) -> list[str]:
    return ["nsenter", "--target", str(server.process.pid), "--net", *map(str, words)]


@pytest.mark.parametrize("seconds", [1.0, 4.0], ids=["early", "in the run"])
def test_the_network_goes_down(isolated: Server, model: Path, seconds: float) -> None:
    words = command(["validate", model, "--target", isolated.url(), "--mlperf"])
    process = subprocess.Popen(inside(isolated, *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert eventually(lambda: bool(isolated.agents()))
    time.sleep(seconds)
    subprocess.run(inside(isolated, "ip", "link", "set", "lo", "down"), check=True)
    cut = time.monotonic()
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 5, errors
    assert errors.count("\n") == 1, errors
    assert output == ""
    assert time.monotonic() - cut < 60
    assert nothing_left(isolated)


TRANSFER = """
import sys
from contextlib import closing
from pathlib import Path
from edgeffnet.errors import TargetLostError
from edgeffnet.targets.address import target
url, verb, file, back = sys.argv[1:]
with closing(target(url)) as there:
    there.machine()
    try:
        there.push(Path(file)) if verb == "push" else there.pull(file, Path(back))
    except TargetLostError as error:
        sys.exit(f"lost: {error}")
"""


@pytest.mark.parametrize("verb", ["push", "pull"])
def test_the_network_goes_down_during_a_transfer(isolated: Server, large: Path, tmp_path: Path, verb: str) -> None:
    words = (sys.executable, "-c", TRANSFER, isolated.url(), verb, large, tmp_path / "back")
    process = subprocess.Popen(inside(isolated, *words), stderr=subprocess.PIPE, text=True)
    files = isolated.folder / "cache" / "files"
    started = holds_some(files, "*/*.part") if verb == "push" else holds_some(tmp_path, "back.part")
    assert eventually(started)
    subprocess.run(inside(isolated, "ip", "link", "set", "lo", "down"), check=True)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert errors.startswith("lost: "), errors
    assert not (tmp_path / "back").exists()
    assert not (tmp_path / "back.part").exists()
    assert nothing_left(isolated)


@pytest.mark.parametrize("seconds", [0.3, 1, 2.5, 6])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupt_ends_what_runs_there(server: Server, bundle: Path, seconds: float, sent: signal.Signals) -> None:
    process = subprocess.Popen(
        command(["validate", bundle, "--target", server.url()]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    time.sleep(seconds)
    process.send_signal(sent)
    _, errors = process.communicate(timeout=90)
    assert "Traceback" not in errors
    assert nothing_left(server)


def test_a_job_that_takes_too_long_is_ended_there(server: Server, model: Path, tmp_path: Path) -> None:
    with closing(target(server.url())) as there:
        job = long_job(there, model, tmp_path)
        with pytest.raises(TargetError, match="did not finish within 2 s"):
            there.run(job, timeout=2)
        assert eventually(lambda: len(server.agents()) <= 1)
        assert there.machine()["cores"] >= 1


def test_a_stopped_client_is_given_up(server: Server, model: Path) -> None:
    """As a closed laptop: no goodbye, and the connection stays open."""
    process = subprocess.Popen(
        command(["validate", model, "--target", server.url(), "--mlperf"]), start_new_session=True
    )
    try:
        assert eventually(lambda: len(server.agents()) >= 2)
        os.killpg(process.pid, signal.SIGSTOP)
        assert eventually(lambda: not server.agents(), 40)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_the_agents_hash_is_of_what_arrived(server: Server, model: Path) -> None:
    with closing(target(server.url())) as there:
        path = Path(there.push(model))
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(model.read_bytes()).digest()
