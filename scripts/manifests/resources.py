"""Rules for every set of resources: schemas, names, selectors, ports and hardening."""

import json
import re
import sys

import kubernetes_validate

from . import custom

# The oldest version in which everything used here is stable, and the newest that the validator has schemas of.
KUBERNETES_VERSIONS = ("1.34", "1.37")
WORKLOADS = ("Deployment", "StatefulSet")
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")

# Results by resource, because many variants have the same resources.
validated = {}


def problems(documents, elsewhere):
    workloads = [d for d in documents if d["kind"] in WORKLOADS]
    keys = {(d["kind"], name(d)): set(contents(d)) for d in documents if d["kind"] in ("ConfigMap", "Secret")} | elsewhere
    names = [(d["kind"], name(d)) for d in documents]
    yield from (f"{'/'.join(twice)}: it is there twice" for twice in sorted({n for n in names if names.count(n) > 1}))
    for workload in workloads:
        yield from workload_problems(workload, documents, keys)
        yield from pod_problems(where(workload), workload["spec"]["template"]["spec"], keys)
    pods = [d for d in documents if d["kind"] == "Pod"]
    for pod in pods:
        yield from pod_problems(where(pod), pod["spec"], keys)
    for document in documents:
        yield from selector_problems(document, workloads, pods)
        yield from reference_problems(document, documents)


# Reading


def name(document):
    return document["metadata"]["name"]


def base_name(document):
    """Returns the name without the hash that kustomize appends."""
    is_generated = document["kind"] in ("ConfigMap", "Secret")
    return re.sub("-[a-z0-9]{10}$", "", name(document)) if is_generated else name(document)


def contents(document):
    return {**document.get("data", {}), **document.get("stringData", {})}


def where(document):
    return f"{document['kind']}/{name(document)}"


def selects(selector, template):
    """Returns true if a selector matches a pod template. Only matchLabels is supported."""
    if "matchExpressions" in selector:
        sys.exit("manifests: resources.py does not understand matchExpressions")
    return selector.get("matchLabels", {}).items() <= template["metadata"]["labels"].items()


def ports(containers):
    listed = [port for container in containers for port in container.get("ports", [])]
    return {port["containerPort"] for port in listed} | {port.get("name") for port in listed}


def references(node):
    """Yields every ConfigMap and Secret that is named below this node."""
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


def files_of(volume, keys):
    """Yields path, reference and key of each file in a volume. The reference is the kind and name of a ConfigMap or Secret."""
    for source in [volume, *volume.get("projected", {}).get("sources", [])]:
        for kind, field in (("ConfigMap", "configMap"), ("Secret", "secret")):
            if field in source:
                reference = kind, source[field].get("secretName") or source[field]["name"]
                items = source[field].get("items", [{"key": key, "path": key} for key in keys.get(reference, ())])
                yield from ((item["path"], reference, item["key"]) for item in items)


# Schemas


def schema_problems(documents):
    for document in documents:
        text = json.dumps(document, sort_keys=True)
        if text not in validated:
            validated[text] = schema_problem(document)
        if validated[text]:
            yield f"{where(document)}: {validated[text]}"


def schema_problem(document):
    if document["apiVersion"] in custom.SCHEMAS:
        return custom.problem(document)
    for version in KUBERNETES_VERSIONS:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            at = ".".join(str(part) for part in error.absolute_path)
            # The next version would report the same.
            return f"{at or 'resource'}: {error.message} (Kubernetes {version})"
        except kubernetes_validate.SchemaNotFoundError as error:
            return error.message
    return None


# Pods


def workload_problems(workload, documents, keys):
    """Yields the problems of a workload with its own pods and with other resources."""
    here, template = where(workload), workload["spec"]["template"]
    spec = template["spec"]
    if not selects(workload["spec"]["selector"], template):
        yield f"{here}: its selector does not match its own pods"
    for field, kind in (("serviceAccountName", "ServiceAccount"), ("serviceName", "Service")):
        wanted = spec.get(field) or workload["spec"].get(field)
        if wanted and (kind, wanted) not in keys and not any(d["kind"] == kind and name(d) == wanted for d in documents):
            yield f"{here}: {field} {wanted} does not exist"
    for constraint in spec.get("topologySpreadConstraints", []):
        if not selects(constraint["labelSelector"], template):
            yield f"{here}: it is spread by labels that it does not have"


def pod_problems(here, spec, keys):
    """Yields the problems of the specification of a pod."""
    if spec.get("automountServiceAccountToken") is not False:
        yield f"{here}: automountServiceAccountToken is not false"
    for reference in references(spec):
        if reference not in keys:
            yield f"{here}: {' '.join(reference)} does not exist"
    for container in spec["containers"] + spec.get("initContainers", []):
        inside = f"{here} container {container['name']}"
        yield from hardening_problems(inside, container, spec.get("securityContext", {}))
        # A container that only runs for a moment has no probes.
        if container in spec["containers"] and spec.get("restartPolicy") != "Never":
            yield from probe_problems(inside, container)
        yield from path_problems(inside, container, spec.get("volumes", []), keys)


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
    demands = container.get("resources", {})
    for kind, resource in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
        if resource not in demands.get(kind, {}):
            yield f"{here}: no resources.{kind}.{resource}"


def probe_problems(here, container):
    for probe in ("livenessProbe", "readinessProbe"):
        if probe not in container:
            yield f"{here}: no {probe}"
    for probe in PROBES:
        for action in ("httpGet", "tcpSocket", "grpc"):
            port = container.get(probe, {}).get(action, {}).get("port")
            if port is not None and port not in ports([container]):
                yield f"{here}: {probe} asks port {port}, which it does not have"


def path_problems(here, container, volumes, keys):
    """Yields the paths in arguments, environment and probes of a container that no volume has."""
    mounted = {mount["name"]: mount["mountPath"] for mount in container.get("volumeMounts", [])}
    yield from (f"{here}: it mounts {lost}, which is no volume" for lost in sorted(mounted.keys() - {v["name"] for v in volumes}))
    files = set()
    for volume in volumes:
        for path, reference, key in files_of(volume, keys):
            files.add(f"{mounted.get(volume['name'])}/{path}")
            if reference in keys and key not in keys[reference]:
                yield f"{here}: {' '.join(reference)} has no {key}"
    told = [env.get("value", "") for env in container.get("env", []) if env["name"].endswith("_FILE")]
    told += container.get("command", []) + container.get("args", [])
    for probe in PROBES:
        told += container.get(probe, {}).get("exec", {}).get("command", [])
    told += container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", [])
    for path in told:
        if path.startswith("/") and path not in files:
            yield f"{here}: nothing is mounted at {path}"


# Selectors and references


def selector_problems(document, workloads, pods):
    """Yields the problems of Services, budgets and policies that select pods."""
    here, spec = where(document), document.get("spec", {})
    if document["kind"] == "Service":
        chosen = [w for w in workloads if selects({"matchLabels": spec["selector"]}, w["spec"]["template"])]
        if not chosen:
            yield f"{here}: its selector matches no pod"
        yield from missing_ports(here, [p.get("targetPort", p["port"]) for p in spec["ports"]], chosen)
    if document["kind"] == "PodDisruptionBudget" and not any(selects(spec["selector"], w["spec"]["template"]) for w in workloads):
        yield f"{here}: its selector matches no pod"
    if document["kind"] == "NetworkPolicy":
        yield from policy_problems(here, spec, workloads, pods)


def policy_problems(here, spec, workloads, pods):
    def chosen(selector):
        return [w for w in workloads if selects(selector, w["spec"]["template"])]

    if not chosen(spec["podSelector"]):
        yield f"{here}: podSelector matches no pod"
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for rule in spec.get(direction, []):
            # With a namespaceSelector, the pods belong to somebody else.
            peers = [p["podSelector"] for p in rule.get(side, []) if "podSelector" in p and "namespaceSelector" not in p]
            for peer in peers:
                if not chosen(peer) and not any(selects(peer, pod) for pod in pods):
                    yield f"{here}: {direction} podSelector {peer} matches no pod"
            targets = [spec["podSelector"]] if direction == "ingress" else peers
            for target in targets:
                yield from missing_ports(f"{here} {direction}", [p["port"] for p in rule.get("ports", [])], chosen(target))


def missing_ports(here, wanted, workloads):
    for workload in workloads:
        there = ports(workload["spec"]["template"]["spec"]["containers"])
        for port in wanted:
            if port not in there:
                yield f"{here}: {where(workload)} has no port {port}"


def reference_problems(document, documents):
    """Yields the problems of autoscalers, monitors and certificates that refer to other resources."""
    here, spec = where(document), document.get("spec", {})
    if document["kind"] == "HorizontalPodAutoscaler":
        target = spec["scaleTargetRef"]
        scaled = [d for d in documents if (d["kind"], name(d)) == (target["kind"], target["name"])]
        if not scaled:
            yield f"{here}: it scales {target['kind']}/{target['name']}, which is not there"
        if any("replicas" in d["spec"] for d in scaled):
            yield f"{here}: {where(scaled[0])} has replicas of its own, which each apply would set back"
        if spec["minReplicas"] > spec["maxReplicas"]:
            yield f"{here}: minReplicas is more than maxReplicas"
    if document["kind"] == "PodMonitor":
        chosen = [d for d in documents if d["kind"] in WORKLOADS and selects(spec["selector"], d["spec"]["template"])]
        if len(chosen) != 1:
            yield f"{here}: its selector matches the pods of {len(chosen)} workloads"
        yield from missing_ports(here, [e["port"] for e in spec["podMetricsEndpoints"]], chosen)
    if document["kind"] == "ServiceMonitor":
        chosen = [d for d in documents if d["kind"] == "Service" and selects(spec["selector"], d)]
        if len(chosen) != 1:
            yield f"{here}: its selector matches {len(chosen)} Services"
        for port in [e["port"] for e in spec["endpoints"]]:
            if not any(port == p["name"] for d in chosen for p in d["spec"]["ports"]):
                yield f"{here}: its Service has no port {port}"
    if document["kind"] == "Certificate":
        wanted = ("Secret", spec["secretName"])
        if not any(wanted in references(d["spec"]["template"]["spec"]) for d in documents if d["kind"] in WORKLOADS):
            yield f"{here}: no pod has the Secret {spec['secretName']}"
        services = [name(d) for d in documents if d["kind"] == "Service"]
        if not any(service in spec["dnsNames"] for service in services):
            yield f"{here}: dnsNames has no Service"
