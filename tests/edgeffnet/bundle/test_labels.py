"""labels.txt: one class a line for every reader, whatever the names hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeffnet.bundle import contents
from edgeffnet.errors import DataError
from edgeffnet.images import Preprocessing
from tests.conftest import Run

CONTRACT = Preprocessing.lite(224)


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("Siamese, cat", 'a "quoted" one', "don't", "back\\slash", "{{ braces }}", "tab\tinside"),
        ("Zürich", "猫", "🐈", "عربى"),
        ("", "", "the third"),
        tuple(f"class {index}" for index in range(100_000)),
    ],
    ids=["none", "punctuation", "non-ascii", "empty", "100,000"],
)
def test_names_come_back_as_they_were(tmp_path: Path, names: tuple[str, ...]) -> None:
    contents.write_contract(tmp_path, CONTRACT, names, [])
    assert contents.read_labels(tmp_path / "labels.txt") == names
    assert (tmp_path / "labels.txt").read_bytes().count(b"\n") == len(names)


@pytest.mark.parametrize(
    "name", ["two\nlines", "two\r\nlines", "old\rMac", "page\fbreak", "line\u2028separator", "\x85"]
)
def test_a_name_that_breaks_its_line_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="the name of class 1 holds a line break"):
        contents.write_contract(tmp_path, CONTRACT, ("cat", name), [])
    assert list(tmp_path.iterdir()) == []


def test_files_of_other_systems_name_the_same_classes(tmp_path: Path) -> None:
    for data in (b"cat\ndog\n", b"cat\r\ndog\r\n", b"cat\rdog", b"\xef\xbb\xbfcat\ndog"):
        (tmp_path / "labels.txt").write_bytes(data)
        assert contents.read_labels(tmp_path / "labels.txt") == ("cat", "dog")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "--labels holds 0 names"),
        (b"cat\n" * 999, "--labels holds 999 names"),
        (b"cat\n" * 100_000, "--labels holds 100000 names"),
        ("cat\u2028dog\n".encode() * 1000, "holds a line break"),
        (b"\xff\xfe", "labels cannot be read"),
    ],
)
def test_a_label_file_that_does_not_fit_is_refused_before_the_work(
    bundle: Path, run: Run, tmp_path: Path, data: bytes, said: str
) -> None:
    (tmp_path / "names.txt").write_bytes(data)
    words = ("quantize", bundle / "model_fp32.tflite", "--preprocessing", bundle / "preprocessing.json")
    done = run(*words, "--labels", "names.txt", cwd=tmp_path)
    assert done.returncode in (2, 6), done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["names.txt"]


def test_a_build_does_not_take_an_empty_label_file_for_none(run: Run, tmp_path: Path) -> None:
    (tmp_path / "names.txt").touch()
    done = run("build", "--device", "rpi4", "--variant", "lite0", "--labels", "names.txt", cwd=tmp_path)
    assert done.returncode == 6
    assert "names.txt: names no class" in done.stderr
