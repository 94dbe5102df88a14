"""This machine as a device: read from the processor, with no published row.

Its latency is measured, never estimated; the peaks below only matter once rows are added.
"""

from __future__ import annotations

import os
import platform
import re
from functools import lru_cache
from pathlib import Path

from edgeffnet.devices.profile import LOCAL, Device

_VECTOR_FLAGS = frozenset(("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8", "fma", "sse4_2")) | frozenset(
    ("asimd", "asimddp", "asimdhp", "fphp", "i8mm", "sve", "neon", "vfpv4")
)


_VNNI = frozenset(("avx_vnni", "avx512_vnni", "amx_int8"))
# Values of ONEDNN_MAX_CPU_ISA with which oneDNN, and so OpenVINO, uses no VNNI whatever the processor has.
_WITHOUT_VNNI = frozenset(("SSE41", "AVX", "AVX2", "AVX512_CORE"))


def local_device() -> Device:
    """The machine this runs on, as far as oneDNN may use it; what cannot be read is "unknown" or a modest default."""
    return _detected(os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in _WITHOUT_VNNI)


@lru_cache(maxsize=2)
def _detected(without_vnni: bool) -> Device:
    info = _cpu_info(Path("/proc/cpuinfo"))
    return described(
        name=LOCAL,
        description="this machine",
        soc=info.get("Hardware") or platform.machine() or "unknown",
        core=info.get("model name") or info.get("CPU part") or platform.processor() or "unknown",
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        clock_ghz=_clock_ghz(info),
        flags=frozenset((info.get("flags") or info.get("Features") or "").split()) - (_VNNI if without_vnni else set()),
        architecture=platform.machine(),
        memory_mib=_memory_mib(Path("/proc/meminfo")),
        cache_kib=_cache_kib(Path("/sys/devices/system/cpu/cpu0/cache")),
        hardware_source="detected; peaks derived from vector width and clock, bandwidth assumed",
    )


def described(
    *,
    name: str,
    description: str,
    soc: str,
    core: str,
    cores: int,
    clock_ghz: float,
    flags: frozenset[str],
    architecture: str,
    memory_mib: int,
    cache_kib: int,
    hardware_source: str,
) -> Device:
    """A device without rows; its arithmetic and peaks follow from the processor's `flags` and clock."""
    x86 = architecture.lower() in ("x86_64", "amd64", "i686")
    int8 = _int8(flags, x86)
    # Two units that multiply and add, as wide as the vectors.
    lanes = 32 if "avx512f" in flags else 16 if "avx2" in flags else 4
    return Device(
        name=name,
        description=description,
        soc=soc,
        core=core,
        cores=cores,
        clock_ghz=clock_ghz,
        isa=tuple(sorted(_VECTOR_FLAGS & flags)),
        int8=int8,
        memory_mib=memory_mib,
        cache_kib=cache_kib,
        bandwidth_gb_s=15.0 if x86 else 4.0,
        peak_fp32_gmacs=lanes * clock_ghz,
        peak_int8_gmacs=lanes * clock_ghz * (4 if int8 in ("dot", "vnni") else 2),
        default_threads=cores,
        hardware_source=hardware_source,
    )


def _int8(flags: frozenset[str], x86: bool) -> str:
    if flags & _VNNI:
        return "vnni"
    if x86:
        return "saturating-avx2"
    return "dot" if flags & {"asimddp", "i8mm"} else "smlal"


def _cpu_info(path: Path) -> dict[str, str]:
    """The first value of each field: cores are taken to be alike."""
    fields: dict[str, str] = {}
    for line in _lines(path):
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    return fields


def _clock_ghz(info: dict[str, str]) -> float:
    for line in _lines(Path("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")):
        if line.strip().isdigit():
            return int(line) / 1e6
    try:
        return float(info["cpu MHz"]) / 1e3 or 1.0
    except (KeyError, ValueError):
        return 1.0


def _memory_mib(path: Path) -> int:
    for line in _lines(path):
        match = re.match(r"MemTotal:\s+(\d+) kB", line)
        if match:
            return max(1, int(match[1]) // 1024)
    return 1024


def _cache_kib(path: Path) -> int:
    """A quarter of the third level, which others use too, or the second level where that is more."""
    sizes = {2: 512, 3: 0}
    for index in sorted(path.glob("index*")):
        level, size = "".join(_lines(index / "level")).strip(), "".join(_lines(index / "size")).strip()
        if level in ("2", "3") and size.endswith("K") and size[:-1].isdigit():
            sizes[int(level)] = int(size[:-1])
    return max(sizes[2], sizes[3] // 4, 1)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
