"""TOML as data: fields taken one by one, and everything wrong in a file said with the file and the field."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from edgeffnet.errors import DataError

# Beyond every quantity that files state, and far from what floats cannot hold.
_LARGEST = 1e15


def parse(content: str, file: str) -> Table:
    """The root table of `content`; DataError names `file` where that is no TOML."""
    try:
        return Table(tomllib.loads(content), file)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: not valid TOML: {error}") from None


class Table:
    """A TOML table that knows where it is, takes each field once and complains about the rest with DataError."""

    def __init__(self, values: object, where: str) -> None:
        if not isinstance(values, dict):
            raise DataError(f"{where}: must be a table")
        self._values: dict[str, Any] = dict(values)
        self._known: list[str] = []
        self.where = where

    def text(self, key: str, default: str | None = None) -> str:
        value = self._take(key, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise self.error(key, "must be a text that is not empty")
        if not value.replace("\n", "").isprintable():
            raise self.error(key, "holds a character that cannot be shown")
        return value

    def __contains__(self, key: str) -> bool:
        self._known.append(key)
        return key in self._values

    def number(self, key: str) -> float:
        value = self._number(key)
        if not 0 < value <= _LARGEST:
            raise self.error(key, f"must be positive and no more than {_LARGEST:g}")
        return float(value)

    def real(self, key: str) -> float:
        """A number that may be negative."""
        value = self._number(key)
        if not -_LARGEST <= value <= _LARGEST:
            raise self.error(key, f"must be no more than {_LARGEST:g}")
        return float(value)

    def whole(self, key: str, at_least: int = 1, default: int | None = None) -> int:
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error(key, f"must be a whole number, not {value!r}")
        if value < at_least:
            raise self.error(key, f"must be at least {at_least}, not {value}")
        if value > _LARGEST:
            raise self.error(key, f"must be no more than {_LARGEST:g}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self.error(key, f"must be true or false, not {value!r}")
        return value

    def one_of(self, key: str, allowed: Iterable[str]) -> str:
        value = self.text(key)
        choices = list(allowed)
        if value not in choices:
            raise self.error(key, f"is {value!r}, must be one of {', '.join(choices)}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._take(key)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(key, "must be a list of texts")
        return tuple(value)

    def tables(self, key: str) -> list[Table]:
        value = self._take(key, [])
        if not isinstance(value, list):
            raise self.error(key, "must be a list of tables")
        return [Table(item, f"{self.where}: {key}[{index}]") for index, item in enumerate(value)]

    def table(self, key: str) -> Table | None:
        """A table in this one; None where there is none."""
        return Table(self._values[key], f"{self.where}: {key}") if key in self else None

    def named_tables(self, key: str) -> dict[str, Table]:
        """Tables in a table, by their names."""
        value = self._take(key, {})
        if not isinstance(value, dict):
            raise self.error(key, "must be a table of tables")
        return {name: Table(item, f"{self.where}: {key}.{name}") for name, item in value.items()}

    def pairs(self) -> tuple[tuple[str, str], ...]:
        return tuple((key, self.text(key)) for key in self._values)

    def error(self, key: str, message: str) -> DataError:
        return DataError(f"{self.where}: {key} {message}")

    def finish(self) -> None:
        for key in self._values:
            if key not in self._known:
                near = get_close_matches(key, self._known, n=1)
                raise self.error(key, "is not a field" + (f"; did you mean {near[0]}?" if near else ""))

    def _number(self, key: str) -> int | float:
        value = self._take(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(key, f"must be a number, not {value!r}")
        return value

    def _take(self, key: str, default: object = None) -> Any:
        self._known.append(key)
        if key not in self._values and default is None:
            raise self.error(key, "is missing")
        return self._values.get(key, default)
