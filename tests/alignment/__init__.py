"""Tests of lrtransfer.alignment."""
