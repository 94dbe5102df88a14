"""The pairs of models to be audited: from two files of any kind, or from a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from converters.artifact import Format, Precision
from edgeffnet import labels as label_names
from edgeffnet.audit import inspection
from edgeffnet.audit.finding import Finding
from edgeffnet.audit.inspection import Inspected
from edgeffnet.audit.scoring import grid_is_pixels
from edgeffnet.audit.subject import Subject
from edgeffnet.bundle.contents import (
    CONTRACT,
    LABELS,
    bundle_of,
    find_contract,
    labels_given,
    models_of,
    read_labels,
    require_trained,
)
from edgeffnet.errors import ArtifactError, DataError, UsageError
from edgeffnet.hashing import sha256_of
from edgeffnet.images import Preprocessing, read_preprocessing, unstated_preprocessing
from edgeffnet.weights import statement

Role = Literal["int8", "reference"]

_FORMATS: dict[str, Format] = {".tflite": "tflite", ".xml": "openvino", ".onnx": "onnx", ".keras": "tflite"}
# Weights that `edgeffnet train` wrote.
_OWN = ".safetensors"


@dataclass(frozen=True)
class Pair:
    """An int8 model and its reference, with the names of their classes in output order.

    `notes` say what was taken for granted; `findings` where a contract says what its model is not.
    """

    int8: Subject
    reference: Subject
    labels: tuple[str, ...]
    notes: tuple[str, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Named:
    """What the user named: a pair of files, with the preprocessing and labels given beside them."""

    int8: Path
    reference: Path
    preprocessing: Path | None = None
    labels: Path | None = None


def named(model: Path, reference: Path | None, preprocessing: Path | None, labels: Path | None) -> tuple[Named, ...]:
    """The pairs to audit: `model` and `reference`, or each int8 model of the bundle `model` and its fp32 one.

    UsageError where the reference is missing, DataError where a folder is no bundle with both.
    """
    if not model.exists():
        raise DataError(f"{model}: no such model or bundle")
    if not model.is_dir():
        if reference is None:
            raise UsageError(f"nothing to hold {model.name} against: give --reference FILE, its float model")
        return (Named(model, reference, preprocessing, labels),)
    models = models_of(model)
    int8 = [path for path in models if "int8" in path.stem]
    floats = [path for path in models if path not in int8]
    if not int8 or not (floats or reference):
        raise DataError(f"{model}: its {CONTRACT} names no {'int8 model' if not int8 else 'fp32 model'} to audit")
    return tuple(
        Named(
            path,
            reference or next((one for one in floats if one.suffix == path.suffix), floats[0]),
            preprocessing,
            labels,
        )
        for path in int8
    )


def read(asked: Named, folder: Path) -> Pair:
    """The pair as it runs; what has to be converted or rewritten for that is kept in `folder`.

    DataError for what is no image classifier, or for two that have other classes; UsageError for options
    that do not fit; ArtifactError for a bundle whose contract does not fit its model.
    """
    contracts = {path: _contract(path) for path in (asked.int8, asked.reference)}
    for path in contracts:
        if not path.is_file():
            raise DataError(f"{path}: no such model")
        if path.suffix.lower() not in _FORMATS and statement.read(path) is None:
            raise DataError(f"{path}: not a .tflite, .xml, .onnx or .keras model")
    given = read_preprocessing(asked.preprocessing) if asked.preprocessing else None
    require_trained(asked.int8)
    stated = [one for one in contracts.values() if one]
    int8, odd = _subject(asked.int8, "int8", given, [contracts[asked.int8], *stated], folder)
    reference, odder = _subject(asked.reference, "reference", given, [contracts[asked.reference], *stated], folder)
    if int8.classes != reference.classes:
        raise DataError(
            f"{asked.int8} has {int8.classes} classes and {asked.reference} has {reference.classes}: "
            "models of other classes cannot be held against each other"
        )
    names, notes = _labels(asked, int8.classes, stated)
    return Pair(int8, reference, names, notes, (*odd, *odder))


@dataclass(frozen=True)
class _Contract:
    """What the bundle that a model lies in says of it."""

    file: Path
    preprocessing: Preprocessing
    labels: tuple[str, ...]
    takes: str
    output: str


def _contract(model: Path) -> _Contract | None:
    """That of the folder `model` lies in, or None; DataError where it is damaged."""
    own = statement.read(model)
    if own is not None:
        return _Contract(model, own.preprocessing, own.labels, "", "")
    folder = bundle_of(model)
    if folder is None:
        return None
    path = folder / CONTRACT
    stated = read_preprocessing(path)
    labels = read_labels(folder / LABELS) if (folder / LABELS).is_file() else ()
    try:
        artifact = find_contract(model)[2]
    except DataError:
        return _Contract(path, stated, labels, "", "")
    return _Contract(path, stated, labels, artifact.input, artifact.output)


def _subject(
    path: Path, role: Role, given: Preprocessing | None, contracts: Sequence[_Contract | None], folder: Path
) -> tuple[Subject, list[Finding]]:
    own = contracts[0]
    source = next((one for one in contracts if one), None)
    if given is None and source is None:
        raise unstated_preprocessing(path.name)
    stated = given or (source.preprocessing if source else None)
    assert stated is not None
    stated_in = "--preprocessing" if given else str(source.file if source else "")
    form = _FORMATS.get(path.suffix.lower(), "tflite")
    runs = _float_tflite(path, folder) if path.suffix.lower() in (".keras", _OWN) else path
    try:
        seen = inspection.inspect(runs, form, stated, stated_in, folder)
    except UsageError as error:
        if given is None and "makes them" in str(error):
            raise ArtifactError(str(error)) from None
        raise
    precision: Precision = "int8" if role == "int8" else "fp32"
    raw = bool(own and own.takes) or grid_is_pixels(seen.takes, stated)
    subject = Subject(
        file=str(path),
        sha256=sha256_of(path),
        artifact=seen.artifact(precision),
        preprocessing=stated,
        classes=seen.classes,
        takes=seen.takes,
        gives=seen.gives,
        quantizes_input=not raw,
        weights_sha256=sha256_of(weights)
        if form == "openvino" and (weights := path.with_suffix(".bin")).is_file()
        else None,
    )
    return subject, _lies(own, seen, role) if own else []


def _lies(stated: _Contract, seen: Inspected, role: Role) -> list[Finding]:
    """Where the contract says something else of a model's input or output than its file."""
    made = []
    for end, said, found in (("input", stated.takes, seen.takes.dtype), ("output", stated.output, seen.output)):
        if said and said != found:
            text = (
                f"{stated.file} says that the {end} of the {role} model is {said}, but its file has {found}: "
                "the audit goes by the file, others will go by the contract"
            )
            evidence = {"model": role, "end": end, "stated": said, "is": found}
            made.append(Finding("contract-lies", "fault", text, evidence))
    return made


def _float_tflite(path: Path, folder: Path) -> Path:
    """The float `.tflite` of a `.keras` file or of weights of our own, made once."""
    from edgeffnet import float_models
    from edgeffnet.tensorflow_import import require_build_tools

    made = folder / f"keras-{sha256_of(path)[:16]}.tflite"
    if not made.is_file():
        require_build_tools()
        made.write_bytes(float_models.read(path).data)
    return made


def _labels(asked: Named, classes: int, contracts: Sequence[_Contract]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    given = labels_given(asked.labels, asked.int8.name, classes)
    if given:
        return given, ()
    for contract in contracts:
        if contract.labels and len(contract.labels) != classes:
            raise ArtifactError(
                f"{contract.file.with_name(LABELS)} holds {len(contract.labels)} names, but {asked.int8.name} has "
                f"{classes} classes: give --labels"
            )
        if contract.labels:
            return contract.labels, ()
    if classes == len(label_names.imagenet()):
        note = (
            f"nobody names the {classes} classes (--labels): they are taken for ImageNet's, in the order of WordNet ids"
        )
        return label_names.imagenet(), (note,)
    note = f"nobody names the {classes} classes (--labels): images are labelled by index"
    return label_names.numbered(classes), (note,)
