"""Processes with their CPU time and memory. Every process that is started here is stopped here."""

import contextlib
import os
import platform
import resource
import socket
import subprocess
import tempfile
import time

from programs import ROOT

TICKS_PER_SEC = os.sysconf("SC_CLK_TCK")
START_SECS_MAX = 30
STOP_SECS_MAX = 10
OPEN_FILES = 20_000


class Process:
    """A process and its descendants, with a log file. If there are `cpus`, they run on no others."""

    def __init__(self, name, arguments, log, environment=None, cpus=()):
        self.name, self.log = name, log
        arguments = ["taskset", "-c", ",".join(map(str, cpus)), *arguments] if cpus else arguments
        with open(log, "wb") as output:
            self.child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, **(environment or {})})

    def ids(self):
        """Returns the ids of the process and its descendants."""
        children = {}
        for entry in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                children.setdefault(int(stat(entry)[1]), []).append(int(entry))
        found, todo = [], [self.child.pid]
        while todo:
            found.append(todo.pop())
            todo += children.get(found[-1], [])
        return found

    def cpu_secs(self):
        """Returns user and kernel time of the process and its descendants."""
        total = 0
        for process in self.ids():
            with contextlib.suppress(OSError):
                fields = stat(process)
                total += int(fields[11]) + int(fields[12])
        return total / TICKS_PER_SEC

    def memory_kib(self):
        """Returns the proportional set size, which counts shared memory once."""
        total = 0
        for process in self.ids():
            with contextlib.suppress(OSError), open(f"/proc/{process}/smaps_rollup") as rollup:
                total += sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
        return total

    def stop(self):
        self.child.terminate()
        try:
            self.child.wait(STOP_SECS_MAX)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def stat(process):
    """Returns the fields of /proc/ID/stat after the name, which may have spaces: state, parent, …"""
    with open(f"/proc/{process}/stat") as file:
        return file.read().rpartition(")")[2].split()


class BusyCpus:
    """The time that the CPUs of this process are busy, with whatever it is, from now on."""

    def __init__(self):
        self.before = self.ticks()

    def share(self):
        """Returns the part of the time that the CPUs were busy, from 0 to 1."""
        (busy, total), (busy_before, total_before) = self.ticks(), self.before
        return (busy - busy_before) / max(total - total_before, 1)

    @staticmethod
    def ticks():
        """Returns the busy ticks and all ticks of the CPUs together."""
        names = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        busy = total = 0
        with open("/proc/stat") as file:
            for name, *fields in map(str.split, file):
                if name in names:
                    # User, nice, system, idle, waiting for disks, interrupts, and what other guests of the machine took.
                    user, nice, system, idle, waiting, *others = map(int, fields[:8])
                    busy += user + nice + system + sum(others)
                    total += user + nice + system + idle + waiting + sum(others)
        return busy, total


class Stage:
    """A temporary folder and the processes that run in it. Leaving it stops them and removes the folder."""

    def __enter__(self):
        self.exits = contextlib.ExitStack()
        self.folder = self.exits.enter_context(tempfile.TemporaryDirectory(prefix="cachefront-bench-"))
        os.chmod(self.folder, 0o755)
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        limit = OPEN_FILES if most == resource.RLIM_INFINITY else min(most, OPEN_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))
        return self

    def __exit__(self, *problem):
        return self.exits.__exit__(*problem)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", newline="") as file:
            file.write(text)
        return self.path(name)

    def start(self, name, arguments, port, environment=None, cpus=()):
        """Starts a process and waits until it listens."""
        process = Process(name, arguments, self.path(f"{name}.log"), environment, cpus)
        self.exits.callback(process.stop)
        wait_for(f"{name} to listen, see {process.log}", lambda: listens(port), process)
        return process


def wait_for(what, condition, process=None):
    deadline = time.monotonic() + START_SECS_MAX
    while not condition():
        if process and process.child.poll() is not None:
            with open(process.log, errors="replace") as log:
                raise SystemExit(f"bench: {process.name} ended: {log.read()[-2000:]}")
        if time.monotonic() > deadline:
            raise SystemExit(f"bench: waited {START_SECS_MAX} s for {what}")
        time.sleep(0.05)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port():
    """Returns a port that is free now, below the ports that the kernel gives to outgoing connections."""
    first, last = 20_000, 32_000
    for number in range(first + os.getpid() % 5_000 + free_port.given, last):
        free_port.given += 1
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", number))
            return number
    raise SystemExit(f"bench: no port between {first} and {last} is free")


free_port.given = 0


def machine():
    """Describes the machine in one line."""
    model = "unknown processor"
    with open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{len(os.sched_getaffinity(0))} × {model}, {memory_gib:.0f} GiB, {platform.system()} {platform.release()}"


def commit():
    """Returns the commit of the checkout, with a + if sources of the programs differ from it."""

    def git(*arguments):
        return subprocess.run(["git", "-C", ROOT, *arguments], check=True, capture_output=True, text=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "src", "examples", "Cargo.toml", "Cargo.lock")
        return git("rev-parse", "--short=10", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown commit"
