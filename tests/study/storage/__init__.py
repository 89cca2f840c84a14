"""Tests of lrtransfer.study.storage."""
