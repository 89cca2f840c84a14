"""Where results lie and how they are written: paths, atomic files, digests, locks. No torch."""
