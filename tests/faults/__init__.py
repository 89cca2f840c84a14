"""What was tried to break the project, kept where it is fast: see docs/reliability.md."""
