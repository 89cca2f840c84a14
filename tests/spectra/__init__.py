"""Tests of lrtransfer.spectra."""
