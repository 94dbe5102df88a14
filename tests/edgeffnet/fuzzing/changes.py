"""Changes to what was whole: of bytes, and of values in a document."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 2**31, 2**63, 10**400]),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["", "../x", "/etc/passwd", "\x1b[2J", "nan", "$(id)", "a\nb"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def changed_bytes(draw: st.DrawFn, whole: bytes) -> bytes:
    """`whole` with some bytes replaced, cut out, doubled or cut off."""
    made = bytearray(whole)
    for _ in range(draw(st.integers(1, 6))):
        if not made:
            break
        place = draw(st.integers(0, len(made) - 1))
        length = draw(st.integers(1, 16))
        how = draw(st.sampled_from(["set", "cut", "double", "end", "insert"]))
        if how == "set":
            made[place : place + length] = draw(st.binary(min_size=length, max_size=length))
        elif how == "cut":
            del made[place : place + length]
        elif how == "double":
            made[place:place] = made[place : place + length]
        elif how == "insert":
            made[place:place] = draw(st.binary(max_size=16))
        else:
            del made[place:]
    return bytes(made)


@st.composite
def changed_document(draw: st.DrawFn, whole: Any) -> Any:
    """A copy of a JSON-like document with up to three values replaced, removed or added."""
    made = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(made))
        if not places:
            return draw(values)
        holder, key = draw(st.sampled_from(places))
        how = draw(st.sampled_from(["set", "set", "remove", "add"]))
        if how == "set":
            holder[key] = draw(values)
        elif how == "remove":
            del holder[key]
        elif isinstance(holder, dict):
            holder[draw(st.text(max_size=8))] = draw(values)
        else:
            holder.append(draw(values))
    return made


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    held = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(held):
        yield value, key
        yield from _places(inner)
