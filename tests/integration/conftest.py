"""Servers that the integration tests start: OpenSSH's on the loopback, with keys of its own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest

from edgeffnet import images, imagesets
from edgeffnet.bundle import contents
from edgeffnet.images import Pixels
from tests.conftest import Run

PATIENCE = 30.0
REAL_IMAGES = 100


def needed(condition: object, reason: str) -> None:
    """Skips for want of something, which may not be in CI."""
    if condition:
        return
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def eventually(condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Whether it comes true within that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def some_images(data: Path, folder: Path, count: int) -> Path:
    """A CSV of the first images of the evaluation set."""
    rows = (data / "imagenet" / "eval.csv").read_text().splitlines()[: count + 1]
    (folder / "eval").symlink_to(data / "imagenet" / "eval")
    (folder / "eval.csv").write_text("\n".join(rows) + "\n")
    return folder / "eval.csv"


@pytest.fixture(scope="session")
def cropped(bundle: Path, data: Path) -> Pixels:
    """Real images, cropped and resized to the model's size."""
    preprocessing, labels, _ = contents.find_contract(bundle / "model_int8.tflite")
    listed = imagesets.read(data / "imagenet" / "eval.csv", labels).images
    return np.concatenate(list(images.load(listed[:: len(listed) // REAL_IMAGES][:REAL_IMAGES], preprocessing)))


@pytest.fixture(scope="session")
def integer(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose int8 model is integers from end to end, and ends in 8-bit logits."""
    output = tmp_path_factory.mktemp("integer") / "out"
    words = ("--recipe", "fast", "--variant", "lite0", "--io", "int8", "--formats", "tflite,onnx")
    done = run("build", *words, "--output", output)
    assert done.returncode == 0, done.stderr
    return output


def marked(text: str) -> list[int]:
    """Processes with this in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if text.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@dataclass
class Server:
    """An sshd of one test, and what a client needs to log in to it."""

    folder: Path
    port: int
    user: str
    process: subprocess.Popen[bytes]
    mark: str

    @property
    def config(self) -> Path:
        return self.folder / "ssh_config"

    @property
    def python(self) -> Path:
        return self.folder / "python"

    def url(
        self, *, host: str = "127.0.0.1", port: int | None = None, user: str | None = None, **options: object
    ) -> str:
        """The target's address; its Python is `python`, its cache a folder of the test's."""
        given = {"config": self.config, "python": self.python, "cache": self.folder / "cache", **options}
        pairs = "&".join(f"{name}={quote(str(value))}" for name, value in given.items() if value is not None)
        return f"ssh://{quote(user or self.user)}@{host}:{port or self.port}?{pairs}"

    def write_python(self, line: str, name: str = "python") -> Path:
        """An executable whose last line is `line`, marked so that `agents` finds what it starts."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\nexport EDGEFFNET_TEST_MARK={self.mark}\n{line}\n")
        path.chmod(0o755)
        return path

    def agents(self) -> list[int]:
        """Processes that this server's clients started and that still run."""
        return marked(f"EDGEFFNET_TEST_MARK={self.mark}")

    def sessions(self) -> list[int]:
        """The server's processes that each hold one connection."""
        listed = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True).stdout
        pairs = [tuple(map(int, line.split())) for line in listed.splitlines()[1:]]
        children = [pid for pid, parent in pairs if parent == self.process.pid]
        return [*children, *(pid for pid, parent in pairs if parent in children and pid not in self.agents())]

    def cut(self) -> None:
        """Kills the processes that hold its connections, as a crash of the board's server would."""
        for pid in self.sessions():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def key(path: Path) -> str:
    """A new key pair's public half."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path.with_suffix(".pub").read_text()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_server(folder: Path, user: str, *, prefix: tuple[str, ...] = ()) -> Server:
    """An sshd that lets `user` in by a key in `folder`; `prefix` is put before its command."""
    sshd = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    needed(sshd and shutil.which("ssh"), "needs OpenSSH: apt install openssh-server openssh-client")
    assert sshd
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    port = free_port()
    host_key, user_key = key(folder / "host"), key(folder / "id")
    (folder / "authorized_keys").write_text(user_key)
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile {folder}/pid\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nPermitRootLogin yes\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n"
    )
    (folder / "ssh_config").write_text(
        f"Host *\n  IdentityFile {folder}/id\n  IdentitiesOnly yes\n  UserKnownHostsFile {folder}/known_hosts\n"
        "  GlobalKnownHostsFile none\n"
    )
    process = subprocess.Popen(
        [*prefix, sshd, "-D", "-e", "-f", f"{folder}/sshd_config"], stderr=(folder / "log").open("wb")
    )
    server = Server(folder, port, user, process, uuid.uuid4().hex)
    site = next(path for path in sys.path if path.endswith("site-packages"))
    server.write_python(f'PYTHONPATH={site} exec {Path(sys.executable).resolve()} "$@"')
    if not prefix:
        assert eventually(lambda: accepts(port)), (folder / "log").read_text()
    return server


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that another user may enter, unlike pytest's."""
    made = Path(tempfile.mkdtemp(prefix="edgeffnet-test-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    """An sshd on the loopback for the user who runs the tests."""
    made = start_server(folder, pwd.getpwuid(os.getuid()).pw_name)
    yield made
    made.cut()
    stop(made.process)


@pytest.fixture
def other_user() -> Iterator[pwd.struct_passwd]:
    """A user without rights, with a home."""
    needed(os.getuid() == 0 and shutil.which("useradd"), "needs root, to make a user")
    name = f"edgeffnet{os.getpid()}"
    subprocess.run(["useradd", "--create-home", "--password", "*", "--shell", "/bin/sh", name], check=True)
    yield pwd.getpwnam(name)
    subprocess.run(["userdel", "--remove", "--force", name], check=False, capture_output=True)
