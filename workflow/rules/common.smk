# The plan of this study, shared by all rules; `--config scale=… experiments=…` chooses another part of it,
# `runs_per_job=…` how it is cut into jobs, `gres=… small_gres=…` what of a card a job asks Slurm for.
from lrtransfer.study.plan.yaml_file import StudyError
from lrtransfer.study.workflow.object_storage import be_its_copies
from lrtransfer.study.workflow.safeguard import keep_copies
from lrtransfer.study.workflow.start import (
    begin,
    cancel_orphans,
    prepare_environment,
    select,
    wait_for_jobs,
    watch,
)
from lrtransfer.study.workflow.targets import Targets

try:
    SELECTION = select(
        Path("params.yaml"), config.get("scale"), config.get("experiments")
    )
    PLAN, LAYOUT = SELECTION.plan, SELECTION.layout
    TARGETS = Targets(
        PLAN,
        LAYOUT,
        config.get("runs_per_job"),
        config.get("gres", ""),
        config.get("small_gres", ""),
    )
except StudyError as error:
    print(error, file=sys.stderr)
    sys.exit(2)

be_its_copies(workflow)
RESOURCES = PLAN.study.resources
LOGS = f"logs/{LAYOUT.results}"

# What a command line would have to say in every rule; Snakemake would take a changed rule for a changed result.
prepare_environment(SELECTION.overrides)
