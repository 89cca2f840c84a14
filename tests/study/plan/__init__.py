"""Tests of the study: params.yaml, its faults, its plan, its keys."""
