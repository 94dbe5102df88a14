"""What was made once and can be used again: kept by the hash of everything that made it."""
