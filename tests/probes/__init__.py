"""Tests of lrtransfer.probes."""
