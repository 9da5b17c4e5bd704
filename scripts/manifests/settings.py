"""Checks the deployed setup.config, the secrets, and the time that pods have to drain."""

import base64
import configparser
import re

from . import pod
from .resources import contents, name, where

PLACEHOLDER = "change-me"


def problems(documents, elsewhere):
    workloads = [d for d in documents if d["kind"] in ("Deployment", "StatefulSet")]
    found = list(texts(documents))
    if not found:
        yield "there is no setup.config"
    for here, text in found:
        yield from (f"{here}: {problem}" for problem in node_problems(read(text), workloads))
        yield from (f"{here}: {problem}" for problem in secret_looks(read(text)))
    yield from leak_problems(documents)
    yield from drain_problems(documents, workloads)
    for workload in workloads:
        if workload["kind"] == "Deployment":
            yield from pod.problems(workload, documents, elsewhere)


# Reading


def texts(documents):
    """Yields every setup.config, with its place."""
    for document in documents:
        if document["kind"] == "ConfigMap" and "setup.config" in contents(document):
            yield f"{where(document)} setup.config", contents(document)["setup.config"]


def read(text):
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return [(section, option, value) for section in parser.sections() for option, value in parser.items(section)]


def env_file(path):
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def redis_nodes(settings):
    """Returns the addresses of the Redis nodes and sentinels in the settings."""
    plain = {option: value for section, option, value in settings if section == "redis"}
    values = [plain.get(option, "") for option in ("replicas", "sentinels", "cluster")]
    values += [f"{plain['host']}:{plain.get('port', 6379)}"] if "host" in plain else []
    values += [value for section, option, value in settings if section.startswith("shard:") and option in ("master", "replicas")]
    return {node.strip() for value in values for node in value.split(",") if node.strip()}


def hosts(settings):
    return {node.rsplit(":", 1)[0] for node in redis_nodes(settings)}


def stable_names(workloads):
    """Returns the stable names of pods, each with its StatefulSet."""
    sets = [w for w in workloads if w["kind"] == "StatefulSet"]
    return {f"{name(s)}-{i}.{s['spec']['serviceName']}": name(s) for s in sets for i in range(s["spec"]["replicas"])}


# Checks


def node_problems(settings, workloads):
    stable = stable_names(workloads)
    # Without a Redis among the resources, there is nothing to compare with.
    for node in sorted(hosts(settings) ^ stable.keys()) if stable else ():
        yield f"{node} is {'no pod' if node not in stable else 'missing'}"


def secret_looks(settings):
    for section, option, value in settings:
        # Paths and hashes of random keys are no secrets, and host names can be as long as one.
        if value.startswith("/") or option in ("api_key_hash", "sentinels", "replicas", "master", "cluster", "host"):
            continue
        if (value and re.search("password|secret|_key$", option)) or re.search("[A-Za-z0-9+/_=-]{32}", value):
            yield f"[{section}] {option} looks like a secret"


def leak_problems(documents):
    """Yields the secrets that also stand in another kind of resource, which more people can read."""
    secrets = {}
    for document in documents:
        if document["kind"] == "Secret":
            plain = {key: base64.b64decode(value).decode() for key, value in document.get("data", {}).items()}
            secrets |= {**plain, **document.get("stringData", {})}
    for document in documents:
        if document["kind"] != "Secret":
            for key, value in secrets.items():
                if value and value != PLACEHOLDER and value in str(document):
                    yield f"{where(document)}: it has the secret {key}"


def placeholder_problems(folder):
    for path in sorted(folder.glob("**/*.env")):
        for key, value in env_file(path).items():
            if value != PLACEHOLDER:
                yield f"{path.name}: {key} is not the placeholder; real secrets belong to deploy/secrets"


def drain_problems(documents, workloads):
    """Checks that a pod waits and drains before it is killed, because otherwise it loses requests."""
    found = {"drain_wait_secs": 0, "drain_secs": 30}
    for _, text in texts(documents):
        found |= {option: int(value) for _, option, value in read(text) if option in found}
    for workload in workloads:
        spec = workload["spec"]["template"]["spec"]
        env = {e["name"]: e.get("value", "") for container in spec["containers"] for e in container.get("env", [])}
        if workload["kind"] == "Deployment":
            seconds = {o: int(env.get(f"CACHEFRONT__SERVICE__{o.upper()}", known)) for o, known in found.items()}
            drain, grace = sum(seconds.values()), spec.get("terminationGracePeriodSeconds", 30)
            if grace <= drain:
                yield f"{where(workload)}: it drains for {drain} s and is killed after {grace} s"
            if not seconds["drain_wait_secs"]:
                yield f"{where(workload)}: it does not wait until load balancers know that it is going"
