"""Files that are generated for integrators, from the templates in the package."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

_TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **values: Any) -> str:
    """The text of `template`, a path below the templates' folder; an unknown name in it is an error."""
    return str(_environment().get_template(template).render(**values))


def float32(value: float) -> str:
    """The digits that are read as the float32 nearest to `value`, by which images are normalised."""
    return str(np.float32(value))


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        # Source code, never HTML: what names hold is quoted where it is used.
        autoescape=False,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
