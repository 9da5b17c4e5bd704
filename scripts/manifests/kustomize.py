"""Checks base and overlays in deploy/kubernetes, rendered by `kubectl kustomize`."""

import subprocess

import yaml

from . import kubectl, rules, settings

MADE_ELSEWHERE = {("Secret", "cachefront-tls"): {"tls.crt", "tls.key"}}
FOLDERS = ("base", "overlays/dev", "overlays/production")


def check(deploy):
    """Yields the problems of every folder that can be applied."""
    for folder in FOLDERS:
        documents = render(deploy / "kubernetes" / folder)
        if isinstance(documents, str):
            yield f"{folder}: kubectl kustomize: {documents}"
        else:
            yield from (f"{folder}: {problem}" for problem in rules.problems(documents, MADE_ELSEWHERE))
    yield from settings.placeholder_problems(deploy / "kubernetes")


def render(folder):
    """Returns the resources, or the message with which kubectl refuses the folder."""
    done = subprocess.run([kubectl.ensure(), "kustomize", folder], capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else list(yaml.load_all(done.stdout, yaml.CSafeLoader))
