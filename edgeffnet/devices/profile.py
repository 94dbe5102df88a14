"""Device profiles: hardware, and the published latencies measured on it, each row with its source."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

from edgeffnet.errors import DataError, UsageError

LOCAL = "local"
PRECISIONS = ("fp32", "fp16", "int8")

_ENOUGH_AT_ONE_COUNT = 8

# How 8-bit products are summed, and whether a sum of two of them can overflow its 16 bits.
INT8_ARITHMETIC = {
    "dot": "four products summed in 32 bits (SDOT, or I8MM); cannot saturate",
    "smlal": "widening multiply-accumulate; cannot saturate",
    "vnni": "four products summed in 32 bits (VNNI); cannot saturate",
    "saturating-avx2": "pairs of products summed in 16 bits (AVX2 without VNNI); can saturate",
    "smlad": "two 16-bit products at once (DSP extension); cannot saturate",
    "scalar": "one product at a time; cannot saturate",
}


@dataclass(frozen=True)
class Row:
    """One published latency: the mean, in milliseconds, of `model` at `threads`.

    `source` is a key of the device's sources. `rejected` says why a row is kept in sight and
    left out of the fit; "" where it is used. `threads` is 0 where a rejected row's source tells none.
    """

    model: str
    precision: str
    threads: int
    ms: float
    source: str
    rejected: str = ""


@dataclass(frozen=True)
class Runtime:
    """Rows of one runtime: never pooled with those of another name, version or delegate.

    `clock` says at which clock the rows were taken, as far as their source tells. `fitted` is
    False for rows that only compare this device with another (see `Transfer`); `measured` is True
    for rows of `edgeffnet profile`, which nobody published.
    """

    name: str
    version: str
    delegate: str
    clock: str
    rows: tuple[Row, ...]
    note: str = ""
    fitted: bool = True
    measured: bool = False

    @property
    def label(self) -> str:
        """Name, version and delegate in one string."""
        return f"{self.name} {self.version} ({self.delegate})"

    def used(self, precision: str) -> tuple[Row, ...]:
        """The rows of `precision` that were not rejected."""
        return tuple(row for row in self.rows if row.precision == precision and not row.rejected)

    def at(self, threads: int, precision: str) -> Runtime:
        """The runtime with its rows at `threads` alone, where they are enough for a fit of their own.

        A designed set of models has them; published rows are too few, and share what they say of prices.
        """
        own = tuple(row for row in self.rows if row.threads == threads)
        enough = sum(row.precision == precision and not row.rejected for row in own) >= _ENOUGH_AT_ONE_COUNT
        return replace(self, rows=own) if self.measured and enough else self


@dataclass(frozen=True)
class Transfer:
    """Where a device has no row of a runtime: another device's fit, times a measured ratio.

    The ratio is that of the rows both devices have under `runtime` (see `devices.transfer`).
    """

    device: str
    runtime: str


@dataclass(frozen=True)
class Spread:
    """How far a single inference strays from the mean: 90th percentile over mean, and its source."""

    p90_over_mean: float
    source: str


@dataclass(frozen=True)
class Device:
    """A device: what it can do, and what was measured on it.

    `cores` counts those inference may use (the big ones of a big.LITTLE pair); the peaks are
    multiply-adds per second of one core in units of 1e9, `bandwidth_gb_s` is that of one core,
    and `cache_kib` that of the last level a core can count on. They shape a fit where rows are
    few; they are no latency. `flash_mib` is 0 where nobody states it. `sources` pairs each key that
    rows use with what it stands for.
    """

    name: str
    description: str
    soc: str
    core: str
    cores: int
    clock_ghz: float
    isa: tuple[str, ...]
    int8: str
    memory_mib: int
    cache_kib: int
    bandwidth_gb_s: float
    peak_fp32_gmacs: float
    peak_int8_gmacs: float
    default_threads: int
    hardware_source: str
    runtimes: tuple[Runtime, ...] = ()
    sources: tuple[tuple[str, str], ...] = ()
    spread: Spread | None = None
    transfer: Transfer | None = None
    flash_mib: int = 0

    @property
    def microcontroller(self) -> bool:
        """Whether TensorFlow Lite Micro runs there, not LiteRT."""
        return self.core.startswith("Cortex-M")

    @property
    def int8_saturates(self) -> bool:
        """True where sums of 8-bit products can overflow, and int8 weights need a halved range."""
        return self.int8.startswith("saturating")

    def source(self, key: str) -> str:
        """What the source called `key` stands for."""
        return dict(self.sources)[key]


def device_names() -> tuple[str, ...]:
    """Names `load` knows without a file: the shipped profiles, and "local"."""
    return (LOCAL, *sorted(path.stem for path in Path(__file__).parent.glob("*.toml")))


def load(name_or_path: str | Path) -> Device:
    """The profile shipped under a name, this machine ("local"), or a TOML file of the user's.

    UsageError names the nearest profiles when there is none of that name, DataError the file and
    the field that is missing, negative, unknown or contradicts another.
    """
    text = str(name_or_path)
    if text.endswith(".toml") or "/" in text or isinstance(name_or_path, Path):
        path = Path(name_or_path)
        if not path.is_file():
            raise DataError(f"{path}: no such device profile")
        return _load_file(path.resolve(), path.stat().st_mtime_ns)
    if text == LOCAL:
        from edgeffnet.devices.local import local_device

        return local_device()
    names = device_names()
    if text not in names:
        near = get_close_matches(text.lower(), names, n=3, cutoff=0.4) or names
        raise UsageError(f"unknown device {text!r}; nearest: {', '.join(near)}; or give a profile's path")
    path = Path(__file__).parent / f"{text}.toml"
    return _load_file(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=32)
def _load_file(path: Path, _changed: int) -> Device:
    from edgeffnet.devices.toml_profile import parse

    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text: {error}") from None
    return parse(content, path.name)
