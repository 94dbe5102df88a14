"""Keras layer names inside the names converters make up."""

from __future__ import annotations

import re


def layer_of(name: str, layers: tuple[str, ...]) -> str | None:
    """The layer in a graph name such as `net_1/stem_conv_1/BiasAdd`, or None where it names none."""
    for part in name.split("/"):
        for candidate in (part, re.sub(r"_\d+$", "", part)):
            if candidate in layers:
                return candidate
    return None
