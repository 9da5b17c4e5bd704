#!/usr/bin/env python3
"""Checks a running service from outside: python3 scripts/check_service.py [api | pages]

api    schemathesis sends requests that it makes from /openapi.json, right ones and wrong ones, and compares every answer with
       the description. scripts/schemathesis.toml has the checks. The requests are the same in each run.
pages  In Chromium, axe finds no problem of accessibility in the console and /docs, neither in light nor in dark, and "Authorize"
       in /docs logs in. scripts/check_pages.mjs has the checks.

Both run at the same time against `cachefront dev` with one shard and one replica, which is stopped at the end. A part whose tools are missing
and cannot be installed is skipped with a message; with CI=true that is a failure.
"""

import json
import os
import shutil
import ssl
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from run_docs import kill_group, service

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "scripts/schemathesis_requirements.txt"
SECS_MAX = 120
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def main():
    asked = sys.argv[1:] or ["api", "pages"]
    parts = {name: tool for name, tool in {"api": schemathesis(), "pages": browser()}.items() if name in asked}
    failed = [name for name, tool in parts.items() if not tool and os.environ.get("CI") == "true"]
    parts = {name: tool for name, tool in parts.items() if tool}
    with service() as (folder, environment, ports), ThreadPoolExecutor() as threads:
        start = time.monotonic()
        running = {name: threads.submit(CHECKS[name], tool, folder, environment["API_KEY"], ports) for name, tool in parts.items()}
        for name, check in running.items():
            output = check.result()
            print(f"{output or ''}service: {name}: {'passed' if output is None else 'failed'} in {time.monotonic() - start:.1f} s", flush=True)
            failed += [name] * (output is not None)
    return 1 if failed else 0


def check_api(program, folder, api_key, ports):
    url = f"https://localhost:{ports['9090']}"
    command = [program, "--config-file", ROOT / "scripts/schemathesis.toml", "run", f"{url}/openapi.json", "--no-color"]
    token = log_in(url, folder / "certs/cert.pem", api_key)
    environment = {**os.environ, "TOKEN": token, "HOOKS": str(ROOT / "scripts/schemathesis_hooks.py")}
    # Its files of the last run stay in the folder of the service.
    return failure([*command, "--tls-verify", folder / "certs/cert.pem"], folder, environment)


def log_in(url, certificate, api_key):
    request = urllib.request.Request(f"{url}/login", json.dumps({"api_key": api_key}).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=certificate)) as response:
        return json.load(response)["access_token"]


def check_pages(browser, folder, api_key, ports):
    modules, browser = browser
    environment = {
        **os.environ,
        "NODE_MODULES": modules,
        "CHROMIUM": browser,
        "API_KEY": api_key,
        "CONSOLE": f"http://127.0.0.1:{ports['9091']}/console",
        "DOCS": f"https://localhost:{ports['9090']}/docs/",
    }
    return failure(["node", ROOT / "scripts/check_pages.mjs"], folder, environment)


CHECKS = {"api": check_api, "pages": check_pages}


def failure(command, folder, environment):
    """Runs a command, which ends with all of its processes. Returns its output if it fails."""
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True) as process:
        try:
            output, _ = process.communicate(timeout=SECS_MAX)
        except subprocess.TimeoutExpired:
            kill_group(process)
            output, _ = process.communicate()
            output += f"\nended after {SECS_MAX} s\n"
    return output if process.returncode else None


# Tools


def schemathesis():
    """Returns the program, which is installed first if it is missing; `None` if it cannot be installed."""
    venv = ROOT / "target/tools/schemathesis"
    installed = venv / "installed"
    wanted = REQUIREMENTS.read_text()
    if not installed.exists() or installed.read_text() != wanted:
        print("installing schemathesis into target/tools", flush=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
            pip = [venv / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
            subprocess.run([*pip, "--require-hashes", "-r", REQUIREMENTS], check=True)
        except subprocess.CalledProcessError as error:
            return missing("schemathesis", "the answers are not compared with the OpenAPI description", error)
        installed.write_text(wanted)
    return venv / "bin/schemathesis"


def browser():
    """Returns the folder of the packages of Node and the path of a browser; `None` if one is missing."""
    install = subprocess.run(["sh", ROOT / "scripts/install_tools.sh", "npm-packages"], check=False, stdout=subprocess.PIPE, text=True)
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        subprocess.run(["sh", "-c", ". scripts/apt.sh && apt_install chromium"], check=False, cwd=ROOT)
        found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if install.returncode or not shutil.which("node") or not found:
        return missing("Chromium or Node", "console and /docs are not checked")
    return install.stdout.strip(), found


def missing(tool, consequence, error=""):
    print(f"service: {tool} is missing and could not be installed: {consequence}. {error}".strip())


if __name__ == "__main__":
    sys.exit(main())
