"""Is a bundle what its manifest says, and does it still compute what it computed when it was built?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.artifact import Artifact
from converters.label_file import labels_in
from edgeffnet.audit.tflite_metadata import stated
from edgeffnet.bundle import contents, gates, golden, manifest, replay
from edgeffnet.bundle.folder import MANIFEST
from edgeffnet.bundle.replay import Replay, relative
from edgeffnet.errors import EdgeffnetError
from edgeffnet.images import Preprocessing
from edgeffnet.json_file import read_json
from edgeffnet.report import schema
from edgeffnet.report.quiet import quiet

# The first manifest of bundles that hold golden images.
_WITH_GOLDEN = 2


@dataclass(frozen=True)
class Verified:
    """What differs from the build, and what was checked; `not_checked` tells what could not be, and why."""

    bundle: Path
    files: int
    differences: tuple[str, ...]
    checked: tuple[str, ...]
    not_checked: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.differences

    def to_dict(self) -> dict[str, Any]:
        """Plain data, the verdict first."""
        return {
            "passed": self.passed,
            "files": self.files,
            "differences": list(self.differences),
            "checked": list(self.checked),
            "not_checked": list(self.not_checked),
        }


def verify(bundle: Path) -> Verified:
    """Checks hashes, contract and gates, and replays the golden images in every runtime that is installed.

    DataError where `bundle` has no manifest that can be read; all else that is wrong is in the result.
    """
    listed = manifest.read(bundle / MANIFEST)
    changed = manifest.differences(bundle)
    differences = [f"{name} {how}" for name, how in changed.items()]
    checked: list[str] = []
    not_checked: list[str] = []
    with quiet():
        parts = (_contract(bundle, changed), _gates(bundle), _replayed(bundle, listed, changed))
    for part in parts:
        differences += part.differences
        checked += part.replayed
        not_checked += part.not_replayed
    return Verified(bundle, len(listed["files"]), tuple(dict.fromkeys(differences)), tuple(checked), tuple(not_checked))


def _contract(bundle: Path, changed: Mapping[str, str]) -> Replay:
    """Contract, labels, and what unchanged `.tflite` files say of themselves, against each other."""
    try:
        artifacts = contents.artifacts_of(bundle)
        preprocessing, labels = contents.contract_of(bundle)
    except EdgeffnetError as error:
        return Replay((relative(f"contract: {error}", bundle),))
    found: list[str] = []
    for artifact in artifacts:
        if artifact.format == "tflite" and artifact.path.name not in changed:
            found += _statement_differs(artifact, bundle, preprocessing, labels)
    return Replay(tuple(found), () if found else (f"contract and {len(labels)} labels",))


def _statement_differs(
    artifact: Artifact, bundle: Path, preprocessing: Preprocessing, labels: Sequence[str]
) -> Iterator[str]:
    name = artifact.path.relative_to(bundle).as_posix()
    inside = labels_in(artifact.path.read_bytes())
    if inside is not None and inside != tuple(labels):
        differing = sum(one != other for one, other in zip(inside, labels, strict=False))
        yield f"{contents.LABELS}: {len(labels)} names, {name} carries {len(inside)}, of which {differing} differ"
    try:
        said = stated(artifact.path, preprocessing)
    except ImportError:  # tflite-runtime alone has no reader of the format; the hash tells as much
        return
    except Exception as error:  # a damaged flatbuffer raises whatever its bytes lead to
        yield f"{name}: cannot be read ({error})"
        return
    if said is not None and said != preprocessing:
        yield (
            f"{contents.CONTRACT}: mean {_triple(preprocessing.mean)} and std {_triple(preprocessing.std)}, "
            f"{name} states {_triple(said.mean)} and {_triple(said.std)}"
        )


def _gates(bundle: Path) -> Replay:
    try:
        report = read_json(bundle / schema.REPORT)
        missed, kept = gates.checked(report, bundle)
        return Replay(tuple(f"gate: {said}" for said in missed), kept, gates.unknown(report))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Replay((relative(f"{schema.REPORT}: its gates cannot be read ({error})", bundle),))


def _replayed(bundle: Path, listed: Mapping[str, Any], changed: Mapping[str, str]) -> Replay:
    version = str(listed.get("schema_version"))
    if version.isdecimal() and int(version) < _WITH_GOLDEN and not (bundle / golden.FOLDER).exists():
        return Replay(not_replayed=("built before bundles held golden images: nothing is replayed",))
    try:
        images = golden.read(bundle)
        preprocessing, _ = contents.contract_of(bundle)
        done = replay.replay_images(bundle, images, preprocessing)
        for artifact in contents.artifacts_of(bundle):
            files = [path.relative_to(bundle).as_posix() for path in (artifact.path, *artifact.companions)]
            if damaged := next((name for name in files if name in changed), None):
                # What a damaged file makes of an interpreter is nobody's guess.
                done += Replay(not_replayed=(f"{files[0]}: not replayed: {damaged} {changed[damaged]}",))
            else:
                done += replay.replay_model(bundle, artifact, images, preprocessing)
    except EdgeffnetError as error:
        return Replay((relative(f"golden images: {error}", bundle),))
    return done


def _triple(values: Sequence[float]) -> str:
    return "/".join(f"{value:g}" for value in values)
