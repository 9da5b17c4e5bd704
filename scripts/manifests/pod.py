"""Lays out the files of a pod in a temporary folder, and runs `cachefront check-config` on them."""

import os
import secrets
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from .resources import contents, files_of, name, where

ROOT = Path(__file__).resolve().parents[2]

# Results by pod, because many variants have the same pod.
judged = {}


def problems(workload, documents, elsewhere):
    """Yields the lines of `check-config`, run with the arguments, environment and files of the pod."""
    spec = workload["spec"]["template"]["spec"]
    [container] = [c for c in spec["containers"] if c["name"] == "cachefront"]
    files = mounted_files(spec, container, documents, elsewhere)
    env = {e["name"]: e.get("value", "") for e in container.get("env", [])}
    key = repr((sorted(files.items()), sorted(env.items()), container["args"]))
    if key not in judged:
        judged[key] = judge(container, env, files)
    yield from (f"{where(workload)}: check-config: {line}" for line in judged[key])


def mounted_files(spec, container, documents, elsewhere):
    """Returns text by path; `None` for a secret, whose value is made up later."""
    known = {(d["kind"], name(d)): contents(d) for d in documents if d["kind"] in ("ConfigMap", "Secret")}
    mounts = {m["name"]: m["mountPath"] for m in container.get("volumeMounts", [])}
    files = {}
    for volume in spec.get("volumes", []):
        for path, reference, key in files_of(volume, known | elsewhere):
            is_open = reference in known and reference[0] == "ConfigMap"
            files[f"{mounts.get(volume['name'])}/{path}"] = known[reference].get(key) if is_open else None
    return files


def judge(container, env, files):
    with tempfile.TemporaryDirectory() as folder:

        def moved(text):
            # All mounts are below this folder.
            return text.replace("/etc/cachefront/", f"{folder}/")

        for path, text in files.items():
            target = Path(moved(path))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(moved(text) if text is not None else invented(target.name))
        if container["args"][:1] != ["serve"]:
            return [f"the arguments begin with {container['args'][:1]}, not with serve"]
        command = [binary(), "check-config", *map(moved, container["args"][1:])]
        told = {key: moved(value) for key, value in env.items() if key.startswith("CACHEFRONT__")}
        done = subprocess.run(command, env={"PATH": os.environ["PATH"], **told}, capture_output=True, text=True, check=False)
        return [] if done.returncode == 0 else [line for line in done.stderr.splitlines() if line]


def invented(key):
    """Returns a secret, a certificate or a key, depending on the name of the file."""
    if key in ("tls.crt", "ca.crt"):
        return certificate()[0]
    if key == "tls.key":
        return certificate()[1]
    return secrets.token_hex(32)


@cache
def certificate():
    with tempfile.TemporaryDirectory() as folder:
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
        command += ["-subj", "/CN=check", "-addext", "subjectAltName=DNS:check", "-keyout", "key.pem", "-out", "cert.pem"]
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            sys.exit(f"manifests: openssl is needed for a certificate: {error}")
        return [(Path(folder) / file).read_text() for file in ("cert.pem", "key.pem")]


@cache
def binary():
    """Returns the path of the program, which is built if it is missing."""
    path = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/cachefront"
    if not path.exists():
        subprocess.run(["cargo", "build", "--locked", "--quiet", "--bin", "cachefront"], cwd=ROOT, check=True)
    return path
