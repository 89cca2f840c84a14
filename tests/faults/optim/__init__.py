"""Faults of the tuners."""
