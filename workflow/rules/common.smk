# The plan of this study, shared by all rules; `--config scale=… experiments=…` chooses another part of it,
# `runs_per_job=…` how it is cut into jobs.
from lrtransfer.study.plan import StudyError
from lrtransfer.study.workflow.job_environment import prepare_environment
from lrtransfer.study.workflow.orphans import cancel_orphans
from lrtransfer.study.workflow.safeguard import keep_copies
from lrtransfer.study.workflow.selection import select
from lrtransfer.study.workflow.targets import Targets
from lrtransfer.study.workflow.watch import watch

try:
    SELECTION = select(
        Path("params.yaml"), config.get("scale"), config.get("experiments")
    )
    PLAN, LAYOUT = SELECTION.plan, SELECTION.layout
    TARGETS = Targets(PLAN, LAYOUT, config.get("runs_per_job"))
except StudyError as error:
    print(error, file=sys.stderr)
    sys.exit(2)

RESOURCES = PLAN.study.resources
LOGS = f"logs/{LAYOUT.results}"

# What a command line would have to say in every rule; Snakemake would take a changed rule for a changed result.
prepare_environment(SELECTION.overrides)
