"""edgeffnet: the largest EfficientNet that runs in time on a device, in int8, with the evidence."""

from edgeffnet.shadowing import refuse_shadowed_packages

refuse_shadowed_packages()

from edgeffnet.budget import Budget  # noqa: E402
from edgeffnet.build import build  # noqa: E402

__all__ = ["Budget", "build"]
__version__ = "0.1.0"
