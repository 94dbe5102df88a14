"""Weights and calibration images -> artefacts, each checked against the Keras model it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

if TYPE_CHECKING:
    from calib.calibrate import Calibrated, Settled
    from calib.sensitivity import Sensitivity

import numpy as np
from numpy.typing import NDArray

from calib.calibration import Range
from converters.artifact import Artifact, Format, Output, Precision
from converters.check import Difference, Scores, check, log_probabilities
from converters.description import Description
from converters.errors import ConversionError
from edgeffnet import network, openvino_files
from edgeffnet.beside import Beside
from edgeffnet.cache.steps import KeptSteps
from edgeffnet.cache.store import Cache
from edgeffnet.calibration_images import CalibrationImages
from edgeffnet.errors import ArtifactError, DataError
from edgeffnet.hashing import sha256_of_array
from edgeffnet.images import Pixels, Preprocessing
from edgeffnet.openvino_source import Source, needs_calibration, openvino_source
from edgeffnet.tensorflow_import import import_tensorflow
from edgeffnet.weights.source import Weights, digest_of

Interface = Literal["uint8", "int8", "float32"]
Granularity = Literal["channel", "tensor"]
FORMATS: tuple[Format, ...] = ("tflite", "openvino", "onnx")
_NAMES = {"tflite": "TFLite fp32 and int8", "openvino": "OpenVINO fp32 and int8", "onnx": "ONNX fp32"}

P = ParamSpec("P")
T = TypeVar("T")

_CHECK_IMAGES = 16
_SENSITIVITY_IMAGES = 16


@dataclass(frozen=True)
class Checked:
    """An artefact that passed, and by how much it differs from the Keras model on real images."""

    artifact: Artifact
    difference: Difference


class Producer:
    """Makes one network's artefacts in `folder`; each intermediate is made once, when first needed.

    Steps that `cache` holds are taken from there. A process `beside` this one, once it is started, makes
    the OpenVINO models; it is started where the float model is to be made.
    """

    cache: Cache | None = None
    beside: Beside | None = None
    _ahead: ThreadPoolExecutor | None = None
    _quantized_ahead: tuple[bytes, Future[tuple[bytes, bytes]] | None] = (b"", None)

    def __init__(
        self,
        weights: Weights,
        images: CalibrationImages,
        folder: Path,
        *,
        interface: Interface = "uint8",
        recipe: str = "default",
        granularity: Granularity = "channel",
        saturating: bool = False,
        cache: Cache | None = None,
        beside: Beside | None = None,
    ) -> None:
        self.weights = weights
        self.images = images
        self.folder = folder
        self.interface = interface
        self.recipe = recipe
        self.granularity: Granularity = granularity
        self.saturating = saturating
        self.cache = cache
        self.beside = beside

    @property
    def normalises_inside(self) -> bool:
        """True where channels differ in mean or std: no one 8-bit input scale is their normalisation."""
        return self.weights.preprocessing.uneven

    @property
    def contract(self) -> Preprocessing:
        """What is done to images before the artefacts: all of it, or all but the normalisation."""
        if not self.normalises_inside:
            return self.weights.preprocessing
        return self.weights.preprocessing.unnormalised

    @property
    def described(self) -> Description:
        """What the `.tflite` and OpenVINO files say of themselves."""
        return Description(self.weights.architecture.name, labels=self.weights.labels, **self.contract.to_dict())

    @cached_property
    def pixels(self) -> Pixels:
        """The calibration images, uint8 (n, resolution, resolution, 3)."""
        return self.images.pixels(self.contract)

    @cached_property
    def model(self) -> Any:
        """The Keras model, batch-norm folded, weights loaded, ending in probabilities."""
        import_tensorflow()
        inside = self.weights.preprocessing if self.normalises_inside else None
        return network.inference(self.weights.architecture, self.weights.tensors, inside)

    @cached_property
    def frozen(self) -> Any:
        from converters.frozen import freeze

        return freeze(self.model)

    @cached_property
    def float_tflite(self) -> bytes:
        def make() -> bytes:
            if self.beside is not None:
                self.beside.start()
            import_tensorflow()
            from converters.tflite import float_tflite

            return float_tflite(self.frozen)

        return self._steps.bytes("float .tflite", make)

    @cached_property
    def float_path(self) -> Path:
        """`model_fp32.tflite`."""
        return self._write_tflite(self.folder / "model_fp32.tflite", self.float_tflite, "float32")

    @cached_property
    def calibrated(self) -> Calibrated:
        """The float model rewritten to survive 8 bits, and the ranges of its activations."""
        return self._calibrate(frozenset(), self.granularity)

    @cached_property
    def sensitivities(self) -> tuple[Sensitivity, ...]:
        """What each layer's rounding costs, on the first calibration images."""
        from calib import graph
        from calib.sensitivity import measure

        made = self.calibrated
        images = self.contract.normalise(self.pixels[:_SENSITIVITY_IMAGES])
        return measure(graph.read(made.model), made.calibration.ranges, images)

    @cached_property
    def reference(self) -> Scores:
        """Log-probabilities of the model it all comes from, on the images every artefact is checked with."""
        return log_probabilities(self._predict_reference(self._check_pixels), "probabilities")

    @cached_property
    def int8_tflite(self) -> Checked:
        """`model_int8.tflite`: the artefact whose latency decides the search."""
        return self._int8("model_int8.tflite", self.calibrated, frozenset(), self.granularity)

    def mixed_tflite(self, in_float: frozenset[str], name: str) -> Checked:
        """The int8 `.tflite` whose operators writing the tensors `in_float` stay in float, as file `name`."""
        granularity = self.granularity
        return _guarded(lambda: self._int8(name, self._calibrate(in_float, granularity), in_float, granularity))

    def per_channel_tflite(self, name: str) -> Checked:
        """The int8 `.tflite` with a scale for each channel, whatever `granularity` says, as file `name`."""
        return _guarded(lambda: self._int8(name, self._calibrate(frozenset(), "channel"), frozenset(), "channel"))

    def mixed_trial(self, in_float: frozenset[str], name: str) -> Checked:
        """The same without calibrating anew, in a second: to compare choices of layers."""
        from calib.mixed import with_float_weights

        made = self.calibrated
        model = with_float_weights(made.model, made.unrounded, in_float)
        return _guarded(lambda: self._int8(name, replace(made, model=model), in_float, self.granularity))

    def mixed_openvino(self, layers: Sequence[int], in_float: frozenset[str], name: str) -> Checked:
        """The int8 OpenVINO model as `name`.xml with `layers`, counted in the network's order, in float.

        `in_float` are the tensors that these layers write in the float `.tflite`.
        """
        return _guarded(lambda: self._openvino_int8(layers, in_float, name))

    def produce(self, formats: tuple[Format, ...], note: Callable[[str], Any]) -> tuple[Checked, ...]:
        """Every artefact of `formats`; `note` hears the name of each step that is waited for.

        What needs no calibration is made meanwhile, where a process `beside` was started. Raises ArtifactError
        when a conversion fails or an artefact fails its check, DataError when the calibration does.
        """
        return _guarded(lambda: self._produced(formats, note))

    def _produced(self, formats: tuple[Format, ...], note: Callable[[str], Any]) -> tuple[Checked, ...]:
        # What the threads share is made before they are.
        source, _ = self.float_tflite, self._calibration_options
        makers = {"tflite": self._tflite_float, "openvino": self._openvino_float, "onnx": self._onnx}
        calibrates_openvino = "openvino" in formats and needs_calibration(source)
        made: list[Checked] = []
        with self._threads() as threads:

            def soon(make: Callable[[], Checked]) -> Callable[[], Checked]:
                return threads.submit(make).result if threads else make

            floats = {form: soon(makers[form]) for form in FORMATS if form in formats}
            int8 = {"tflite": lambda: self.int8_tflite}
            if not calibrates_openvino and "openvino" in formats:
                int8["openvino"] = soon(self._openvino_plain)
            self._ahead = threads if calibrates_openvino else None
            if calibrates_openvino or "tflite" in formats:
                with note("Calibrating"):
                    _ = self.calibrated
            if calibrates_openvino:
                int8["openvino"] = soon(self._openvino_plain)
            for form, make in floats.items():
                with note(_NAMES[form]):
                    made.append(make())
                    if form in int8:
                        made.append(int8[form]())
        return tuple(made)

    def _quantize_ahead(self, unrounded: bytes) -> None:
        """Has NNCF find its ranges while weights are rounded here."""
        if self._ahead is not None:
            how = self._quantizing(unrounded, True, ())
            self._quantized_ahead = unrounded, self._ahead.submit(self._ask, openvino_files.quantized, how)
            self._ahead = None

    @contextmanager
    def _threads(self) -> Iterator[ThreadPoolExecutor | None]:
        """Some that wait for the process beside this one, where there is one; what computes here stays alone."""
        if self.beside is None or not self.beside.running:
            yield None
            return
        with ThreadPoolExecutor(3) as threads:
            try:
                yield threads
            except BaseException:
                self.beside.close()  # nobody waits any more for what they wait for
                raise

    def _ask(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `function` returns, in the process beside where there is one."""
        return function(*args, **kwargs) if self.beside is None else self.beside.run(function, *args, **kwargs)

    def use_mixed(self, mixed: Checked, before: Artifact) -> Checked:
        """Puts `mixed` in the place of the artefact `before`; returns it at its new path."""
        for new, old in zip(mixed.artifact.companions, before.companions, strict=True):
            new.replace(old)
        mixed.artifact.path.replace(before.path)
        made = replace(mixed, artifact=replace(mixed.artifact, path=before.path, companions=before.companions))
        if before.format == "tflite":
            self.int8_tflite = made
        return made

    def probe(self) -> Checked:
        """`int8_tflite`, with conversion errors as ArtifactError."""
        return _guarded(lambda: self.int8_tflite)

    @property
    def origin(self) -> dict[str, Any]:
        """What the float model is made from, as data."""
        weights = self.weights
        return {
            "architecture": asdict(weights.architecture),
            "tensors": digest_of(weights.tensors),
            "preprocessing": weights.preprocessing.to_dict(),
        }

    @cached_property
    def _steps(self) -> KeptSteps:
        return KeptSteps(self.cache, self.origin if self.cache else {})

    @cached_property
    def _calibration_options(self) -> dict[str, Any]:
        """What calibration depends on, beside the float model and the layers in float."""
        seen = sha256_of_array(self.pixels) if self.cache else ""
        images = {"pixels": seen, "source": self.images.source, "seed": self.images.seed}
        return {"images": images, "recipe": self.recipe, "input": list(self.contract.pixel_range)}

    def _calibrate(self, in_float: frozenset[str], granularity: Granularity) -> Calibrated:
        options = {**self._calibration_options, "in_float": sorted(in_float), "granularity": granularity}
        return self._steps.calibrated(options, lambda: self._calibrated_anew(in_float, granularity))

    def _calibrated_anew(self, in_float: frozenset[str], granularity: Granularity) -> Calibrated:
        from calib.calibrate import calibrate
        from calib.errors import CalibrationError

        try:
            return calibrate(
                self.float_tflite,
                self._normalised,
                self.recipe,
                source=self.images.source,
                input_range=self._input_range,
                seed=self.images.seed,
                in_float=in_float,
                granularity=granularity,
                on_unrounded=self._quantize_ahead,
            )
        except CalibrationError as error:
            raise DataError(f"calibration on {self.images.source}: {error}") from error

    def _normalised(self) -> Iterator[NDArray[np.float32]]:
        """The calibration images one by one, (1, resolution, resolution, 3)."""
        normalise = self.contract.normalise
        return (normalise(self.pixels[index : index + 1]) for index in range(len(self.pixels)))

    def _int8(self, name: str, made: Calibrated, in_float: frozenset[str], granularity: Granularity) -> Checked:
        from converters.int8 import quantize

        def make(folder: Path) -> Difference:
            data = quantize(
                made.model,
                made.calibration,
                self.interface,
                self._input_range,
                in_float=in_float,
                granularity=granularity,
            )
            path = self._write_tflite(folder / name, data, self.interface)
            return self._difference(Artifact.int8_tflite(path, self.interface))

        options = {
            "calibration": made.calibration.digest(),
            "model": hashlib.sha256(made.model).hexdigest(),
            "in_float": sorted(in_float),
            "granularity": granularity,
        }
        difference = self._kept("int8 .tflite", name, options, make)
        return Checked(Artifact.int8_tflite(self.folder / name, self.interface), difference)

    def _kept(self, kind: str, name: str, options: Mapping[str, Any], make: Callable[[Path], Difference]) -> Difference:
        """The artefact `name` that `make` writes into a folder, in ours; kept by all that it comes from."""
        all_ = {
            **self._calibration_options,
            **options,
            "name": name,
            "interface": self.interface,
            "described": asdict(self.described),
        }
        return self._steps.checked(kind, all_, self.folder, make)

    def _tflite_float(self) -> Checked:
        def make(folder: Path) -> Difference:
            path = self._write_tflite(folder / self.float_path.name, self.float_tflite, "float32")
            return self._difference(Artifact.float_tflite(path))

        difference = self._kept("fp32 .tflite", self.float_path.name, {}, make)
        return Checked(Artifact.float_tflite(self.float_path), difference)

    def _openvino_float(self) -> Checked:
        source, described = self.float_tflite, self.described

        def write(path: Path) -> None:
            self._ask(openvino_files.write_float, source, described, path)

        return self._save_openvino(write, "fp32", "float32", "model_fp32", {})

    def _openvino_plain(self) -> Checked:
        return self._openvino_int8((), frozenset(), "model_int8")

    def _openvino_int8(self, layers: Sequence[int], in_float: frozenset[str], name: str) -> Checked:
        options = {
            "layers": list(layers),
            "in_float": sorted(in_float),
            "saturating": self.saturating,
            "granularity": self.granularity,
        }
        takes: Literal["uint8", "float32"] = "float32" if self.interface == "float32" else "uint8"

        def write(path: Path) -> None:
            source = self._openvino_source
            quantizing = self._quantizing(source.model, source.settled is not None, tuple(layers))
            model, ahead = self._quantized_ahead
            begun = ahead is not None and not layers and model == source.model
            found = ahead.result() if ahead and begun else self._ask(openvino_files.quantized, quantizing)
            settled = source.settled
            if settled is not None and in_float:
                settled = self._with_float_weights(settled, in_float)
            finishing = openvino_files.Finishing(settled, takes, self.contract, self.described)
            self._ask(openvino_files.write_int8, found, finishing, path)

        return self._save_openvino(write, "int8", takes, name, options)

    def _quantizing(self, model: bytes, settled_later: bool, layers: tuple[int, ...]) -> openvino_files.Quantizing:
        return openvino_files.Quantizing(
            model,
            self.pixels,
            self.contract,
            self.saturating,
            settled_later,
            self.granularity == "tensor",
            layers,
        )

    def _with_float_weights(self, settled: Settled, in_float: frozenset[str]) -> Settled:
        from calib.mixed import with_float_weights

        return replace(settled, model=with_float_weights(settled.model, self.calibrated.unrounded, in_float))

    @cached_property
    def _openvino_source(self) -> Source:
        return openvino_source(
            self.float_tflite,
            lambda: self.calibrated,
            self._normalised,
            self.recipe,
            saturating=self.saturating,
            seed=self.images.seed,
            granularity=self.granularity,
        )

    def _onnx(self) -> Checked:
        from converters.onnx_file import float_onnx

        def at(folder: Path) -> Artifact:
            return Artifact.at(folder / "model_fp32.onnx", "onnx", "fp32", "float32", "probabilities")

        def make(folder: Path) -> Difference:
            (folder / "model_fp32.onnx").write_bytes(float_onnx(self.frozen))
            return self._difference(at(folder))

        difference = self._kept("ONNX", "model_fp32.onnx", {}, make)
        return Checked(at(self.folder), difference)

    def _save_openvino(
        self,
        write: Callable[[Path], None],
        precision: Precision,
        takes: Literal["uint8", "float32"],
        name: str,
        options: Mapping[str, Any],
    ) -> Checked:
        def at(folder: Path) -> Artifact:
            path = folder / "openvino" / f"{name}.xml"
            return Artifact.at(path, "openvino", precision, takes, "probabilities", path.with_suffix(".bin"))

        def make(folder: Path) -> Difference:
            write(folder / "openvino" / f"{name}.xml")
            return self._difference(at(folder))

        difference = self._kept(f"{precision} OpenVINO", f"openvino/{name}", options, make)
        return Checked(at(self.folder), difference)

    @property
    def _input_range(self) -> Range:
        """What pixels 0 and 255 become at the artefacts' input."""
        return Range(*self.contract.pixel_range)

    @property
    def _check_pixels(self) -> Pixels:
        return self.pixels[:_CHECK_IMAGES]

    def _predict_reference(self, pixels: Pixels) -> NDArray[np.float32]:
        normalise = self.contract.normalise
        rows = [np.asarray(self.model(normalise(pixels[i : i + 1]), training=False)) for i in range(len(pixels))]
        return np.concatenate(rows)

    def _difference(self, artifact: Artifact) -> Difference:
        preprocessing = self.contract
        given = (artifact, self._check_pixels, preprocessing.mean, preprocessing.std)
        if artifact.format != "openvino":
            found = openvino_files.scores(*given)
        elif artifact.precision == "int8" and not self.saturating:
            found = self._ask(openvino_files.replayed_scores, *given)
        else:
            found = self._ask(openvino_files.scores, *given)
        return check(artifact.name, artifact.precision, self.reference, log_probabilities(found, artifact.output))

    def _write_tflite(self, path: Path, data: bytes, takes: Interface) -> Path:
        from converters.tflite_metadata import with_metadata

        returns: Output = "logits" if takes == "int8" else "probabilities"
        path.write_bytes(with_metadata(data, self.described, takes, returns))
        return path


def _guarded(make: Callable[[], T]) -> T:
    try:
        return make()
    except ConversionError as error:
        raise ArtifactError(str(error)) from error
