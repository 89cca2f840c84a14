"""Tests of lrtransfer.study.training."""
