"""Checks deploy/monitoring: the dashboard, and the alerts beyond what promtool knows."""

import json
import re
from itertools import combinations
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
# The variables that every query has to follow.
VARIABLES = ("job", "namespace", "instance")
# Panels in the head of the dashboard, which show in one look whether anything is wrong.
STATS_MIN = 6
COLUMNS = 24
# Metrics that are neither on the dashboard nor in an alert, with the reason.
UNSHOWN = {
    "cachefront_certificate_valid_from_timestamp_seconds": "a certificate that is not valid yet is a warning in the log",
    "cachefront_settings_loaded_timestamp_seconds": "it is for one look after a change of the settings",
}
METRIC = re.compile(r"\b((?:cachefront|process)_[a-z_]+)")
# What a histogram appends to its name.
SUFFIX = re.compile("_(bucket|count|sum)$")


def check(deploy):
    """Yields the problems of the dashboard and of the alerts."""
    folder = deploy / "monitoring"
    try:
        dashboard = json.loads((folder / "dashboard.json").read_text())
        rules = [rule for group in yaml.safe_load((folder / "alerts.yaml").read_text())["groups"] for rule in group["rules"]]
    except (ValueError, yaml.YAMLError) as error:
        yield f"monitoring: {error}"
        return
    yield from (f"dashboard.json: {problem}" for problem in dashboard_problems(dashboard))
    yield from (f"alerts.yaml: {problem}" for problem in alert_problems(rules))
    yield from coverage_problems(queries(dashboard), [rule["expr"] for rule in rules])


def dashboard_problems(dashboard):
    panels = dashboard["panels"]
    shown = [panel for panel in panels if panel["type"] != "row"]
    yield from place_problems(panels)
    head = [panel for panel in shown if panel["gridPos"]["y"] == 0]
    if len(head) < STATS_MIN or any(panel["type"] != "stat" for panel in head):
        yield f"its first row has {len(head)} panels; there have to be {STATS_MIN} or more, all of the type stat"
    for panel in shown:
        yield from (f"{panel['title']!r}: {problem}" for problem in panel_problems(panel))
    names = [variable["name"] for variable in dashboard["templating"]["list"]]
    yield from (f"it has no variable {name}" for name in ("datasource", *VARIABLES) if name not in names)
    for query in queries(dashboard):
        yield from (f"{query} does not follow the variable {name}" for name in VARIABLES if f'{name}=~"${name}' not in without(name, query))
    if len([note for note in dashboard["annotations"]["list"] if "expr" in note]) < 2:
        yield "it has no annotations from events"


def without(name, query):
    # An alert of a sum over instances has no label for each of them.
    return f'{query} {name}=~"${name}' if query.startswith("ALERTS{") and name == "instance" else query


def place_problems(panels):
    ids = [panel["id"] for panel in panels]
    yield from (f"the id {twice} is there twice" for twice in sorted({i for i in ids if ids.count(i) > 1}))
    for panel in panels:
        if panel["gridPos"]["x"] + panel["gridPos"]["w"] > COLUMNS:
            yield f"{panel['title']!r} ends beyond the last column"
    for one, other in combinations(panels, 2):
        if overlap(one["gridPos"], other["gridPos"]):
            yield f"{one['title']!r} and {other['title']!r} overlap"


def overlap(one, other):
    return all(one[at] < other[at] + other[size] and other[at] < one[at] + one[size] for at, size in (("x", "w"), ("y", "h")))


def panel_problems(panel):
    if not panel.get("description", "").rstrip().endswith("."):
        yield "it has no description that is a sentence"
    defaults = panel["fieldConfig"]["defaults"]
    if not defaults.get("unit"):
        yield "it has no unit"
    if panel["type"] == "stat" and not defaults.get("thresholds", {}).get("steps"):
        yield "it has no thresholds"
    if panel["type"] == "state-timeline" and not defaults.get("mappings"):
        yield "its states have no names"


def queries(dashboard):
    """Returns the queries of all panels and annotations."""
    of_panels = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    return of_panels + [note["expr"] for note in dashboard["annotations"]["list"] if "expr" in note]


def alert_problems(rules):
    for rule in rules:
        link = rule["annotations"].get("runbook_url", "")
        if not re.fullmatch(rf"https://[^#]+#{rule['alert'].lower()}", link):
            yield f"{rule['alert']}: the link to its runbook is {link!r}, which no browser can follow to the section of the alert"


def coverage_problems(shown, alerts):
    """Compares the metrics that are used with those of docs/metrics.md."""
    known = set(re.findall(r"^\| `((?:cachefront|process)_[a-z_]+)` \|", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE))
    used = {named(metric, known) for query in (*shown, *alerts) for metric in METRIC.findall(query)}
    yield from (f"monitoring: the metric {metric} does not exist" for metric in sorted(used - known))
    yield from (f"monitoring: {metric} is shown now, and still among the exceptions" for metric in sorted(UNSHOWN.keys() & used))
    yield from (f"monitoring: {metric} is in no panel and no alert" for metric in sorted(known - used - UNSHOWN.keys()))


def named(metric, known):
    """Returns the name under which a series is documented."""
    return metric if metric in known else SUFFIX.sub("", metric)
