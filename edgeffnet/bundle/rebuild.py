"""A bundle built again from its manifest, and what became different."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeffnet.budget import Budget
from edgeffnet.bundle import manifest
from edgeffnet.bundle.asked import Asked
from edgeffnet.bundle.folder import MANIFEST, require_usable
from edgeffnet.errors import DataError, UsageError
from edgeffnet.report.html import PAGE
from edgeffnet.report.progress import Steps
from edgeffnet.report.schema import REPORT
from edgeffnet.scaling import VARIANTS
from edgeffnet.training.building import FOLDER, NAME
from edgeffnet.training.export import SUFFIXES
from edgeffnet.training.train import Options
from edgeffnet.wanted import NetworkOptions

# They hold times and latencies, which no two builds share.
_OF_ONE_BUILD = (REPORT, PAGE)


@dataclass(frozen=True)
class Rebuilt:
    """How many files were `compared`, which are not the same, and what else is not as it was then.

    `tools`, `machine` and `inputs` hold lines such as "openvino 2026.4.1 then, 2026.5.0 now".
    """

    manifest: Path
    compared: int
    differing: tuple[str, ...]
    tools: tuple[str, ...]
    machine: tuple[str, ...]
    inputs: tuple[str, ...]

    @property
    def identical(self) -> bool:
        return not self.differing

    @property
    def changed(self) -> tuple[str, ...]:
        """All that is not as it was, but the files."""
        return (*self.tools, *self.machine, *self.inputs)

    def said(self) -> str:
        """Which files differ, and what may be why."""
        files = f"{self.manifest}: {len(self.differing)} of {self.compared} files differ ({', '.join(self.differing)})"
        why = "; ".join(self.changed) or "tools, processor, images and weights are those of the build"
        return f"{files}: {why}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, the verdict first."""
        return {
            "identical": self.identical,
            "compared": self.compared,
            "differing": list(self.differing),
            "tools": list(self.tools),
            "machine": list(self.machine),
            "inputs": list(self.inputs),
        }


def rebuild(
    path: Path,
    output: Path | None = None,
    *,
    target: str | None = None,
    force: bool = False,
    steps: Steps | None = None,
) -> Rebuilt:
    """Builds what the manifest at `path` (or in that folder) describes, into `output` where one is given.

    Reports are not compared. Where the build needs the `target` it was measured on, it has to be named here too: no
    manifest decides where this machine connects to, and UsageError says so. DataError for a manifest that does not
    hold its request; all that a build raises where images, weights or tools are missing.
    """
    path = path / MANIFEST if path.is_dir() else path
    before = manifest.read(path)
    asked = Asked.from_manifest(before)
    if asked is None:
        raise DataError(f"{path}: does not hold the request it was built from; older versions did not write it")
    if output is not None:
        require_usable(output, force=force)
    with tempfile.TemporaryDirectory(prefix="edgeffnet-") as folder:
        place = Path(folder) / "out" if output is None else output
        given = {"output": place, "force": force, "steps": steps or Steps()}
        _run(asked, before, given, target, path)
        after = manifest.read(place / MANIFEST)
    return _compared(path, before, after)


def _run(asked: Asked, before: Mapping[str, Any], given: Mapping[str, Any], target: str | None, path: Path) -> None:
    try:
        if asked.command == "quantize":
            _quantize({**asked.options, **given})
        else:
            _build({**asked.options, **given}, before, target, path)
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: its request is of another version of edgeffnet ({error})") from error


def _quantize(options: dict[str, Any]) -> None:
    from edgeffnet.quantization import quantize

    for name in ("model", "preprocessing", "calib", "val", "labels"):
        options[name] = None if options[name] is None else Path(options[name])
    quantize(budget=Budget(**options.pop("budget")), bundle=options.pop("parts"), cached=False, **options)


def _build(options: dict[str, Any], before: Mapping[str, Any], target: str | None, path: Path) -> None:
    from edgeffnet.build import build

    selection, budget = options.pop("selection"), Budget(**options.pop("budget"))
    networks = _networks(options.pop("networks"))
    if options.get("data") is not None:
        options["training"] = Options(**options["training"])
        options["trained"] = path.parent / FOLDER / f"{NAME}{SUFFIXES[0]}"
    if not options["tune_resolution"]:
        # The network is known: what it had to be measured against, or estimated for, decides nothing more.
        networks = _pinned(networks, before)
        budget = Budget(drop=budget.drop, agreement=budget.agreement)
        if not budget.has_floor:
            options["target"] = None
    # An address can name a configuration of ssh, and that a program to run.
    if options["target"] not in (None, "local", target):
        raise UsageError(
            f"the bundle was measured on {options['target']}: to connect there again, say --target {options['target']}"
        )
    build(
        options.pop("device"),
        budget,
        networks=NetworkOptions(**networks),
        calib_count=selection["count"],
        calib_choice=selection["how"],
        bundle=options.pop("parts"),
        # Whether the same comes out again is the question, not how fast it is.
        cached=False,
        timed=False,
        **options,
    )


def _networks(plain: Mapping[str, Any]) -> dict[str, Any]:
    files = {name: None if plain[name] is None else Path(plain[name]) for name in ("preprocessing", "labels")}
    return {**plain, **files}


def _pinned(networks: dict[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """The options that name the network which was chosen, in place of those that searched for it."""
    if networks["phi"] == "any":
        return {**networks, "phi": before["phi"]}
    if networks["phi"] is None and networks["variant"] is None and networks["weights"] in ("imagenet", "random"):
        official = before["variant"] in VARIANTS
        return {**networks, **({"variant": before["variant"]} if official else {"phi": before["phi"]})}
    return networks


def _compared(path: Path, before: Mapping[str, Any], after: Mapping[str, Any]) -> Rebuilt:
    then, now = (
        {name: entry["sha256"] for name, entry in one["files"].items() if name not in _OF_ONE_BUILD}
        for one in (before, after)
    )
    return Rebuilt(
        manifest=path,
        compared=len(then),
        differing=tuple(sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))),
        tools=_changed(before.get("tools"), after.get("tools")),
        machine=_changed(before.get("machine"), after.get("machine")),
        inputs=_inputs(before, after),
    )


def _changed(then: Any, now: Any) -> tuple[str, ...]:
    then, now = (one if isinstance(one, dict) else {} for one in (then, now))
    return tuple(
        f"{name} {then.get(name, 'not there')} then, {now.get(name, 'not there')} now"
        for name in sorted(then.keys() | now.keys())
        if then.get(name) != now.get(name)
    )


def _inputs(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Images, weights and models that are not those of the build, by their hashes."""
    found = []
    for kind, name in (("weights", "weights"), ("model", "the float model"), ("validation", "validation images")):
        then, now = (one.get(kind) or {} for one in (before, after))
        if then.get("sha256") != now.get("sha256"):
            found.append(f"{name} changed ({now.get('file') or now.get('source')})")
    then, now = ((one.get("calibration") or {}).get("files") or {} for one in (before, after))
    # By content: a file under another name calibrates alike.
    gone, come = set(then.values()) - set(now.values()), set(now.values()) - set(then.values())
    if gone or come:
        names = sorted(name for one in (then, now) for name, sha256 in one.items() if sha256 in gone | come)
        found.append(f"calibration images changed, such as {names[0]}")
    return tuple(found)
