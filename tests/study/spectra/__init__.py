"""Tests of lrtransfer.study.spectra."""
