"""Tests of lrtransfer.models."""
