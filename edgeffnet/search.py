"""From the largest candidate down to the first that meets every budget and keeps its accuracy."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from converters.artifact import Artifact
from converters.check import Scores, log_probabilities
from edgeffnet import floors, micro, selection
from edgeffnet.architecture import Architecture
from edgeffnet.beside import Beside
from edgeffnet.budget import Budget
from edgeffnet.cache.store import Cache
from edgeffnet.errors import AccuracyError, TargetError
from edgeffnet.mixed_precision import Bench, MixedPrecision, leave_in_float
from edgeffnet.patience import Patience
from edgeffnet.probing.search import Probed, probe_candidates, probing_helps
from edgeffnet.production import Checked, Producer
from edgeffnet.report.progress import Steps
from edgeffnet.request import Request
from edgeffnet.resolution import Tuned, by_accuracy
from edgeffnet.selection import Candidate
from edgeffnet.targets.local import LocalTarget
from edgeffnet.targets.target import Target
from edgeffnet.timing import Latency, latencies
from edgeffnet.validation import Accuracy, Comparison, accuracy, compare, missing_runtimes, raw_scores, shards
from edgeffnet.validation_images import ImagesOfBuild, ValidationImages
from edgeffnet.wanted import Wanted
from edgeffnet.weights import Weights

# What would have to be trained again were it too slow after all has to be faster than the budget by so much.
_MARGIN = 0.95
# An estimate's lower end beyond this many times the budget settles it without a measurement.
_FAR_OFF = 1.5


@dataclass(frozen=True)
class Winner:
    """The network that was chosen, its artefacts, how they predict, and what became of the others.

    `reference` are fp32's log-probabilities on `images`, None where nothing was run.
    """

    candidate: Candidate
    candidates: tuple[Candidate, ...]
    producer: Producer
    checked: tuple[Checked, ...]
    images: ValidationImages
    accuracies: dict[Artifact, Accuracy]
    comparisons: dict[Artifact, Comparison]
    not_run: dict[Artifact, str]
    mixed: tuple[MixedPrecision, ...] = ()
    probed: Probed | None = None
    seen: Mapping[str, Accuracy] = field(default_factory=dict)
    reference: Scores | None = None


class Search:
    """Judges candidates in the request's order and remembers each verdict."""

    def __init__(
        self,
        request: Request,
        images: ImagesOfBuild,
        target: Target,
        work: Path,
        steps: Steps,
        cache: Cache | None = None,
        beside: Beside | None = None,
    ) -> None:
        self.request = request
        self.images = images
        self.target = target
        self.work = work
        self.steps = steps
        self.cache = cache
        self.beside = beside
        self.patience = Patience()
        self.candidates: dict[str, Candidate] = {}
        self.probed: Probed | None = None
        self.seen: dict[str, Accuracy] = {}
        self.tuned: Tuned | None = None

    def largest_that_fits(self) -> Winner:
        """The first candidate that meets every budget, its artefacts in a folder inside `work`.

        Raises BudgetError when none is small or fast enough, AccuracyError when none that is keeps
        its accuracy.
        """
        missed: list[tuple[str, Accuracy]] = []
        self._probe_all()
        for wanted in self._in_order():
            name = wanted.architecture.name
            self.candidates[name] = self._before_making(wanted.architecture)
            if self.candidates[name].verdict != "fits":
                continue
            loaded = self._loaded(wanted)
            folder = Path(tempfile.mkdtemp(dir=self.work))
            producer = Producer(
                loaded,
                self.images.calibration,
                folder,
                interface=self.request.interface,
                recipe=self.request.recipe,
                granularity=self.request.granularity,
                saturating=self.request.device.int8_saturates,
                cache=self.cache,
                beside=self.beside,
            )
            self.candidates[name] = self._tried(self.candidates[name], producer)
            if self.candidates[name].verdict == "fits":
                made = self._made(name, producer)
                if self.request.budget.has_floor and not self.request.full_integer:
                    made = self._mixed(made)
                worst = self._worst(made)
                self._remember(name, made)
                if worst is None or floors.margin(worst, self.request.budget) >= 0:
                    if made.candidate.verdict == "fits":
                        return self._won(name, made)
                    self.candidates[name] = made.candidate
                else:
                    missed.append((name, worst))
                    reason = f"int8 {floors.said(worst, self.request.budget)}"
                    self.candidates[name] = replace(made.candidate, verdict="too inaccurate", reason=reason)
            shutil.rmtree(folder)
        if missed:
            name, best = max(missed, key=lambda item: floors.margin(item[1], self.request.budget))
            how = "all in int8" if self.request.full_integer else "with any number of layers in float"
            raise AccuracyError(
                f"no candidate keeps its accuracy in int8, {how}: "
                f"the best, {name}, {floors.said(best, self.request.budget)} on {best.source}"
            )
        raise selection.nothing_fits(tuple(self.candidates.values()), self.request.budget)

    def _loaded(self, wanted: Wanted) -> Weights:
        if wanted.trainer is not None:
            return wanted.load()  # training names its own steps
        with self.steps(f"Reading weights of {wanted.architecture.name}"):
            return wanted.load()

    def _probe_all(self) -> None:
        """Has probes tell which networks are worth making, where there is a choice to be measured."""
        request, floorless = self.request, replace(self.request.budget, latency=None)
        plausible = [
            wanted
            for wanted in request.wanted
            if selection.judge(wanted.architecture, floorless, None).verdict == "fits"
        ]
        if probing_helps(request.budget, request.measured, len(plausible)):
            asked = replace(request, budget=_with_margin(request.budget)) if request.training else request
            self.probed = probe_candidates(asked, plausible, self.target, self.steps, self.patience)

    def _in_order(self) -> Sequence[Wanted]:
        """Largest first; or where the input size is tuned, the most accurate within the budget first."""
        if not self.request.tune_resolution:
            return self.request.wanted
        verdicts = {one.architecture.name: self._before_making(one.architecture) for one in self.request.wanted}
        within = [one for one in self.request.wanted if verdicts[one.architecture.name].verdict == "fits"]
        self.candidates = {name: found for name, found in verdicts.items() if found.verdict != "fits"}
        self.tuned = by_accuracy(within, self.images, self.work, self.steps, self.cache)
        return self.tuned.order

    def _before_making(self, net: Architecture) -> Candidate:
        """The verdict of the probes where they ruled the network out, else what is known on paper."""
        if self.probed is None or net.name not in self.probed.candidates:
            return self._on_paper(net)
        if net.name in self.probed.worth_making:
            return selection.judge(net, replace(self.request.budget, latency=None), None)
        return self.probed.candidates[net.name]

    def _on_paper(self, net: Architecture) -> Candidate:
        """The verdict before anything is made: from the architecture, and on a board from the estimate.

        Where latency will be measured, an estimate only rules out what it puts far off.
        """
        request, limit = self.request, self.request.budget.latency_ms
        without_latency = selection.judge(net, replace(request.budget, latency=None), None)
        if request.device.name == "local" or (request.measured and limit is None):
            return without_latency
        figure = selection.estimated(request.device, net, request.threads, request.percentile, risk=request.risk)
        if request.measured and limit is not None and (isinstance(figure, str) or figure.low_ms <= _FAR_OFF * limit):
            return without_latency
        return selection.judge(net, request.budget, figure)

    def _tried(self, first: Candidate, producer: Producer) -> Candidate:
        """The verdict with the int8 file's real size, and its latency where it is measured."""
        request, net = self.request, first.architecture
        measuring = request.measured and request.budget.latency_ms is not None
        if not measuring and request.budget.size_bytes is None and not self._has_arena:
            return first
        artifact = self._probe(producer)
        arena = self._arena(artifact, net)
        if not measuring:
            return selection.judge(net, request.budget, first.latency, artifact.bytes, arena)
        with self.steps(f"Timing {net.name} on {self.target.name}"):
            # A disturbed timing would have another network chosen, unless it is within the budget all the same.
            limit = request.budget.latency_ms or 0.0
            measured = self.patience.timed(
                lambda: latencies(
                    [artifact],
                    self.target,
                    producer.contract,
                    producer.pixels[:1],
                    threads=request.run_threads,
                    percentile=request.percentile,
                    pace_ms=self.patience.pace_ms,
                    progress=self.steps.advance,
                ),
                lambda found: found[artifact].value_ms <= limit,
            )
        return selection.judge(net, request.budget, measured[artifact], artifact.bytes, arena)

    @property
    def _has_arena(self) -> bool:
        """Whether the memory that is limited is a microcontroller's, and can be measured."""
        limited = self.request.budget.memory is not None and self.request.device.microcontroller
        return limited and micro.installed()

    def _arena(self, artifact: Artifact, net: Architecture) -> int | None:
        return micro.arena(artifact.path, net.resolution, artifact.input) if self._has_arena else None

    def _probe(self, producer: Producer) -> Artifact:
        self._prepare(producer)
        with self.steps(f"Converting {producer.weights.architecture.name} to int8"):
            return producer.probe().artifact

    def _prepare(self, producer: Producer) -> None:
        """Reads the calibration images before the slow import: a damaged one is told at once."""
        with self.steps("Reading calibration images"):
            _ = producer.pixels
        with self.steps("Making the float model"):
            _ = producer.float_tflite

    def _made(self, name: str, producer: Producer) -> Winner:
        with self.steps("Reading validation images"):
            images = self.images.validation_for(producer.contract)
        self._prepare(producer)
        checked = producer.produce(self.request.formats, self.steps)
        artifacts = [made.artifact for made in checked]
        not_run = missing_runtimes(artifacts, self.target) if self.request.remote else {}
        runnable = [artifact for artifact in artifacts if artifact not in not_run]
        if not any(artifact.format == "tflite" for artifact in runnable):
            raise TargetError(f"{self.target.name}: no .tflite can run there: {next(iter(not_run.values()))}")
        if not producer.weights.trained:
            return Winner(self.candidates[name], (), producer, checked, images, {}, {}, not_run)
        with self.steps("Running the artefacts over the validation images"):
            raw = self._scores(runnable, self.target, producer, images, self.request.run_threads)
        comparisons: dict[Artifact, Comparison] = {}
        if self.request.remote:
            with self.steps("Running them here too, to compare"), closing(LocalTarget()) as here:
                own = self._scores(runnable, here, producer, images, None)
                comparisons = {artifact: compare(own[artifact], raw[artifact]) for artifact in runnable}
        scores = {artifact: log_probabilities(raw[artifact], artifact.output) for artifact in runnable}
        reference = scores[next(artifact for artifact in runnable if artifact.precision == "fp32")]
        size = producer.int8_tflite.artifact.bytes
        return Winner(
            candidate=replace(self.candidates[name], size_bytes=size),
            candidates=(),
            producer=producer,
            checked=checked,
            images=images,
            accuracies={artifact: accuracy(reference, scores[artifact], images) for artifact in runnable},
            comparisons=comparisons,
            not_run=not_run,
            reference=reference,
        )

    def _mixed(self, made: Winner) -> Winner:
        """`made` with the layers of its int8 artefacts in float that the floors ask for."""
        producer, budget, threads = made.producer, self.request.budget, self.request.run_threads
        if (worst := self._worst(made)) is None or made.reference is None or floors.margin(worst, budget) >= 0:
            return made
        with shards(made.images.pixels) as files:
            bench = Bench(self.target, made.images, files, made.reference, threads, self.request.percentile, self.steps)
            found = leave_in_float(producer, made.accuracies, budget, bench)
        integer = next(artifact for artifact in made.accuracies if artifact.name == "TFLite int8")
        latency, size = made.candidate.latency, producer.int8_tflite.artifact.bytes
        if integer in found and isinstance(latency, Latency):
            latency = found[integer].latency
        net = made.candidate.architecture
        judged = selection.judge(net, budget, latency, size, self._arena(producer.int8_tflite.artifact, net))
        accuracies = {artifact: at for artifact, at in made.accuracies.items() if artifact not in found}
        return replace(
            made,
            candidate=replace(judged, size_bytes=size),
            checked=tuple(found[one.artifact].checked if one.artifact in found else one for one in made.checked),
            accuracies={**accuracies, **{mixed.checked.artifact: mixed.accuracy for mixed in found.values()}},
            comparisons={artifact: at for artifact, at in made.comparisons.items() if artifact not in found},
            mixed=tuple(mixed.precision for mixed in found.values()),
        )

    def _worst(self, made: Winner) -> Accuracy | None:
        """Of the int8 artefacts the one that is furthest from the floors; None where none was run."""
        int8 = [found for artifact, found in made.accuracies.items() if artifact.precision == "int8"]
        return min(int8, key=lambda found: floors.margin(found, self.request.budget), default=None)

    def _remember(self, name: str, made: Winner) -> None:
        """Keeps what the int8 `.tflite` reached, for the frontier."""
        for artifact, found in made.accuracies.items():
            if (artifact.format, artifact.precision) == ("tflite", "int8"):
                self.seen[name] = found

    def _scores(
        self,
        artifacts: Sequence[Artifact],
        target: Target,
        producer: Producer,
        images: ValidationImages,
        threads: int | None,
    ) -> dict[Artifact, Scores]:
        progress = self.steps.advance
        return raw_scores(artifacts, [target], producer.contract, images.pixels, threads=threads, progress=progress)

    def _won(self, name: str, made: Winner) -> Winner:
        """Smaller candidates were not tried: estimates cost nothing, measurements are not made."""
        chosen = self.candidates[name] = replace(made.candidate, verdict="chosen")
        for other in self.request.wanted:
            if other.architecture.name not in self.candidates:
                self.candidates[other.architecture.name] = self._untried(other.architecture)
        candidates = tuple(self.candidates.values())
        return replace(made, candidate=chosen, candidates=candidates, probed=self.probed, seen=self.seen)

    def _untried(self, net: Architecture) -> Candidate:
        if self.tuned is not None:
            return self._less_accurate(net, self.tuned)
        if self.probed is not None and net.name in self.probed.candidates:
            return self.probed.candidates[net.name]
        found = self._on_paper(net)
        if not self.request.measured or found.verdict != "fits":
            return found
        return replace(found, verdict="no figure", reason="not measured: a larger one fits")

    def _less_accurate(self, net: Architecture, tuned: Tuned) -> Candidate:
        """Within the budget, but behind the chosen one in accuracy, or too small to be looked at."""
        known = self.probed.candidates.get(net.name) if self.probed else None
        found = known or self._on_paper(net)
        if net.name not in tuned.top1:
            return replace(found, verdict="no figure", reason="accuracy not measured: larger sizes of it fit")
        best = max(tuned.top1.values())
        reason = f"top-1 {tuned.top1[net.name]:.1f}% in fp32 on the tuning images, the best has {best:.1f}%"
        return replace(found, verdict="less accurate", reason=reason)


def _with_margin(budget: Budget) -> Budget:
    limit = budget.latency_ms
    return budget if limit is None else replace(budget, latency=_MARGIN * limit)
