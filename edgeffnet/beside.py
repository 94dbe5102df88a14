"""A process beside this one, for work that other libraries do: importing those takes seconds of another core."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from multiprocessing.connection import Connection
from typing import ParamSpec, TypeVar

from edgeffnet.leash import leashed_to

P = ParamSpec("P")
T = TypeVar("T")


class Beside:
    """Runs functions one at a time in a process that has imported `modules`; here, where it was never started.

    The process ends with this one, however that ends.
    """

    def __init__(self, modules: Sequence[str] = ()) -> None:
        self._modules = tuple(modules)
        self._process: multiprocessing.process.BaseProcess | None = None
        self._here: Connection | None = None
        self._one_at_a_time = threading.Lock()

    @property
    def running(self) -> bool:
        """Whether it was started."""
        return self._process is not None

    def start(self) -> None:
        """Has the process begin its imports. It ends with the thread that calls this: let that be the main one."""
        if self._process is not None:
            return
        fresh = multiprocessing.get_context("spawn")
        self._here, there = fresh.Pipe()
        self._process = fresh.Process(target=_serve, args=(there, os.getpid(), self._modules), daemon=True)
        self._process.start()
        there.close()

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `function`, one of a module's, returns or raises over there; here where that process is lost.

        CancelledError where `close` ended it meanwhile.
        """
        if self._here is None:
            return function(*args, **kwargs)
        try:
            with self._one_at_a_time:
                self._here.send((function, args, kwargs))
                succeeded, answer = self._here.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            if self._process is None:
                raise CancelledError from None
            return function(*args, **kwargs)
        if not succeeded:
            raise answer
        return answer  # type: ignore[no-any-return]

    def close(self) -> None:
        """Ends the process, and what others wait for from it."""
        process, self._process = self._process, None
        if process is not None and self._here is not None:
            process.kill()
            process.join()
            with self._one_at_a_time:
                self._here.close()
                self._here = None


def _serve(there: Connection, parent: int, modules: Sequence[str]) -> None:
    if not leashed_to(parent, signal.SIGKILL):
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's; whoever asked hears it too
    for module in modules:
        importlib.import_module(module)
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            function, args, kwargs = there.recv()
            try:
                answer = True, function(*args, **kwargs)
            except Exception as error:
                answer = False, error
            there.send(answer)
