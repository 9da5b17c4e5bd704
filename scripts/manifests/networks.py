"""Checks that the network policies allow the connections that are needed."""

from . import settings
from .resources import name, ports, selects, where

# A port of another protocol than TCP is written with its protocol.
NAME_SERVERS = (53, "53/UDP")


def problems(documents):
    workloads = [d for d in documents if d["kind"] in ("Deployment", "StatefulSet")]
    by_name = {name(w): w for w in workloads} | {name(d): {"spec": {"template": d}} for d in documents if d["kind"] == "Pod"}
    policies = [d for d in documents if d["kind"] == "NetworkPolicy"]
    for source, target, port in sorted(needed(documents, workloads), key=str):
        if not allows(policies, "Egress", by_name.get(source), by_name.get(target), port):
            yield f"NetworkPolicy: {source} may not send to {target}, port {port}"
        if target in by_name and not allows(policies, "Ingress", by_name[target], by_name.get(source), port):
            yield f"NetworkPolicy: {target} may not be reached by {source}, port {port}"
    for policy in policies:
        if set(policy["spec"].get("policyTypes", [])) != {"Ingress", "Egress"}:
            yield f"{where(policy)}: it does not close both directions"


def needed(documents, workloads):
    """Yields source, target and port of each connection that is needed. A name that is no workload is outside."""
    hosts = settings.stable_names(workloads)
    for workload in workloads:
        yield from ((name(workload), "name servers", port) for port in NAME_SERVERS)
        if workload["kind"] == "Deployment":
            yield "callers", name(workload), "https"
            yield from ((name(pod), name(workload), "https") for pod in documents if pod["kind"] == "Pod")
            for _, text in settings.texts(documents):
                for node in settings.redis_nodes(settings.read(text)):
                    host, _, port = node.rpartition(":")
                    # check-config reports a port that is no number.
                    if port.isdigit():
                        yield name(workload), hosts.get(host, host), int(port)
            if any(d["kind"] in ("ServiceMonitor", "PodMonitor") for d in documents):
                yield "Prometheus", name(workload), "admin"
        else:
            for other in workloads:
                if other["kind"] == "StatefulSet":
                    numbers = [p for p in ports(other["spec"]["template"]["spec"]["containers"]) if isinstance(p, int)]
                    yield from ((name(workload), name(other), port) for port in numbers)


def allows(policies, direction, own, peer, port):
    """Returns true if a pod of `own` may connect to (Egress), or be reached by (Ingress), a pod of `peer`. `None` is outside."""
    if own is None:
        return True
    mine = [p["spec"] for p in policies if selects(p["spec"]["podSelector"], own["spec"]["template"])]
    mine = [spec for spec in mine if direction in spec.get("policyTypes", [])]
    side = "to" if direction == "Egress" else "from"
    listener = peer if direction == "Egress" else own
    rules = [rule for spec in mine for rule in spec.get(direction.lower(), [])]
    return not mine or any(has_port(rule, listener, port) and has_peer(rule.get(side), peer) for rule in rules)


def has_peer(peers, peer):
    if not peers:
        return True
    if peer is None:
        return any("namespaceSelector" in p or "ipBlock" in p for p in peers)
    return any("podSelector" in p and "namespaceSelector" not in p and selects(p["podSelector"], peer["spec"]["template"]) for p in peers)


def has_port(rule, listener, port):
    if "ports" not in rule:
        return True
    containers = listener["spec"]["template"]["spec"]["containers"] if listener else []
    same = {port}
    for listed in (p for container in containers for p in container.get("ports", [])):
        both = {listed["containerPort"], listed.get("name")}
        same |= both if port in both else set()
    return any(written(p) in same for p in rule["ports"])


def written(port):
    return port["port"] if port.get("protocol", "TCP") == "TCP" else f"{port['port']}/{port['protocol']}"
