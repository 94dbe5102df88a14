"""Figures of a report in words: value, unit and interval, a dash for what is not known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

UNKNOWN = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def number(value: float | None, digits: int = 2) -> str:
    """With a true minus sign and thousands apart."""
    return UNKNOWN if value is None else f"{value:,.{digits}f}".replace("-", _MINUS)


def signed(value: float | None, digits: int = 2) -> str:
    """With its sign, but for zero."""
    if value is None:
        return UNKNOWN
    return number(0.0, digits) if round(value, digits) == 0 else f"{value:+,.{digits}f}".replace("-", _MINUS)


def percent(share: float | None, digits: int = 2) -> str:
    """A share from 0 to 1, as percent."""
    return UNKNOWN if share is None else f"{100 * share:.{digits}f}%"


def milliseconds(value: float | None) -> str:
    """To three digits, at least one decimal."""
    if value is None:
        return UNKNOWN
    return f"{value:,.{1 if value >= 100 else 2}f} ms"


def megabytes(count: float | None) -> str:
    return UNKNOWN if count is None else f"{count / 1e6:,.2f} MB"


def gigabytes(count: float) -> str:
    return f"{count / 1e9:,.1f} GB"


def millions(count: float | None) -> str:
    return UNKNOWN if count is None else f"{count / 1e6:,.0f} M" if count >= 1e8 else f"{count / 1e6:,.1f} M"


def decibels(value: float | None, exact: str = "exact") -> str:
    """None is an infinite ratio: no error at all."""
    return exact if value is None else f"{number(value, 1)} dB"


def share_interval(found: Mapping[str, Any] | None) -> str:
    """The 95% interval of a share, such as "74.1 to 76.9%"."""
    return UNKNOWN if found is None else f"{100 * found['low']:.1f} to {100 * found['high']:.1f}%"


def points_interval(found: Mapping[str, Any] | None) -> str:
    return UNKNOWN if found is None else f"{signed(found['low'])} to {signed(found['high'])}"


def probability(p: float | None) -> str:
    """A p-value."""
    if p is None:
        return UNKNOWN
    if p >= 0.001 or p == 0:
        return f"{p:.3f}" if p >= 0.01 else f"{p:.4f}"
    digits, _, power = f"{p:.1e}".partition("e")
    return f"{digits} \N{MULTIPLICATION SIGN} 10{str(int(power)).translate(_RAISED)}"


def plural(count: int, noun: str, many: str | None = None) -> str:
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def plain(value: Any) -> str:
    """Any value of a report on one line."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}".replace("-", _MINUS)
    if isinstance(value, Mapping):
        return ", ".join(f"{spaced(key)} {plain(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value)) or "none"
    return str(value)


def spaced(name: str) -> str:
    """A field's name as words."""
    return name.replace("_", " ")


def first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def readable(text: str) -> str:
    """`text` with a mark in place of each character that neither XML nor HTML may hold."""
    return _UNREADABLE.sub("\N{REPLACEMENT CHARACTER}", text)
