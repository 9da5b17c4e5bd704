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
    ("compose.yaml", "valkey:8.1-alpine", "valkey:8.0-alpine", "the image is valkey/valkey:8.0-alpine, and in the chart"),
    ("kubernetes/base/redis.yaml", "valkey:8.1-alpine", "valkey:8.0-alpine", "redis-master: the image is"),
]
MONITORING = [
    ("dashboard.json", '"panels": [', '"panels": {', "monitoring: "),
    ("dashboard.json", '"type": "stat"', '"type": "gauge"', "all of the type stat"),
    ("dashboard.json", '"thresholds"', '"limits"', "'Instances down': it has no thresholds"),
    ("dashboard.json", '"mappings"', '"names"', "'State of shards': its states have no names"),
    ("dashboard.json", "Instances that do not answer Prometheus. Alert: CachefrontInstanceDown.", "", "no description that is a sentence"),
    ("dashboard.json", '"unit": "reqps"', '"unit": ""', "'Requests': it has no unit"),
    ("dashboard.json", '"x": 4,', '"x": 3,', "overlap"),
    ("dashboard.json", '"x": 20,', '"x": 22,', "ends beyond the last column"),
    ("dashboard.json", '"name": "namespace"', '"name": "space"', "it has no variable namespace"),
    ("dashboard.json", 'up{job=~\\"$job\\", ', "up{", "does not follow the variable job"),
    ("dashboard.json", "cachefront_shard_writable", "cachefront_shard_writeable", "cachefront_shard_writeable does not exist"),
    ("dashboard.json", "cachefront_node_connections_total", "cachefront_node_duration_seconds_count", "cachefront_node_connections_total is in no panel"),
    ("alerts.yaml", "runbook_url: https://cachefront.invalid/", "runbook_url: ", "which no browser can follow"),
    ("alerts.yaml", "#cachefrontabsent", "#absent", "CachefrontAbsent: the link to its runbook"),
]
EXAMPLES = [
    ("tls-route.yaml", "      port: 443\n", "      port: https\n", "is not of type 'integer'"),
    ("tls-route.yaml", "          port: 9090", "          port: 443", "there is no Service cachefront with the port 443"),
    ("tls-route.yaml", "hostnames: [cache.", "hostnames: [other.", "the certificate is not valid for other.example.org"),
    ("http-route.yaml", "kind: Service\n      name: cachefront", "kind: Service\n      name: cache", "there is no Service cache"),
    ("http-route.yaml", "cachefront.shop.svc", "cache.shop.svc", "the certificate is not valid for cache.shop.svc"),
    ("external-secret.yaml", "secretKey: ENCRYPTION_KEY", "secretKey: ENCRYPTION", "it writes ['ENCRYPTION', "),
    ("external-secret.yaml", "name: cachefront-secrets", "name: secrets", "no pod has the Secret secrets"),
    ("keda.yaml", 'threshold: "1.5"', "threshold: 1.5", "is not of type 'string'"),
    ("keda.yaml", "scaleTargetRef:\n    name: cachefront", "scaleTargetRef:\n    name: cache", "there is no Deployment cache"),
    ("keda.yaml", "minReplicaCount: 2", "minReplicaCount: 20", "minReplicaCount is more"),
    ("README.md", "(keda.yaml)", "(scaling.yaml)", "the README does not list it"),
]
CHART = [
    ("Chart.yaml", "version: 0.1.0", "version: one", "is invalid"),
    ("README.md", "| `replicaCount` | `2` |", "| `replicaCount` | `3` |", "is not current"),
    ("values.yaml", "# Number of pods while `autoscaling` is off; null: somebody else sets it, such as KEDA.\n", "", "replicaCount has no comment"),
    ("values.yaml", "replicaCount: 2", "replicaCount: 2\nreplicas: 2", "only one has replicas"),
    ("values.schema.json", '"additionalProperties": false', '"additionalProperties": true', "the top takes any name"),
    ("templates/_names.tpl", "component: redis", "component: gateway", "there are 2 of"),
    ("templates/_names.tpl", "Release.Name $name | trunc 40", "Release.Name $name | trunc 60", "its name is too long"),
    ("templates/_settings.tpl", "[redis]\n", '[redis]\npassword={{ get .Values.secrets.values "REDIS_PASSWORD" }}\n', "it has the secret REDIS_PASSWORD"),
    ("templates/_settings.tpl", "TLS_KEY=/etc/cachefront/tls/tls.key", "TLS_KEY=/etc/cachefront/tls/key", "check-config: "),
    ("templates/_settings.tpl", "sentinel_master=cachefront", "master=cachefront", "check-config: "),
    ("templates/_settings.tpl", '":26379"', '":6379x"', "check-config: "),
    ("templates/_names.tpl", 'kindIs "float64" . | ternary (toJson .) .', ".", "check-config: "),
    ("templates/_names.tpl", "(toJson .)", "(. | toString | float64 | int64)", "trace_sample_ratio is 0.01, but setup.config has '0'"),
    ("templates/_settings.tpl", 'weight={{ include "cachefront.plain" . }}', "weight={{ int . }}", "redis.shards.1.weight is 0.25, which nothing"),
    ("templates/deployment.yaml", '"initContainers" ', "", "initContainers.0.name is 'prepare', which nothing"),
    ("templates/deployment.yaml", "with .Values.sidecars", "with list", "sidecars.0.name is 'beside', which nothing"),
    ("templates/deployment.yaml", "with .Values.envFrom", "with list", "envFrom.0.configMapRef.name is 'given-environment', which"),
    ("templates/deployment.yaml", "with .Values.extraVolumes", "with list", "it mounts authority, which is no volume"),
    ("templates/deployment.yaml", '"livenessProbe" ', "", "no livenessProbe"),
    ("templates/deployment.yaml", "merge (deepCopy .Values.podLabels) .Values.commonLabels", ".Values.commonLabels", "podLabels.team is 'basket', which"),
    ("templates/deployment.yaml", "{{- if not .labelSelector }}", "{{- if true }}", "labelSelector is there twice"),
    ("templates/service.yaml", '"externalTrafficPolicy"', '"internalTrafficPolicy"', "service.externalTrafficPolicy is 'Local', which"),
    ("templates/service.yaml", ".Values.service.labels", "dict", "service.labels.example.org/exposed is 'outside', which"),
    ("templates/extra.yaml", "range .Values.extraObjects", "range list", "there are 0 of the 2 extraObjects"),
    ("templates/NOTES.txt", "deployment/{{ $name }} 9091", "deployment/{{ $name }}-admin 9091", "it names the deployment"),
    ("templates/NOTES.txt", "9091:9091", "9091:9092", "it forwards to port 9092"),
    ("templates/NOTES.txt", "http://127.0.0.1:9091/console", "the admin port", "it has no /console"),
    ("templates/NOTES.txt", "  API_KEY=$(", "  API_KEY=$((", "its commands are no shell"),
    ("templates/tests/session.yaml", "path: SRVC", "path: OTHER", "nothing is mounted at /etc/cachefront/secrets/SRVC_SHARED_SECRET"),
    ("templates/network.yaml", 'include "cachefront.hasTest" $', "false", "may not be reached by a-release-with-a-name-that-is-rather-lon-test, port https"),
    ("Chart.yaml", "image: valkey/valkey:8.1-alpine", "image: redis:8", "artifacthub.io/images has redis:8, unlike the pods"),
    ("templates/deployment.yaml", ".Values.drain.spareSeconds }}", "0 }}", "is killed after 35 s"),
    (
        "templates/deployment.yaml",
        'include "cachefront.selector" . | nindent 6',
        'include "cachefront.redisSelector" . | nindent 6',
        "does not match its own pods",
    ),
    ("templates/deployment.yaml", "automountServiceAccountToken: false\n      enable", "enable", "automountServiceAccountToken is not"),
    ("values.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "readOnlyRootFilesystem is not"),
    ("values.yaml", "runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot is not"),
    ("values.yaml", "drop: [ALL]", "drop: []", "does not drop all capabilities"),
    ("values.yaml", "type: RuntimeDefault", "type: Unconfined", "seccompProfile is not"),
    ("templates/deployment.yaml", "or .Values.autoscaling.enabled (", "or (", "has replicas of its own"),
    ("templates/deployment.yaml", "secrets/{{ . }}", "secret/{{ . }}", "nothing is mounted at"),
    ("templates/deployment.yaml", "containerPort: 9090", "containerPorts: 9090", "'containerPort' is a required property"),
    ("values.yaml", "port: admin", "port: probes", "startupProbe asks port probes"),
    ("templates/deployment.yaml", "REDIS__PASSWORD", "REDIS__PASWORD", "check-config: "),
    ("templates/service.yaml", "targetPort: https", "targetPort: http", "has no port http"),
    ("templates/scaling.yaml", "kind: Deployment", "kind: StatefulSet", "which is not there"),
    ("templates/scaling.yaml", "if .Values.podDisruptionBudget.enabled", "if true", "there are 1 of PodDisruptionBudget, not 0"),
    ("templates/certificate.yaml", 'secretName: {{ include "cachefront.tlsSecretName" $ }}', "secretName: other", "no pod has the Secret other"),
    ("templates/certificate.yaml", "issuerRef:", "issuer:", "'issuerRef' is a required property"),
    ("templates/certificate.yaml", "list $name (print $name", "list (print $name", "dnsNames has no Service"),
    ("templates/monitoring.yaml", "- port: admin", "- port: metrics", "its Service has no port metrics"),
    ("templates/monitoring.yaml", "      app.kubernetes.io/service: admin\n      {{- end", "      {{- end", "its selector matches 2 Services"),
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
    ("templates/_settings.tpl", "not $has.JWT_SECRET_KEY", "false", "should be refused with"),
]
CHART_RESTARTS = [
    ("templates/_settings.tpl", "drain_secs reload", "reload", "the time to drain restarts the pods"),
    ("templates/_settings.tpl", "key_expire_secs", "key_expire_secs hedge_reads", "hedge_reads is not live, but a change does not restart"),
    ("templates/_settings.tpl", "jwt_expire_secs", "", "JWT_EXPIRE_SECS is live, but a change restarts"),
    ("templates/_settings.tpl", "username sentinel_username", "sentinel_username", "a Redis user restarts the pods"),
]
CHART_LINKS = [("templates/monitoring.yaml", "runbook_url: .*", "runbook: .*", "with runbooks '' the alerts link to")]
ROWS = {
    "kustomize": [(f"kubernetes/{file}", *rest) for file, *rest in KUSTOMIZE],
    "compose": COMPOSE,
    "monitoring": [(f"monitoring/{file}", *rest) for file, *rest in MONITORING],
    "examples": [(f"kubernetes/examples/{file}", *rest) for file, *rest in EXAMPLES],
    "chart": [(f"helm/cachefront/{file}", *rest) for file, *rest in CHART],
    "chart, refusals": [(f"helm/cachefront/{file}", *rest) for file, *rest in CHART_REFUSALS],
    "chart, links": [(f"helm/cachefront/{file}", *rest) for file, *rest in CHART_LINKS],
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
            "chart, links": partial(chart.check, parts=[chart.link_problems]),
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
