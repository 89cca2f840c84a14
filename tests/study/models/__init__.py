"""Tests of lrtransfer.study.models."""
