"""The images on which the two models disagree, those that int8 spoilt most first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from edgeffnet.report.page import Part, Picture, Pictures, Section, Text
from edgeffnet.report.sections.models import Report
from edgeffnet.report.wording import percent, plural

# Nothing else may stand where the page names a picture: it must not fetch.
_EMBEDDED = re.compile(r"data:image/(?:jpeg|png);base64,[A-Za-z0-9+/=]+")
# What pictures may take of a page that stays below three million bytes.
_MOST_BYTES = 1_800_000


def section(report: Report) -> Section | None:
    """None for what is no audit."""
    if report["kind"] != "audit":
        return None
    pictures, left = [], _MOST_BYTES
    for one in report["worst_images"]:
        source = one["thumbnail"] or ""
        fits = _EMBEDDED.fullmatch(source) is not None and len(source) <= left
        left -= len(source) if fits else 0
        pictures.append(
            Picture(
                source if fits else None,
                one["file"],
                one["label"],
                _predicted(one["reference"]),
                _predicted(one["int8"]),
            )
        )
    parts: list[Part] = []
    if pictures:
        parts.append(Pictures(tuple(pictures)))
        lacking = sum(one.source is None for one in pictures)
        if lacking:
            words = f"{plural(lacking, 'picture is', 'pictures are')} left out, to keep this page small."
            parts.append(Text((words,)))
    else:
        parts.append(Text(("Both models have the same best class on every image.",)))
    return Section("worst-images", "Worst images", tuple(parts))


def _predicted(found: Mapping[str, Any]) -> str:
    return f"{found['label']}, {percent(found['probability'], 1)}"
