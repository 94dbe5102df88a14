"""Timings on this machine: only what holds however busy it is."""

from contextlib import closing

from edgeffnet import scaling, stand_ins
from edgeffnet.rules import Coefficients
from edgeffnet.targets.local import LocalTarget
from edgeffnet.timing import times_as_long


def test_a_network_takes_so_many_times_as_long_as_another_and_the_other_its_inverse():
    small, large = (
        scaling.scale("lite", Coefficients(1.0, 1.0, side), name=str(side), phi=0.0, rule="compound", classes=10)
        for side in (64, 192)
    )
    artifacts = {net: stand_ins.make(net)["int8"] for net in (small, large)}
    preprocessing, _ = stand_ins.contract(small)
    images = {net: stand_ins.contract(net)[1] for net in (small, large)}
    with closing(LocalTarget()) as here:

        def ratio(net, base):
            return times_as_long(
                artifacts[net],
                artifacts[base],
                here,
                preprocessing,
                (images[net], images[base]),
                threads=1,
                seconds=0.5,
            )

        # Nine times the pixels.
        assert 3 < ratio(large, small) < 12
        assert 0.6 < ratio(large, small) * ratio(small, large) < 1.6
