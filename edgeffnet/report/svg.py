"""What every drawing shares: its frame as a document, and text that cannot break out of it."""

from __future__ import annotations

from collections.abc import Iterable


def document(width: int, height: int, font_size: int, parts: Iterable[str]) -> str:
    """An SVG of `parts`, in pixels."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        f'font-size="{font_size}">{"".join(parts)}</svg>\n'
    )


def escaped(text: str) -> str:
    """`text` as the content of an element."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
