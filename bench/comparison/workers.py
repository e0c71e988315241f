# SPDX-License-Identifier: Apache-2.0
"""Worker processes: started, asked in lines of JSON, stopped between their blocks, and never left behind.

A worker is a process of its own. Python peers are forked from one process per peer and number of threads that has imported
the library (seconds for each worker otherwise); C workers are started directly. Each is killed with its parent, whatever
happens to that, and a signal goes through a pidfd, so that it never reaches another process.
"""
import contextlib
import ctypes
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
PATIENCE = 600  # seconds for one answer: compiling takes long on a busy machine
ABSENT = {"kann": "; it is built from KANN's source: KANN_DIR=DIR make bench", "fann": "; it needs Debian's libfann-dev"}
libc = ctypes.CDLL(None)

# Runs a command and tells its wall time, exit code and peak memory. A process of its own, because a process's peak counts
# what its parent held when it was forked; this one holds as little as Python can.
RUNNER = """import os, sys, time
start = time.perf_counter()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
print(time.perf_counter() - start, os.waitstatus_to_exitcode(status), usage.ru_maxrss)"""


class Lost(Exception):
    """A worker that cannot do its part, with the reason in one line."""


def cores(threads: int) -> set[int]:
    """One thread: the last core, away from the driver; more: the first ones."""
    free = sorted(os.sched_getaffinity(0))
    if threads > len(free):
        raise SystemExit(f"bench/compare: {threads} threads need {threads} cores; this process may use {len(free)}")
    return {free[-1]} if threads == 1 else set(free[:threads])


def environment(threads: int, cache: pathlib.Path) -> dict:
    """What every worker sees: no leftovers of a crippled BLAS, thread counts by each library's own variable."""
    env = {key: value for key, value in os.environ.items() if key not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    return env | counts | {"TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "",
                           "TORCHINDUCTOR_COMPILE_THREADS": "1", "TORCHINDUCTOR_CACHE_DIR": str(cache)}


def prepare(threads: int):
    """What a child does before exec: its cores, and its end with the driver's."""
    allowed = cores(threads)

    def child():
        os.sched_setaffinity(0, allowed)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    return child


class Worker:
    """A running worker: its pid, and the pipe ends to write commands to and to read answers from."""

    def __init__(self, pid: int, commands: int, answers: int, log: str):
        self.commands, self.answers, self.log, self.rest = commands, answers, log, b""
        self.process = os.pidfd_open(pid)
        self.ready: dict = {}

    def read(self) -> dict:
        """The next line that is JSON; libraries print what they like between them."""
        until = time.monotonic() + PATIENCE
        while True:
            line, newline, rest = self.rest.partition(b"\n")
            if newline:
                self.rest = rest
                if line.startswith(b"{"):
                    return json.loads(line)
                continue
            if not select.select([self.answers], [], [], max(0, until - time.monotonic()))[0]:
                raise Lost(f"no answer within {PATIENCE} s")
            more = os.read(self.answers, 1 << 16)
            if not more:
                raise Lost(f"ended without an answer; its messages are in {self.log}")
            self.rest += more

    def wait_ready(self) -> None:
        self.ready = self.read()
        if "unable" in self.ready:
            raise Lost(self.ready["unable"])

    def ask(self, **command) -> dict:
        """One command and its answer; the process runs only in between."""
        self.signal(signal.SIGCONT)
        try:
            os.write(self.commands, json.dumps(command).encode() + b"\n")
            answer = self.read()
        except (BrokenPipeError, Lost) as problem:
            self.signal(signal.SIGKILL)  # what hangs would take time from the others
            raise Lost(f"has ended; its messages are in {self.log}" if isinstance(problem, OSError) else str(problem)) from None
        self.signal(signal.SIGSTOP)
        return answer

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.process, number)

    def close(self) -> None:
        self.signal(signal.SIGKILL)
        for file in (self.commands, self.answers, self.process):
            os.close(file)


class Stable:
    """All processes of one number of threads; leaving it ends them."""

    def __init__(self, threads: int, python: pathlib.Path, peers: pathlib.Path, programs: pathlib.Path, log: pathlib.Path):
        self.threads, self.python, self.peers, self.programs = threads, python, peers, programs
        self.environment = environment(threads, log.parent / "inductor")
        self.log = log.open("ab")
        self.servers: dict[str, socket.socket] = {}
        self.children: list[subprocess.Popen] = []

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        for child in self.children:
            child.kill()
            child.wait()
        for server in self.servers.values():
            server.close()
        self.log.close()

    def spawn(self, command: list, **options) -> subprocess.Popen:
        child = subprocess.Popen(command, stderr=self.log, env=self.environment, preexec_fn=prepare(self.threads),
                                 start_new_session=True, **options)
        self.children.append(child)
        return child

    def program(self, peer: str, mode: str) -> list[str]:
        """The command of a peer's worker: a module of Python, else a program in C (worker_PEER_MODE or worker_PEER)."""
        module = self.peers / f"{peer}_worker.py"
        if module.exists():
            return [str(self.python), str(module)]
        programs = [self.programs / f"worker_{peer}_{mode}", self.programs / f"worker_{peer}"]
        for binary in programs:
            if binary.exists():
                return [str(binary)]
        raise Lost(f"{binary} is not there" + ABSENT.get(peer, ""))

    def server(self, peer: str, program: list[str]) -> socket.socket:
        if peer not in self.servers:
            ours, theirs = socket.socketpair()
            with theirs:
                self.spawn(program + ["--fork", str(theirs.fileno())], pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL)
            ours.settimeout(PATIENCE)
            if not ours.recv(64):
                raise Lost(f"{program[1]} does not start; its messages are in {self.log.name}")
            self.servers[peer] = ours
        return self.servers[peer]

    def start(self, peer: str, mode: str, arguments: list[str]) -> Worker:
        """A worker of the peer, which may still be warming up."""
        program, arguments = self.program(peer, mode), [*arguments, str(self.threads), mode]
        if len(program) == 1:
            child = self.spawn(program + arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            return Worker(child.pid, os.dup(child.stdin.fileno()), os.dup(child.stdout.fileno()), self.log.name)
        server = self.server(peer, program)
        (their_in, commands), (answers, their_out) = os.pipe(), os.pipe()
        socket.send_fds(server, [json.dumps(arguments).encode()], [their_in, their_out])
        os.close(their_in)
        os.close(their_out)
        return Worker(int(server.recv(64)), commands, answers, self.log.name)

    def run(self, command: list[str], folder: pathlib.Path) -> tuple[float, float]:
        """A whole command: seconds from start to exit, and its peak memory in MB."""
        child = self.spawn([sys.executable, "-I", "-S", "-c", RUNNER, *command], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, cwd=folder)
        try:
            seconds, status, kilobytes = child.communicate()[0].decode().split("\n")[-2].split()
        except BaseException:  # also ^C: the command is the runner's child, not ours
            os.killpg(child.pid, signal.SIGKILL)
            raise
        self.children.remove(child)
        if status != "0":
            raise Lost(f"exit code {status} from {' '.join(command)}; its messages are in {self.log.name}")
        return float(seconds), int(kilobytes) / 1024
