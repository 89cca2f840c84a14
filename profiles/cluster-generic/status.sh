#!/bin/sh
# status.sh JOB: print running, success or failed. Asks the controller, then the accounting where there is one.
answer=$(scontrol -o show job "$1" 2>&1)
state=$(printf '%s\n' "$answer" | grep -o 'JobState=[A-Z_]*' | head -n 1 | cut -d= -f2)
case $state in
    COMPLETED) echo success; exit ;;
    PENDING | CONFIGURING | RUNNING | COMPLETING | SUSPENDED | STOPPED | REQUEUED | PREEMPTED | RESIZING | SIGNALING)
        # A preempted job that the controller still knows is on its way back into the queue.
        echo running; exit ;;
    ?*) echo failed; exit ;;
esac
# The controller has forgotten the job, MinJobAge after its end, or does not answer.
state=$(sacct -X -n -o State -j "$1" 2>/dev/null | awk 'NR == 1 {print $1}')
case $state in
    COMPLETED) echo success ;;
    PENDING | RUNNING | SUSPENDED | REQUEUED | RESIZING) echo running ;;
    ?*) echo failed ;;
    *) # Only an answer that says so means that the job is gone.
        case $answer in *"Invalid job id"*) echo failed ;; *) echo running ;; esac ;;
esac
