"""Closed forms and exact simulators of training dynamics, in NumPy float64. No torch."""
