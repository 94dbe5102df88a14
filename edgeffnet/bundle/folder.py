"""The output folder: it appears whole or not at all, and replaces only a folder of ours."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeffnet.errors import UsageError

MANIFEST = "manifest.json"

# Less than this left on the disk explains whatever else went wrong.
_FULL_BYTES = 1_000_000


def require_usable(output: Path) -> None:
    """Raises UsageError when `output` cannot become a bundle: not ours, or not writable."""
    if output.is_symlink() or (output.exists() and not output.is_dir()):
        raise UsageError(f"--output {output} is not a folder; choose another")
    if output.is_dir() and any(output.iterdir()) and not _is_bundle(output):
        raise UsageError(f"--output {output} holds files that are not an edgeffnet bundle; choose another folder")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".edgeffnet-", dir=output.parent):
            pass
    except OSError as error:
        raise UsageError(f"--output {output}: cannot write in {output.parent} ({error.strerror})") from None


@contextmanager
def appearing(output: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `output` when the block ends without an exception.

    On any exception, an interrupt included, nothing is left and an older bundle stays as it was.
    """
    require_usable(output)
    partial = Path(tempfile.mkdtemp(prefix=f".{output.name}.partial-", dir=output.parent))
    partial.chmod(0o755)
    try:
        yield partial
        _replace(output, partial)
    except BaseException as error:
        full = isinstance(error, Exception) and shutil.disk_usage(output.parent).free < _FULL_BYTES
        shutil.rmtree(partial, ignore_errors=True)
        if full:
            raise UsageError(f"--output {output}: the disk is full; nothing was written") from error
        if isinstance(error, OSError):
            raise UsageError(f"--output {output}: {error.strerror or error}; nothing was written") from error
        raise


def _replace(output: Path, partial: Path) -> None:
    if not output.exists():
        partial.rename(output)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{output.name}.old-", dir=output.parent))
    output.rename(old / output.name)
    try:
        partial.rename(output)
    except BaseException:
        (old / output.name).rename(output)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _is_bundle(folder: Path) -> bool:
    try:
        return "edgeffnet" in json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["tools"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
