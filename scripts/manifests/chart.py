"""Checks deploy/helm/cachefront in many variants, rendered by Helm's own code (the PyPI package helm-python-sdk)."""

import copy
import json
import re
import shutil
import tempfile
from itertools import product
from pathlib import Path

import yaml

from . import arrival, notes, resources, rules, table
from .variants import ALL_OFF, ALL_ON, CERTIFICATES, MISSING, MODES, REFUSED, SECRETS, SPECIAL, TOGGLES

ROOT = Path(__file__).resolve().parents[2]
# A long name, because Kubernetes limits the length of names and labels.
RELEASE, NAMESPACE = "a-release-with-a-name-that-is-rather-long", "shop"
ELSEWHERE = {
    ("Secret", "given-tls"): {"tls.crt", "tls.key"},
    ("Secret", "given-redis-tls"): {"ca.crt", "tls.crt", "tls.key"},
    ("Secret", "given-secrets"): {"JWT_SECRET_KEY", "SRVC_SHARED_SECRET", "ENCRYPTION_KEY", "REDIS_PASSWORD"},
    ("ServiceAccount", "given-account"): set(),
    ("ConfigMap", "given-environment"): {"ANYTHING"},
    ("ConfigMap", "given-files"): {"authority.pem"},
}


def check(deploy, parts=None):
    """Yields the problems that the given parts find, or all of `PARTS`."""
    folder = deploy / "helm/cachefront"
    import helm_python

    yield from table.problems(folder)
    try:
        chart = Chart(helm_python, folder)
    except helm_python.HelmError as error:
        yield f"chart: {error}"
        return
    with chart:
        for part in parts or PARTS:
            yield from part(chart)


def all_variant_problems(chart):
    for title, values in variants().items():
        for problem in variant_problems(chart, values):
            yield f"chart with {title}: {problem}"


def all_refusal_problems(chart):
    for expected, values in REFUSED:
        yield from refusal_problems(chart, expected, values)


def variants():
    """Returns the values to render the chart with, by title.

    Every kind of Redis is combined with every kind of certificate and of secrets, once with all toggles on and once with
    all off. The toggles are combined with each other. `SPECIAL` comes first, because it has the most values, so that a break of the
    chart is mostly reported early.
    """
    plain = (CERTIFICATES["a Secret"], SECRETS["values"])
    found = {title: combined(*plain, values) for title, values in SPECIAL.items()}
    for (mode, m), (tls, t), (secrets, s) in product(MODES.items(), CERTIFICATES.items(), SECRETS.items()):
        for rest, r in (("everything", ALL_ON), ("nothing", ALL_OFF)):
            found[f"{mode}, certificate from {tls}, secrets from {secrets}, {rest} else"] = combined(m, t, s, r)
    for switches in product((True, False), repeat=len(TOGGLES)):
        title = ", ".join(name for name, is_on in zip(TOGGLES, switches, strict=True) if is_on) or "nothing"
        found[f"only {title}"] = combined(*plain, *(TOGGLES[name][not is_on] for name, is_on in zip(TOGGLES, switches, strict=True)))
    return found


def combined(*parts):
    """Merges maps of values. Later parts win, and `None` removes a value."""
    result = {}
    for part in parts:
        for key, value in part.items():
            if value is None:
                result.pop(key, None)
                continue
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = combined(result[key], value) if both else copy.deepcopy(value)
    return result


class Loader(yaml.CSafeLoader):
    """Reads YAML as Kubernetes should: a name that is there twice is an error, and not overwritten."""

    def construct_mapping(self, node, deep=False):
        names = [self.construct_object(name, deep=True) for name, _ in node.value]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"{twice} is there twice", node.start_mark)
        return super().construct_mapping(node, deep)


class Chart:
    """The chart, loaded from a copy in which symbolic links are files, as they are in a packaged chart."""

    def __init__(self, helm, folder):
        self.helm = helm
        self.scratch = tempfile.TemporaryDirectory()
        self.path = Path(shutil.copytree(folder, Path(self.scratch.name) / "cachefront"))
        self.chart = helm.Chart.load(self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.chart.close()
        self.scratch.cleanup()

    def render(self, values, release=RELEASE):
        """Returns the resources, or the message with which the values are refused."""
        texts = self.texts(values, release)
        if isinstance(texts, str):
            return texts
        texts = [text for path, text in texts.items() if not path.endswith("NOTES.txt")]
        try:
            return [d for text in texts for d in yaml.load_all(text, Loader) if d]
        except yaml.YAMLError as error:
            return " ".join(str(error).split())

    def texts(self, values, release=RELEASE):
        """Returns the rendered files by path, or the message with which the values are refused."""
        try:
            return self.chart.render(values, name=release, namespace=NAMESPACE)
        except self.helm.HelmError as error:
            return str(error)

    def notes(self, values):
        """Returns what is printed after the installation."""
        [text] = [text for path, text in self.texts(values).items() if path.endswith("NOTES.txt")]
        return text


def lint_problems(chart):
    values = combined(ALL_ON, CERTIFICATES["a Secret"], SECRETS["values"])
    for message in chart.helm.lint(chart.path, values, strict=True, quiet=True)["messages"]:
        # Helm recommends an icon, at a lower severity.
        if message["severity"] > 1:
            yield f"chart: helm lint: {message['path']}: {message['error']}"


def variant_problems(chart, values):
    documents = chart.render(values)
    if isinstance(documents, str):
        yield f"it is refused: {documents}"
        return
    # An authority of the cluster also writes its own certificate, which `helm test` trusts.
    issued = {("Secret", d["spec"]["secretName"]): {"tls.crt", "tls.key", "ca.crt"} for d in documents if d["kind"] == "Certificate"}
    yield from rules.problems(documents, ELSEWHERE | issued)
    yield from presence_problems(documents, chart.chart.merge_values(values))
    yield from arrival.problems(documents, chart.chart.merge_values(values))
    yield from notes.problems(chart.notes(values), documents, ELSEWHERE | issued)


def presence_problems(documents, values):
    """Checks that what is switched on is rendered, and that what is off is not."""
    expected = {
        "HorizontalPodAutoscaler": values["autoscaling"]["enabled"],
        "PodDisruptionBudget": values["podDisruptionBudget"]["enabled"],
        "NetworkPolicy": values["networkPolicy"]["enabled"],
        "ServiceMonitor": values["serviceMonitor"]["enabled"],
        "PodMonitor": values["podMonitor"]["enabled"],
        "PrometheusRule": values["prometheusRule"]["enabled"],
        "Certificate": values["tls"]["certManager"]["enabled"],
        "Secret": not values["secrets"]["existingSecret"],
        "ServiceAccount": values["serviceAccount"]["create"],
        "Deployment": True,
    }
    for kind, is_on in expected.items():
        count = sum(d["kind"] == kind and d["metadata"].get("labels", {}).get("app.kubernetes.io/component") == "gateway" for d in documents)
        if count != int(is_on):
            yield f"there are {count} of {kind}, not {int(is_on)}"
    has_redis = any(d["kind"] == "StatefulSet" for d in documents)
    if has_redis != (values["redis"]["mode"] == "bundled"):
        yield f"Redis is {'there' if has_redis else 'missing'} with redis.mode {values['redis']['mode']}"
    has_budgets = values["redis"]["mode"] == "bundled" and values["podDisruptionBudget"]["enabled"]
    if has_budgets and sum(d["kind"] == "PodDisruptionBudget" for d in documents) != 2:
        yield "Redis has no PodDisruptionBudget"
    extra = sum("app.kubernetes.io/name" not in d["metadata"].get("labels", {}) for d in documents)
    if extra != len(values["extraObjects"]):
        yield f"there are {extra} of the {len(values['extraObjects'])} extraObjects"
    for document in documents:
        if len(document["metadata"]["name"]) > 52:
            yield f"{resources.where(document)}: its name is too long for what is appended to it"


# Values that must be refused


def refusal_problems(chart, expected, values):
    said = chart.render(combined(CERTIFICATES["a Secret"], SECRETS["values"], values))
    if not isinstance(said, str):
        yield f"chart: {json.dumps(values)} should be refused with {expected!r}, but renders"
    elif expected not in said:
        yield f"chart: {json.dumps(values)} should be refused with {expected!r}, but is with {said!r}"


def missing_value_problems(chart):
    """Checks that everything that is missing or contradictory is said at once."""
    for values, expected in MISSING:
        said = chart.render(values)
        lost = [line for line in expected if not isinstance(said, str) or line not in said]
        if lost:
            yield f"chart: {json.dumps(values)} should be refused with {lost}, too, but the answer is {said!r}"


def notice_problems(chart):
    """Checks the images that Chart.yaml announces against those that are rendered."""
    meta = yaml.safe_load((chart.path / "Chart.yaml").read_text())
    announced = {entry["image"] for entry in yaml.safe_load(meta["annotations"]["artifacthub.io/images"])}
    used = set()
    for document in chart.render(combined(CERTIFICATES["a Secret"], SECRETS["values"])):
        pod = document.get("spec", {}).get("template", document).get("spec", {})
        used |= {container["image"] for container in pod.get("containers", ())}
    for image in sorted(announced ^ used):
        yield f"Chart.yaml: artifacthub.io/images {'has' if image in announced else 'lacks'} {image}, unlike the pods"


def alert_problems(chart):
    """Checks that the rules of alerts.yaml are the default, and that a chart without that file asks for rules."""
    values = combined(CERTIFICATES["a Secret"], SECRETS["values"], {"prometheusRule": {"enabled": True}})
    if (chart.path / "alerts.yaml").exists():
        yield from (f"chart with its own alerts: {problem}" for problem in variant_problems(chart, values))
    else:
        yield from refusal_problems(chart, "comes without alerts.yaml", values)


def link_problems(chart):
    """Checks that alerts link to the given runbooks, or to nothing: the links of alerts.yaml lead nowhere."""
    if not (chart.path / "alerts.yaml").exists():
        return
    for runbooks in ("", "https://wiki.example.org/cachefront"):
        given = {"prometheusRule": {"enabled": True, "runbooks": runbooks}}
        documents = chart.render(combined(CERTIFICATES["a Secret"], SECRETS["values"], given))
        groups = [group for document in documents if document["kind"] == "PrometheusRule" for group in document["spec"]["groups"]]
        links = [rule["annotations"].get("runbook_url", "") for group in groups for rule in group["rules"]]
        if not links or not all(link.startswith(f"{runbooks}#") if runbooks else not link for link in links):
            yield f"chart: with runbooks {runbooks!r} the alerts link to {sorted(set(links))}"


def schema_problems(chart):
    """Checks that values.yaml and values.schema.json have the same names, and that no map accepts unknown names."""
    schema = json.loads((chart.path / "values.schema.json").read_text())
    values = yaml.safe_load((chart.path / "values.yaml").read_text())

    def compare(here, schema, values):
        known = schema.get("properties")
        if known is None:
            return
        if schema.get("additionalProperties") is not False:
            yield f"values.schema.json: {here or 'the top'} takes any name"
        # `global` belongs to Helm, and the names of secrets have no defaults.
        names = set(known) - {"global"}
        if isinstance(values, dict) and here != "secrets.values":
            for lost in sorted(names ^ values.keys()):
                yield f"values.schema.json and values.yaml: only one has {here}{'.' if here else ''}{lost}"
        for name in names:
            if isinstance(values, dict) and name in values:
                yield from compare(f"{here}.{name}".strip("."), known[name], values[name])

    yield from compare("", schema, values)


# Restarts of pods


def restart_problems(chart):
    """Checks that a change restarts the pods if, and only if, a reload does not apply it."""
    plain = combined(
        CERTIFICATES["a Secret"],
        SECRETS["values"],
        MODES["external"],
        {"clients": [{"name": "one", "apiKeyHash": "sha256:x", "scopes": ["read"], "namespace": "one"}]},
    )

    def checksum(*changes):
        documents = chart.render(combined(plain, *changes))
        if isinstance(documents, str):
            return documents
        [pods] = [d["spec"]["template"] for d in documents if d["kind"] == "Deployment"]
        return pods["metadata"]["annotations"]["checksum/start"]

    before = checksum()
    options = list(documented_options())
    if not any(is_live for _, _, is_live, _ in options):
        yield "chart: docs/configuration.md has no option with *Live.*, so the options that restart pods are unknown"
    for section, option, is_live, is_secret in options:
        changed = checksum({"settings": {section: {option: "7"}}})
        is_refused = len(changed) != len(before)
        if is_secret and not is_refused:
            yield f"chart: settings.{section} takes the secret {option}"
        if not is_refused and (changed == before) != is_live:
            yield f"chart: {option} is {'live' if is_live else 'not live'}, but a change {'restarts' if is_live else 'does not restart'} the pods"
    live = {
        "the test": {"tests": {"enabled": False}},
        "a label of the Service": {"service": {"labels": {"team": "shop"}}},
        "a client": {"clients": [{"name": "two", "apiKeyHash": "sha256:y", "scopes": ["read"], "namespace": "*"}]},
        "a listed shard": {"redis": {"shards": [{"name": "b", "master": "redis:6379"}]}},
        "the time to drain": {"drain": {"waitSeconds": 6, "seconds": 31, "spareSeconds": 8}},
        "a Redis password": {"secrets": {"values": {"REDIS_PASSWORD": "another-password-of-redis"}}},
        "a Redis user": {"redis": {"username": "other"}},
        "a token secret": {"secrets": {"values": {"JWT_SECRET_KEY": "another-secret-another-secret-another"}}},
    }
    for what, change in live.items():
        if checksum(change) != before:
            yield f"chart: {what} restarts the pods, which take it over while they run"
    if checksum({"redis": {"mode": "cluster", "shards": [], "cluster": ["redis:6379"]}}) == before:
        yield "chart: the mode does not restart the pods, which read it at the start"


def documented_options():
    """Yields section, name, is_live and is_secret of each option in docs/configuration.md, which `make docs` writes."""
    section = ""
    for line in (ROOT / "docs/configuration.md").read_text().splitlines():
        if match := re.match(r"## \[(.*)\]", line):
            section = match[1]
        if (match := re.match(r"\| `(\w+)` \|", line)) and section in ("redis", "service", "near_cache", "telemetry"):
            yield section, match[1], "*Live.*" in line, "*Secret.*" in line


# The checks of the chart, in their order.
PARTS = (
    schema_problems,
    notice_problems,
    all_variant_problems,
    all_refusal_problems,
    missing_value_problems,
    alert_problems,
    link_problems,
    restart_problems,
    lint_problems,
)
