"""Profiles to and from TOML; everything wrong in a file is said with the file and the field."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from edgeffnet.devices.profile import INT8_ARITHMETIC, PRECISIONS, Device, Row, Runtime, Spread, Transfer
from edgeffnet.errors import DataError

# Beyond every quantity of a device, and far from what floats cannot hold.
_LARGEST = 1e15
_FLAGS_OF = {"dot": ("asimddp", "i8mm"), "vnni": ("avx_vnni", "avx512_vnni")}


class _Table:
    """A TOML table that knows where it is, takes each field once and complains about the rest."""

    def __init__(self, values: object, where: str) -> None:
        if not isinstance(values, dict):
            raise DataError(f"{where}: must be a table")
        self._values: dict[str, Any] = dict(values)
        self._known: list[str] = []
        self.where = where

    def text(self, key: str, default: str | None = None) -> str:
        value = self._take(key, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise self.error(key, "must be a text that is not empty")
        if not value.replace("\n", "").isprintable():
            raise self.error(key, "holds a character that cannot be shown")
        return value

    def number(self, key: str) -> float:
        value = self._take(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(key, f"must be a number, not {value!r}")
        if not 0 < value <= _LARGEST:
            raise self.error(key, f"must be positive and no more than {_LARGEST:g}")
        return float(value)

    def whole(self, key: str, at_least: int = 1, default: int | None = None) -> int:
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error(key, f"must be a whole number, not {value!r}")
        if value < at_least:
            raise self.error(key, f"must be at least {at_least}, not {value}")
        if value > _LARGEST:
            raise self.error(key, f"must be no more than {_LARGEST:g}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self.error(key, f"must be true or false, not {value!r}")
        return value

    def one_of(self, key: str, allowed: Iterable[str]) -> str:
        value = self.text(key)
        choices = list(allowed)
        if value not in choices:
            raise self.error(key, f"is {value!r}, must be one of {', '.join(choices)}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._take(key)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(key, "must be a list of texts")
        return tuple(value)

    def tables(self, key: str) -> list[_Table]:
        value = self._take(key, [])
        if not isinstance(value, list):
            raise self.error(key, "must be a list of tables")
        return [_Table(item, f"{self.where}: {key}[{index}]") for index, item in enumerate(value)]

    def table(self, key: str) -> _Table | None:
        value = self._take(key, {})
        return _Table(value, f"{self.where}: {key}") if value else None

    def pairs(self) -> tuple[tuple[str, str], ...]:
        return tuple((key, self.text(key)) for key in self._values)

    def error(self, key: str, message: str) -> DataError:
        return DataError(f"{self.where}: {key} {message}")

    def finish(self) -> None:
        for key in self._values:
            if key not in self._known:
                near = get_close_matches(key, self._known, n=1)
                raise self.error(key, "is not a field" + (f"; did you mean {near[0]}?" if near else ""))

    def _take(self, key: str, default: object = None) -> Any:
        self._known.append(key)
        if key not in self._values and default is None:
            raise self.error(key, "is missing")
        return self._values.get(key, default)


def parse(content: str, file: str) -> Device:
    """The device that `content` describes; DataError names `file` and the field at fault."""
    try:
        root = _Table(tomllib.loads(content), file)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: not valid TOML: {error}") from None
    listed = root.table("sources")
    sources = listed.pairs() if listed else ()
    spread = root.table("spread")
    transfer = root.table("transfer")
    device = Device(
        name=root.text("name"),
        description=root.text("description"),
        soc=root.text("soc"),
        core=root.text("core"),
        cores=root.whole("cores"),
        clock_ghz=root.number("clock_ghz"),
        isa=root.texts("isa"),
        int8=root.one_of("int8", INT8_ARITHMETIC),
        memory_mib=root.whole("memory_mib"),
        cache_kib=root.whole("cache_kib"),
        bandwidth_gb_s=root.number("bandwidth_gb_s"),
        peak_fp32_gmacs=root.number("peak_fp32_gmacs"),
        peak_int8_gmacs=root.number("peak_int8_gmacs"),
        default_threads=root.whole("default_threads"),
        hardware_source=root.text("hardware_source"),
        runtimes=tuple(_runtime(table) for table in root.tables("runtimes")),
        sources=sources,
        spread=_spread(spread) if spread else None,
        transfer=_transfer(transfer) if transfer else None,
        flash_mib=root.whole("flash_mib", at_least=0, default=0),
    )
    root.finish()
    _check_contradictions(device, root)
    return device


def to_toml(device: Device) -> str:
    """`device` as the text of a profile, which `parse` reads back unchanged."""
    names = (
        "name description soc core cores clock_ghz isa int8 memory_mib cache_kib bandwidth_gb_s "
        "peak_fp32_gmacs peak_int8_gmacs default_threads hardware_source"
    )
    lines = ["# A device profile of edgeffnet. Its fields: edgeffnet/devices/README.md in the repository."]
    lines += _fields(device, names)
    lines += _fields(device, "flash_mib") if device.flash_mib else []
    if device.transfer:
        lines += ["", "[transfer]", *_fields(device.transfer, "device runtime")]
    if device.spread:
        lines += ["", "[spread]", *_fields(device.spread, "p90_over_mean source")]
    if device.sources:
        lines += ["", "[sources]", *(f"{_value(key)} = {_value(text)}" for key, text in device.sources)]
    for runtime in device.runtimes:
        lines += ["", "[[runtimes]]", *_fields(runtime, "name version delegate clock")]
        lines += [f"note = {_value(runtime.note)}"] if runtime.note else []
        lines += [] if runtime.fitted else ["fitted = false"]
        lines += ["measured = true"] if runtime.measured else []
        lines += ["rows = [", *(f"  {_row_text(row)}," for row in runtime.rows), "]"]
    return "\n".join(lines) + "\n"


def _row_text(row: Row) -> str:
    names = "model precision threads ms source" + (" rejected" if row.rejected else "")
    return "{ " + ", ".join(f"{name} = {_value(getattr(row, name))}" for name in names.split()) + " }"


def _fields(item: object, names: str) -> list[str]:
    return [f"{name} = {_value(getattr(item, name))}" for name in names.split()]


def _value(value: object) -> str:
    """JSON's strings, numbers and flat lists are also TOML's."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _runtime(table: _Table) -> Runtime:
    runtime = Runtime(
        name=table.text("name"),
        version=table.text("version"),
        delegate=table.text("delegate"),
        clock=table.text("clock"),
        note=table.text("note", ""),
        fitted=table.flag("fitted", True),
        measured=table.flag("measured", False),
        rows=tuple(_row(row) for row in table.tables("rows")),
    )
    table.finish()
    return runtime


def _row(table: _Table) -> Row:
    rejected = table.text("rejected", "")
    row = Row(
        model=table.text("model"),
        precision=table.one_of("precision", PRECISIONS),
        threads=table.whole("threads", at_least=0 if rejected else 1),
        ms=table.number("ms"),
        source=table.text("source"),
        rejected=rejected,
    )
    table.finish()
    return row


def _spread(table: _Table) -> Spread:
    spread = Spread(table.number("p90_over_mean"), table.text("source"))
    if spread.p90_over_mean < 1:
        raise table.error("p90_over_mean", f"must be at least 1, not {spread.p90_over_mean}")
    table.finish()
    return spread


def _transfer(table: _Table) -> Transfer:
    transfer = Transfer(table.text("device"), table.text("runtime"))
    table.finish()
    return transfer


def _check_contradictions(device: Device, root: _Table) -> None:
    if device.default_threads > device.cores:
        raise root.error("default_threads", f"is {device.default_threads}, but cores is {device.cores}")
    flags = _FLAGS_OF.get(device.int8)
    if flags and not set(flags) & set(device.isa):
        raise root.error("int8", f"is {device.int8!r}, but isa lists none of {', '.join(flags)}")
    if device.transfer and device.transfer.device == device.name:
        raise root.error("transfer", "names the device itself")
    known = {key for key, _ in device.sources}
    seen: set[str] = set()
    for index, runtime in enumerate(device.runtimes):
        where = f"runtimes[{index}]"
        if runtime.label in seen:
            raise root.error(where, f"repeats {runtime.label}")
        seen.add(runtime.label)
        for number, row in enumerate(runtime.rows):
            field = f"{where}: rows[{number}]"
            if row.source not in known:
                raise root.error(field, f"names the source {row.source!r}, which sources does not list")
            _check_row(device, runtime, row, field, root)


def _check_row(device: Device, runtime: Runtime, row: Row, field: str, root: _Table) -> None:
    if not runtime.fitted or row.rejected:
        return
    if row.threads > device.cores:
        raise root.error(field, f"has threads {row.threads}, but cores is {device.cores}")
    from edgeffnet.devices.reference_models import reference_model

    try:
        reference_model(row.model)
    except DataError as error:
        raise root.error(field, f"has model {row.model!r}: {error}") from None
