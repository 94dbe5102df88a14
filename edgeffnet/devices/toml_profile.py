"""Profiles to and from TOML; everything wrong in a file is said with the file and the field."""

from __future__ import annotations

import json

from edgeffnet import toml_table
from edgeffnet.devices.profile import INT8_ARITHMETIC, PRECISIONS, Device, Row, Runtime, Spread, Transfer
from edgeffnet.errors import DataError
from edgeffnet.toml_table import Table

_FLAGS_OF = {"dot": ("asimddp", "i8mm"), "vnni": ("avx_vnni", "avx512_vnni")}


def parse(content: str, file: str) -> Device:
    """The device that `content` describes; DataError names `file` and the field at fault."""
    root = toml_table.parse(content, file)
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


def _runtime(table: Table) -> Runtime:
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


def _row(table: Table) -> Row:
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


def _spread(table: Table) -> Spread:
    spread = Spread(table.number("p90_over_mean"), table.text("source"))
    if spread.p90_over_mean < 1:
        raise table.error("p90_over_mean", f"must be at least 1, not {spread.p90_over_mean}")
    table.finish()
    return spread


def _transfer(table: Table) -> Transfer:
    transfer = Transfer(table.text("device"), table.text("runtime"))
    table.finish()
    return transfer


def _check_contradictions(device: Device, root: Table) -> None:
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


def _check_row(device: Device, runtime: Runtime, row: Row, field: str, root: Table) -> None:
    if not runtime.fitted or row.rejected:
        return
    if row.threads > device.cores:
        raise root.error(field, f"has threads {row.threads}, but cores is {device.cores}")
    from edgeffnet.devices.reference_models import reference_model

    try:
        reference_model(row.model)
    except DataError as error:
        raise root.error(field, f"has model {row.model!r}: {error}") from None
