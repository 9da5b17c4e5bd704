#!/usr/bin/env python3
"""Checks the files under deploy/ without a cluster: python3 scripts/check_manifests.py [--self-test | --write-docs]

Renders base and overlays of kustomize, with the real kubectl, and the Helm chart in many variants, with Helm's own code.
Validates each resource against the schemas of Kubernetes, and then checks what schemas cannot express: that names,
labels, ports and paths which refer to each other agree, that every container is hardened, that network policies let
through what is needed, that no secret is where it can be read, and that Cachefront accepts the settings. Prints what was
checked, or a line for each problem and exits with 1.

--self-test   breaks copies of the files, one at a time, and checks that each break is reported
--write-docs  writes the table of values in the chart's README.md
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VALIDATOR = "kubernetes-validate==1.37.0"
HELM = "helm-python-sdk==0.2.2"
# The platforms that the package of Helm exists for. Elsewhere the chart is not rendered.
HELM_PLATFORMS = (("Linux", "x86_64"), ("Darwin", "arm64"))


def main():
    from manifests import breaks, chart, compose, examples, kubectl, kustomize, monitoring, resources, table

    deploy = ROOT / "deploy"
    parts = {
        "kustomize": kustomize.check,
        "compose": compose.check,
        "monitoring": monitoring.check,
        "chart": chart.check,
        "examples": examples.check,
    }
    missing = {}
    if not kubectl.ensure():
        missing["kustomize"] = "there is no kubectl in PATH, so deploy/kubernetes is not checked"
    if not has_helm():
        missing["chart"] = f"there is no {HELM} for {platform.system()} {platform.machine()}, so the chart is not checked"
        missing["examples"] = "without the chart, the examples beside it are not checked"
    for part, message in missing.items():
        print(f"manifests: {message}")
        del parts[part]
    if missing and os.environ.get("CI") == "true":
        sys.exit("manifests: in CI everything has to be checked")
    if sys.argv[1:] == ["--self-test"]:
        return breaks.test(deploy, parts)
    if sys.argv[1:] == ["--write-docs"]:
        return table.write(deploy / "helm/cachefront")
    problems = [problem for check in parts.values() for problem in check(deploy)]
    for problem in problems:
        print(f"manifests: {problem}")
    if not problems:
        versions = " and ".join(resources.KUBERNETES_VERSIONS)
        folders = [f"kubernetes/{folder}" for folder in kustomize.FOLDERS] if "kustomize" in parts else []
        chart_in_variants = [f"the chart in {len(chart.variants())} variants"] if "chart" in parts else []
        print(f"manifests: {', '.join([*folders, *chart_in_variants])}: {len(resources.validated)} resources valid for Kubernetes {versions}")
    return 1 if problems else 0


def has_helm():
    return (platform.system(), platform.machine()) in HELM_PLATFORMS


def enter_venv():
    """Runs this script again in a virtual environment with its packages, which it makes first if it is missing."""
    packages = [VALIDATOR] + [HELM] * has_helm()
    venv = ROOT / "target/tools/manifests"
    python = venv / "bin/python"
    if Path(sys.prefix) == venv:
        return
    complete = venv / "complete"
    if not complete.exists() or complete.read_text() != " ".join(packages):
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
            pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
            subprocess.run([*pip, *packages], check=True)
        except subprocess.CalledProcessError as error:
            sys.exit(f"manifests: could not install {' and '.join(packages)}: {error}")
        complete.write_text(" ".join(packages))
    os.execv(python, [python, *sys.argv])


if __name__ == "__main__":
    enter_venv()
    sys.exit(main())
