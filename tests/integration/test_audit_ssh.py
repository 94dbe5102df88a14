"""An audit whose models run on a board."""

from __future__ import annotations

from pathlib import Path

from tests.edgeffnet.audit import colours
from tests.edgeffnet.audit.test_audit_command import Case
from tests.integration.conftest import Server


def test_an_audit_over_ssh_gives_what_this_machine_gives(server: Server, tmp_path: Path) -> None:
    case = Case(tmp_path, colours.pictures(tmp_path / "pictures", 20))
    here = case.audit()
    predictions = (case.output / "predictions.csv").read_bytes()
    there = case.audit(target=server.url(), workers=None)
    assert there.target == server.url()
    assert (case.output / "predictions.csv").read_bytes() == predictions
    assert there.accuracy == here.accuracy
