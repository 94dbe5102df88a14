"""Published networks as operators: what a latency row was measured on.

A row of a device profile names its model; here that name becomes the same operators that
`edgeffnet.cost` counts for an EfficientNet, so that one fit explains both. Only networks whose
shape is public and exact are listed: a row on any other model cannot be used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache

from edgeffnet import cost, scaling
from edgeffnet.architecture import Architecture
from edgeffnet.cost import Operator, Tensor
from edgeffnet.devices.layers import Net
from edgeffnet.errors import DataError


@dataclass(frozen=True)
class ReferenceModel:
    """A network as the operators one inference runs.

    `post_elements` counts the scores a detector's box selection walks through on one core (0 for
    a classifier); `kind` is "classifier" or "detector".
    """

    name: str
    kind: str
    operators: tuple[Operator, ...]
    post_elements: int = 0


@lru_cache(maxsize=256)
def reference_model(name: str) -> ReferenceModel:
    """The network called `name`, built once.

    Known are `names()`, and "lite:WIDTH,DEPTH,RESOLUTION" or "efficientnet:WIDTH,DEPTH,RESOLUTION"
    for a network of that family at any scale, as measured by a person on a device of theirs.
    DataError names the nearest known ones.
    """
    if name in _BUILDERS:
        return _BUILDERS[name](name)
    family, _, coefficients = name.partition(":")
    if family in ("lite", "efficientnet") and coefficients:
        return ReferenceModel(name, "classifier", cost.operators(scaled_architecture(name)))
    near = get_close_matches(name, _BUILDERS, n=3, cutoff=0.3) or sorted(_BUILDERS)
    raise DataError(f"unknown model {name!r} in a latency row; nearest: {', '.join(near)}")


def names() -> tuple[str, ...]:
    """Names a latency row may use, beside the scaled families."""
    return tuple(sorted(_BUILDERS))


def scaled_architecture(name: str) -> Architecture:
    """The network of "lite:WIDTH,DEPTH,RESOLUTION" or "efficientnet:..."; DataError for anything else."""
    family, _, coefficients = name.partition(":")
    try:
        width, depth, resolution = coefficients.split(",")
        scaled = scaling.Coefficients(float(width), float(depth), int(resolution))
    except ValueError:
        raise DataError(f"model {name!r}: expected FAMILY:WIDTH,DEPTH,RESOLUTION, such as lite:1.0,1.1,240") from None
    if min(scaled.width, scaled.depth, scaled.resolution) <= 0:
        raise DataError(f"model {name!r}: width, depth and resolution must be positive")
    return scaling.scale("lite" if family == "lite" else "efficientnet", scaled, name=name, phi=0.0, rule="row")


def _image(resolution: int) -> Tensor:
    return Tensor("input", resolution, 3)


def _official(name: str) -> ReferenceModel:
    return ReferenceModel(name, "classifier", cost.operators(scaling.official(name)))


def _classifier(name: str, net: Net) -> ReferenceModel:
    return ReferenceModel(name, "classifier", tuple(net.operators))


# --- EfficientDet-Lite: backbone, resolution, BiFPN channels and cells, head repeats (google/automl) ---

_DETECTORS: dict[str, tuple[str, int, int, int, int]] = {
    "efficientdet-lite0": ("lite0", 320, 64, 3, 3),
    "efficientdet-lite1": ("lite1", 384, 88, 4, 3),
    "efficientdet-lite2": ("lite2", 448, 112, 5, 3),
    "efficientdet-lite3": ("lite3", 512, 160, 6, 4),
    "efficientdet-lite3x": ("lite3", 640, 200, 6, 4),
    "efficientdet-lite4": ("lite4", 640, 224, 7, 4),
}
_ANCHORS = 9
_COCO_CLASSES = 90
# A BiFPN cell's nodes: the level each writes and the earlier feature maps it sums (0-4 enter as P3..P7).
_BIFPN = (
    (6, (3, 4)),
    (5, (2, 5)),
    (4, (1, 6)),
    (3, (0, 7)),
    (4, (1, 7, 8)),
    (5, (2, 6, 9)),
    (6, (3, 5, 10)),
    (7, (4, 11)),
)


def _efficientdet(name: str) -> ReferenceModel:
    backbone, resolution, channels, cells, repeats = _DETECTORS[name]
    architecture = replace(scaling.official(backbone), resolution=resolution)
    net = Net()
    head = {"top_conv", "avg_pool", "predictions"}
    trunk = tuple(op for op in cost.operators(architecture) if op.name not in head)
    net.extend(trunk)
    sizes = {level: -(-resolution // 2**level) for level in range(3, 8)}
    ends = {op.name.partition("_")[0][:6]: op.output for op in trunk}
    maps = [ends["block3"], ends["block5"], ends["block7"]]
    maps.append(net.pool(net.conv(maps[-1], channels), sizes[6]))
    maps.append(net.pool(maps[-1], sizes[7]))
    for _ in range(cells):
        maps = _bifpn_cell(net, maps, sizes, channels)
    scores = 0
    for x in maps:
        for outputs in (_ANCHORS * 4, _ANCHORS * _COCO_CLASSES):
            y = x
            for _ in range(repeats):
                y = net.separable(y, channels)
            y = net.separable(y, outputs)
            if outputs != _ANCHORS * 4:
                net.sigmoid(y)
                scores += y.elements
    return ReferenceModel(name, "detector", tuple(net.operators), scores)


def _bifpn_cell(net: Net, entries: list[Tensor], sizes: dict[int, int], channels: int) -> list[Tensor]:
    maps = list(entries)
    for level, sources in _BIFPN:
        inputs = [_resample(net, maps[index], sizes[level], channels) for index in sources]
        maps.append(net.separable(net.add(*inputs), channels))
    return maps[-len(entries) :]


def _resample(net: Net, x: Tensor, size: int, channels: int) -> Tensor:
    if x.channels != channels:
        x = net.conv(x, channels)
    if x.size > size:
        return net.pool(x, size)
    return net.copy(x, size) if x.size < size else x


# --- MobileNets ---

_V1 = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
_V2 = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
# kernel, expanded channels, channels, squeeze-excite, hard-swish, stride
_V3_LARGE = (
    (3, 16, 16, 0, 0, 1),
    (3, 64, 24, 0, 0, 2),
    (3, 72, 24, 0, 0, 1),
    (5, 72, 40, 1, 0, 2),
    (5, 120, 40, 1, 0, 1),
    (5, 120, 40, 1, 0, 1),
    (3, 240, 80, 0, 1, 2),
    (3, 200, 80, 0, 1, 1),
    (3, 184, 80, 0, 1, 1),
    (3, 184, 80, 0, 1, 1),
    (3, 480, 112, 1, 1, 1),
    (3, 672, 112, 1, 1, 1),
    (5, 672, 160, 1, 1, 2),
    (5, 960, 160, 1, 1, 1),
    (5, 960, 160, 1, 1, 1),
)
_V3_SMALL = (
    (3, 16, 16, 1, 0, 2),
    (3, 72, 24, 0, 0, 2),
    (3, 88, 24, 0, 0, 1),
    (5, 96, 40, 1, 1, 2),
    (5, 240, 40, 1, 1, 1),
    (5, 240, 40, 1, 1, 1),
    (5, 120, 48, 1, 1, 1),
    (5, 144, 48, 1, 1, 1),
    (5, 288, 96, 1, 1, 2),
    (5, 576, 96, 1, 1, 1),
    (5, 576, 96, 1, 1, 1),
)


def _mobilenet_v1(name: str) -> ReferenceModel:
    net = Net()
    x = net.conv(_image(224), 32, 3, 2)
    for channels, stride in _V1:
        x = net.separable(x, channels, stride=stride)
    net.dense(net.pool(x), 1000)
    return _classifier(name, net)


def _mobilenet_v2_trunk(net: Net, resolution: int) -> list[Tensor]:
    """The tensor each stage ends in."""
    x = net.conv(_image(resolution), 32, 3, 2)
    ends = []
    for expand, channels, repeats, first_stride in _V2:
        for repeat in range(repeats):
            x = net.inverted_residual(x, x.channels * expand, channels, 3, first_stride if repeat == 0 else 1)
        ends.append(x)
    return ends


def _mobilenet_v2(name: str) -> ReferenceModel:
    net = Net()
    x = net.conv(_mobilenet_v2_trunk(net, 224)[-1], 1280)
    net.dense(net.pool(x), 1000)
    return _classifier(name, net)


def _mobilenet_v3_trunk(net: Net, resolution: int, large: bool) -> Tensor:
    x = net.hard_swish(net.conv(_image(resolution), 16, 3, 2))
    for kernel, expanded, channels, excite, swish, stride in _V3_LARGE if large else _V3_SMALL:
        reduced = scaling.round_channels(expanded / 4) if excite else 0
        x = net.inverted_residual(x, expanded, channels, kernel, stride, excite=reduced, hard_swish=bool(swish))
    return x


def _mobilenet_v3(name: str) -> ReferenceModel:
    large = name.endswith("large")
    net = Net()
    x = net.hard_swish(net.conv(_mobilenet_v3_trunk(net, 224, large), 960 if large else 576))
    x = net.hard_swish(net.conv(net.pool(x), 1280 if large else 1024))
    net.dense(x, 1000)
    return _classifier(name, net)


# --- SSDLite: heads of depthwise 3x3 and pointwise; three anchors on the first map, six on the rest ---


def _ssdlite_heads(net: Net, maps: list[Tensor], classes: int = 91) -> int:
    scores = 0
    for index, x in enumerate(maps):
        anchors = 3 if index == 0 else 6
        net.separable(x, anchors * 4)
        y = net.sigmoid(net.separable(x, anchors * classes))
        scores += y.elements
    return scores


def _ssd_extras(net: Net, x: Tensor, widths: tuple[int, ...] = (512, 256, 256, 128)) -> list[Tensor]:
    maps = []
    for channels in widths:
        x = net.separable(net.conv(x, channels // 2), channels, stride=2)
        maps.append(x)
    return maps


def _ssdlite_mobilenet_v2(name: str) -> ReferenceModel:
    net = Net()
    ends = _mobilenet_v2_trunk(net, 300)
    top = net.conv(ends[-1], 1280)
    # The first map is the expansion layer that opens the sixth stage: 576 channels at stride 16.
    maps = [Tensor("layer_15_expand", ends[4].size, 576), top, *_ssd_extras(net, top)]
    return ReferenceModel(name, "detector", tuple(net.operators), _ssdlite_heads(net, maps))


_BUILDERS: dict[str, Callable[[str], ReferenceModel]] = {
    **dict.fromkeys(_DETECTORS, _efficientdet),
    **dict.fromkeys(scaling.VARIANTS, _official),
    "mobilenet-v1": _mobilenet_v1,
    "mobilenet-v2": _mobilenet_v2,
    "mobilenet-v3-large": _mobilenet_v3,
    "mobilenet-v3-small": _mobilenet_v3,
    "ssdlite-mobilenet-v2": _ssdlite_mobilenet_v2,
}
