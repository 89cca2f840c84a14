"""Benchmarks: ratios against a floor or a peer, measured in one run. See ``make bench``."""
