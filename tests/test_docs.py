"""The pages name tests, commands and files that there are, and the site is made of all of them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import click
import pytest
import yaml

from edgeffnet.cli import main
from mkdocs_commands import on_page_markdown
from tests.conftest import ROOT

DOCS = ROOT / "docs"
NAMED = sorted(set(re.findall(r"`(tests/[\w/.]+)::(\w+)`", (DOCS / "reliability.md").read_text(encoding="utf-8"))))


@pytest.mark.parametrize(("file", "test"), NAMED, ids=[test for _, test in NAMED])
def test_each_fault_is_tried_by_a_test_that_there_is(file: str, test: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_row_of_the_reliability_page_names_its_test() -> None:
    rows = [line for line in (DOCS / "reliability.md").read_text().splitlines() if line.startswith("| ")]
    without = [row for row in rows if "::" not in row and not row.startswith("| fault")]
    assert rows and not without


def test_every_command_has_a_page_made_from_it() -> None:
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (DOCS / "commands").glob("*.md")}
    pages.pop("index")
    assert set(pages) == set(main.commands)
    for name, text in pages.items():
        assert text == f"::: {name}\n"
        made = on_page_markdown(text)
        assert made.startswith(f"# edgeffnet {name}\n")
        for parameter in main.commands[name].params:
            assert isinstance(parameter, click.Argument) or parameter.opts[0] in made
        assert f"$ edgeffnet {name}" in made


def test_every_page_is_in_the_navigation_once() -> None:
    def paths(entry: object) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        held = entry.values() if isinstance(entry, dict) else entry
        return [path for one in held for path in paths(one)]  # type: ignore[attr-defined]

    listed = paths(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    assert sorted(listed) == sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


@pytest.mark.parametrize("page", [*sorted(DOCS.rglob("*.md")), ROOT / "README.md"], ids=lambda path: path.name)
def test_the_options_that_pages_use_are_those_that_commands_have(page: Path) -> None:
    for line in re.findall(r"^(?:\$|    ) ?(edgeffnet .*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE):
        words = re.sub(r"'[^']*'", "VALUE", re.split(r" # | >| && | [|]{2} ", line)[0]).split()[1:]
        command: click.Command = main
        while words and isinstance(command, click.Group) and words[0] in command.commands:
            command = command.commands[words.pop(0)]
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        used = {word.split("=")[0] for word in words if word.startswith("--")}
        assert used <= known, line
