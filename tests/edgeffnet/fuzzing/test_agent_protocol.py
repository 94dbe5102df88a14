"""Whatever a board answers, and whatever its agent is sent, ends in an answer or an error, in bounded time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edgeffnet.errors import TargetError
from edgeffnet.targets import agent
from edgeffnet.targets.benchmark_model import parse
from edgeffnet.targets.remote import Channel, RemoteTarget
from tests.edgeffnet.fuzzing.changes import changed_bytes, changed_document, values
from tests.edgeffnet.fuzzing.watch import folder, only_answers_or_refuses, tries

READY = {"event": "ready", "python": "3.11.2"}
OPENED = {"event": "answer", "result": {"cache": "/c", "scratch": "/c/s", "free_bytes": 1}}
ANSWERS = [
    READY,
    OPENED,
    {"event": "progress", "done": 1, "of": 2, "name": "latency"},
    {"event": "result", "request": 0, "result": {"module": "numpy", "version": "2"}},
    {"event": "answer", "result": {"exit": 0}},
]
REQUESTS = [
    {"do": "open", "cache": None},
    {"do": "have", "key": "0" * 32, "name": "model.tflite", "sha256": "0" * 64},
    {"do": "put", "key": "0" * 32, "name": "model.tflite", "sha256": "0" * 64, "offset": 0, "size": 4},
    {"do": "machine"},
    {"do": "get", "path": "/nowhere"},
    {"do": "job", "requests": [{"do": "hello"}], "seconds": 5},
]


def lines(events: Any) -> bytes:
    listed = events if isinstance(events, list) else [events]
    return b"".join(json.dumps(event).encode() + b"\n" for event in listed)


def board(said: Path, requests: int = 2) -> Channel:
    """One that prints the file `said` and ends after so many requests, whatever they are."""
    program = f'cat "$0"; head -n {requests} >/dev/null'
    return Channel(("/bin/sh", "-c", program, str(said)), lambda _code, _said: None)


def answered(data: bytes, requests: int = 2) -> Any:
    """What a target's job makes of a board that says `data` and ends."""
    with folder() as made:
        said = made / "said"
        said.write_bytes(data)
        target = RemoteTarget("board", lambda: board(said, requests))
        heard: list[tuple[int, int, str]] = []
        try:
            return only_answers_or_refuses(
                lambda: target.run([{"do": "probe"}], 1.0, lambda *progress: heard.append(progress)), silent=False
            )
        finally:
            target.close()


def test_a_board_that_answers_well_is_understood() -> None:
    assert answered(lines(ANSWERS)) == [{"module": "numpy", "version": "2"}]


@given(changed_document(ANSWERS))
@tries(40)
def test_a_board_of_any_events(events: Any) -> None:
    answered(lines([READY, OPENED, *(events if isinstance(events, list) else [events])]))


@given(changed_bytes(lines(ANSWERS)))
@tries(25)
def test_a_board_of_any_bytes(data: bytes) -> None:
    answered(lines([READY, OPENED]) + data)
    answered(data, requests=0)


@given(values | st.none())
@tries(20)
def test_what_a_board_says_it_is(told: Any) -> None:
    with folder() as made:
        said = made / "said"
        said.write_bytes(lines([READY, OPENED, {"event": "answer", "result": told}]))
        target = RemoteTarget("board", lambda: board(said))
        try:
            found = only_answers_or_refuses(target.machine, silent=False)
        finally:
            target.close()
        assert isinstance(found, TargetError | dict)


@given(changed_document(REQUESTS) | changed_document(REQUESTS[:3]))
@tries(8)
def test_an_agent_of_any_requests_answers_each_and_writes_in_its_own_folder_alone(requests: Any) -> None:
    with folder() as made:
        home, other = made / "home", made / "other"
        home.mkdir()
        other.mkdir()
        environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home), "TMPDIR": str(home)}
        listed = [one for one in (requests if isinstance(requests, list) else [requests]) if not _named_folder(one)]
        done = subprocess.run(
            [sys.executable, "-P", agent.__file__, "serve"],
            input=lines(listed),
            capture_output=True,
            cwd=other,
            env=environment,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert events[0]["event"] == "ready"
        assert all(isinstance(event["event"], str) for event in events)
        assert not list(other.iterdir())
        assert not [path for path in home.rglob("*") if path.parts[len(home.parts)] != "edgeffnet"]


def _named_folder(request: Any) -> bool:
    """A cache that the client names may lie anywhere: it is the user's choice."""
    return isinstance(request, dict) and request.get("do") == "open" and request.get("cache") is not None


OUTPUT = Path(__file__).parent.parent / "benchmark_output.py"


@given(changed_bytes(OUTPUT.read_bytes()[:3000]) | st.binary(max_size=300))
@tries(100)
def test_a_benchmark_program_of_any_output(data: bytes) -> None:
    only_answers_or_refuses(lambda: parse(data.decode("utf-8", "replace")))
