"""Tests of lrtransfer.training."""
