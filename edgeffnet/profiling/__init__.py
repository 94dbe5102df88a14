"""A device profile from measurements: design, hardware, measuring, fit."""
