"""Sources of trained weights, one module each, behind one `load`."""

from edgeffnet.weights.loading import load
from edgeffnet.weights.source import Provenance, Weights

__all__ = ["Provenance", "Weights", "load"]
