"""Tests of lrtransfer.study.data."""
