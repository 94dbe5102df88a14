"""Completion of commands, options and device names, as a shell asks for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import Run


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("edgeffnet ver", {"verify"}),
        ("edgeffnet build --max-lat", {"--max-latency"}),
        ("edgeffnet build --device rpi4", {"rpi4"}),
        ("edgeffnet target pre", {"prepare"}),
    ],
)
def test_what_was_begun_is_completed(words: str, expected: set[str]) -> None:
    asked = {"_EDGEFFNET_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    program = "from edgeffnet.cli import main; main(prog_name='edgeffnet')"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, **asked}, check=True
    )
    assert {line.split(",")[1] for line in done.stdout.splitlines()} == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_asks_by_the_variable_that_is_answered(run: Run, shell: str) -> None:
    done = run("completion", shell)
    assert done.returncode == 0, done.stderr
    assert f"_EDGEFFNET_COMPLETE={shell}_complete" in done.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_takes_the_script(run: Run) -> None:
    script = run("completion", "bash").stdout
    done = subprocess.run(
        ["bash", "-c", f"{script}\ncomplete -p edgeffnet"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "edgeffnet" in done.stdout
