"""Shipped rows against the table they were taken from."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest

from edgeffnet.devices import load

NAMES_THERE = {"n100": "x86-n100"}


@pytest.mark.parametrize("name", ["rpi3b+", "rpi4", "rpi5", "rpi-zero2w", "pixel4", "pixel6", "n100"])
def test_every_shipped_row_was_published(name: str, data: Path) -> None:
    with gzip.open(data / "published_latency.csv.gz", "rt", encoding="utf-8") as lines:
        published = {
            (row["threads"], float(row["latency_ms"]))
            for row in csv.DictReader(lines)
            if row["device"] == NAMES_THERE.get(name, name)
        }
    shipped = {
        (str(row.threads) if row.threads else "", row.ms) for runtime in load(name).runtimes for row in runtime.rows
    }
    assert shipped <= published
