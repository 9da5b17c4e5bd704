"""Proof that the checks can fail: broken copies of deploy/, each of which has to be reported."""

import multiprocessing
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import repeat
from pathlib import Path

from . import chart

# For each part: a file, a text in it, the text to put in its place (only where it occurs first), and the problem that
# must be reported.
KUSTOMIZE = [
    ("base/cachefront.yaml", "minAvailable", "minAvailible", "minAvailible"),
    ("base/cachefront.yaml", "  replicas: 2", "  replicas: two", "not of type 'integer'"),
    ("base/cachefront.yaml", "apiVersion: policy/v1\n", "apiVersion: policy/v0\n", "Couldn't find schema"),
    ("base/cachefront.yaml", "serviceAccountName: cachefront", "serviceAccountName: other", "serviceAccountName other"),
    ("base/cachefront.yaml", "secretName: cachefront-tls", "secretName: other-tls", "Secret other-tls does not exist"),
    (
        "base/cachefront.yaml",
        "          configMap:\n            name: cachefront",
        "          configMap:\n            name: other",
        "ConfigMap other does not exist",
    ),
    ("base/cachefront.yaml", "secrets/JWT_SECRET_KEY", "secrets/JWT_SECRET", "nothing is mounted at"),
    ("base/cachefront.yaml", "GracePeriodSeconds: 45", "GracePeriodSeconds: 35", "drains for 35 s and is killed after 35 s"),
    ("base/cachefront.yaml", 'value: "5"', 'value: "0"', "does not wait until load balancers know"),
    ("base/cachefront.yaml", "port: admin", "port: 9092", "startupProbe asks port 9092"),
    ("base/cachefront.yaml", "targetPort: https", "targetPort: http", "has no port http"),
    ("base/cachefront.yaml", "drop: [ALL]", "drop: [NET_RAW]", "does not drop all capabilities"),
    ("base/cachefront.yaml", "runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot is not true"),
    ("base/cachefront.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "readOnlyRootFilesystem is not"),
    ("base/cachefront.yaml", "allowPrivilegeEscalation: false", "privileged: false", "allowPrivilegeEscalation is not"),
    ("base/cachefront.yaml", "type: RuntimeDefault", "type: Unconfined", "seccompProfile is not"),
    ("base/cachefront.yaml", "      automountServiceAccountToken: false\n", "", "automountServiceAccountToken is not"),
    ("base/cachefront.yaml", "              memory: 1Gi", "              cpu: 1", "no resources.limits.memory"),
    (
        "base/cachefront.yaml",
        "      app.kubernetes.io/name: cachefront\n",
        "      app.kubernetes.io/name: other\n",
        "PodDisruptionBudget/cachefront: its selector",
    ),
    ("base/cachefront.yaml", "name: CACHEFRONT__REDIS__PASSWORD_FILE", "name: CACHEFRONT__REDIS__PASSWORT_FILE", "check-config: "),
    ("base/redis.yaml", "readinessProbe", "startupProbe", "no readinessProbe"),
    ("base/redis.yaml", "      app.kubernetes.io/component: master\n", "      app.kubernetes.io/component: leader\n", "does not match its own pods"),
    (
        "base/redis.yaml",
        "    app.kubernetes.io/component: master\n  ports",
        "    app.kubernetes.io/component: leader\n  ports",
        "Service/redis-master: its selector",
    ),
    ("base/redis.yaml", "  serviceName: redis-master", "  serviceName: redis", "serviceName redis does not exist"),
    ("base/redis.yaml", "  replicas: 3", "  replicas: 4", "redis-replica-3.redis-replica is missing"),
    ("base/redis.yaml", "  replicas: 3", "  replicas: 2", "redis-replica-2.redis-replica is no pod"),
    ("base/network-policies.yaml", "name: redis\n      ports", "name: valkey\n      ports", "matches no pod"),
    ("base/network-policies.yaml", "name: cachefront\n  policyTypes", "name: other\n  policyTypes", "podSelector matches no pod"),
    ("base/network-policies.yaml", "port: https", "port: 443", "NetworkPolicy/cachefront ingress: Deployment/cachefront has no port 443"),
    ("base/network-policies.yaml", "port: https", "port: admin", "cachefront may not be reached by callers, port https"),
    ("base/network-policies.yaml", "port: 53", "port: 54", "cachefront may not send to name servers, port 53/UDP"),
    (
        "base/network-policies.yaml",
        "matchLabels:\n              app.kubernetes.io/name: cachefront\n        # Replicas",
        "matchLabels:\n              app.kubernetes.io/name: redis\n        # Replicas",
        "redis-master may not be reached by cachefront, port 6379",
    ),
    ("base/network-policies.yaml", "policyTypes: [Ingress, Egress]", "policyTypes: [Ingress]", "does not close both directions"),
    ("base/setup.config", "IDENTITY=cachefront", "SRVC_SHARED_SECRET=hunter2", "looks like a secret"),
    ("base/setup.config", "IDENTITY=cachefront", f"IDENTITY={'0a' * 32}", "looks like a secret"),
    ("base/setup.config", "IDENTITY=cachefront", "IDENTITI=cachefront", "check-config: "),
    ("base/redis.env", "=change-me", "=hunter2", "is not the placeholder"),
    ("overlays/dev/setup.config", ":6379\n", ":6379, redis-replica-1.redis-replica:6379\n", "overlays/dev: ConfigMap/"),
    ("overlays/dev/setup.config", "LOG_LEVEL=debug", "LOG_FORMAT=loud", "overlays/dev: Deployment/cachefront: check-config"),
    ("overlays/dev/kustomization.yaml", "count: 1\n\n", "count: 2\n\n", "redis-replica-1.redis-replica is missing"),
    ("overlays/dev/small.yaml", "cpu: 50m", "cpus: 50m\n              cpu: null", "no resources.requests.cpu"),
    ("overlays/production/scaling.yaml", "name: cachefront\n  minReplicas", "name: cache\n  minReplicas", "scales Deployment/cache, which is not there"),
    ("overlays/production/scaling.yaml", "minReplicas: 3", "minReplicas: 13", "minReplicas is more than maxReplicas"),
    ("overlays/production/spread.yaml", "  replicas: null\n", "", "has replicas of its own"),
    ("overlays/production/spread.yaml", "app.kubernetes.io/component: gateway", "app.kubernetes.io/component: other", "spread by labels that it does not have"),
]
COMPOSE = [
    ("compose.yaml", "services:", "services: [", "compose.yaml: while parsing"),
    ("compose.yaml", "secrets: [REDIS_PASSWORD]", "secrets: [PASSWORD]", "names PASSWORD"),
    ("compose.yaml", "./kubernetes/base/setup.config", "./setup.config", "./setup.config does not exist"),
    ("compose.yaml", "/run/secrets/tls.key", "/run/secrets/key", "a secret that it does not get"),
    ("compose.yaml", "cap_drop: [ALL]", "cap_drop: []", "read_only and cap_drop"),
    ("compose.yaml", "aliases: [redis-replica-0", "aliases: [replica-0", "redis-replica-0.redis-replica, which is no service's alias"),
]
CHART = [
    ("Chart.yaml", "version: 0.1.0", "version: one", "is invalid"),
    ("README.md", "| `replicaCount` | `2` |", "| `replicaCount` | `3` |", "is not current"),
    ("values.yaml", "# Number of pods while `autoscaling` is off.\n", "", "replicaCount has no comment"),
    ("values.yaml", "replicaCount: 2", "replicaCount: 2\nreplicas: 2", "only one has replicas"),
    ("values.schema.json", '"additionalProperties": false', '"additionalProperties": true', "the top takes any name"),
    ("templates/_names.tpl", "component: redis", "component: gateway", "there are 2 of"),
    ("templates/_names.tpl", "Release.Name $name | trunc 40", "Release.Name $name | trunc 60", "its name is too long"),
    ("templates/_settings.tpl", "[redis]\n", '[redis]\npassword={{ get .Values.secrets.values "REDIS_PASSWORD" }}\n', "it has the secret REDIS_PASSWORD"),
    ("templates/_settings.tpl", "TLS_KEY=/etc/cachefront/tls/tls.key", "TLS_KEY=/etc/cachefront/tls/key", "check-config: "),
    ("templates/_settings.tpl", "sentinel_master=cachefront", "master=cachefront", "check-config: "),
    ("templates/_settings.tpl", '":26379"', '":6379x"', "check-config: "),
    ("templates/_names.tpl", 'kindIs "float64" . | ternary (. | toString | float64 | int64) .', ".", "check-config: "),
    ("templates/deployment.yaml", ".Values.drain.spareSeconds }}", "0 }}", "is killed after 35 s"),
    (
        "templates/deployment.yaml",
        'include "cachefront.selector" . | nindent 6',
        'include "cachefront.redisSelector" . | nindent 6',
        "does not match its own pods",
    ),
    ("templates/deployment.yaml", "automountServiceAccountToken: false\n      enable", "enable", "automountServiceAccountToken is not"),
    ("templates/deployment.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "readOnlyRootFilesystem is not"),
    ("templates/deployment.yaml", "runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot is not"),
    ("templates/deployment.yaml", "drop: [ALL]", "drop: []", "does not drop all capabilities"),
    ("templates/deployment.yaml", "type: RuntimeDefault", "type: Unconfined", "seccompProfile is not"),
    ("templates/deployment.yaml", "  {{- if not .Values.autoscaling.enabled }}", "  {{- if true }}", "has replicas of its own"),
    ("templates/deployment.yaml", "secrets/{{ . }}", "secret/{{ . }}", "nothing is mounted at"),
    ("templates/deployment.yaml", "containerPort: 9090", "containerPorts: 9090", "'containerPort' is a required property"),
    ("templates/deployment.yaml", "port: admin", "port: probes", "startupProbe asks port probes"),
    ("templates/deployment.yaml", "REDIS__PASSWORD", "REDIS__PASWORD", "check-config: "),
    ("templates/service.yaml", "targetPort: https", "targetPort: http", "has no port http"),
    ("templates/scaling.yaml", "kind: Deployment", "kind: StatefulSet", "which is not there"),
    ("templates/scaling.yaml", "if .Values.podDisruptionBudget.enabled", "if true", "there are 1 of PodDisruptionBudget, not 0"),
    ("templates/certificate.yaml", 'secretName: {{ include "cachefront.tlsSecretName" $ }}', "secretName: other", "no pod has the Secret other"),
    ("templates/certificate.yaml", "issuerRef:", "issuer:", "'issuerRef' is a required property"),
    ("templates/certificate.yaml", "list $name (print $name", "list (print $name", "dnsNames has no Service"),
    ("templates/monitoring.yaml", "- port: admin", "- port: metrics", "its Service has no port metrics"),
    ("templates/monitoring.yaml", "      app.kubernetes.io/service: admin\n      {{", "      {{", "its selector matches 2 Services"),
    ("templates/monitoring.yaml", "interval:", "every:", "'every' was unexpected"),
    ("templates/network.yaml", "- port: 26379", "- port: 26380", "has no port 26380"),
    ("templates/network.yaml", "$ports = append $ports (splitList", "$_ := append $ports (splitList", "port 6380"),
    ("templates/network.yaml", "port: 53", "port: 54", "may not send to name servers, port 53"),
    ("templates/network.yaml", "{{- with .Values.networkPolicy.monitoring }}", "{{- with list }}", "may not be reached by Prometheus, port admin"),
    ("templates/redis.yaml", "- port: sentinel\n  egress", "- port: redis\n  egress", "port 26379"),
    ("templates/redis.yaml", "targetPort: sentinel", "targetPort: other", "has no port other"),
    ("templates/redis.yaml", '"leave.sh" ', "", "nothing is mounted at /etc/redis/leave.sh"),
    ("templates/redis.yaml", "path: REDIS_PASSWORD", "path: PASSWORD", "nothing is mounted at /etc/redis-password"),
    ("templates/redis.yaml", "key: REDIS_PASSWORD", "key: PASSWORD", "has no PASSWORD"),
    ("templates/_redis.tpl", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "readOnlyRootFilesystem is not"),
]
# Breaks that only a late check of the chart reports. The checks before it are left out, because they take seconds.
CHART_REFUSALS = [
    ("values.schema.json", "[Jj][Ww][Tt]_[Ss][Ee][Cc][Rr][Ee][Tt]_[Kk][Ee][Yy]|", "", "should be refused with"),
    ("templates/config.yaml", '{{- include "cachefront.check" . -}}', "", "should be refused with"),
]
CHART_RESTARTS = [
    ("templates/_settings.tpl", "drain_secs reload", "reload", "the time to drain restarts the pods"),
    ("templates/_settings.tpl", "key_expire_secs", "key_expire_secs hedge_reads", "hedge_reads is not live, but a change does not restart"),
    ("templates/_settings.tpl", "jwt_expire_secs", "", "JWT_EXPIRE_SECS is live, but a change restarts"),
    ("templates/_settings.tpl", "username sentinel_username", "sentinel_username", "a Redis user restarts the pods"),
]
ROWS = {
    "kustomize": [(f"kubernetes/{file}", *rest) for file, *rest in KUSTOMIZE],
    "compose": COMPOSE,
    "chart": [(f"helm/cachefront/{file}", *rest) for file, *rest in CHART],
    "chart, refusals": [(f"helm/cachefront/{file}", *rest) for file, *rest in CHART_REFUSALS],
    "chart, restarts": [(f"helm/cachefront/{file}", *rest) for file, *rest in CHART_RESTARTS],
}
# A line of progress is printed after so many broken copies.
PROGRESS_EVERY = 10


def test(deploy, parts):
    """Breaks one copy of `deploy` for each row, in as many processes as there are processors."""
    if "chart" in parts:
        parts = {
            **parts,
            "chart, refusals": partial(chart.check, parts=[chart.all_refusal_problems]),
            "chart, restarts": partial(chart.check, parts=[chart.restart_problems]),
        }
    rows = [row for part in parts for row in ROWS[part]]
    checks = [parts[part] for part in parts for _ in ROWS[part]]
    failed = 0
    # New processes, because the Go runtime inside of Helm's package does not survive a fork.
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        for done, problem in enumerate(pool.map(unreported, repeat(deploy), checks, rows), start=1):
            if problem:
                failed += 1
                print(f"manifests: {problem}")
            if done % PROGRESS_EVERY == 0 or done == len(rows):
                print(f"manifests: {done} of {len(rows)} broken copies checked, {failed} not reported", flush=True)
    return 1 if failed else 0


def unreported(deploy, check, row):
    """Checks a copy with one break. Returns a sentence if the check does not report it as expected."""
    file, old, new, expected = row
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(deploy, Path(folder) / "deploy", ignore=shutil.ignore_patterns("secrets")))
        text = (copy / file).read_text()
        if old not in text:
            return f"{file} has no {old!r} to be broken"
        (copy / file).write_text(text.replace(old, new, 1))
        problems = []
        # The check goes no further than to what is expected.
        for problem in check(copy):
            problems.append(problem)
            if expected in problem:
                return None
    return f"{file} with {new!r} should be reported with {expected!r}, but was: {problems[:5]}"
