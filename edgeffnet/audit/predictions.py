"""Models run over a stream of images on every worker, a few shards in flight at any time."""

from __future__ import annotations

import math
import os
import queue
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converters.check import log_probabilities
from edgeffnet.audit.decoding import Decoded, Shard, Unreadable, decode, shard_size, shards
from edgeffnet.audit.scoring import Feed, Scores
from edgeffnet.audit.subject import Subject
from edgeffnet.errors import ArtifactError, DataError, TargetError
from edgeffnet.images import LabelledImage, Preprocessing
from edgeffnet.targets.remote import RemoteTarget
from edgeffnet.validation import Input, scores_of_inputs

Advance = Callable[[int, int, str], None]

# Shards that a worker takes at once: for each group a process starts and loads the models.
_GROUP = 16
# Shards that a worker waits for before its first process starts.
_FIRST = 6
# Shards decoded ahead of each worker.
_AHEAD = 16


@dataclass(frozen=True)
class Answer:
    """What the feeds gave for a shard's readable images: log-probabilities (n, classes) of each feed.

    `indices` are the images' places in the list.
    """

    shard: Shard
    indices: NDArray[np.int64]
    scores: tuple[Scores, ...]
    unreadable: tuple[Unreadable, ...]


class Predictor:
    """Runs models over images, on `workers` that share them. `compress` images that have far to go."""

    def __init__(self, workers: Sequence[RemoteTarget], threads: int | None, *, compress: bool) -> None:
        self.workers = tuple(workers)
        self._threads = threads
        self._compress = compress

    def stream(self, feeds: Sequence[Feed], parts: Sequence[Shard], advance: Advance | None = None) -> Iterator[Answer]:
        """The answers of all `feeds` for each of `parts`, in the order they are done.

        Images are decoded meanwhile. Raises TargetError when a worker fails for good, and ArtifactError, which
        names the image, for outputs that are not finite.
        """
        with tempfile.TemporaryDirectory(prefix="edgeffnet-") as folder:
            run = _Run(self, feeds, parts, Path(folder), self._threads, self._compress, _Meter(feeds, parts, advance))
            try:
                yield from run.answers()
            except BaseException:
                run.stop()
                for worker in self.workers:
                    worker.close()
                raise
            finally:
                run.join()

    def scores_of(self, subject: Subject, preprocessing: Preprocessing, images: Sequence[LabelledImage]) -> Scores:
        """The `scoring.ScoresOf` of these workers; DataError for an image that cannot be read."""
        size = min(shard_size(preprocessing.resolution), math.ceil(len(images) / len(self.workers)) or 1)
        made = np.zeros((len(images), subject.classes), np.float32)
        for answer in self.stream([Feed(subject, preprocessing)], shards(images, size)):
            for one in answer.unreadable:
                raise DataError(f"{one.path}: {one.reason}")
            made[answer.indices] = answer.scores[0]
        return made


class _Meter:
    """Tells how many images are through, all feeds together, and how many a second."""

    def __init__(self, feeds: Sequence[Feed], parts: Sequence[Shard], advance: Advance | None) -> None:
        self._advance = advance
        self._feeds = len(feeds)
        self._total = sum(len(part.images) for part in parts)
        self._start = time.perf_counter()
        self._lock = threading.Lock()
        self._through = 0

    def worker(self) -> Advance:
        """Takes the progress of one worker's shards."""
        done, of, name = 0, 0, ""

        def heard(now: int, size: int, which: str) -> None:
            nonlocal done, of, name
            if which != name or now < done:
                self.add(of - done)
                done = 0
            self.add(now - done)
            done, of, name = now, size, which

        return heard

    def add(self, inferences: int) -> None:
        with self._lock:
            self._through += inferences
            images = min(self._total, self._through // self._feeds)
            rate = images / max(time.perf_counter() - self._start, 1e-3)
            if self._advance:
                self._advance(images, self._total, f"{rate:.0f} images/s")


class _Run:
    """One stream: a thread decodes, a thread for each worker predicts, the caller takes what is done."""

    def __init__(
        self,
        predictor: Predictor,
        feeds: Sequence[Feed],
        parts: Sequence[Shard],
        folder: Path,
        threads: int | None,
        compress: bool,
        meter: _Meter,
    ) -> None:
        self._feeds = tuple(feeds)
        self._parts = parts
        self._folder = folder
        self._threads = threads
        self._compress = compress
        self._meter = meter
        self._workers = predictor.workers
        self._stopped = threading.Event()
        self._changed = threading.Condition()
        self._ready: deque[Decoded] = deque()
        self._left = len(parts)
        self._in_work = 0
        self._least = min(_FIRST * len(predictor.workers), len(parts))
        self._done: queue.SimpleQueue[Answer | BaseException] = queue.SimpleQueue()
        self._running = [threading.Thread(target=self._guarded, args=(self._decode,), daemon=True)]
        for worker in self._workers:
            work = self._predict(worker)
            self._running.append(threading.Thread(target=self._guarded, args=(work,), daemon=True))

    def answers(self) -> Iterator[Answer]:
        for thread in self._running:
            thread.start()
        for _ in self._parts:
            found = self._done.get()
            if isinstance(found, BaseException):
                raise found
            yield found

    def stop(self) -> None:
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()

    def join(self) -> None:
        for thread in self._running:
            if thread.ident is not None:
                thread.join(timeout=30)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._done.put(error)

    def _decode(self) -> None:
        room = _AHEAD * len(self._workers)
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            for part in self._parts:
                with self._changed:
                    self._changed.wait_for(lambda: len(self._ready) < room or self._stopped.is_set())
                if self._stopped.is_set():
                    return
                made = decode(part, self._feeds, self._folder, pool, compress=self._compress)
                with self._changed:
                    self._ready.append(made)
                    self._changed.notify_all()

    def _take(self, finished: int) -> list[Decoded]:
        """The next shards for a worker that `finished` some: its share of all that are left; none when none are."""
        with self._changed:
            self._in_work -= finished
            self._changed.wait_for(
                lambda: len(self._ready) >= max(self._least, 1) or not self._left or self._stopped.is_set()
            )
            if self._stopped.is_set():
                return []
            # What is ready at first is for all workers; later they are to end together.
            shared = len(self._ready) if self._least else self._left + self._in_work
            self._least = 0
            fair = math.ceil(shared / len(self._workers))
            taken = [self._ready.popleft() for _ in range(min(len(self._ready), _GROUP, fair))]
            self._left -= len(taken)
            self._in_work += len(taken)
            self._changed.notify_all()
            return taken

    def _predict(self, worker: RemoteTarget) -> Callable[[], None]:
        def work() -> None:
            finished = 0
            while group := self._take(finished):
                finished = len(group)
                whole = [decoded for decoded in group if decoded.files]
                inputs = [
                    Input(feed.subject.artifact, feed.preprocessing, file)
                    for decoded in whole
                    for feed, file in zip(self._feeds, decoded.files, strict=True)
                ]
                made = iter(
                    scores_of_inputs(
                        inputs, worker, threads=self._threads, stopped=self._stopped, progress=self._meter.worker()
                    )
                )
                for decoded in group:
                    scores = [next(made) for _ in decoded.files]
                    decoded.remove()
                    self._done.put(self._answer(decoded, scores))

        return work

    def _answer(self, decoded: Decoded, scores: Sequence[Scores]) -> Answer:
        made = []
        for feed, raw in zip(self._feeds, scores, strict=False):
            subject = feed.subject
            if raw.shape != (len(decoded.indices), subject.classes):
                raise TargetError(f"{subject.file}: {raw.shape} scores came for {len(decoded.indices)} images")
            broken = np.flatnonzero(~np.isfinite(raw).all(axis=1))
            if len(broken):
                image = decoded.shard.images[int(decoded.indices[broken[0]]) - decoded.shard.start]
                raise ArtifactError(f"{subject.file}: its outputs are not finite (NaN or infinite) for {image.path}")
            made.append(log_probabilities(raw, subject.artifact.output))
        return Answer(decoded.shard, decoded.indices, tuple(made), decoded.unreadable)
