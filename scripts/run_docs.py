#!/usr/bin/env python3
"""Runs the shell examples of the documentation: python3 scripts/run_docs.py [--self-test]

How an example is marked, in README.md and docs/**/*.md:

    ```sh run
    curl -s --cacert certs/cert.pem https://localhost:9090/healthz
    ```

    ```json output
    {"status":"ok",…}
    ```

A block whose info string is `sh run` is executed. If the info string of the next block ends with
`output` (`json output`, `text output`), that block is compared with the standard output: line by line, without empty lines.
`…` in a line stands for any text, and a line that is only `…` stands for any number of lines. Without such a block only
the exit status counts. Blocks without these words are not executed.

The blocks of a page share one `bash -eu`, which runs in a temporary folder beside a fresh `cachefront dev` (one shard,
one replica). It has:
- `API_KEY`, the API key that `make run` prints, and `cachefront` in PATH,
- `XDG_CACHE_HOME`, so that no token is kept in the folder of the user,
- `certs/cert.pem` and `config/setup.config`, the certificate and the settings of that service,
- the ports 9090 and 9091 of `localhost` and `127.0.0.1` in the text replaced by the ports of that service.

Prints a line for each page, and exits with 1 if an example fails.
--self-test  checks that wrong examples are reported; needs no service
"""

import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from contextlib import contextmanager, suppress
from itertools import zip_longest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START_SECS_MAX = 30
PAGE_SECS_MAX = 60
STOP_SECS_MAX = 15
BLOCK_END = "-- end of block --"

Block = namedtuple("Block", "page line script expected")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
    blocks = {page: found for page in pages if (found := blocks_of(str(page.relative_to(ROOT)), page.read_text()))}
    problems = []
    for page, marked in blocks.items():
        start = time.monotonic()
        with service() as (folder, environment, ports):
            here = run([with_ports(block, ports) for block in marked], folder, environment)
        seconds = time.monotonic() - start
        print(f"examples: {page.relative_to(ROOT)}: {len(marked)} blocks in {seconds:.1f} s, {len(here)} problems", flush=True)
        problems += here
    for problem in problems:
        print(f"examples: {problem}")
    if not blocks:
        problems.append("no block is marked")
        print("examples: no block of README.md and docs is marked with `sh run`")
    return 1 if problems else 0


# Reading


def blocks_of(page, text):
    """Returns the marked blocks of a page, each with the output that follows it, or `None`."""
    fences = list(re.finditer(r"^```([^\n`]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    blocks = []
    for fence, following in zip_longest(fences, fences[1:]):
        if fence[1].split() != ["sh", "run"]:
            continue
        expected = None
        if following and following[1].split()[-1:] == ["output"]:
            expected = following[2]
        blocks.append(Block(page, text.count("\n", 0, fence.start()) + 1, fence[2], expected))
    return blocks


def with_ports(block, ports):
    def moved(text):
        return text and re.sub(r"\b(localhost|127\.0\.0\.1):(9090|9091)\b", lambda match: f"{match[1]}:{ports[match[2]]}", text)

    return block._replace(script=moved(block.script), expected=moved(block.expected))


# Running


@contextmanager
def service():
    """Starts `cachefront dev` in a temporary folder and yields that folder, the environment and the ports."""
    binary = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/cachefront"
    if not binary.exists():
        subprocess.run(["cargo", "build", "--locked", "--quiet", "--bin", "cachefront"], cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "dev.log"
        # `dev` looks for the Redis that the project unpacked in target/tools.
        (folder / "target").symlink_to(ROOT / "target")
        with log.open("w") as output:
            command = [binary, "dev", "--port", "0", "--shards", "1", "--replicas", "1"]
            process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        try:
            banner = started(process, log)
            settings = Path(re.search(r"Settings +(\S+)", banner)[1])
            (folder / "config").mkdir()
            shutil.copy(settings, folder / "config/setup.config")
            options = dict(line.split("=", 1) for line in settings.read_text().splitlines() if "=" in line)
            path = f"{binary.parent}{os.pathsep}{os.environ['PATH']}"
            environment = {**os.environ, "PATH": path, "API_KEY": options["SRVC_SHARED_SECRET"], "XDG_CACHE_HOME": name}
            yield folder, environment, {"9090": options["PORT"], "9091": options["ADMIN_PORT"]}
        finally:
            stop(process)


def started(process, log):
    """Waits until `dev` has printed all of its text, and returns it."""
    deadline = time.monotonic() + START_SECS_MAX
    while "Ctrl-C" not in (text := log.read_text()):
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"examples: `cachefront dev` did not start:\n{text}")
        time.sleep(0.05)
    return text


def stop(process):
    """Lets `dev` stop its Redis processes too; kills all of them where that takes too long."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_SECS_MAX)
    except subprocess.TimeoutExpired:
        print(f"examples: `cachefront dev` did not stop within {STOP_SECS_MAX} s and is killed")
        kill_group(process)


def kill_group(process):
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run(blocks, folder, environment):
    """Runs the blocks in one shell and returns the problems. The first failing command ends the page."""
    scripts = Path(tempfile.mkdtemp(dir=folder))
    driver = ""
    for number, block in enumerate(blocks):
        (scripts / f"{number}.sh").write_text(block.script)
        driver += f". '{scripts / f'{number}.sh'}'\necho; echo '{BLOCK_END}'\n"
    with (scripts / "stderr").open("w+") as stderr:
        process = subprocess.Popen(
            ["bash", "-eu", "-c", driver], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=stderr, start_new_session=True,
        )  # fmt: skip
        try:
            output, is_late = read_until(process, time.monotonic() + PAGE_SECS_MAX)
        finally:
            # What an example left in the background goes too.
            kill_group(process)
        stderr.seek(0)
        complaints = stderr.read().strip().splitlines()[-5:]
    outputs = output.split(f"{BLOCK_END}\n")
    problems = []
    for block, text in zip(blocks, outputs[:-1], strict=False):
        problems += output_problems(block, text)
    if len(outputs) <= len(blocks):
        block = blocks[len(outputs) - 1]
        how = f"did not end within {PAGE_SECS_MAX} s" if is_late else "failed"
        problems.append(f"{block.page}:{block.line}: the block {how}: {[*lines(outputs[-1])[-5:], *complaints]}")
    return problems


def read_until(shell, deadline):
    """Returns what the shell wrote until it ended, or until the deadline, and whether it was late."""
    chunks = []
    with selectors.DefaultSelector() as selector:
        selector.register(shell.stdout, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            # Seen before the pipe is read, so that nothing which the shell wrote is missed.
            has_ended = shell.poll() is not None
            chunk = os.read(shell.stdout.fileno(), 65536) if selector.select(0 if has_ended else 0.1) else b""
            if has_ended and not chunk:
                # A process in the background may keep the pipe open.
                return b"".join(chunks).decode(), False
            chunks.append(chunk)
    return b"".join(chunks).decode(), True


# Comparing


def output_problems(block, output):
    if block.expected is not None and not matches(lines(block.expected), lines(output)):
        yield f"{block.page}:{block.line}: the output should be {lines(block.expected)} and is {lines(output)}"


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


def matches(expected, found):
    pattern = ""
    for line in expected:
        if line == "…":
            pattern += r"(?:.*\n)*"
        else:
            pattern += ".*".join(re.escape(part) for part in line.split("…")) + r"\n"
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in found)) is not None


# Proof that examples can fail

SELF_TEST = [
    # A page, and what must be reported; `None` if nothing.
    ("```sh run\necho one; echo two\n```\n\n```text output\none\ntwo\n```\n", None),
    ("```sh run\nname=there\n```\n\n```sh run\necho hello $name\n```\n```text output\nhello …\n```\n", None),
    ("```sh run\nseq 9\n```\n```text output\n1\n…\n9\n```\n", None),
    ("```sh\nfalse\n```\n", None),
    ("No example.\n", None),
    ("```sh run\necho one\n```\n\n```text output\ntwo\n```\n", "should be ['two'] and is ['one']"),
    ("```sh run\necho one\necho two\n```\n\n```json output\none\n```\n", "and is ['one', 'two']"),
    ("Text.\n\n```sh run\nfalse\necho not here\n```\n", "page.md:3: the block failed"),
    ("```sh run\necho $NOT_SET\n```\n", "NOT_SET: unbound variable"),
    ("```sh run\nsleep 300 &\necho one\n```\n\n```text output\ntwo\n```\n", "and is ['one']"),
    ("```sh run\nexit 0\n```\n```sh run\ntrue\n```\n", "page.md:1: the block failed"),
]


def self_test():
    failed = 0
    for text, expected in SELF_TEST:
        with tempfile.TemporaryDirectory() as folder:
            blocks = blocks_of("page.md", text)
            problems = run(blocks, Path(folder), dict(os.environ)) if blocks else []
        if (expected is None and problems) or (expected and not any(expected in problem for problem in problems)):
            failed += 1
            print(f"examples: {text!r} should be reported with {expected!r}, but was: {problems}")
    if not failed:
        print(f"examples: {len(SELF_TEST)} pages are reported as they should be")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
