# The plan of this study, shared by all rules; `--config scale=… experiments=…` chooses another part of it.
from lrtransfer.study import StudyError
from lrtransfer.workflow.safeguard import keep_copies
from lrtransfer.workflow.selection import select
from lrtransfer.workflow.targets import Targets
from lrtransfer.workflow.watch import watch

SCALE, EXPERIMENTS = config.get("scale"), config.get("experiments")

try:
    SELECTION = select(Path("params.yaml"), SCALE, EXPERIMENTS)
except StudyError as error:
    print(error, file=sys.stderr)
    sys.exit(2)

PLAN, LAYOUT = SELECTION.plan, SELECTION.layout
TARGETS = Targets(PLAN, LAYOUT)
IDENTITY = TARGETS.identity
RESOURCES = PLAN.study.resources
LOGS = f"logs/{LAYOUT.results}"

# Options of every command; they stand in formatted text, which Snakemake does not compare between runs.
OPTIONS = " ".join(f"--{name} {value}" for name, value in SELECTION.overrides.items())
