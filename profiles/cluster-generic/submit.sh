#!/bin/sh
# submit.sh RULE CPUS MEM_MB MINUTES GPUS JOBSCRIPT: put a job into the queue and print its number.
set -eu
rule=$1 cpus=$2 mem_mb=$3 minutes=$4 gpus=$5 jobscript=$6
mkdir -p logs/cluster
# Without accounting or GPUs a cluster refuses even `--gpus 0`.
[ "$gpus" -gt 0 ] && set -- --gpus "$gpus" || set --
# The name's beginning, with the folder, tells our jobs from others: see study/workflow/start.py. --requeue: after a preemption
# the job goes back into the queue, and its run goes on. SBATCH_PARTITION and SBATCH_ACCOUNT choose yours.
exec sbatch --parsable --job-name "lrtransfer_$rule" --requeue \
    --cpus-per-task "$cpus" --mem "$mem_mb" --time "$minutes" "$@" \
    --output "logs/cluster/%j.log" "$jobscript"
