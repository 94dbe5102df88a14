"""Weights for any network of a family from a checkpoint of another: narrower, wider, deeper or shallower.

Wider and deeper keep the function (Chen et al. 2016, Net2Net): new channels are copies that nothing reads yet, new
blocks are residual branches that add nothing yet. Narrower and shallower keep what matters most.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeffnet import network
from edgeffnet.architecture import Architecture, Block
from edgeffnet.errors import UsageError
from edgeffnet.network import Tensors
from edgeffnet.training import channels
from edgeffnet.training.channels import Channels
from edgeffnet.weights import untrained

# Copies learn apart from what they were copied from when they differ a little.
_APART = 0.05
_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


@dataclass(frozen=True)
class Inherited:
    """Tensors of the target; `notes` say what became of the source's channels and blocks.

    `exact` where the function of the source is kept.
    """

    tensors: dict[str, NDArray[np.float32]]
    notes: tuple[str, ...]
    exact: bool


def inherit(source: Architecture, tensors: Tensors, target: Architecture, seed: int = 0) -> Inherited:
    """The weights of `target` from those of `source`, both of one family and with the same classes.

    UsageError for networks whose stages are not those of one base network.
    """
    _require_related(source, target)
    blocks = dict(_block_pairs(source, tensors, target))
    widths = _Widths(source, tensors, target, blocks)
    made = _Maker(tensors, np.random.default_rng(seed))
    fresh = untrained.draw(target, seed)
    made.conv("stem_conv", "stem_bn", None, widths.stem)
    entry = widths.stem
    for stage, pairs in _by_stage(target, blocks):
        out = widths.streams[stage]
        for ours, theirs in pairs:
            made.block(ours, theirs, entry, out, widths, fresh)
            entry = out
    made.conv("top_conv", "top_bn", entry, widths.head)
    made.dense("predictions", widths.head)
    network.check(target, made.tensors, f"inherited from {source.name}")
    narrower = any(len(map_.index) < have for map_, have in widths.compared)
    dropped = sum(1 for _ in source.blocks()) - len({pair.name for pair in blocks.values() if pair})
    return Inherited(made.tensors, _notes(source, target, widths, dropped), not (narrower or dropped))


def _require_related(source: Architecture, target: Architecture) -> None:
    if target.block != "mbconv":
        raise UsageError(f"{target.name} cannot inherit from {source.name}: only networks of MBConv blocks can")
    alike = [(stage.kernel, stage.stride, stage.expand) for stage in source.stages]
    if (source.family, source.activation) != (target.family, target.activation) or alike != [
        (stage.kernel, stage.stride, stage.expand) for stage in target.stages
    ]:
        raise UsageError(f"{target.name} cannot inherit from {source.name}: its stages are of another base network")
    if source.classes != target.classes:
        raise UsageError(f"{target.name} has {target.classes} classes, {source.name} has {source.classes}")


def _stages(net: Architecture) -> list[list[Block]]:
    every, found = iter(net.blocks()), []
    for stage in net.stages:
        found.append([next(every) for _ in range(stage.repeats)])
    return found


def _block_pairs(source: Architecture, tensors: Tensors, target: Architecture) -> Iterator[tuple[str, Block | None]]:
    """Each block of the target with the block it comes from, None for one without a model in its stage.

    Of a stage that shrinks, the residual branches that add least are dropped, never the first block; one that
    grows repeats its last block.
    """
    for theirs, ours in zip(_stages(source), _stages(target), strict=True):
        first, rest = theirs[0], theirs[1:]
        added = {block: float(np.linalg.norm(tensors[f"{block.name}_project_bn/gamma"])) for block in rest}
        kept = sorted(rest, key=lambda block: -added[block])[: len(ours) - 1]
        chosen: list[Block | None] = [first, *(block for block in rest if block in kept)]
        chosen += [rest[-1] if rest else None] * (len(ours) - len(chosen))
        yield from zip((block.name for block in ours), chosen, strict=True)


def _by_stage(
    target: Architecture, blocks: dict[str, Block | None]
) -> Iterator[tuple[int, list[tuple[Block, tuple[Block | None, bool]]]]]:
    """Each stage's blocks with what they come from, and whether that is there a second time."""
    for number, stage in enumerate(_stages(target)):
        seen: set[str] = set()
        pairs = []
        for block in stage:
            origin = blocks[block.name]
            again = origin is None or origin.name in seen
            seen.add(origin.name if origin else "")
            pairs.append((block, (origin, again)))
        yield number, pairs


class _Widths:
    """What becomes of every layer's channels."""

    def __init__(
        self, source: Architecture, tensors: Tensors, target: Architecture, blocks: dict[str, Block | None]
    ) -> None:
        theirs, ours = _stages(source), _stages(target)
        first = channels.of_expansion(tensors, theirs[0][0], source)
        self.stem = channels.resized(first, target.stem_channels)
        self.streams: list[Channels] = []
        self.inner: dict[str, Channels] = {}
        self.squeezed: dict[str, Channels] = {}
        self.compared = [(self.stem, source.stem_channels)]
        entry = self.stem
        for number, stage in enumerate(ours):
            after = theirs[number + 1][0].name if number + 1 < len(theirs) else ""
            reader = (f"{after}_expand_conv", f"{after}_expand_bn") if after else ("top_conv", "top_bn")
            importance = channels.of_stream(tensors, theirs[number], reader, source)
            stream = channels.resized(importance, target.stages[number].channels)
            self.streams.append(stream)
            self.compared.append((stream, source.stages[number].channels))
            for block in stage:
                origin = blocks[block.name]
                if origin is not None:
                    self._inside(block, origin, tensors, source, entry)
                entry = stream
        self.head = channels.resized(channels.of_head(tensors, source), target.head_channels)
        self.compared.append((self.head, source.head_channels))

    def _inside(self, block: Block, origin: Block, tensors: Tensors, source: Architecture, entry: Channels) -> None:
        # Without an expansion the inner channels are those that come in.
        inner = entry
        if origin.expand != 1:
            inner = channels.resized(channels.of_expansion(tensors, origin, source), block.expanded_channels)
            self.compared.append((inner, origin.expanded_channels))
        self.inner[block.name] = inner
        if origin.se_channels:
            squeezed = channels.resized(channels.of_squeeze(tensors, origin), block.se_channels)
            self.squeezed[block.name] = squeezed
            self.compared.append((squeezed, origin.se_channels))


class _Maker:
    """Takes tensors over, channel by channel."""

    def __init__(self, source: Tensors, generator: np.random.Generator) -> None:
        self.source = source
        self.generator = generator
        self.tensors: dict[str, NDArray[np.float32]] = {}

    def block(
        self,
        block: Block,
        origin: tuple[Block | None, bool],
        entry: Channels,
        out: Channels,
        widths: _Widths,
        fresh: Tensors,
    ) -> None:
        theirs, again = origin
        name = block.name
        if theirs is None:
            self.tensors |= {key: value for key, value in fresh.items() if key.startswith(f"{name}_")}
        else:
            self._taken(block, theirs, entry, out, widths)
        if again:
            # The branch adds nothing until it has learned to.
            for tensor in ("gamma", "beta"):
                self.tensors[f"{name}_project_bn/{tensor}"] = np.zeros(block.out_channels, np.float32)

    def _taken(self, block: Block, theirs: Block, entry: Channels, out: Channels, widths: _Widths) -> None:
        name, other, inner = block.name, theirs.name, widths.inner[block.name]
        if block.expand != 1:
            self.conv(f"{name}_expand_conv", f"{name}_expand_bn", entry, inner, f"{other}_expand")
        self.depthwise(name, other, inner)
        if block.se_channels:
            squeezed = widths.squeezed[name]
            self.biased(f"{name}_se_reduce", f"{other}_se_reduce", inner, squeezed)
            self.biased(f"{name}_se_expand", f"{other}_se_expand", squeezed, inner)
        self.conv(f"{name}_project_conv", f"{name}_project_bn", inner, out, f"{other}_project")

    def conv(self, name: str, norm: str, inputs: Channels | None, outputs: Channels, other: str = "") -> None:
        """A convolution and its batch-norm, from those called `other` with their endings."""
        layer, theirs = (f"{other}_conv", f"{other}_bn") if other else (name, norm)
        self.tensors[f"{name}/kernel"] = self._kernel(self.source[f"{layer}/kernel"], inputs, outputs)
        self._norm(norm, theirs, outputs)

    def depthwise(self, name: str, other: str, own: Channels) -> None:
        kernel = self.source[f"{other}_dwconv/kernel"][:, :, own.index]
        self.tensors[f"{name}_dwconv/kernel"] = np.ascontiguousarray(kernel)
        self._norm(f"{name}_bn", f"{other}_bn", own)

    def biased(self, name: str, other: str, inputs: Channels, outputs: Channels) -> None:
        self.tensors[f"{name}/kernel"] = self._kernel(self.source[f"{other}/kernel"], inputs, outputs)
        self.tensors[f"{name}/bias"] = self.source[f"{other}/bias"][outputs.index]

    def dense(self, name: str, inputs: Channels) -> None:
        kernel = self.source[f"{name}/kernel"][inputs.index].copy()
        kernel[inputs.copied] = 0
        self.tensors |= {f"{name}/kernel": kernel, f"{name}/bias": self.source[f"{name}/bias"].copy()}

    def _kernel(self, kernel: NDArray[np.float32], inputs: Channels | None, outputs: Channels) -> NDArray[np.float32]:
        made = kernel[..., outputs.index].copy()
        copies = made[..., outputs.copied]
        made[..., outputs.copied] = copies * (1 + _APART * self.generator.standard_normal(copies.shape, np.float32))
        if inputs is not None:
            made = made[:, :, inputs.index].copy()
            made[:, :, inputs.copied] = 0
        return np.ascontiguousarray(made)

    def _norm(self, name: str, other: str, own: Channels) -> None:
        for tensor in _NORM:
            self.tensors[f"{name}/{tensor}"] = self.source[f"{other}/{tensor}"][own.index]


def _notes(source: Architecture, target: Architecture, widths: _Widths, dropped: int) -> tuple[str, ...]:
    have = sum(count for _, count in widths.compared)
    kept = sum(int((~map_.copied).sum()) for map_, _ in widths.compared)
    copies = sum(int(map_.copied.sum()) for map_, _ in widths.compared)
    blocks = sum(1 for _ in target.blocks()), sum(1 for _ in source.blocks())
    said = f"weights inherited from {source.name}: {kept:,} of {have:,} channels kept, by importance"
    if copies:
        said += f"; {copies:,} added as copies that nothing reads yet"
    if blocks[0] > blocks[1]:
        said += f"; {blocks[0] - blocks[1]} blocks added that add nothing yet"
    if dropped:
        said += f"; {dropped} blocks dropped that added least"
    return (said,)
