"""What a search says: of devices unlike their profile, of contradictions, of what is too close to tell.

Measurements are scripted here, so that a device can be as unlike its profile as the test wants.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgeffnet import Budget
from edgeffnet.architecture import Architecture
from edgeffnet.calibration_images import Selection
from edgeffnet.probing import search
from edgeffnet.probing.probe import Probe
from edgeffnet.probing.search import Probed, manner_of, probe_candidates
from edgeffnet.report.progress import Steps
from edgeffnet.request import Request, request
from edgeffnet.selection import EstimatedLatency, estimated
from edgeffnet.targets.local import LocalTarget
from edgeffnet.wanted import NetworkOptions, candidates
from tests.edgeffnet.probing.test_probe import looked

ESTIMATES = {"lite0": 20.4, "lite1": 31.1, "lite2": 42.4, "lite3": 64.0, "lite4": 105.0}


def asked(limit: float, **networks: str) -> Request:
    options = NetworkOptions(weights="random", **networks)  # type: ignore[arg-type]
    return request(
        device="rpi4",
        budget=Budget(latency=limit),
        networks=options,
        calib=None,
        val=None,
        io="uint8",
        recipe="default",
        granularity="channel",
        full_integer=False,
        selection=Selection(),
        allow_overlap=False,
        threads=4,
        percentile=90,
        formats=("tflite",),
        output=Path("unused"),
        seed=0,
        target="local",
    )


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> Callable[[float, Callable[[str, bool], float]], Probed]:
    """Runs a search on rpi4's profile, whose measurements are what a function of name and thoroughness says."""

    def run(limit: float, ms: Callable[[str, bool], float], certain: bool = True) -> Probed:
        def scripted(architecture: Architecture, *_: object, limit_ms: float, thoroughly: bool, **__: object) -> Probe:
            return Probe(architecture, limit_ms, certain, looked(ms(architecture.name, thoroughly), 0.1), 5_000_000)

        monkeypatch.setattr(search, "probe", scripted)
        made = asked(limit)
        target = LocalTarget()
        try:
            return probe_candidates(made, made.wanted, target, Steps())
        finally:
            target.close()

    return run


def as_estimated(name: str, factor: float = 1.0) -> float:
    made = asked(50.0)
    net = next(one.architecture for one in made.wanted if one.architecture.name == name)
    figure = estimated(made.device, net, 4, 90)
    assert isinstance(figure, EstimatedLatency)
    return figure.value_ms * factor


def test_a_device_like_its_profile_says_nothing_of_it(searched: Callable[..., Probed]) -> None:
    found = searched(50.0, lambda name, _: as_estimated(name))
    assert found.notes == ()
    assert found.worth_making == {"lite0", "lite1", "lite2"}
    assert len(found.probes) <= 2


@pytest.mark.parametrize(("factor", "pace", "fit"), [(2.0, "slower", {"lite0"}), (0.4, "faster", set(ESTIMATES))])
def test_a_device_unlike_its_profile_is_told_and_a_profile_offered(
    searched: Callable[..., Probed], factor: float, pace: str, fit: set[str]
) -> None:
    found = searched(50.0, lambda name, _: as_estimated(name, factor))
    assert found.worth_making == fit
    (note,) = found.notes
    assert f"{pace} than the profile rpi4 says" in note and "estimated" in note
    assert "edgeffnet profile --target local --output" in note


def test_what_was_not_probed_is_estimated_anew_and_says_so(searched: Callable[..., Probed]) -> None:
    found = searched(50.0, lambda name, _: as_estimated(name, 2.0))
    measured = {probe.architecture.name for probe in found.probes}
    for name, candidate in found.candidates.items():
        figure = candidate.latency
        if name in measured:
            assert figure is not None and figure.kind == "measured"
            assert "measured" in candidate.reason and "random weights" in candidate.reason
        else:
            assert isinstance(figure, EstimatedLatency)
            assert figure.value_ms == pytest.approx(as_estimated(name, 2.0), rel=0.1)
            assert figure.low_ms < as_estimated(name, 2.0) < figure.high_ms
            assert "scaled by what" in figure.notes[0] and "estimated" in candidate.reason


def test_a_contradiction_that_stays_is_said(searched: Callable[..., Probed]) -> None:
    found = searched(62.0, lambda name, _: {"lite2": 42.0, "lite3": 40.0}.get(name, as_estimated(name)))
    assert any("lite2 is slower than the larger lite3, measured twice: 42.00 ms" in note for note in found.notes)
    assert "lite3" in found.worth_making


def test_noise_that_looked_like_a_contradiction_is_measured_away_and_said(searched: Callable[..., Probed]) -> None:
    found = searched(62.0, lambda name, thorough: 41.0 if name == "lite3" and not thorough else as_estimated(name))
    assert "lite3" not in found.worth_making and "lite2" in found.worth_making
    assert any("lite2 was measured again, because a larger network seemed faster" in note for note in found.notes)
    assert not any("slower than the larger" in note for note in found.notes)


def test_a_budget_too_close_to_tell_is_said(searched: Callable[..., Probed]) -> None:
    found = searched(as_estimated("lite1") * 1.001, lambda name, _: as_estimated(name), certain=False)
    assert any("too close to" in note and "to tell" in note for note in found.notes)


def test_the_manner_of_a_stand_in_is_that_of_the_build() -> None:
    lite = asked(50.0)
    assert manner_of(lite, lite.wanted[0]).inside is None
    swish = NetworkOptions(family="efficientnet", weights="imagenet")
    one = candidates(swish, seed=0)[-1]
    inside = manner_of(lite, one).inside
    assert inside is not None and inside.resolution == one.architecture.resolution
