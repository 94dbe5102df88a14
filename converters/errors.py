"""What can go wrong between a model and its artefact."""


class ConversionError(Exception):
    """A conversion that failed, or an artefact that does not compute what its model computes."""
