"""deploy/kubernetes: base and overlays, rendered by kubectl, or by ourselves where there is none."""

import copy
import json
import shutil
import subprocess
import sys

import yaml

from . import resources, rules, settings

MADE_ELSEWHERE = {("Secret", "cachefront-tls"): {"tls.crt", "tls.key"}}
FOLDERS = ("base", "overlays/dev", "overlays/production")
# What an entry of a list is told apart by, where a patch is merged into it.
KEYS_OF_LISTS = {"topologySpreadConstraints": "topologyKey"}


def check(deploy):
    """Every problem of every folder that can be applied."""
    for folder in FOLDERS:
        documents = render(deploy / "kubernetes" / folder)
        yield from (f"{folder}: {problem}" for problem in rules.problems(documents, MADE_ELSEWHERE))
    yield from settings.placeholder_problems(deploy / "kubernetes")


def render(folder):
    if not shutil.which("kubectl"):
        return plainly(folder)
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"manifests: {folder}: {done.stderr.strip()}")
    return list(yaml.safe_load_all(done.stdout))


# Without kubectl


def plainly(folder):
    """What kustomize would make, but for labels and the hashes in names. Only what our files use is understood."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    known = {"apiVersion", "kind", "resources", "labels", "replicas", "patches", "configMapGenerator", "secretGenerator"}
    if unknown := set(kustomization) - known:
        sys.exit(f"manifests: {folder}: kustomize.py does not understand {sorted(unknown)}")
    documents = []
    for file in kustomization["resources"]:
        path = folder / file
        documents += plainly(path) if path.is_dir() else yaml.safe_load_all(path.read_text())
    for kind in ("ConfigMap", "Secret"):
        for generator in kustomization.get(kind[0].lower() + kind[1:] + "Generator", []):
            generate(documents, kind, generator, folder)
    for entry in kustomization.get("patches", []):
        for patch in yaml.safe_load_all(entry.get("patch") or (folder / entry["path"]).read_text()):
            [target] = [d for d in documents if (d["kind"], name(d)) == (patch["kind"], name(patch))]
            documents.remove(target)
            if patch.pop("$patch", "") != "delete":
                documents.append(merged(target, patch))
    for entry in kustomization.get("replicas", []):
        for document in documents:
            if name(document) == entry["name"] and document["kind"] in resources.WORKLOADS:
                document["spec"]["replicas"] = entry["count"]
    return documents


def generate(documents, kind, generator, folder):
    data = {path.rsplit("/", 1)[-1]: (folder / path).read_text() for path in generator.get("files", [])}
    for path in generator.get("envs", []):
        data |= settings.env_file(folder / path)
    behavior = generator.get("behavior", "create")
    there = [d for d in documents if (d["kind"], name(d)) == (kind, generator["name"])]
    if (behavior == "create") == bool(there):
        sys.exit(f"manifests: {folder}: {kind} {generator['name']} cannot be generated with behavior {behavior}")
    field = "data" if kind == "ConfigMap" else "stringData"
    if behavior == "create":
        documents.append({"apiVersion": "v1", "kind": kind, "metadata": {"name": generator["name"]}, field: data})
    else:
        there[0][field] = (there[0][field] if behavior == "merge" else {}) | data


def merged(old, patch, key_of_entry="name"):
    """A strategic merge: maps by their keys, lists by the name of their entries, and null takes away."""
    if isinstance(old, dict) and isinstance(patch, dict):
        result = copy.deepcopy(old)
        for key, value in patch.items():
            if value is None:
                result.pop(key, None)
            else:
                result[key] = merged(result[key], value, KEYS_OF_LISTS.get(key, "name")) if key in result else value
        return result
    if isinstance(old, list) and isinstance(patch, list) and all(isinstance(e, dict) and key_of_entry in e for e in old + patch):
        result = {entry[key_of_entry]: entry for entry in old}
        for entry in patch:
            at = entry[key_of_entry]
            result[at] = merged(result[at], entry) if at in result else entry
        return list(result.values())
    return patch


def renderer_problems(deploy):
    """Where our renderer and kustomize differ; nothing where there is no kubectl."""
    if not shutil.which("kubectl"):
        return
    for folder in FOLDERS:
        ours, theirs = ({as_text(d) for d in documents} for documents in (plainly(deploy / "kubernetes" / folder), render(deploy / "kubernetes" / folder)))
        for text in sorted(ours ^ theirs):
            yield f"{folder}: only {'our renderer' if text in ours else 'kustomize'} has {text}"


def as_text(document):
    """The pod counts and containers of a resource; without what kustomize adds, or writes in other words."""
    spec = document.get("spec", {})
    pod = spec.get("template", {}).get("spec", {})
    containers = [{key: c[key] for key in ("name", "args", "env", "resources", "ports") if key in c} for c in pod.get("containers", [])]
    spread = sorted(entry["topologyKey"] for entry in pod.get("topologySpreadConstraints", []))
    counts = {key: spec[key] for key in ("replicas", "minAvailable", "maxUnavailable", "minReplicas") if key in spec}
    data = document.get("data", {}) if document["kind"] == "ConfigMap" else {}
    return json.dumps([document["kind"], resources.base_name(document), counts, containers, spread, data], sort_keys=True)


def name(document):
    return document["metadata"]["name"]
