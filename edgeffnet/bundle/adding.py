"""Parts for integrators, added to a bundle that is there."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgeffnet import devices
from edgeffnet.bundle import contents, golden, manifest, parts
from edgeffnet.bundle.asked import Asked
from edgeffnet.bundle.folder import MANIFEST, appearing
from edgeffnet.bundle.handover import Handover
from edgeffnet.errors import ArtifactError, UsageError
from edgeffnet.report.quiet import quiet


def add(bundle: Path, asked: Sequence[str]) -> tuple[str, ...]:
    """Writes the parts `asked` and the manifest of `bundle`; what has to be known of the parts.

    Golden images are made for an older bundle that has none. UsageError where nothing is asked for,
    ArtifactError where the bundle is not as it was built; then it stays as it is.
    """
    if not asked:
        raise UsageError(f"--parts names nothing: choose from {', '.join(parts.PARTS)}")
    listed = manifest.read(bundle / MANIFEST)
    if differing := manifest.differences(bundle):
        said = "; ".join(f"{name} {how}" for name, how in differing.items())
        raise ArtifactError(f"{bundle} is not as it was built: {said}")
    with quiet(), appearing(bundle, force=True) as work:
        shutil.copytree(bundle, work, dirs_exist_ok=True)
        for name in asked:
            shutil.rmtree(work / name, ignore_errors=True)
        artifacts = contents.artifacts_of(work)
        preprocessing, labels = contents.contract_of(work)
        if not (work / golden.FOLDER).exists():
            golden.write(work, preprocessing, artifacts)
        notes = parts.write(Handover(work, preprocessing, labels, artifacts, golden.read(work), _device(listed)), asked)
        if request := Asked.from_manifest(listed):
            listed["request"] = request.with_parts(asked).to_dict()
        manifest.write_again(work, listed)
    return notes


def _device(listed: dict[str, Any]) -> devices.Device | None:
    """The device that the bundle was built for, where its profile is shipped."""
    name = listed.get("device")
    return devices.load(name) if name in devices.device_names() else None
