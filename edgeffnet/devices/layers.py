"""Layers of published networks, written down as the operators of `edgeffnet.cost`."""

from __future__ import annotations

from edgeffnet.cost import Kind, Operator, Tensor


class Net:
    """Collects operators; each method adds what it names and returns the tensor written."""

    def __init__(self) -> None:
        self.operators: list[Operator] = []

    def conv(self, x: Tensor, channels: int, kernel: int = 1, stride: int = 1) -> Tensor:
        size = -(-x.size // stride)
        weights = kernel * kernel * x.channels * channels
        kind: Kind = "pointwise" if kernel == 1 else "conv"
        return self._add(kind, (x,), size, channels, kernel, stride, size * size * weights, weights + channels)

    def depthwise(self, x: Tensor, kernel: int, stride: int = 1) -> Tensor:
        size = -(-x.size // stride)
        weights = kernel * kernel * x.channels
        macs = size * size * weights
        return self._add("depthwise", (x,), size, x.channels, kernel, stride, macs, weights + x.channels)

    def separable(self, x: Tensor, channels: int, kernel: int = 3, stride: int = 1) -> Tensor:
        return self.conv(self.depthwise(x, kernel, stride), channels)

    def add(self, *inputs: Tensor) -> Tensor:
        total = inputs[0]
        for other in inputs[1:]:
            total = self._add("add", (total, other), total.size, total.channels)
        return total

    def hard_swish(self, x: Tensor) -> Tensor:
        return self._add("multiply", (x,), x.size, x.channels)

    def copy(self, x: Tensor, size: int) -> Tensor:
        """A resize by the nearest neighbour."""
        return self._add("pad", (x,), size, x.channels)

    def pool(self, x: Tensor, size: int = 1) -> Tensor:
        return self._add("mean", (x,), size, x.channels)

    def sigmoid(self, x: Tensor) -> Tensor:
        return self._add("sigmoid", (x,), x.size, x.channels)

    def dense(self, x: Tensor, channels: int) -> Tensor:
        inputs = x.elements
        return self._add("dense", (x,), 1, channels, macs=inputs * channels, weights=inputs * channels + channels)

    def squeeze_excite(self, x: Tensor, channels: int) -> Tensor:
        gate = self.sigmoid(self.conv(self.conv(self.pool(x), channels), x.channels))
        return self._add("multiply", (x, gate), x.size, x.channels)

    def inverted_residual(
        self,
        x: Tensor,
        expanded: int,
        channels: int,
        kernel: int,
        stride: int,
        *,
        excite: int = 0,
        hard_swish: bool = False,
    ) -> Tensor:
        entry = x
        if expanded != x.channels:
            x = self.conv(x, expanded)
            x = self.hard_swish(x) if hard_swish else x
        x = self.depthwise(x, kernel, stride)
        x = self.hard_swish(x) if hard_swish else x
        x = self.squeeze_excite(x, excite) if excite else x
        x = self.conv(x, channels)
        return self.add(entry, x) if stride == 1 and entry.channels == channels else x

    def extend(self, operators: tuple[Operator, ...]) -> None:
        self.operators.extend(operators)

    def _add(
        self,
        kind: Kind,
        inputs: tuple[Tensor, ...],
        size: int,
        channels: int,
        kernel: int = 1,
        stride: int = 1,
        macs: int = 0,
        weights: int = 0,
    ) -> Tensor:
        output = Tensor(f"{kind}_{len(self.operators)}", size, channels)
        operator = Operator(output.name, kind, inputs, output, kernel, stride, macs, weights, weights)
        self.operators.append(operator)
        return output
