"""Checks deploy/compose.yaml."""

import re

import yaml

from . import settings


def check(deploy):
    path = deploy / "compose.yaml"
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
    yield from image_problems(deploy, compose)
    text = (deploy / "kubernetes/base/setup.config").read_text()
    for node in sorted(settings.hosts(settings.read(text)) - aliases):
        yield f"compose.yaml: setup.config names {node}, which is no service's alias"


def image_problems(deploy, compose):
    """Checks that the chart, the manifests and Compose run the same Redis."""
    values = yaml.safe_load((deploy / "helm/cachefront/values.yaml").read_text())
    wanted = values["redis"]["bundled"]["image"]
    for service, spec in compose["services"].items():
        image = re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", spec["image"])
        if service.startswith("redis-") and image != wanted:
            yield f"compose.yaml: {service}: the image is {image}, and in the chart {wanted}"
    for document in yaml.safe_load_all((deploy / "kubernetes/base/redis.yaml").read_text()):
        for container in document["spec"].get("template", {}).get("spec", {}).get("containers", ()):
            if container["image"] != wanted:
                yield f"base/redis.yaml: {document['metadata']['name']}: the image is {container['image']}, and in the chart {wanted}"
