"""Tests of lrtransfer.study.probes."""
