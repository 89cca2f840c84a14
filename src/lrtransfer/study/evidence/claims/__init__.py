"""The claims, one file each, found by file name."""
