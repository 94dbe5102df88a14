"""Plans: what they say, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeffnet.errors import DataError
from edgeffnet.sweep.jobs import work_of
from edgeffnet.sweep.plan import parse, read

WHOLE = """
[build]
recipe = "fast"
formats = ["tflite", "openvino"]
calib_count = 64
allow_overlap = true

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
[data.flowers]
train = "flowers"
time = "1m"

[audit]
max_drop = 1.5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("flowers", "calib", "val"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_each_table_becomes_the_options_of_a_command(folder: Path) -> None:
    plan = parse(WHOLE, "plan.toml", folder)
    assert plan.build == ("--recipe=fast", "--formats=tflite,openvino", "--calib-count=64", "--allow-overlap")
    assert [one.words for one in plan.networks] == [("--variant=lite0",), ("--weights=random", "--phi=-1.5")]
    assert [one.architecture.name for one in plan.networks] == ["lite0", "lite phi=-1.5"]
    assert plan.boards[0].target is None
    assert plan.boards[0].budget.latency_ms == 50
    assert (plan.boards[1].name, plan.boards[1].profile.name) == ("one", "rpi5")
    assert [one.words(trained=True) for one in plan.data] == [(), ("--data=flowers", "--time=1m")]
    assert plan.audit == ("--max-drop=1.5", "--workers=1")


def test_a_model_is_built_once_for_all_devices_and_measured_on_each_that_is_reached(folder: Path) -> None:
    plan = parse(WHOLE, "plan.toml", folder)
    work = work_of(plan, folder / "out")
    assert len(work.cells) == 2 * 2 * 2
    kinds = [job.kind for job in work.jobs.values()]
    assert (kinds.count("build"), kinds.count("validate"), kinds.count("audit")) == (4, 4, 0)
    assert {job.resource for job in work.jobs.values() if job.kind == "validate"} == {"ssh://one:22"}
    for job in work.jobs.values():
        assert all(need in work.jobs for need in job.needs)


def test_audits_are_of_sets_to_validate_on_and_networks_that_know_something_once_for_all_devices(folder: Path) -> None:
    text = WHOLE.replace("[data.photographs]", '[data.photographs]\n[data.own]\nval = "val"\ncalib = "calib"')
    jobs = work_of(parse(text, "plan.toml", folder), folder).jobs
    audits = [job for job in jobs.values() if job.kind == "audit"]
    assert [job.name for job in audits] == ["audit lite0/own"]
    assert "--max-drop=1.5" in audits[0].words
    assert "--calib=calib" in audits[0].words
    untrained = [job for name, job in jobs.items() if "small/own" in name]
    assert len(untrained) == 2 and not any(word.startswith("--val") for job in untrained for word in job.words)
    assert any("--val=val" in job.words for name, job in jobs.items() if "lite0/own" in name)


def test_a_table_without_fields_asks_for_audits_without_gates_and_none_for_no_audits(folder: Path) -> None:
    own = WHOLE.replace("[data.photographs]", '[data.own]\nval = "val"')
    for text, count in ((own.replace("max_drop = 1.5", ""), 1), (own[: own.index("[audit]")], 0)):
        jobs = work_of(parse(text, "plan.toml", folder), folder).jobs.values()
        assert sum(job.kind == "audit" for job in jobs) == count
    with pytest.raises(DataError, match="audit: must be a table"):
        parse("audit = false\n" + own[: own.index("[audit]")], "plan.toml", folder)


def test_devices_whose_int8_differs_get_artefacts_of_their_own_and_no_folder_holds_anothers(folder: Path) -> None:
    text = "[variants.lite0]\n[devices.rpi4]\n[devices.rpi5]\n[devices.n100]\n[data.own]\nval = 'val'\n[audit]\n"
    text = text.replace("[devices.n100]", "[devices.n100]\ntarget = 'ssh://n100'")
    jobs = work_of(parse(text, "plan.toml", folder), folder / "out").jobs
    assert [name for name, job in jobs.items() if job.kind == "build"] == [
        "build lite0/own",
        "build lite0/own@saturating",
    ]
    outputs = [job.output for job in jobs.values()]
    assert not any(one in other.parents for one in outputs for other in outputs)


@pytest.mark.parametrize("other", ["ssh://pi@one?python=/usr/bin/python3", "ssh://ONE:22", "ssh://root@one"])
def test_one_address_is_one_resource_however_it_is_written(folder: Path, other: str) -> None:
    text = WHOLE + f'[devices.two]\nprofile = "rpi5"\ntarget = "{other}"\n'
    assert {board.resource for board in parse(text, "plan.toml", folder).boards[1:]} == {"ssh://one:22"}


def test_what_a_result_depends_on_is_not_which_device_comes_first(folder: Path) -> None:
    first = work_of(parse(WHOLE, "plan.toml", folder), folder).jobs
    text = WHOLE.replace("[devices.rpi4]", "[devices.rpi3]\nprofile = 'rpi3b+'\n[devices.rpi4]")
    second = work_of(parse(text, "plan.toml", folder), folder).jobs
    assert first["build lite0/photographs"].words != second["build lite0/photographs"].words
    assert first["build lite0/photographs"].result_of == second["build lite0/photographs"].result_of


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[variants.lite0]", "[variants.lite9]"), "variants.lite9"),
        (("[variants.lite0]", '[variants."../up"]'), "names a folder"),
        (("phi = -1.5", 'phi = "x"'), "variants.small: phi must be a number"),
        (("phi = -1.5", 'phi = -1.5\nvariant = "lite0"'), "variants.small: --variant and --phi"),
        (("phi = -1.5", "ph = -1.5"), "ph is not a field; did you mean phi?"),
        (('weights = "random"', 'weights = "gone.keras"'), "gone.keras: no such file"),
        (('max_latency = "50ms"', 'max_latency = "50"'), "devices.rpi4: latency: '50' has no unit"),
        (('max_latency = "50ms"', "max_latency = 50"), "max_latency must be a text"),
        (("threads = 2", "threads = 8"), "threads is 8, but rpi4 has 4 cores"),
        (("percentile = 99", "percentile = 100"), "percentile is 100"),
        (('profile = "rpi5"', 'profile = "rpi9"'), "devices.one: "),
        (('profile = "rpi5"', 'profile = "gone.toml"'), "gone.toml: no such device profile"),
        (("ssh://pi@one", "sssh://pi@one"), "devices.one: --target"),
        (('train = "flowers"', 'train = "gone"'), "gone: no such file"),
        (('train = "flowers"', 'train = "flowers"\nval = "val"'), "leave out calib and val"),
        (('train = "flowers"\n', ""), "time is for training"),
        (('recipe = "fast"', 'recipe = "fastest"'), "--recipe 'fastest' is none of"),
        (('formats = ["tflite", "openvino"]', 'formats = ["openvino"]'), "--formats must include tflite"),
        (('recipe = "fast"', 'calib_choice = "gone.json"'), "gone.json: no such file"),
        (('train = "flowers"', f'train = "{"x" * 300}"'), "no such file"),
        (('profile = "rpi5"\ntarget = "ssh://pi@one"', 'target = "qemu://cortex-a72"\nprofile = "rpi5"'), "emulated"),
        (('formats = ["tflite", "openvino"]', 'formats = "tflite"'), "formats must be a list"),
        (("allow_overlap = true", "allow_overlap = 1"), "allow_overlap must be true or false"),
        (("max_drop = 1.5", "max_drop = -1"), "audit: --max-drop -1: it takes 0 to 100"),
        (("max_drop = 1.5", "workers = 0"), "audit: workers must be at least 1"),
        (("max_drop = 1.5", "min_agreement = 500"), "audit: --min-agreement 500"),
        (("[audit]", "[audits]"), "audits is not a field; did you mean audit?"),
        (("[devices.rpi4]", "[devices.rpi4"), "not valid TOML"),
    ],
)
def test_what_is_wrong_in_a_plan_is_named(folder: Path, change: tuple[str, str], said: str) -> None:
    assert change[0] in WHOLE
    with pytest.raises(DataError, match=r"^plan\.toml") as raised:
        parse(WHOLE.replace(*change), "plan.toml", folder)
    assert said in str(raised.value)


@pytest.mark.parametrize("gone", ["variants", "devices", "data"])
def test_a_plan_without_one_of_its_tables_is_refused(folder: Path, gone: str) -> None:
    lines = ["[variants.lite0]", "[devices.rpi4]", "[data.photographs]"]
    text = "\n".join(line for line in lines if gone not in line)
    with pytest.raises(DataError, match=f"{gone} is missing"):
        parse(text, "plan.toml", folder)


def test_a_plan_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.toml"):
        read(tmp_path / "gone.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe4")
    with pytest.raises(DataError, match=r"latin\.toml"):
        read(tmp_path / "latin.toml")
