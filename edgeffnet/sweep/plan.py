"""What a sweep is to try: variants, devices and sets of images, from TOML."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from edgeffnet import devices, toml_table
from edgeffnet.architecture import Architecture
from edgeffnet.audit.verdict import Gates
from edgeffnet.budget import READERS, Budget
from edgeffnet.calibration_images import MAXIMUM, Selection
from edgeffnet.errors import DataError, EdgeffnetError
from edgeffnet.production import FORMATS
from edgeffnet.request import request
from edgeffnet.targets import address
from edgeffnet.toml_table import Table
from edgeffnet.wanted import NetworkOptions, candidates, statement_in

# They name folders.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_NETWORK: Mapping[str, Callable[[Table, str], Any]] = {
    **dict.fromkeys(("variant", "weights", "preprocessing", "labels", "family", "rule"), Table.text),
    **dict.fromkeys(("phi", "alpha", "beta", "gamma", "width", "depth"), Table.real),
    **dict.fromkeys(("resolution", "classes"), Table.whole),
}
_BUILDING: Mapping[str, Callable[[Table, str], Any]] = {
    **dict.fromkeys(("recipe", "io", "granularity", "calib_choice"), Table.text),
    "formats": Table.texts,
    "calib_count": Table.whole,
    "seed": lambda table, key: table.whole(key, at_least=0),
    **dict.fromkeys(("full_integer", "allow_overlap", "no_cache"), lambda table, key: table.flag(key, False)),
}
_TRAINING: Mapping[str, Callable[[Table, str], Any]] = {
    "time": Table.text,
    "epochs": lambda table, key: table.whole(key, at_least=0),
}
_GATES: Mapping[str, Callable[[Table, str], Any]] = dict.fromkeys(
    ("max_drop", "min_relative", "min_agreement"), Table.real
)
_PORTS = {"ssh": 22}
_FILES = ("weights", "preprocessing", "labels")


@dataclass(frozen=True)
class Network:
    """A variant: `words` are the options of `edgeffnet build` that name it, `files` those it reads."""

    name: str
    architecture: Architecture
    options: NetworkOptions
    words: tuple[str, ...]
    files: tuple[Path, ...]

    @property
    def trained(self) -> bool:
        """Whether its weights mean anything: what has random ones is only timed."""
        return self.options.weights != "random"


@dataclass(frozen=True)
class Board:
    """A device: where it is reached (None: its latency is estimated) and what a network may cost on it."""

    name: str
    profile: devices.Device
    profile_words: tuple[str, ...]
    target: str | None
    threads: int | None
    percentile: float
    budget: Budget

    @property
    def resource(self) -> str | None:
        """What measures one model at a time: boards at one address are one, whoever logs in."""
        if self.target is None:
            return None
        at = address.parse(self.target)
        return f"{at.kind}://{at.host.lower()}:{at.port or _PORTS.get(at.kind, 0)}"

    @property
    def here(self) -> bool:
        """Whether it is the machine that everything else runs on."""
        return self.target == "local"


@dataclass(frozen=True)
class Data:
    """A set of images: to calibrate and to validate, or to train on first, with what belongs to that."""

    name: str
    calib: str | None
    val: str | None
    train: str | None
    training: tuple[str, ...]
    files: tuple[Path, ...]

    def words(self, trained: bool) -> tuple[str, ...]:
        """The options of `edgeffnet build` that name it; what is not `trained` cannot be validated."""
        given = {"calib": self.calib, "val": self.val if trained else None, "data": self.train}
        return (*_as_words({key: value for key, value in given.items() if value is not None}), *self.training)


@dataclass(frozen=True)
class Plan:
    """A sweep, in the order of the file. `build` are the words of every build, `audit` those of every audit.

    `audit` is None where nothing is to be audited; `files` are what every build reads. Paths in words are as written,
    from `folder`.
    """

    folder: Path
    networks: tuple[Network, ...]
    boards: tuple[Board, ...]
    data: tuple[Data, ...]
    build: tuple[str, ...]
    audit: tuple[str, ...] | None
    files: tuple[Path, ...] = ()


def read(path: Path) -> Plan:
    """The plan in the file; DataError names the file and the field at fault."""
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    return parse(content, str(path), path.absolute().parent)


def parse(content: str, file: str, folder: Path) -> Plan:
    """The plan that `content` describes; its paths start from `folder`. DataError names the field at fault.

    What each build would refuse is refused here, as far as it can be told without reading images.
    """
    root = toml_table.parse(content, file)
    building = root.table("build")
    build = _taken(building, _BUILDING) if building else {}
    plan = Plan(
        folder=folder,
        networks=tuple(_network(*item, folder) for item in _named(root, "variants")),
        boards=tuple(_board(*item, folder) for item in _named(root, "devices")),
        data=tuple(_data(*item, folder) for item in _named(root, "data")),
        build=_as_words(build),
        audit=_audit(root.table("audit")),
        files=_choice(building, build, folder),
    )
    if building:
        building.finish()
    root.finish()
    for network in plan.networks:
        for data in plan.data:
            _saying(file, f"variants.{network.name}", partial(_require_buildable, network, data, build))
    return plan


def _require_buildable(network: Network, data: Data, build: Mapping[str, Any]) -> None:
    """UsageError for what `edgeffnet build` refuses before it begins."""
    validated = data.val is not None and network.trained
    request(
        device="local",
        budget=Budget(),
        networks=network.options,
        calib=Path(data.calib) if data.calib else None,
        val=Path(data.val) if validated and data.val else None,
        io=build.get("io", "uint8"),
        recipe=build.get("recipe", "default"),
        granularity=build.get("granularity", "channel"),
        full_integer=build.get("full_integer", False),
        selection=Selection(build.get("calib_count", MAXIMUM), build.get("calib_choice", "balanced")),
        allow_overlap=build.get("allow_overlap", False),
        threads=None,
        percentile=90,
        formats=build.get("formats", FORMATS),
        output=Path("out"),
        seed=build.get("seed", 0),
    )


def _choice(table: Table | None, build: Mapping[str, Any], folder: Path) -> tuple[Path, ...]:
    """The file that chooses calibration images, where a file does."""
    how = build.get("calib_choice", "balanced")
    if table is None or how in ("balanced", "coverage"):
        return ()
    _require_there(table, folder / how)
    return (folder / how,)


def _audit(table: Table | None) -> tuple[str, ...] | None:
    if table is None:
        return None
    # One process each: the sweep fills the cores with other jobs, as long as there are any.
    workers = table.whole("workers", default=1)
    given = _taken(table, _GATES)
    table.finish()
    _saying(table.where, "", lambda: Gates(**given).require_possible())
    return _as_words({**given, "workers": workers})


def _named(root: Table, key: str) -> list[tuple[str, Table]]:
    tables = root.named_tables(key)
    if not tables:
        raise root.error(key, f"is missing: name at least one, as [{key}.NAME]")
    for name in tables:
        if not _NAME.fullmatch(name):
            raise root.error(
                f"{key}.{name}", "must be letters, digits, dots, dashes and underscores: it names a folder"
            )
    return list(tables.items())


def _network(name: str, table: Table, folder: Path) -> Network:
    given = _taken(table, _NETWORK)
    table.finish()
    files = tuple(folder / given[key] for key in _FILES if key in given and given[key] not in ("imagenet", "random"))
    for path in files:
        _require_there(table, path)
    stated = "weights" in given and statement_in(str(folder / given["weights"])) is not None
    if not {"variant", "phi", "family"} & set(given) and not stated:
        given["variant"] = name
    options = NetworkOptions(
        **{key: folder / value if key in ("preprocessing", "labels") else value for key, value in given.items()}
    )
    if options.weights not in ("imagenet", "random"):
        options = replace(options, weights=str(folder / options.weights))
    found = _saying(table.where, "", lambda: candidates(options, 0))
    if len(found) != 1:
        raise table.error("phi", "names no one network: give a variant or a number")
    return Network(name, found[0].architecture, options, _as_words(given), files)


def _board(name: str, table: Table, folder: Path) -> Board:
    profile = table.text("profile", name)
    threads = table.whole("threads") if "threads" in table else None
    percentile = table.number("percentile") if "percentile" in table else 90.0
    target = table.text("target") if "target" in table else None
    limits: dict[str, Any] = {key: table.text(f"max_{key}") for key in READERS if f"max_{key}" in table}
    table.finish()
    at = folder / profile if profile.endswith(".toml") else None
    device = _saying(table.where, "", lambda: devices.load(at or profile))
    budget = _saying(table.where, "", lambda: Budget(**limits))
    if target is not None:
        url = target
        if _saying(table.where, "", lambda: address.parse(url)).kind == "qemu":
            raise table.error("target", "is emulated, which gives no latency")
    elif device.name == "local":
        target = "local"
    if not 50 <= percentile <= 99:
        raise table.error("percentile", f"is {percentile:g}, not between 50 and 99")
    if threads is not None and threads > device.cores:
        raise table.error("threads", f"is {threads}, but {device.name} has {device.cores} cores")
    return Board(name, device, (f"--device={profile}",), target, threads, percentile, budget)


def _data(name: str, table: Table, folder: Path) -> Data:
    paths = {key: table.text(key) for key in ("calib", "val", "train") if key in table}
    training = _taken(table, _TRAINING)
    table.finish()
    if "train" in paths and len(paths) > 1:
        raise table.error("train", "calibrates and validates with its own images: leave out calib and val")
    if training and "train" not in paths:
        raise table.error(next(iter(training)), "is for training: give train too")
    files = tuple(folder / path for path in paths.values())
    for path in files:
        _require_there(table, path)
    given = (paths.get("calib"), paths.get("val"), paths.get("train"))
    return Data(name, *given, _as_words(training), files)


def _taken(table: Table, readers: Mapping[str, Callable[[Table, str], Any]]) -> dict[str, Any]:
    return {key: take(table, key) for key, take in readers.items() if key in table}


def _as_words(options: Mapping[str, Any]) -> tuple[str, ...]:
    """As on a command line: `calib_count` 64 is --calib-count 64."""
    made: list[str] = []
    for key, value in options.items():
        flag = f"--{key.replace('_', '-')}"
        if isinstance(value, bool):
            made += [flag] if value else []
        else:
            # One word, so that no value is taken for an option.
            made.append(f"{flag}={','.join(value) if isinstance(value, tuple) else _text(value)}")
    return tuple(made)


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def _require_there(table: Table, path: Path) -> None:
    try:
        there = path.exists()
    except (OSError, ValueError):  # a name that is too long, or none
        there = False
    if not there:
        raise DataError(f"{table.where}: {path}: no such file or folder")


def _saying(where: str, name: str, checked: Callable[[], Any]) -> Any:
    """What `checked` returns; what it raises is said with the place in the plan."""
    try:
        return checked()
    except EdgeffnetError as error:
        raise DataError(f"{where}: {f'{name}: ' if name else ''}{error}") from None
