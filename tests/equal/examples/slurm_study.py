#!/usr/bin/env python3
"""Runs a study through a Slurm of one node that it starts itself, and compares it with the same study run here:
slurm_study.py NIBBLE OUT. Skipped (77) where Slurm is not installed."""
import contextlib
import getpass
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

import small_study

CONFIGURATION = """
ClusterName=nibble
SlurmctldHost={host}(localhost)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/none
CredType=cred/none
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SwitchType=switch/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/completed.txt
JobAcctGatherType=jobacct_gather/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,defer_batch=0
KillWait=2
MinJobAge=300
ReturnToService=2
NodeName={host} NodeAddr=localhost CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES State=UP
"""


def free_ports(count):
    """Ports above 16000 that nobody listens at now."""
    ports = []
    for port in range(16100 + os.getpid() % 4000, 60000):
        with contextlib.closing(socket.socket()) as one:
            if one.connect_ex(("localhost", port)) != 0:
                ports.append(port)
        if len(ports) == count:
            return ports
    raise RuntimeError("no free ports")


class Cluster:
    """slurmctld and slurmd, as long as the block lasts."""

    def __init__(self, folder):
        self.folder = folder
        for part in ("state", "spool"):
            (folder / part).mkdir(parents=True)
        controller, node = free_ports(2)
        (folder / "slurm.conf").write_text(CONFIGURATION.format(
            host=socket.gethostname().split(".")[0], user=getpass.getuser(), folder=folder, controller=controller,
            node=node, cpus=min(2, os.cpu_count()), memory=2000))
        os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
        self.daemons = []

    def __enter__(self):
        for daemon in ("slurmctld", "slurmd"):
            with open(self.folder / f"{daemon}.out", "w", encoding="utf-8") as out:
                self.daemons.append(subprocess.Popen([shutil.which(daemon, path=PATH), "-D"], stdout=out, stderr=out))
        for _ in range(300):
            found = subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True, check=False).stdout
            if found.strip() in ("idle", "mixed", "allocated"):
                return self
            time.sleep(0.1)
        raise RuntimeError("Slurm does not start:\n" + (self.folder / "slurmctld.log").read_text()[-3000:] +
                           (self.folder / "slurmd.log").read_text()[-2000:])

    def __exit__(self, *_):
        subprocess.run(["scancel", "--user", getpass.getuser()], check=False)
        for daemon in reversed(self.daemons):
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()


PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"


def lab(nibble, *arguments):
    return subprocess.run([nibble, "lab", *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def queue():
    return subprocess.run(["squeue", "-h", "--array", "-o", "%F_%K %T"], check=True, capture_output=True,
                          text=True).stdout.split("\n")[:-1]


def requeue_one(out):
    """Puts a task that runs back into the queue, as a node that is taken away does. Returns which."""
    for _ in range(600):
        running = [line.split()[0] for line in queue() if line.endswith("RUNNING")]
        if running and list(out.glob("runs/*.lock")):
            if subprocess.run(["scontrol", "requeue", running[-1]], check=False).returncode == 0:
                return running[-1]
        time.sleep(0.05)
    return None


def main(nibble, folder):
    if not all(shutil.which(program, path=PATH) for program in ("slurmctld", "slurmd", "sbatch", "squeue")):
        print("skipped: no Slurm here (Debian's slurmctld, slurmd, slurm-client)")
        return 77
    folder = pathlib.Path(folder).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    study = small_study.write(folder)
    (folder / "slurm.json").write_text(json.dumps({"partition": "cpu", "cpus": 1, "memory": "500M", "time": "00:10:00"}))
    out, faults = folder / "queued", []
    with Cluster(folder / "slurm"):
        said = lab(nibble, study, "--out", out, "--slurm", folder / "slurm.json")
        if "8 runs as job array" not in said or "2 float trainings" not in said:
            faults.append(f"submitted: {said}")
        status = lab(nibble, "status", out)
        if status.count("  task ") < 4 or "PENDING" not in status:
            faults.append(f"status: {status} (expected runs that wait for their float training)")
        if "nothing to submit" not in lab(nibble, study, "--out", out, "--slurm", folder / "slurm.json"):
            faults.append("submitted twice")
        requeued = requeue_one(out)
        for _ in range(1500):
            waiting = queue()
            if not waiting:
                break
            # Slurm lets what is requeued wait for two minutes, once it has come to its end.
            if waiting == [f"{requeued} PENDING"]:
                subprocess.run(["scontrol", "update", f"JobId={requeued}", "StartTime=now"], check=False, capture_output=True)
            time.sleep(0.2)
        status = lab(nibble, "status", out)
    lab(nibble, study, "--out", folder / "here", "--quiet")
    faults += small_study.faults_of(small_study.contents(out), small_study.contents(folder / "here"))
    if requeued is None:
        faults.append("no task was requeued")
    if "8 done" not in status:
        faults.append(f"status: {status}")
    print("\n".join(faults) if faults else f"the same outcomes through Slurm, {requeued} requeued on the way")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
