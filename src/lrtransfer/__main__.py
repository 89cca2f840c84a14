"""``python -m lrtransfer``."""

import sys

from lrtransfer.cli import main

sys.exit(main())
