"""The agent where only the last tflite-runtime and numpy 1 are: every kind of .tflite we emit runs there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from converters.artifact import Artifact
from converters.check import log_probabilities
from edgeffnet import calibration_images
from edgeffnet.bundle.contents import find_contract
from edgeffnet.images import Preprocessing
from edgeffnet.production import Interface, Producer
from edgeffnet.report.quiet import quiet
from edgeffnet.targets import agent
from edgeffnet.targets.local import LocalTarget
from edgeffnet.targets.remote import Channel, RemoteTarget, agent_source, bootstrap
from edgeffnet.timing import latencies, runtime_notes
from edgeffnet.validation import raw_scores
from edgeffnet.wanted import NetworkOptions, candidates
from tests.integration.conftest import needed

PACKAGES = ("numpy<2", "tflite-runtime==2.14.0")


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteTarget]:
    """The agent in a Python 3.11 environment with those two packages and no other."""
    needed(sys.version_info[:2] == (3, 11), "needs Python 3.11: the last that tflite-runtime has a wheel for")
    folder = tmp_path_factory.mktemp("older")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--only-binary=:all:", *PACKAGES], check=True)
    channel = Channel((str(python), "-P", agent.__file__, "serve"), lambda _code, _said: None)
    with closing(RemoteTarget("tflite-runtime", lambda: channel, str(folder / "cache"))) as target:
        yield target


@dataclass(frozen=True)
class Kind:
    """One way to make an int8 .tflite. Random weights: what runs is in question, not what it knows."""

    name: str
    network: NetworkOptions
    interface: Interface = "uint8"
    granularity: str = "channel"
    recipe: str = "fast"
    preprocessing: Preprocessing | None = None
    in_float: int = 0


LITE = NetworkOptions(phi=-3.0, weights="random", classes=12)
STANDARD = NetworkOptions(family="efficientnet", phi=-4.0, weights="random", classes=12)
IMAGENET = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}
KINDS = (
    Kind("Lite, uint8", LITE),
    Kind("Lite, int8", LITE, "int8"),
    Kind("Lite, float32", LITE, "float32"),
    Kind("Lite, one scale a tensor", LITE, granularity="tensor"),
    Kind("Lite, layers left in float", LITE, in_float=2),
    Kind("swish and SE", STANDARD),
    Kind("swish and SE, default recipe, int8", STANDARD, "int8", recipe="default"),
    Kind("swish and SE, normalised inside", STANDARD, preprocessing=replace(Preprocessing.lite(96), **IMAGENET)),
)


def made(kind: Kind, folder: Path) -> tuple[list[Artifact], Preprocessing]:
    """The float and the int8 .tflite of a kind, and what their images need."""
    (wanted,) = candidates(kind.network, 0)
    weights = wanted.load()
    if kind.preprocessing:
        stated = replace(kind.preprocessing, resolution=weights.preprocessing.resolution)
        weights = replace(weights, preprocessing=stated)
    producer = Producer(
        weights,
        calibration_images.default(0),
        folder,
        interface=kind.interface,
        recipe=kind.recipe,
        granularity=kind.granularity,  # type: ignore[arg-type]
    )
    with quiet():
        int8 = producer.int8_tflite
        if kind.in_float:
            worst = sorted(producer.sensitivities, key=lambda found: found.only_snr)[: kind.in_float]
            tensors = frozenset(tensor for found in worst for tensor in found.unit.tensors)
            int8 = producer.mixed_tflite(tensors, "mixed_int8.tflite")
        float_path = producer.float_path
    return [Artifact.at(float_path, "tflite", "fp32", "float32", "probabilities"), int8.artifact], producer.contract


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_of_model_runs(older: RemoteTarget, kind: Kind, tmp_path: Path) -> None:
    artifacts, preprocessing = made(kind, tmp_path)
    compared(artifacts, preprocessing, older)


@pytest.mark.parametrize("which", ["bundle", "integer"])
def test_the_models_of_a_bundle_run(older: RemoteTarget, which: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(which)
    models = [find_contract(folder / f"model_{precision}.tflite") for precision in ("fp32", "int8")]
    compared([artifact for _, _, artifact in models], models[0][0], older)


def compared(artifacts: list[Artifact], preprocessing: Preprocessing, older: RemoteTarget) -> None:
    """Both run there; the float one computes the same as here, and the integer one nearly so."""
    size = (4, preprocessing.resolution, preprocessing.resolution, 3)
    smooth = np.random.default_rng(3).integers(0, 256, (4, 6, 6, 3), dtype=np.uint8)
    pixels = np.stack([np.kron(image, np.ones((size[1] // 6 + 1,) * 2 + (1,), np.uint8)) for image in smooth])
    pixels = np.ascontiguousarray(pixels[:, : size[1], : size[2]])
    there = raw_scores(artifacts, [older], preprocessing, pixels, threads=1)
    with closing(LocalTarget()) as here:
        own = raw_scores(artifacts, [here], preprocessing, pixels, threads=1)
    for artifact in artifacts:
        first, second = (log_probabilities(scores[artifact], artifact.output) for scores in (own, there))
        assert np.isfinite(second).all()
        worst = float(np.abs(np.exp(first) - np.exp(second)).max())
        assert worst < (1e-4 if artifact.precision == "fp32" else 0.2), artifact.name


def test_it_is_said_that_the_kernels_differ(older: RemoteTarget, bundle: Path) -> None:
    preprocessing, _, artifact = find_contract(bundle / "model_int8.tflite")
    blank = np.zeros((1, preprocessing.resolution, preprocessing.resolution, 3), np.uint8)
    measured, machine = latencies([artifact], older, preprocessing, blank, threads=1, percentile=90)
    assert machine["python"].startswith("3.11")
    assert measured[artifact].runtime == "tflite-runtime 2.14.0"
    assert measured[artifact].placement["fell_out"]["CONV_2D"] == 33
    assert any("other int8 kernels" in note for note in runtime_notes(measured))


@pytest.fixture(scope="module")
def armv7(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteTarget]:
    """The agent as 32-bit Raspberry Pi OS 12 would run it: Debian's Python and numpy, the armv7 wheel, under QEMU."""
    programs = [name for name in ("qemu-arm", "mmdebstrap", "apt-get") if not shutil.which(name)]
    needed(not programs, "needs emulation: apt install qemu-user mmdebstrap")
    folder = tmp_path_factory.mktemp("armv7")
    root, packages = folder / "debian", folder / "packages"
    ask = ("apt-get", "indextargets", "--format", "$(SITE)", "Codename: bookworm", "Component: main")
    site = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.split()
    needed(site, "needs an apt source of Debian bookworm")
    include = "--include=python3.11-minimal,libpython3.11-stdlib,libstdc++6,python3-numpy"
    source = f"deb {site[0]} bookworm main"
    subprocess.run(["mmdebstrap", "--arch=armhf", "--variant=extract", include, "bookworm", root, source], check=True)
    wheel = ("--no-deps", "--only-binary=:all:", "--platform=manylinux_2_34_armv7l", "--python-version=3.11")
    words = ("-m", "pip", "install", "--quiet", *wheel, f"--target={packages}", "tflite-runtime==2.14.0")
    subprocess.run([sys.executable, *words], check=True)
    libraries = f"{root}/usr/lib/arm-linux-gnueabihf"
    source_code = agent_source()
    command = (
        "qemu-arm",
        *("-L", str(root), "-cpu", "cortex-a7", "-E", f"LD_LIBRARY_PATH={libraries}/blas:{libraries}/lapack"),
        *("-E", f"PYTHONPATH={packages}:{root}/usr/lib/python3/dist-packages"),
        *(f"{root}/usr/bin/python3.11", "-B", "-c", bootstrap(source_code)),
    )
    channel = Channel(command, lambda _code, _said: None, source_code, 120.0)
    with closing(RemoteTarget("armv7", lambda: channel, str(folder / "cache"))) as target:
        yield target


def test_32_bit_arm_runs_them_too(armv7: RemoteTarget, bundle: Path) -> None:
    machine = armv7.machine()
    assert (machine["architecture"], machine["pointer_bits"]) == ("armv7l", 32)
    models = [find_contract(bundle / f"model_{precision}.tflite") for precision in ("fp32", "int8")]
    compared([artifact for _, _, artifact in models], models[0][0], armv7)
