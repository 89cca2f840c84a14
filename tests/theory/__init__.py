"""Tests of lrtransfer.theory."""
