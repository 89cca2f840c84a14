"""Faults of `parameterize`."""
