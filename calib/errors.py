"""What can go wrong while calibrating."""


class CalibrationError(Exception):
    """Calibration images or a model from which no ranges can be had."""
