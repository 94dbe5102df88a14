"""Training on the user's own images: from a folder of pictures to weights that a build takes."""
