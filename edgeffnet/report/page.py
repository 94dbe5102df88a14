"""The parts of a report's page, as plain text and drawings; how they look is the template's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

State = Literal["pass", "fail", "unknown", "neutral"]


@dataclass(frozen=True)
class Fact:
    """One figure: its name, its value with unit, and its interval, or how it was obtained, in `beside`."""

    name: str
    value: str
    beside: str = ""


@dataclass(frozen=True)
class Verdict:
    """What the report comes to: a word for its state, the sentence, what else has to be known at once, key figures."""

    state: State
    word: str
    headline: str
    said: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class Text:
    """Paragraphs; `listed` makes each an item of a list."""

    paragraphs: tuple[str, ...]
    listed: bool = False
    title: str = ""
    part: ClassVar[str] = "text"


@dataclass(frozen=True)
class Drawing:
    """A plot as two SVGs, for a wide page and for a phone's; `said` is its content in words."""

    wide: str
    narrow: str
    said: str
    caption: str = ""
    part: ClassVar[str] = "drawing"


@dataclass(frozen=True)
class Table:
    """Rows of text under headings; `numeric` columns are set to the right, `marked` rows stand out."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()
    caption: str = ""
    marked: frozenset[int] = frozenset()
    title: str = ""
    part: ClassVar[str] = "table"


@dataclass(frozen=True)
class Facts:
    """Figures or properties one below the other."""

    facts: tuple[Fact, ...]
    title: str = ""
    part: ClassVar[str] = "facts"


@dataclass(frozen=True)
class Picture:
    """An image that was classified; `source` is a data URI, or None where there is no picture."""

    source: str | None
    file: str
    label: str | None
    reference: str
    int8: str


@dataclass(frozen=True)
class Pictures:
    pictures: tuple[Picture, ...]
    part: ClassVar[str] = "pictures"


@dataclass(frozen=True)
class Noticed:
    """A finding: its severity in a word, its name, what it says, and its evidence as facts."""

    severity: Literal["fault", "warning", "note"]
    name: str
    said: str
    evidence: tuple[Fact, ...]


@dataclass(frozen=True)
class Findings:
    found: tuple[Noticed, ...]
    part: ClassVar[str] = "findings"


Part = Text | Drawing | Table | Facts | Pictures | Findings


@dataclass(frozen=True)
class Section:
    """A part of the page under a title; `name` is its anchor."""

    name: str
    title: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Page:
    title: str
    about: str
    verdict: Verdict
    sections: tuple[Section, ...]
    foot: str
