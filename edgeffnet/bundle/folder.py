"""The output folder: it appears whole or not at all, and replaces only what was made from the same request."""

from __future__ import annotations

import ctypes
import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgeffnet.bundle.asked import Asked
from edgeffnet.errors import UsageError
from edgeffnet.json_file import read_json

MANIFEST = "manifest.json"

# Less than this left on the disk explains whatever else went wrong.
_FULL_BYTES = 1_000_000
# AT_FDCWD and RENAME_EXCHANGE of renameat2(2).
_HERE, _EXCHANGE = -100, 2


def require_usable(output: Path, asked: Asked | None = None, *, force: bool = False) -> None:
    """Raises UsageError when `output` cannot become a bundle: not ours, not writable, or another bundle.

    One that was `asked` for by the same options is replaced, and any with `force`.
    """
    if output.is_symlink() or (output.exists() and not output.is_dir()):
        raise UsageError(f"--output {output} is not a folder; choose another")
    if output.is_dir() and any(output.iterdir()):
        manifest = _manifest(output)
        if manifest is None:
            raise UsageError(f"--output {output} holds files that are not an edgeffnet bundle; choose another folder")
        if not force and not _same(manifest, asked):
            raise UsageError(
                f"--output {output} holds another bundle{_said(manifest)}: choose another folder, or say --force"
            )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".edgeffnet-", dir=output.parent):
            pass
    except OSError as error:
        raise UsageError(f"--output {output}: cannot write in {output.parent} ({error.strerror})") from None


@contextmanager
def appearing(output: Path, asked: Asked | None = None, *, force: bool = False) -> Iterator[Path]:
    """A folder to fill, which becomes `output` when the block ends without an exception.

    On any exception, an interrupt included, nothing is left and an older bundle stays as it was.
    """
    require_usable(output, asked, force=force)
    _clear_up(output)
    partial = Path(tempfile.mkdtemp(prefix=f".{output.name}.partial-", dir=output.parent))
    partial.chmod(0o755)
    alive = _locked(partial)
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
    finally:
        if alive is not None:
            os.close(alive)


def _locked(folder: Path) -> int | None:
    """A descriptor whose lock ends with this process; None where another process holds it, or there are no locks."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _clear_up(output: Path) -> None:
    """Removes what killed processes left half made beside `output`."""
    for left in output.parent.glob(f".{glob.escape(output.name)}.partial-*"):
        dead = _locked(left)
        if dead is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(dead)


def _exchange(one: Path, other: Path) -> bool:
    """Swaps two folders in one step, as Linux can; False where it cannot."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return bool(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)


def _replace(output: Path, partial: Path) -> None:
    if not output.exists():
        partial.rename(output)
        return
    if _exchange(partial, output):
        shutil.rmtree(partial, ignore_errors=True)
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


def _manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a bundle of ours; None for any other folder."""
    try:
        found = read_json(folder / MANIFEST)
        return found if "edgeffnet" in found["tools"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _same(manifest: dict[str, Any], asked: Asked | None) -> bool:
    before = Asked.from_manifest(manifest)
    return before is not None and asked is not None and before.makes_the_same_as(asked)


def _said(manifest: dict[str, Any]) -> str:
    """What the bundle is, as far as its manifest tells."""
    told = [str(manifest[name]) for name in ("variant", "device", "io") if name in manifest]
    if isinstance(model := manifest.get("model"), dict):
        told.append(str(model.get("file")))
    return f" ({', '.join(told)})" if told else ""
