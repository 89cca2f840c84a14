"""Tests of the curvature room against dense float64 oracles."""
