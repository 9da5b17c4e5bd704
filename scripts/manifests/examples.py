"""Checks the examples in deploy/kubernetes/examples against the chart that they stand beside."""

import yaml

from . import chart, custom
from .resources import name, where
from .variants import CERTIFICATES

# The release that the examples are written for, and its values.
RELEASE = "cachefront"
KEYS = ["JWT_SECRET_KEY", "SRVC_SHARED_SECRET", "ENCRYPTION_KEY", "REDIS_PASSWORD"]
VALUES = {
    "replicaCount": None,
    "secrets": {"existingSecret": "cachefront-secrets", "keys": KEYS},
    "networkPolicy": {"enabled": False},
    **CERTIFICATES["cert-manager"],
}


def check(deploy):
    """Yields the problems of each example, and the files that their README does not list."""
    import helm_python

    folder = deploy / "kubernetes/examples"
    readme = (folder / "README.md").read_text()
    try:
        with chart.Chart(helm_python, deploy / "helm/cachefront") as loaded:
            rendered = loaded.render(VALUES, release=RELEASE)
    except helm_python.HelmError as error:
        rendered = str(error)
    if isinstance(rendered, str):
        yield f"examples: the chart does not render for them: {rendered}"
        return
    for path in sorted(folder.glob("*.yaml")):
        here = f"examples/{path.name}"
        if f"]({path.name})" not in readme:
            yield f"{here}: the README does not list it"
        for document in yaml.safe_load_all(path.read_text()):
            problem = custom.problem(document)
            if problem:
                yield f"{here}: {where(document)}: {problem}"
            else:
                yield from (f"{here}: {where(document)}: {text}" for text in problems(document, rendered))


def problems(document, rendered):
    """Yields what an example names that the chart does not render."""
    spec = document["spec"]
    services = {name(d): {port["port"] for port in d["spec"]["ports"]} for d in rendered if d["kind"] == "Service"}
    [certificate] = [d["spec"] for d in rendered if d["kind"] == "Certificate"]
    for backend in (backend for rule in spec.get("rules", ()) for backend in rule["backendRefs"]):
        if backend["port"] not in services.get(backend["name"], ()):
            yield f"there is no Service {backend['name']} with the port {backend['port']}"
    if document["kind"] == "BackendTLSPolicy":
        yield from (f"there is no Service {target['name']}" for target in spec["targetRefs"] if target["name"] not in services)
        if spec["validation"]["hostname"] not in certificate["dnsNames"]:
            yield f"the certificate is not valid for {spec['validation']['hostname']}"
    if document["kind"] == "TLSRoute":
        yield from (f"the certificate is not valid for {host}" for host in spec["hostnames"] if host not in certificate["dnsNames"])
    if document["kind"] == "ExternalSecret":
        yield from secret_problems(spec, rendered)
    if document["kind"] == "ScaledObject":
        yield from scaling_problems(spec, rendered)


def secret_problems(spec, rendered):
    made = {entry["secretKey"] for entry in spec["data"]}
    for deployment in (d for d in rendered if d["kind"] == "Deployment"):
        volumes = deployment["spec"]["template"]["spec"]["volumes"]
        if spec["target"]["name"] not in [volume.get("secret", {}).get("secretName") for volume in volumes]:
            yield f"no pod has the Secret {spec['target']['name']}"
    if made != set(KEYS):
        yield f"it writes {sorted(made)}, and the chart is told of {sorted(KEYS)}"


def scaling_problems(spec, rendered):
    scaled = [d for d in rendered if d["kind"] == "Deployment" and name(d) == spec["scaleTargetRef"]["name"]]
    if not scaled:
        yield f"there is no Deployment {spec['scaleTargetRef']['name']}"
    if any("replicas" in d["spec"] for d in scaled):
        yield "the Deployment has replicas of its own, which each upgrade would set back"
    if spec["minReplicaCount"] > spec["maxReplicaCount"]:
        yield "minReplicaCount is more than maxReplicaCount"
