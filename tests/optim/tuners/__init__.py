"""Tests of lrtransfer.optim.tuners."""
