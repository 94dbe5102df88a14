"""The file that training goes on from is whole at every moment."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from edgeffnet.errors import UsageError
from edgeffnet.training import checkpoint
from edgeffnet.training.checkpoint import State
from edgeffnet.training.metrics import Row

ROW = Row(0, 1.5, 20.0, 0.0, None, None, 0.7, 0.75, best=True)


def state(epoch: int) -> State:
    rows = (ROW, *(Row(n, 2.0, 10.0, 1e-3, 0.5, 0.8, 0.4, 0.9, best=n == 1) for n in range(1, epoch + 1)))
    live = {
        "stem_conv/kernel": np.full((2, 2), epoch, np.float32),
        "steps": np.array([7], np.int64),
        "iteration": np.array(3),
    }
    return State("digest", epoch, 0.25, 12.5, 4, 33.0, rows, live, {"stem_conv/kernel": np.ones((2, 2), np.float32)})


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert checkpoint.load(tmp_path) is None
    checkpoint.save(tmp_path, state(2))
    found = checkpoint.load(tmp_path)
    assert found is not None
    assert (found.epoch, found.progress, found.rows, found.first_stage) == (2, 0.25, state(2).rows, 4)
    assert found.best_row.epoch == 1
    assert found.live["stem_conv/kernel"].tolist() == [[2, 2], [2, 2]]
    assert found.live["steps"].dtype == np.int64
    assert found.live["iteration"].shape == ()
    assert found.best["stem_conv/kernel"].tolist() == [[1, 1], [1, 1]]


def test_a_full_disk_leaves_the_older_checkpoint_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint.save(tmp_path, state(1))
    before = (tmp_path / checkpoint.NAME).read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match=r"epoch 2 cannot be written \(No space left.*that of epoch 1 is intact"):
        checkpoint.save(tmp_path, state(2))
    assert (tmp_path / checkpoint.NAME).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.NAME]
