"""Checks NOTES.txt of the chart, which is printed after an installation."""

import re
import subprocess

from .resources import name, ports

# What somebody needs who has just installed the chart.
NEEDED = ("/login", '"command":"WRITE"', '"command":"READ"', "/console", "API_KEY=", "--cacert")


def problems(text, documents, elsewhere):
    """Yields the commands of the notes that are no shell, or that name what is not there."""
    yield from (f"NOTES.txt: it has no {needed}" for needed in NEEDED if needed not in text)
    commands = "\n".join(line for line in text.splitlines() if line.startswith("  "))
    done = subprocess.run(["sh", "-n"], input=commands, capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"NOTES.txt: its commands are no shell: {done.stderr.strip()}"
    known = {(d["kind"], name(d)) for d in documents} | elsewhere.keys()
    for kind, named in re.findall(r"\b(secret|service|deployment|statefulset)[/ ]([a-z0-9][-a-z0-9.]*)", commands):
        kinds = {"secret": "Secret", "service": "Service", "deployment": "Deployment", "statefulset": "StatefulSet"}
        if (kinds[kind], named) not in known:
            yield f"NOTES.txt: it names the {kind} {named}, which is not there"
    for kind, named, target in re.findall(r"port-forward (service|deployment)/(\S+) [0-9]+:([0-9]+)", commands):
        [found] = [d for d in documents if d["kind"].lower() == kind and name(d) == named] or [None]
        if found is None:
            continue
        there = {p["port"] for p in found["spec"]["ports"]} if kind == "service" else ports(found["spec"]["template"]["spec"]["containers"])
        if int(target) not in there:
            yield f"NOTES.txt: it forwards to port {target} of the {kind} {named}, which it does not have"
