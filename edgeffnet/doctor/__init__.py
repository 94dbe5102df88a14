"""Whether this machine can do the work: what is installed, what is missing, and what each part enables."""
