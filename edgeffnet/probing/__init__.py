"""The search on a device: an estimate proposes, probes decide."""
