#!/usr/bin/env python3
"""Checks the files under deploy/ without a cluster: python3 scripts/check_manifests.py [--self-test]

Each rendered resource is validated against the schemas of Kubernetes, and then what schemas can't see: that names,
labels, ports and paths which refer to each other agree, that every container is hardened, and that no secret is
among the files. Prints one line, or one for each problem and exits with 1.

--self-test breaks copies of the files, one at a time, and checks that each break is reported.
"""

import configparser
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The oldest version in which everything used here is stable, and the newest that the validator knows.
KUBERNETES_VERSIONS = ("1.34", "1.37")
VALIDATOR = "kubernetes-validate==1.37.0"
MADE_ELSEWHERE = {("Secret", "cachefront-tls"): {"tls.crt", "tls.key"}}
WORKLOADS = ("Deployment", "StatefulSet")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    problems, summary = check(ROOT / "deploy")
    for problem in problems:
        print(f"manifests: {problem}")
    if not problems:
        print(f"manifests: {summary}")
    return 1 if problems else 0


def check(deploy):
    documents = render(deploy / "kubernetes")
    pods = {f"{d['kind']}/{name(d)}": d for d in documents if d["kind"] in WORKLOADS}
    problems = [
        *schema_problems(documents),
        *[p for where, pod in pods.items() for p in pod_problems(where, pod, documents)],
        *[p for d in documents for p in selector_problems(d, list(pods.values()))],
        *settings_problems(deploy / "kubernetes", list(pods.values())),
        *drain_problems(deploy / "kubernetes", list(pods.values())),
        *compose_problems(deploy / "compose.yaml"),
    ]
    return problems, f"{len(documents)} resources valid for Kubernetes {' and '.join(KUBERNETES_VERSIONS)}"


# Reading


def render(folder):
    if shutil.which("kubectl"):
        done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"manifests: {done.stderr.strip()}")
        return list(yaml.safe_load_all(done.stdout))
    print("manifests: there is no kubectl, so the files are checked as they are, not rendered")
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    documents = [d for file in kustomization["resources"] for d in yaml.safe_load_all((folder / file).read_text())]
    for kind in ("ConfigMap", "Secret"):
        for generator in kustomization[kind[0].lower() + kind[1:] + "Generator"]:
            keys = [Path(file).name for file in generator.get("files", [])]
            keys += [key for file in generator.get("envs", []) for key in env_file(folder / file)]
            data = dict.fromkeys(keys, "")
            documents.append({"apiVersion": "v1", "kind": kind, "metadata": {"name": generator["name"]}, "data": data})
    return documents


def env_file(path):
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def name(document):
    return document["metadata"]["name"]


# Kubernetes


def schema_problems(documents):
    for document in documents:
        here = f"{document['kind']}/{name(document)}"
        for version in KUBERNETES_VERSIONS:
            try:
                kubernetes_validate.validate(document, version, strict=True)
                continue
            except kubernetes_validate.ValidationError as error:
                at = ".".join(str(part) for part in error.absolute_path)
                yield f"{here}: {at or 'resource'}: {error.message} (Kubernetes {version})"
            except kubernetes_validate.SchemaNotFoundError as error:
                yield f"{here}: {error.message}"
            # The next version would say the same.
            break


def pod_problems(where, workload, documents):
    """What is wrong inside of one pod template."""
    template = workload["spec"]["template"]
    spec = template["spec"]
    if not selects(workload["spec"]["selector"], template):
        yield f"{where}: its selector does not match its own pods"
    for field, kind in (("serviceAccountName", "ServiceAccount"), ("serviceName", "Service")):
        wanted = spec.get(field) or workload["spec"].get(field)
        if wanted and not any(d["kind"] == kind and name(d) == wanted for d in documents):
            yield f"{where}: {field} {wanted} does not exist"
    if spec.get("automountServiceAccountToken") is not False:
        yield f"{where}: automountServiceAccountToken is not false"
    keys = {(d["kind"], name(d)): set(d.get("data", {})) for d in documents if d["kind"] in ("ConfigMap", "Secret")}
    keys |= MADE_ELSEWHERE
    for reference in references(spec):
        if reference not in keys:
            yield f"{where}: {' '.join(reference)} does not exist"
    for container in spec["containers"] + spec.get("initContainers", []):
        here = f"{where} container {container['name']}"
        yield from hardening_problems(here, container, spec.get("securityContext", {}))
        yield from probe_problems(here, container)
        yield from path_problems(here, container, spec.get("volumes", []), keys)


def references(node):
    """Every ConfigMap and Secret that is named below this node."""
    if isinstance(node, list):
        for item in node:
            yield from references(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ("configMap", "configMapRef", "configMapKeyRef"):
                yield "ConfigMap", value["name"]
            elif key in ("secret", "secretRef", "secretKeyRef"):
                yield "Secret", value.get("secretName") or value.get("name")
            else:
                yield from references(value)


def hardening_problems(here, container, of_pod):
    own = container.get("securityContext", {})
    both = {**of_pod, **own}
    if both.get("runAsNonRoot") is not True:
        yield f"{here}: runAsNonRoot is not true"
    if both.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield f"{here}: seccompProfile is not RuntimeDefault"
    if own.get("readOnlyRootFilesystem") is not True:
        yield f"{here}: readOnlyRootFilesystem is not true"
    if own.get("allowPrivilegeEscalation") is not False:
        yield f"{here}: allowPrivilegeEscalation is not false"
    if own.get("capabilities") != {"drop": ["ALL"]}:
        yield f"{here}: it does not drop all capabilities"
    resources = container.get("resources", {})
    for kind, resource in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
        if resource not in resources.get(kind, {}):
            yield f"{here}: no resources.{kind}.{resource}"


def probe_problems(here, container):
    for probe in ("livenessProbe", "readinessProbe"):
        if probe not in container:
            yield f"{here}: no {probe}"
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        for action in ("httpGet", "tcpSocket", "grpc"):
            port = container.get(probe, {}).get(action, {}).get("port")
            if port is not None and port not in ports([container]):
                yield f"{here}: {probe} asks port {port}, which it does not have"


def path_problems(here, container, volumes, keys):
    """Paths that a container is told about and that no volume brings."""
    mounted = {mount["name"]: mount["mountPath"] for mount in container.get("volumeMounts", [])}
    files = set()
    for volume in volumes:
        files |= {f"{mounted.get(volume['name'])}/{key}" for ref in references(volume) for key in keys.get(ref, ())}
    told = [env.get("value", "") for env in container.get("env", []) if env["name"].endswith("_FILE")]
    told += container.get("command", []) + container.get("args", [])
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        told += container.get(probe, {}).get("exec", {}).get("command", [])
    for path in told:
        if path.startswith("/") and path not in files:
            yield f"{here}: nothing is mounted at {path}"


def selector_problems(document, workloads):
    """Services, budgets and policies which mean pods that are not there."""
    where, spec = f"{document['kind']}/{name(document)}", document.get("spec", {})
    if document["kind"] == "Service":
        chosen = [w for w in workloads if selects({"matchLabels": spec["selector"]}, w["spec"]["template"])]
        if not chosen:
            yield f"{where}: its selector matches no pod"
        yield from missing_ports(where, [p.get("targetPort", p["port"]) for p in spec["ports"]], chosen)
    if document["kind"] == "PodDisruptionBudget":
        if not any(selects(spec["selector"], w["spec"]["template"]) for w in workloads):
            yield f"{where}: its selector matches no pod"
    if document["kind"] == "NetworkPolicy":
        yield from policy_problems(where, spec, workloads)


def policy_problems(where, spec, workloads):
    def chosen(selector):
        return [w for w in workloads if selects(selector, w["spec"]["template"])]

    if not chosen(spec["podSelector"]):
        yield f"{where}: podSelector matches no pod"
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for rule in spec.get(direction, []):
            # With a namespaceSelector, the pods are someone else's.
            peers = [p["podSelector"] for p in rule.get(side, []) if "podSelector" in p and "namespaceSelector" not in p]
            for peer in peers:
                if not chosen(peer):
                    yield f"{where}: {direction} podSelector {peer} matches no pod"
            targets = [spec["podSelector"]] if direction == "ingress" else peers
            for target in targets:
                yield from missing_ports(f"{where} {direction}", [p["port"] for p in rule.get("ports", [])], chosen(target))


def missing_ports(where, wanted, workloads):
    for workload in workloads:
        there = ports(workload["spec"]["template"]["spec"]["containers"])
        for port in wanted:
            if port not in there:
                yield f"{where}: {workload['kind']}/{name(workload)} has no port {port}"


def selects(selector, template):
    """Only matchLabels; an expression would have to be added here first."""
    if "matchExpressions" in selector:
        sys.exit("manifests: check_manifests.py does not understand matchExpressions")
    return selector.get("matchLabels", {}).items() <= template["metadata"]["labels"].items()


def ports(containers):
    listed = [port for container in containers for port in container.get("ports", [])]
    return {port["containerPort"] for port in listed} | {port.get("name") for port in listed}


# Settings and secrets


def settings_problems(folder, workloads):
    settings = read_settings(folder / "setup.config")
    sets = [(name(w), w["spec"]) for w in workloads if w["kind"] == "StatefulSet"]
    stable = {f"{set_name}-{i}.{spec['serviceName']}" for set_name, spec in sets for i in range(spec["replicas"])}
    for node in sorted(redis_nodes(settings) ^ stable):
        yield f"setup.config: {node} is {'no pod' if node not in stable else 'missing'}"
    for section, option, value in settings:
        # A path tells nothing, and neither does the hash of a random key.
        if value.startswith("/") or option == "api_key_hash":
            continue
        if (value and re.search("password|secret|_key$", option)) or re.search("[A-Za-z0-9+/_=-]{32}", value):
            yield f"setup.config: [{section}] {option} looks like a secret"
    for path in sorted(folder.glob("*.env")):
        for key, value in env_file(path).items():
            if value != "change-me":
                yield f"{path.name}: {key} is not the placeholder; real secrets belong to deploy/secrets"


def drain_problems(folder, workloads):
    """A pod that is killed before it has drained loses requests."""
    seconds = {"drain_wait_secs": 0, "drain_secs": 30}
    seconds |= {o: int(value) for section, o, value in read_settings(folder / "setup.config") if o in seconds}
    for workload in workloads:
        spec = workload["spec"]["template"]["spec"]
        env = {e["name"]: e.get("value", "") for container in spec["containers"] for e in container.get("env", [])}
        if workload["kind"] == "Deployment":
            drain = sum(int(env.get(f"CACHEFRONT__SERVICE__{o.upper()}", known)) for o, known in seconds.items())
            grace = spec.get("terminationGracePeriodSeconds", 30)
            if grace <= drain:
                yield f"{workload['kind']}/{name(workload)}: it drains for {drain} s and is killed after {grace} s"


def read_settings(path):
    parser = configparser.RawConfigParser()
    parser.read_string(path.read_text())
    return [(section, option, value) for section in parser.sections() for option, value in parser.items(section)]


def redis_nodes(settings):
    """Host names of the Redis nodes that the settings name."""
    values = [value for section, option, value in settings if section == "redis" and option in ("host", "replicas")]
    values += [value for section, option, value in settings if section.startswith("shard:") and option in ("master", "replicas")]
    return {node.strip().rsplit(":", 1)[0] for value in values for node in value.split(",") if node.strip()}


# Compose


def compose_problems(path):
    try:
        compose = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        yield f"compose.yaml: {' '.join(str(error).split())}"
        return
    aliases = set()
    for service, spec in compose["services"].items():
        here = f"compose.yaml: {service}"
        if spec.get("read_only") is not True or spec.get("cap_drop") != ["ALL"]:
            yield f"{here}: read_only and cap_drop [ALL] are missing"
        for field, there in (("secrets", compose["secrets"]), ("networks", compose["networks"]), ("depends_on", compose["services"])):
            for wanted in spec.get(field, ()):
                if wanted not in there:
                    yield f"{here}: {field} names {wanted}, which is not there"
        for volume in spec.get("volumes", ()):
            if not (path.parent / volume.split(":")[0]).exists():
                yield f"{here}: {volume.split(':')[0]} does not exist"
        for variable, value in spec.get("environment", {}).items():
            if value.startswith("/run/secrets/") and value.removeprefix("/run/secrets/") not in spec.get("secrets", ()):
                yield f"{here}: {variable} is {value}, a secret that it does not get"
        for network in spec["networks"].values() if isinstance(spec["networks"], dict) else ():
            aliases |= set(network.get("aliases", ()))
    for node in sorted(redis_nodes(read_settings(path.parent / "kubernetes/setup.config")) - aliases):
        yield f"compose.yaml: setup.config names {node}, which is no service's alias"


# Proof that it can fail


def self_test():
    """Each row: a file, a text in it, what to put in its place (first one only), and what must then be said."""
    rows = [
        ("kubernetes/cachefront.yaml", "minAvailable", "minAvailible", "minAvailible"),
        ("kubernetes/cachefront.yaml", "  replicas: 2", "  replicas: two", "not of type 'integer'"),
        ("kubernetes/cachefront.yaml", "apiVersion: policy/v1\n", "apiVersion: policy/v0\n", "Couldn't find schema"),
        ("kubernetes/cachefront.yaml", "serviceAccountName: cachefront", "serviceAccountName: other", "serviceAccountName other"),
        ("kubernetes/cachefront.yaml", "secretName: cachefront-tls", "secretName: other-tls", "Secret other-tls does not exist"),
        ("kubernetes/cachefront.yaml", "          configMap:\n            name: cachefront", "          configMap:\n            name: other", "ConfigMap other does not exist"),
        ("kubernetes/cachefront.yaml", "secrets/JWT_SECRET_KEY", "secrets/JWT_SECRET", "nothing is mounted at"),
        ("kubernetes/cachefront.yaml", "GracePeriodSeconds: 45", "GracePeriodSeconds: 35", "drains for 35 s and is killed after 35 s"),
        ("kubernetes/cachefront.yaml", "port: admin", "port: 9092", "startupProbe asks port 9092"),
        ("kubernetes/redis.yaml", "readinessProbe", "startupProbe", "no readinessProbe"),
        ("kubernetes/cachefront.yaml", "targetPort: https", "targetPort: http", "has no port http"),
        ("kubernetes/cachefront.yaml", "drop: [ALL]", "drop: [NET_RAW]", "does not drop all capabilities"),
        ("kubernetes/cachefront.yaml", "runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot is not true"),
        ("kubernetes/cachefront.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "readOnlyRootFilesystem is not"),
        ("kubernetes/cachefront.yaml", "allowPrivilegeEscalation: false", "privileged: false", "allowPrivilegeEscalation is not"),
        ("kubernetes/cachefront.yaml", "type: RuntimeDefault", "type: Unconfined", "seccompProfile is not"),
        ("kubernetes/cachefront.yaml", "      automountServiceAccountToken: false\n", "", "automountServiceAccountToken is not"),
        ("kubernetes/cachefront.yaml", "              memory: 512Mi", "              cpu: 1", "no resources.limits.memory"),
        ("kubernetes/cachefront.yaml", "      app.kubernetes.io/name: cachefront\n", "      app.kubernetes.io/name: other\n", "PodDisruptionBudget/cachefront: its selector"),
        ("kubernetes/redis.yaml", "      app.kubernetes.io/component: master\n", "      app.kubernetes.io/component: leader\n", "does not match its own pods"),
        ("kubernetes/redis.yaml", "    app.kubernetes.io/component: master\n  ports", "    app.kubernetes.io/component: leader\n  ports", "Service/redis-master: its selector"),
        ("kubernetes/redis.yaml", "  serviceName: redis-master", "  serviceName: redis", "serviceName redis does not exist"),
        ("kubernetes/redis.yaml", "  replicas: 3", "  replicas: 4", "redis-replica-3.redis-replica is missing"),
        ("kubernetes/redis.yaml", "  replicas: 3", "  replicas: 2", "redis-replica-2.redis-replica is no pod"),
        ("kubernetes/network-policies.yaml", "name: redis\n      ports", "name: valkey\n      ports", "matches no pod"),
        ("kubernetes/network-policies.yaml", "name: cachefront\n  policyTypes", "name: other\n  policyTypes", "podSelector matches no pod"),
        ("kubernetes/network-policies.yaml", "port: https", "port: 443", "NetworkPolicy/cachefront ingress: Deployment/cachefront has no port 443"),
        ("kubernetes/setup.config", "IDENTITY=cachefront", "SRVC_SHARED_SECRET=hunter2", "looks like a secret"),
        ("kubernetes/setup.config", "IDENTITY=cachefront", f"IDENTITY={'0a' * 32}", "looks like a secret"),
        ("kubernetes/redis.env", "=change-me", "=hunter2", "is not the placeholder"),
        ("compose.yaml", "services:", "services: [", "compose.yaml: while parsing"),
        ("compose.yaml", "secrets: [REDIS_PASSWORD]", "secrets: [PASSWORD]", "names PASSWORD"),
        ("compose.yaml", "./kubernetes/setup.config", "./setup.config", "./setup.config does not exist"),
        ("compose.yaml", "/run/secrets/tls.key", "/run/secrets/key", "a secret that it does not get"),
        ("compose.yaml", "cap_drop: [ALL]", "cap_drop: []", "read_only and cap_drop"),
        ("compose.yaml", "aliases: [redis-replica-0", "aliases: [replica-0", "redis-replica-0.redis-replica, which is no service's alias"),
    ]
    for file, old, new, expected in rows:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(shutil.copytree(ROOT / "deploy", Path(folder) / "deploy", ignore=shutil.ignore_patterns("secrets")))
            text = (copy / file).read_text()
            assert old in text, f"{file} has no {old!r}"
            (copy / file).write_text(text.replace(old, new, 1))
            problems = check(copy)[0]
            if not any(expected in problem for problem in problems):
                print(f"manifests: {file} with {new!r} should be reported with {expected!r}, but was: {problems}")
                return 1
    print(f"manifests: all of {len(rows)} broken copies are reported")
    return 0


# Start


def enter_venv():
    """Runs this script again with the validator at hand, which it installs where it is not."""
    venv = ROOT / "target/tools" / VALIDATOR.replace("==", "-")
    python = venv / "bin/python"
    if Path(sys.prefix) == venv:
        return
    complete = venv / "complete"
    if not complete.exists():
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", VALIDATOR], check=True)
        except subprocess.CalledProcessError as error:
            sys.exit(f"manifests: could not install {VALIDATOR}: {error}")
        complete.touch()
    os.execv(python, [python, *sys.argv])


if __name__ == "__main__":
    enter_venv()
    import kubernetes_validate
    import yaml

    sys.exit(main())
