"""Enter by `run.main`: the command line, which alone stands on both sides of the two installs."""

from lrtransfer.cli.run import main as main
