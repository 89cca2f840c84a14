"""A real Slurm on loopback: Debian's controller and node daemon, one node, no accounting."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

ETC = Path("/etc/slurm")
_CONFIGURED = ETC / "slurm.conf"
# In a cluster's folder: the number of the process that started it.
_OWNER = "owner"
_PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged")
# Two character devices stand for two GPUs: Slurm wants device files, and nothing opens them.
_GPUS = ("/dev/null", "/dev/zero")

_CONFIG = """
ClusterName=loop
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=bf_interval=2,sched_interval=2
DefMemPerCPU=500
MinJobAge=3600
GresTypes=gpu
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
KillWait=20
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=16000 Gres=gpu:2
PartitionName=cpu Nodes={host} Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=0
PartitionName=gpu Nodes={host} PriorityTier=1 PreemptMode=REQUEUE
PartitionName=urgent Nodes={host} PriorityTier=10 PreemptMode=off
"""


def missing() -> str:
    """Return why no Slurm can be started here, or nothing; clear what a killed session left."""
    if os.geteuid() != 0:
        return "starting Slurm's daemons needs root"
    if absent := [name for name in _PROGRAMS if shutil.which(name) is None]:
        return f"{', '.join(absent)} missing: apt-get install slurm-wlm slurm-client munge"
    if not _CONFIGURED.is_symlink():
        return "this machine has a Slurm of its own" if _CONFIGURED.exists() else ""
    left = _CONFIGURED.readlink().parent
    if _alive(left / _OWNER):
        return "the Slurm of another test session is running"
    _end(left)
    return ""


def _alive(file: Path) -> bool:
    """Return whether the process whose number is in a file lives."""
    try:
        os.kill(int(file.read_text()), 0)
    except (OSError, ValueError):
        return False
    return True


def _end(folder: Path) -> None:
    """End the daemons of a cluster and remove its configuration."""
    for file in ("slurmd.pid", "slurmctld.pid", "munge/pid-file"):
        try:
            os.kill(int((folder / file).read_text()), signal.SIGTERM)
        except (OSError, ValueError):
            continue
    for name in ("slurm.conf", "gres.conf"):
        (ETC / name).unlink(missing_ok=True)


class Cluster:
    """Started daemons; :meth:`stop` ends them and takes the configuration away again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = os.uname().nodename.split(".")[0]

    def start(self) -> None:
        """Start munge, the controller and the node, and wait until the node is idle."""
        self._write()
        munge = self.folder / "munge"
        options = [f"--{name}={munge / name}" for name in ("socket", "key-file", "pid-file")]
        options += [f"--log-file={munge}/log", f"--seed-file={munge}/seed"]
        subprocess.run(
            ["su", "-s", "/bin/sh", "munge", "-c", " ".join(["munged", *options])], check=True
        )
        subprocess.run(["slurmctld"], check=True)
        subprocess.run(["slurmd"], check=True)
        self.wait_for(lambda: self.node_state() == "IDLE", 60)

    def stop(self) -> None:
        """Cancel all jobs, end the daemons, and remove the configuration."""
        subprocess.run(["scancel", "--user=root"], check=False)
        time.sleep(2)
        _end(self.folder)

    def node_state(self) -> str:
        """Return the node's state, such as IDLE or MIXED+DRAIN."""
        shown = self.ask("scontrol", "-o", "show", "node", self.host)
        return next((f[6:] for f in shown.split() if f.startswith("State=")), "")

    def set_node(self, state: str) -> None:
        """Drain or resume the node."""
        self.ask("scontrol", "update", f"nodename={self.host}", f"state={state}", "reason=test")

    def jobs(self, folder: Path, *states: str) -> list[str]:
        """Return the numbers of the jobs submitted from a folder, in some states or in any."""
        shown = self.ask("squeue", "--noheader", "--states=all", "--format=%i %T %Z")
        rows = [line.split(maxsplit=2) for line in shown.splitlines()]
        return [
            number
            for number, state, place in rows
            if Path(place) == folder and (not states or state in states)
        ]

    def detail(self, job: str, field: str) -> str:
        """Return one field of what the controller knows of a job."""
        shown = self.ask("scontrol", "-o", "show", "job", job)
        fields = dict(f.split("=", 1) for f in shown.split() if "=" in f)
        return fields.get(field, "")

    def ask(self, *command: str) -> str:
        """Run one of Slurm's commands and return what it prints."""
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def wait_for(self, condition: Callable[[], object], seconds: float) -> None:
        """Wait until ``condition`` holds; fail with the daemons' last words where it does not."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                return
            time.sleep(0.3)
        logs = [self.folder / f"{name}.log" for name in ("slurmctld", "slurmd")]
        said = "\n".join(log.read_text()[-3000:] for log in logs if log.exists())
        raise AssertionError(f"waited {seconds:.0f} s in vain; {self.ask('squeue')}\n{said}")

    def _write(self) -> None:
        for name in ("state", "spool", "munge"):
            (self.folder / name).mkdir(parents=True)
        # munge and slurmd refuse folders that others may write to, and must reach their own.
        for parent in (self.folder, *self.folder.parents):
            if parent.stat().st_uid == os.geteuid() and parent.stat().st_mode & 0o777 == 0o700:
                parent.chmod(0o755)
        (self.folder / _OWNER).write_text(str(os.getpid()), encoding="utf-8")
        munge = self.folder / "munge"
        (munge / "key-file").write_bytes(os.urandom(128))
        (munge / "key-file").chmod(0o400)
        for path in (munge, munge / "key-file"):
            shutil.chown(path, "munge", "munge")
        munge.chmod(0o755)
        (self.folder / "slurm.conf").write_text(
            _CONFIG.format(folder=self.folder, host=self.host), encoding="utf-8"
        )
        gpus = "".join(f"NodeName={self.host} Name=gpu File={device}\n" for device in _GPUS)
        (self.folder / "gres.conf").write_text(gpus, encoding="utf-8")
        # Jobs drop SLURM_CONF, so that the configuration has to lie where Slurm looks by itself.
        ETC.mkdir(exist_ok=True)
        for name in ("slurm.conf", "gres.conf"):
            (ETC / name).symlink_to(self.folder / name)
