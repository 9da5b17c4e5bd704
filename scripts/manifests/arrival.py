"""Checks that the values given to the chart arrive unchanged in what it renders.

A template can change a value without any other rule noticing: a fraction that is cut to a whole number is still a valid
setting. So each value that is not a mere switch is searched for in the resources, and each option in its setup.config.
"""

from . import settings

# Values that decide about the resources, and are not to be seen in them.
SWITCHES = (
    "nameOverride",
    "fullnameOverride",
    "global",
    "extraObjects",
    "drain.spareSeconds",
    "redis.mode",
    "redis.bundled.replicas",
    "secrets.keys",
    "tests.trust",
)
# A part of the values, and what it takes for them to be used.
CONDITIONS = {
    "autoscaling": lambda values: values["autoscaling"]["enabled"],
    "replicaCount": lambda values: not values["autoscaling"]["enabled"],
    "podDisruptionBudget": lambda values: values["podDisruptionBudget"]["enabled"],
    "image.tag": lambda values: not values["image"]["digest"],
    "redis.bundled": lambda values: values["redis"]["mode"] == "bundled",
    "networkPolicy": lambda values: values["networkPolicy"]["enabled"],
    "networkPolicy.redis": lambda values: values["redis"]["mode"] != "bundled",
    "networkPolicy.redisPorts": lambda values: values["redis"]["mode"] != "bundled",
    "serviceMonitor": lambda values: values["serviceMonitor"]["enabled"],
    "podMonitor": lambda values: values["podMonitor"]["enabled"],
    "prometheusRule": lambda values: values["prometheusRule"]["enabled"],
    "prometheusRule.runbooks": lambda values: not values["prometheusRule"]["groups"],
    "dashboard": lambda values: values["dashboard"]["enabled"],
    "serviceAccount.annotations": lambda values: values["serviceAccount"]["create"],
    "tls.certManager": lambda values: values["tls"]["certManager"]["enabled"],
    "tests": lambda values: values["tests"]["enabled"],
}


def problems(documents, values):
    """Yields each of the values, which include the defaults, that is not in the resources."""
    rendered = {(section, option): text for _, file in settings.texts(documents) for section, option, text in settings.read(file)}
    for section, options in values["settings"].items():
        for option, value in options.items():
            there = rendered.get((section, option.lower()))
            if there is None or not same(value, there):
                yield f"settings.{section}.{option} is {value!r}, but setup.config has {there!r}"
    seen = list(scalars([without_files(document) for document in documents]))
    texts = "\n".join(map(str, seen))
    numbers = {number(part) for scalar in seen for part in ([scalar] if not isinstance(scalar, str) else words(scalar))}
    for path, value in leaves(values):
        if not is_used(path, values) or value in ("", None) or isinstance(value, bool):
            continue
        arrives = value in texts if isinstance(value, str) else number(value) in numbers
        if not arrives:
            yield f"{path} is {value!r}, which nothing rendered has"


def without_files(document):
    """Returns a resource without scripts and dashboards, in which almost every short text occurs."""
    if document["kind"] != "ConfigMap":
        return document
    return {**document, "data": {key: text for key, text in document.get("data", {}).items() if key == "setup.config"}}


def is_used(path, values):
    if path.startswith("settings.") or any(path == switch or path.startswith(f"{switch}.") for switch in SWITCHES):
        return False
    parts = path.split(".")
    above = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
    return all(CONDITIONS[part](values) for part in above if part in CONDITIONS)


def same(value, text):
    if isinstance(value, bool):
        return text == str(value).lower()
    return text == value if isinstance(value, str) else number(text) == value


def number(text):
    """Returns the number that a text is, or `None`. A truth value is none."""
    try:
        return None if isinstance(text, bool) else float(text)
    except (TypeError, ValueError):
        return None


def words(text):
    for separator in "=,:()":
        text = text.replace(separator, " ")
    return text.split()


def leaves(values, path=""):
    """Yields path and value of everything that is neither a map nor a list."""
    items = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else None
    if items is None:
        yield path, values
        return
    for key, value in items:
        yield from leaves(value, f"{path}.{key}".strip("."))


def scalars(node):
    """Yields every name and value at any depth."""
    if isinstance(node, dict):
        yield from node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from scalars(inner)
    if not isinstance(node, (dict, list)):
        yield node
