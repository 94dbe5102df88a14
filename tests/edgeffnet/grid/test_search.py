import json
import math
from dataclasses import dataclass

import pytest

from edgeffnet import cost, devices
from edgeffnet.errors import DataError, UsageError
from edgeffnet.grid.candidates import Network
from edgeffnet.grid.costs import EstimatedLatency
from edgeffnet.grid.search import Score, search
from edgeffnet.grid.triples import Constraint, Triple
from edgeffnet.rules import Coefficients

PAPER = Triple(1.2, 1.1, 1.15)


def planted(optimum):
    """An evaluator whose best network is the one at `optimum`."""

    def evaluate(net):
        wanted = optimum.applied(Coefficients(1.0, 1.0, 224))
        return (
            -abs(net.depth - wanted.depth) - abs(net.width - wanted.width) - abs(net.resolution / wanted.resolution - 1)
        )

    return evaluate


def triples(ranking):
    return [one.candidate.triple for one in ranking.candidates]


@dataclass
class Machine:
    """A latency that grows with powers of its own; counts how often it was asked."""

    kind: str = "measured"
    said: str = "latency of a made-up machine"
    powers: tuple = (0.9, 1.4, 2.1)
    asked: int = 0
    dies_after: int | None = None

    def factor(self, net, base):
        self.asked += 1
        if self.dies_after is not None and self.asked > self.dies_after:
            raise KeyboardInterrupt
        a, b, c = self.powers
        return (net.depth / base.depth) ** a * (net.width / base.width) ** b * (net.resolution / base.resolution) ** c


def test_the_papers_constants_are_among_the_candidates_under_flops():
    ranking = search()
    assert PAPER in triples(ranking)
    assert all(abs(triple.flops_factor / 2 - 1) <= 0.05 + 1e-9 for triple in triples(ranking))
    assert len(set(triples(ranking))) == len(ranking.candidates)
    assert [one.score for one in ranking.candidates] == [None] * len(ranking.candidates)


def test_a_wider_tolerance_keeps_all_and_adds_some():
    narrow, wide = (set(triples(search(constraint=Constraint(tolerance=share)))) for share in (0.05, 0.15))
    assert narrow < wide


@pytest.mark.parametrize("optimum", [PAPER, Triple(1.95, 1.0, 1.0), Triple(1.0, 1.25, 1.15)])
def test_a_planted_optimum_is_found(optimum):
    ranking = search(planted(optimum))
    assert ranking.best.candidate.triple == optimum
    scores = [one.score.value for one in ranking.candidates]
    assert scores == sorted(scores, reverse=True)


def test_candidates_are_whole_networks_at_phi_1_and_say_what_they_multiply():
    (paper,) = (one.candidate for one in search().candidates if one.candidate.triple == PAPER)
    net = paper.architecture
    assert (net.phi, net.depth, net.width, net.resolution) == (1.0, 1.2, 1.1, round(224 * 1.15))
    assert paper.factor == pytest.approx(1.92, abs=0.005)
    base = cost.total(Network().at(None)).macs
    assert paper.macs_factor == pytest.approx(cost.total(net).macs / base)
    assert paper.kind == "by the rule"


def test_a_smaller_base_is_scaled_from_where_it_is():
    ranking = search(network=Network("mobilenet_v2", Coefficients(0.5, 1.0, 64), classes=5))
    (paper,) = (one.candidate.architecture for one in ranking.candidates if one.candidate.triple == PAPER)
    assert (paper.family, paper.width, paper.resolution, paper.classes) == ("mobilenet_v2", 0.55, 74, 5)


def test_most_spreads_the_candidates_over_the_grid():
    ranking = search(constraint=Constraint(most=5))
    everything = triples(search())
    kept = triples(ranking)
    assert len(kept) == 5
    assert (kept[0], kept[-1]) == (everything[0], everything[-1])


def test_equal_scores_are_ranked_by_fewer_multiply_adds():
    factors = [one.candidate.macs_factor for one in search(lambda _: 1.0).candidates]
    assert factors == sorted(factors)


def test_an_evaluator_that_fails_or_returns_nan_is_recorded_and_the_rest_goes_on(tmp_path):
    first, second = triples(search())[:2]

    def evaluate(net):
        if net.depth == first.alpha and net.width == first.beta:
            raise RuntimeError("out of\nmemory")
        if net.depth == second.alpha and net.width == second.beta:
            return math.nan
        return 0.5

    ranking = search(evaluate, journal=tmp_path / "journal")
    failures = {one.candidate.triple: one.failure for one in ranking.candidates if one.score is None}
    assert failures[first] == "RuntimeError: out of memory"
    assert failures[second] == "the score is nan"
    assert [one.score is None for one in ranking.candidates] == sorted(one.score is None for one in ranking.candidates)
    assert ranking.best.score.value == 0.5
    again = search(lambda _: pytest.fail("asked again"), journal=tmp_path / "journal")
    assert again.candidates == ranking.candidates


def test_killed_and_resumed_it_gives_the_same_ranking(tmp_path):
    evaluate, journal = planted(PAPER), tmp_path / "journal"
    asked = []

    def dies(net):
        if len(asked) == 4:
            raise KeyboardInterrupt
        asked.append(net.name)
        return Score(evaluate(net), spread=0.1, seeds=3, rests_on="nothing")

    with pytest.raises(KeyboardInterrupt):
        search(dies, journal=journal)
    with journal.open("a") as file:
        file.write('{"kind": "score", "tri')  # cut off in the middle of a line

    def goes_on(net):
        asked.append(net.name)
        return Score(evaluate(net), spread=0.1, seeds=3, rests_on="nothing")

    resumed = search(goes_on, journal=journal)
    whole = search(goes_on)
    assert resumed.candidates == whole.candidates
    assert resumed.resumed == 4
    assert len(asked) == 2 * len(whole.candidates)
    assert search(lambda _: pytest.fail("asked again"), journal=journal).candidates == whole.candidates


def test_a_journal_of_another_search_is_refused(tmp_path):
    journal = tmp_path / "journal"
    search(planted(PAPER), journal=journal)
    before = journal.read_bytes()
    for other in (
        {"constraint": Constraint(tolerance=0.1)},
        {"network": Network("lite")},
        {"evaluator_name": "another"},
    ):
        with pytest.raises(UsageError, match="something else that was asked"):
            search(planted(PAPER), journal=journal, **other)
    assert journal.read_bytes() == before
    with pytest.raises(DataError, match="nowhere"):
        search(planted(PAPER), journal=tmp_path / "nowhere" / "journal")


def test_under_a_latency_each_candidate_has_the_factor_that_was_asked_for():
    machine = Machine()
    ranking = search(planted(PAPER), constraint=Constraint(tolerance=0.05, most=12), latency=machine)
    assert 6 <= len(ranking.candidates) <= 12
    a, b, c = machine.powers
    for one in ranking.candidates:
        triple = one.candidate.triple
        assert one.candidate.kind == "measured"
        assert triple.alpha**a * triple.beta**b * triple.gamma**c == pytest.approx(2, rel=0.07)
        assert one.candidate.factor == pytest.approx(2, rel=0.05)


def test_under_a_latency_each_network_is_looked_at_once():
    ranking = search(constraint=Constraint(tolerance=0.05), latency=Machine())
    shapes = [
        (net.stages, net.stem_channels, net.resolution)
        for net in (c.candidate.architecture for c in ranking.candidates)
    ]
    assert len(set(shapes)) == len(shapes)


def test_latencies_measured_before_the_kill_are_not_measured_again(tmp_path):
    journal = tmp_path / "journal"
    constraint = Constraint(tolerance=0.05, most=6)
    with pytest.raises(KeyboardInterrupt):
        search(constraint=constraint, latency=Machine(dies_after=5), journal=journal)
    machine = Machine()
    resumed = search(constraint=constraint, latency=machine, journal=journal)
    fresh = Machine()
    assert resumed.candidates == search(constraint=constraint, latency=fresh).candidates
    assert machine.asked == fresh.asked - 5


@dataclass
class SlowedOnce(Machine):
    """Was slowed while it was asked for the `slowed`th time, so that one network looked larger than it is."""

    slowed: int = 4
    by: float = 1.3

    def factor(self, net, base):
        return super().factor(net, base) * (self.by if self.asked == self.slowed else 1.0)


@pytest.mark.parametrize("by", [0.7, 1.3])
@pytest.mark.parametrize("slowed", [1, 2, 3, 4, 5, 6, 7])
def test_a_machine_slowed_for_a_moment_neither_chooses_nor_ends_the_search(slowed, by):
    machine = SlowedOnce(slowed=slowed, by=by)
    found = search(constraint=Constraint(most=1), latency=machine).candidates
    a, b, c = machine.powers
    for one in found:
        triple = one.candidate.triple
        assert triple.alpha**a * triple.beta**b * triple.gamma**c == pytest.approx(2, rel=0.1)
    assert found


def test_under_an_estimated_latency_the_factors_are_the_profiles():
    device = devices.load("rpi4")
    latency = EstimatedLatency(device)
    ranking = search(network=Network("lite"), constraint=Constraint(tolerance=0.03, step=0.1), latency=latency)
    assert ranking.candidates
    base = devices.estimate(device, Network("lite").at(None)).mean_ms
    for one in ranking.candidates:
        found = devices.estimate(device, one.candidate.architecture).mean_ms / base
        assert one.candidate.factor == pytest.approx(found)
        assert found == pytest.approx(2, rel=0.03)
        assert one.candidate.kind == "estimated"


@pytest.mark.parametrize("latency", [None, Machine()])
def test_a_constraint_that_no_triple_meets_names_the_nearest(latency):
    with pytest.raises(UsageError, match=r"within 0.1% of 1.1; nearest: alpha .*widen --tolerance") as caught:
        search(constraint=Constraint(target=1.1, tolerance=0.001, step=0.25), latency=latency)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "option"),
    [
        ({"target": 1.0}, "--factor"),
        ({"target": math.nan}, "--factor"),
        ({"tolerance": -0.1}, "--tolerance"),
        ({"step": 0.0}, "--step"),
        ({"most": 0}, "--most"),
    ],
)
def test_a_constraint_without_a_grid_is_refused(values, option):
    with pytest.raises(UsageError, match=option):
        Constraint(**values)


def test_a_ranking_survives_json():
    ranking = search(planted(PAPER), constraint=Constraint(most=3))
    first = json.loads(json.dumps(ranking.to_dict()))["candidates"][0]
    assert Triple(first["alpha"], first["beta"], first["gamma"]) == ranking.best.candidate.triple
    assert first["score"]["value"] == ranking.best.score.value


@dataclass
class SlowedForAWhile(Machine):
    """Was slowed from the `slowed`th question on, for two of them."""

    slowed: int = 4

    def factor(self, net, base):
        factor = super().factor(net, base)
        return factor * (1.1 if self.slowed <= self.asked < self.slowed + 2 else 1.0)


@pytest.mark.parametrize("slowed", [3, 4, 5, 6])
def test_what_slowed_the_machine_during_two_looks_does_not_choose(slowed):
    machine = SlowedForAWhile(slowed=slowed)
    a, b, c = machine.powers
    for one in search(constraint=Constraint(most=4), latency=machine).candidates:
        triple = one.candidate.triple
        assert triple.alpha**a * triple.beta**b * triple.gamma**c == pytest.approx(2, rel=0.105)
