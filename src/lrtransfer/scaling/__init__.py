"""Parameterizations: tables of exponents -> per-tensor init, multiplier and learning rate."""
