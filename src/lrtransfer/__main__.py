"""`python -m lrtransfer`: what the workflow's jobs run."""

import os
import sys

from lrtransfer.cli import main

status = main()
sys.stdout.flush()
sys.stderr.flush()
# Without the interpreter's shutdown: the worker threads of torch and pyarrow can abort a process
# that ends while they are still starting ("terminate called without an active exception").
os._exit(status)
