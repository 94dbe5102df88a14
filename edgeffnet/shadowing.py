"""edgeffnet brings two more top-level packages; a user's file of the same name would hide them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

_PACKAGES = ("calib", "converters")


def refuse_shadowed_packages() -> None:
    """Raises ImportError naming the file that hides `calib` or `converters`, and the way out."""
    home = Path(__file__).resolve().parent.parent
    for name in _PACKAGES:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise ImportError(f"edgeffnet's package {name!r} is missing beside it: reinstall edgeffnet")
        found = Path(spec.origin).resolve()
        if found != home / name / "__init__.py":
            raise ImportError(f"{found} hides edgeffnet's own package {name!r}: rename it, or run from another folder")
