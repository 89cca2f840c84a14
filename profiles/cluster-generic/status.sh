#!/bin/sh
# status.sh JOB: print running, success or failed. Asks the controller, then the accounting where there is one.
state=$(scontrol -o show job "$1" 2>/dev/null | grep -o 'JobState=[A-Z_]*' | head -n 1 | cut -d= -f2)
[ -n "$state" ] || state=$(sacct -X -n -o State -j "$1" 2>/dev/null | awk 'NR == 1 {print $1}')
case $state in
    COMPLETED) echo success ;;
    PENDING | CONFIGURING | RUNNING | COMPLETING | SUSPENDED | STOPPED | REQUEUED | PREEMPTED | RESIZING | SIGNALING)
        # A preempted job is on its way back into the queue.
        echo running ;;
    "") # The controller may be restarting; it does not forget a job before MinJobAge.
        if scontrol ping 2>/dev/null | grep -q UP; then echo failed; else echo running; fi ;;
    *) echo failed ;;
esac
