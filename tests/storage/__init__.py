"""Tests of lrtransfer.storage."""
