"""Tests of lrtransfer.scaling."""
