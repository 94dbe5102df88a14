"""What keras.applications calls the layers of MobileNetV1, MobileNetV2 and ResNet."""

from __future__ import annotations

from edgeffnet.architecture import Architecture

_V1 = {"dwconv": "conv_dw_{n}", "bn": "conv_dw_{n}_bn", "project_conv": "conv_pw_{n}", "project_bn": "conv_pw_{n}_bn"}
_V2 = {
    "expand_conv": "expand",
    "expand_bn": "expand_BN",
    "dwconv": "depthwise",
    "bn": "depthwise_BN",
    "project_conv": "project",
    "project_bn": "project_BN",
}
_RESNET = {
    "shortcut_conv": "0_conv",
    "shortcut_bn": "0_bn",
    "reduce_conv": "1_conv",
    "reduce_bn": "1_bn",
    "conv": "2_conv",
    "bn": "2_bn",
    "project_conv": "3_conv",
    "project_bn": "3_bn",
}


def keras_layer(architecture: Architecture, layer: str) -> str:
    """Keras' name of our `layer`."""
    ends = {
        "mobilenet_v1": {"stem_conv": "conv1", "stem_bn": "conv1_bn", "predictions": "conv_preds"},
        "mobilenet_v2": {"stem_conv": "Conv1", "stem_bn": "bn_Conv1", "top_conv": "Conv_1", "top_bn": "Conv_1_bn"},
    }.get(architecture.family, {"stem_conv": "conv1_conv", "stem_bn": "conv1_bn"})
    block, _, part = layer.partition("_")
    if not block.startswith("block"):
        return ends.get(layer, layer)
    index = [found.name for found in architecture.blocks()].index(block)
    if architecture.family == "mobilenet_v1":
        return _V1[part].format(n=index + 1)
    if architecture.family == "mobilenet_v2":
        return f"block_{index}_{_V2[part]}" if index else f"expanded_conv_{_V2[part]}"
    stage = int(block[5])
    before = sum(row.repeats for row in architecture.stages[: stage - 1])
    return f"conv{stage + 1}_block{index - before + 1}_{_RESNET[part]}"
