"""Profiles: what ships is complete and sourced; what a user writes wrong is named."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from edgeffnet.devices import Device, device_names, load
from edgeffnet.devices.toml_profile import parse, to_toml
from edgeffnet.errors import DataError, UsageError

SHIPPED = [name for name in device_names() if name != "local"]

PROFILE = """\
name = "mine"
description = "a board"
soc = "X1"
core = "Cortex-A55"
cores = 4
clock_ghz = 1.8
isa = ["asimd", "asimddp"]
int8 = "dot"
memory_mib = 1024
cache_kib = 512
bandwidth_gb_s = 4.0
peak_fp32_gmacs = 7.2
peak_int8_gmacs = 28.8
default_threads = 4
hardware_source = "its data sheet"

[sources]
own = "measured by me"

[[runtimes]]
name = "tflite"
version = "2.18.0"
delegate = "xnnpack"
clock = "1.8 GHz"
rows = [
  { model = "lite0", precision = "int8", threads = 1, ms = 100.0, source = "own" },
  { model = "lite2", precision = "int8", threads = 1, ms = 200.0, source = "own" },
  { model = "lite:0.5,0.6,160", precision = "int8", threads = 1, ms = 20.0, source = "own" },
  { model = "lite4", precision = "int8", threads = 1, ms = 600.0, source = "own" },
]
"""


def write(folder: Path, old: str = "", new: str = "") -> Path:
    assert old in PROFILE
    path = folder / "mine.toml"
    path.write_text(PROFILE.replace(old, new, 1) if old else PROFILE, encoding="utf-8")
    return path


def test_the_promised_devices_ship() -> None:
    boards = {"rpi3b+", "rpi4", "rpi5", "rpi-zero2w", "jetson-nano", "rk3588", "n100", "cortex-m7"}
    assert boards | {"pixel4", "pixel6", "local"} <= set(device_names())


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_survives_a_round_trip(name: str) -> None:
    device = load(name)
    assert device.name == name
    assert parse(to_toml(device), name) == device


@pytest.mark.parametrize("name", SHIPPED)
def test_every_row_has_a_source_or_a_reason_to_be_left_out(name: str) -> None:
    device = load(name)
    for runtime in device.runtimes:
        for row in runtime.rows:
            assert device.source(row.source)
            assert row.ms > 0
            assert row.threads > 0 or row.rejected


def test_a_profile_is_loaded_from_a_path(tmp_path: Path) -> None:
    device = load(write(tmp_path))
    assert (device.name, device.default_threads, len(device.runtimes[0].rows)) == ("mine", 4, 4)
    assert load(str(tmp_path / "mine.toml")) == device


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    first = load(write(tmp_path))
    path = write(tmp_path, "cores = 4\n", "cores = 6\n")
    assert (first.cores, load(path).cores) == (4, 6)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("clock_ghz = 1.8\n", "", "clock_ghz is missing"),
        ("clock_ghz = 1.8", "clock_ghz = -1.8", "clock_ghz must be positive"),
        ("clock_ghz = 1.8", "clock_ghz = nan", "clock_ghz must be positive"),
        ("clock_ghz = 1.8", 'clock_ghz = "fast"', "clock_ghz must be a number"),
        ("cores = 4", "cores = 0", "cores must be at least 1"),
        ("cores = 4", "cores = 3.5", "cores must be a whole number"),
        ("cores = 4", "cores = true", "cores must be a whole number"),
        ("memory_mib = 1024", "memory_mib = -1", "memory_mib must be at least 1"),
        ('soc = "X1"', 'soc = ""', "soc must be a text"),
        ('isa = ["asimd", "asimddp"]', 'isa = "asimd"', "isa must be a list"),
        ("default_threads = 4", "default_threads = 8", "default_threads is 8, but cores is 4"),
        ('isa = ["asimd", "asimddp"]', 'isa = ["asimd"]', "int8 is 'dot', but isa"),
        ('int8 = "dot"', 'int8 = "dots"', "int8 is 'dots', must be one of dot"),
        ("cache_kib", "cash_kib", "cache_kib is missing"),
        ("cores = 4", "cores = 4\ncoers = 4", "coers is not a field; did you mean cores?"),
        ("[[runtimes]]", "[[runtimes]]\nmeasured = 1", "measured must be true or false"),
        ("ms = 100.0", "ms = -100.0", "rows[0]: ms must be positive"),
        ("ms = 100.0, ", "", "rows[0]: ms is missing"),
        ("threads = 1", "threads = 8", "rows[0] has threads 8, but cores is 4"),
        ('"int8", threads', '"int4", threads', "rows[0]: precision is 'int4'"),
        ('source = "own" },', 'source = "other" },', "rows[0] names the source 'other'"),
        ('model = "lite0"', 'model = "lite0x"', "rows[0] has model 'lite0x'"),
        ('model = "lite:0.5,0.6,160"', 'model = "lite:0.5,160"', "rows[2] has model 'lite:0.5,160'"),
        ("hardware_source", "[[runtimes", "not valid TOML"),
    ],
)
def test_a_bad_profile_is_refused_naming_file_and_field(tmp_path: Path, old: str, new: str, field: str) -> None:
    path = write(tmp_path, old, new)
    with pytest.raises(DataError) as caught:
        load(path)
    assert "mine.toml" in str(caught.value)
    assert field in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_repeated_runtime_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(PROFILE + PROFILE[PROFILE.index("[[runtimes]]") :], encoding="utf-8")
    with pytest.raises(DataError, match=r"runtimes\[1\] repeats tflite 2.18.0"):
        load(path)


def test_a_missing_or_binary_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.toml: no such device profile"):
        load(tmp_path / "nowhere.toml")
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"binary\.toml"):
        load(path)


@pytest.mark.parametrize(("typed", "meant"), [("rpi-4", "rpi4"), ("pixel-4", "pixel4"), ("RPI5", "rpi5")])
def test_an_unknown_device_names_the_nearest(typed: str, meant: str) -> None:
    with pytest.raises(UsageError, match=meant):
        load(typed)


def test_local_is_read_from_this_machine() -> None:
    device = load("local")
    assert isinstance(device, Device)
    assert device.cores >= 1
    assert device.memory_mib > 64
    assert device.runtimes == ()
    assert parse(to_toml(device), "local") == device
    assert device.int8_saturates == (device.int8 == "saturating-avx2")


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="oneDNN's limit is one of x86")
@pytest.mark.parametrize("limit", ["AVX2", "avx512_core"])
def test_local_has_no_vnni_where_openvino_is_told_to_use_none(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = load("local")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert load("local").int8_saturates
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "ALL")
    assert load("local") == found
