"""One run, one sweep: loop, log, checkpoint, resume."""
