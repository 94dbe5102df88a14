"""Whatever a profile, a report, a bundle's documents, a list or a budget holds, it is read or refused."""

from __future__ import annotations

import json
import math
import os
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edgeffnet import budget, devices, imagesets, scaling, weights
from edgeffnet.budget import Budget
from edgeffnet.bundle import contents, golden, manifest, verify
from edgeffnet.bundle.asked import Asked
from edgeffnet.devices.profile import Device
from edgeffnet.devices.toml_profile import parse
from edgeffnet.errors import EdgeffnetError, UsageError
from edgeffnet.images import Preprocessing, read_preprocessing
from edgeffnet.report import html, schema
from edgeffnet.sweep import jobs, plan
from edgeffnet.weights import statement
from tests.edgeffnet.fuzzing.changes import changed_bytes, changed_document
from tests.edgeffnet.fuzzing.watch import folder, only_answers_or_refuses, tries
from tests.edgeffnet.report.samples import audit

PLAN = """
[build]
recipe = "fast"
formats = ["tflite"]
calib_count = 64
[variants.lite0]
[variants.small]
phi = -1.5
weights = "random"
[devices.rpi4]
max_latency = "50ms"
threads = 2
[devices.one]
profile = "rpi5"
target = "ssh://pi@one"
percentile = 99
[data.photographs]
[audit]
max_drop = 1.5
"""
PROFILE = resources.files("edgeffnet.devices").joinpath("rpi4.toml").read_text(encoding="utf-8")
REPORT = json.loads(json.dumps(audit()))
CONTRACT = {
    **Preprocessing.lite(64).to_dict(),
    "models": {"model_int8.tflite": {"input": "uint8", "output": "probabilities"}},
}
STATEMENT = json.loads(
    statement.Statement(
        scaling.architecture_at(-5, classes=2), Preprocessing.lite(64), ("cat", "dog"), "trained here"
    ).to_json()
)
INDEX = {
    "images": [
        {
            "file": "0.png",
            "pixels": {"file": "0.pixels.bin"},
            "normalised": {"file": "0.normalised.bin"},
            "outputs": {"model_int8.tflite": "0.out.bin"},
        }
    ],
    "models": {"model_int8.tflite": {"runtime": "LiteRT 2"}},
}
MANIFEST = {
    "schema_version": "2",
    "tools": {"edgeffnet": "0.1.0"},
    "files": {"labels.txt": {"sha256": "0" * 64, "bytes": 3}},
    "request": {"command": "build", "options": {"device": "rpi4", "parts": ["cpp"], "budget": {"latency": 50}}},
}


def used(device: Device) -> Any:
    """What a profile is for."""
    return devices.estimate(device, scaling.official("lite0"), precision="int8", threads=1)


@given(changed_bytes(PROFILE.encode()))
@tries(60)
def test_a_profile_of_any_bytes(data: bytes) -> None:
    only_answers_or_refuses(lambda: used(parse(data.decode("utf-8", "replace"), "board.toml")))


@given(changed_document(tomllib.loads(PROFILE)))
@tries(150)
def test_a_profile_of_any_values(document: Any) -> None:
    def read() -> Any:
        return used(parse(_toml(document), "board.toml"))

    only_answers_or_refuses(read)


@given(changed_bytes(PLAN.encode()))
@tries(60)
def test_a_plan_of_any_bytes(data: bytes) -> None:
    only_answers_or_refuses(lambda: planned(data.decode("utf-8", "replace")))


@given(changed_document(tomllib.loads(PLAN)))
@tries(150)
def test_a_plan_of_any_values(document: Any) -> None:
    only_answers_or_refuses(lambda: planned(_toml(document)))


def planned(text: str) -> Any:
    """What a plan is for: its commands, none of which writes outside of the output folder."""
    work = jobs.work_of(plan.parse(text, "plan.toml", Path.cwd()), Path("/sweep"))
    for job in work.jobs.values():
        assert Path("/sweep") in Path(os.path.normpath(job.output)).parents
    return work


def _toml(document: Any) -> str:
    """Every top-level value inline; what TOML cannot say is left to be invalid."""
    items = document.items() if isinstance(document, dict) else [("value", document)]
    return "\n".join(f"{json.dumps(key)} = {_inline(value)}" for key, value in items)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return json.dumps(value)


@given(changed_document(REPORT))
@tries(40)
def test_a_report_of_any_values_is_refused_or_shown(document: Any) -> None:
    def read() -> None:
        schema.check(document)
        html.render(document)

    only_answers_or_refuses(read, silent=False)


@given(changed_document({"contract": CONTRACT, "index": INDEX, "manifest": MANIFEST}))
@tries(150)
def test_a_bundle_of_any_documents(documents: Any) -> None:
    with folder() as made:
        (made / "golden").mkdir()
        (made / "model_int8.tflite").write_bytes(b"....TFL3")
        (made / "labels.txt").write_text("cat\ndog\n")
        held = documents if isinstance(documents, dict) else {}
        for name, file in (
            ("contract", contents.CONTRACT),
            ("index", "golden/golden.json"),
            ("manifest", "manifest.json"),
        ):
            if name in held:
                (made / file).write_text(json.dumps(held[name]), encoding="utf-8")
        only_answers_or_refuses(lambda: contents.artifacts_of(made))
        only_answers_or_refuses(lambda: contents.require_trained(made / "model_int8.tflite"))
        only_answers_or_refuses(lambda: golden.read(made))
        only_answers_or_refuses(lambda: Asked.from_manifest(manifest.read(made / "manifest.json")))
        only_answers_or_refuses(lambda: verify.verify(made), silent=False)


def weights_that_say(statement: Any) -> bytes:
    header = json.dumps({"__metadata__": {"edgeffnet": json.dumps(statement)}}).encode()
    return len(header).to_bytes(8, "little") + header


@given(changed_document(STATEMENT))
@tries(120)
def test_weights_that_say_anything_of_themselves(document: Any) -> None:
    with folder() as made:
        path = made / "weights.safetensors"
        path.write_bytes(weights_that_say(document))
        only_answers_or_refuses(lambda: statement.read(path))
        only_answers_or_refuses(lambda: weights.load(str(path), architecture=scaling.official("lite0", 2)))


@given(changed_bytes(json.dumps(CONTRACT).encode()))
@tries(60)
def test_a_preprocessing_of_any_bytes(data: bytes) -> None:
    with folder() as made:
        path = made / "preprocessing.json"
        path.write_bytes(data)
        only_answers_or_refuses(lambda: read_preprocessing(path))


@given(st.binary(max_size=200) | changed_bytes(b"file,label\na.png,1\nb.png,cat\n"))
@tries(150)
def test_a_list_of_images_of_any_bytes(data: bytes) -> None:
    with folder() as made:
        (made / "a.png").write_bytes(b"")
        (made / "list.csv").write_bytes(data)
        only_answers_or_refuses(lambda: imagesets.read(made / "list.csv", ("cat", "dog")))


@given(st.text(max_size=30) | st.from_regex(r"[+-]?[0-9.eE+-]{1,12} ?[a-zA-Zµ%]{0,3}"))
@tries(300)
def test_a_budget_of_any_text_is_a_positive_number_or_refused(text: str) -> None:
    for read in (*budget.READERS.values(), lambda text, option: budget.share(text, option, 0.005, 0.25)):
        found = only_answers_or_refuses(lambda read=read: read(text, "--max"))
        assert isinstance(found, UsageError) or (math.isfinite(found) and found > 0)
    found = only_answers_or_refuses(lambda: Budget(latency=text, size=text))
    assert isinstance(found, EdgeffnetError | Budget)


def test_what_is_whole_is_read(tmp_path: Path) -> None:
    """The changes above are of documents that pass as they are."""
    assert len(planned(PLAN).jobs) == len(planned(_toml(tomllib.loads(PLAN))).jobs) == 4
    assert used(parse(PROFILE, "rpi4.toml"))
    assert used(parse(_toml(tomllib.loads(PROFILE)), "rpi4.toml"))
    schema.check(REPORT)
    (tmp_path / "preprocessing.json").write_text(json.dumps(CONTRACT))
    assert read_preprocessing(tmp_path / "preprocessing.json").resolution == 64
    (tmp_path / "weights.safetensors").write_bytes(weights_that_say(STATEMENT))
    assert statement.read(tmp_path / "weights.safetensors").labels == ("cat", "dog")
