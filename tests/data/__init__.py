"""Tests of lrtransfer.data."""
