"""Who runs the jobs: processes on this machine, or the workers of a Dask cluster."""

from __future__ import annotations

import contextlib
import os
import re
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Protocol

from edgeffnet.errors import TargetError, UsageError
from edgeffnet.sweep.run import Order, Outcome, run, stop

# A build's peak, and room for the runtime that checks it.
_BYTES_PER_JOB = 3_000_000_000
_CONNECT_SECONDS = 10
_ADDRESS = re.compile(r"(tcp|tls|ucx|ws|wss)://[^:/\s]+:\d+")


class Workers(Protocol):
    """Runs up to `capacity` orders at once; None where somebody else keeps count."""

    @property
    def capacity(self) -> int | None: ...

    def submit(self, order: Order) -> Future[Outcome]: ...

    def stop(self, sweep: str) -> None:
        """Ends what still runs of a sweep, and starts no more of it."""

    def __enter__(self) -> Workers: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class LocalWorkers:
    """This machine: one job for each core, or as many as memory holds."""

    def __init__(self, jobs: int | None = None) -> None:
        self.capacity = jobs or jobs_at_once()
        self._threads = ThreadPoolExecutor(self.capacity)

    def submit(self, order: Order) -> Future[Outcome]:
        return self._threads.submit(run, order)

    def stop(self, sweep: str) -> None:
        stop(sweep)

    def __enter__(self) -> LocalWorkers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)


class DaskWorkers:
    """An existing cluster, which has edgeffnet and sees the plan's folder under the same path.

    UsageError for what is no address, or where distributed is not installed; TargetError where no scheduler answers.
    """

    capacity = None

    def __init__(self, scheduler: str) -> None:
        if not _ADDRESS.fullmatch(scheduler):
            raise UsageError(f"--scheduler {scheduler}: not an address such as tcp://host:8786")
        try:
            from distributed import Client
        except ImportError:
            raise UsageError("--scheduler needs distributed: pip install 'edgeffnet[dask]'") from None
        try:
            self._client: Any = Client(scheduler, timeout=_CONNECT_SECONDS, set_as_default=False)
        except Exception as error:  # each kind of address fails in its own way
            raise TargetError(f"--scheduler {scheduler}: {error}") from None
        if not self._client.scheduler_info(n_workers=-1)["workers"]:
            self._client.close()
            raise TargetError(f"--scheduler {scheduler}: no worker is connected to it")
        # A command makes its own files anew each time, so it is as good the second time as the first.
        self._executor: Any = self._client.get_executor(pure=False, retries=0)

    def submit(self, order: Order) -> Future[Outcome]:
        made: Future[Outcome] = self._executor.submit(run, order)
        return made

    def stop(self, sweep: str) -> None:
        # A cluster that is gone has nothing to be stopped.
        with contextlib.suppress(Exception):
            self._client.run(stop, sweep, on_error="ignore")

    def __enter__(self) -> DaskWorkers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown(wait=False)
        self._client.close()


def jobs_at_once() -> int:
    """One for each core that this process may use, fewer where memory is short."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(len(os.sched_getaffinity(0)), memory // _BYTES_PER_JOB))
