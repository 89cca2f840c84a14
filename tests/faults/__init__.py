"""Faults and hostile input: what was wrong in silence once."""
