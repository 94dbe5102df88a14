"""Options and commands of the command line that are too large for `cli`."""
