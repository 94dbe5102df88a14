"""Many variants on many devices with many sets of images: the commands a person would type, run side by side."""
