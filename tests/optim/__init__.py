"""Tests of lrtransfer.optim."""
