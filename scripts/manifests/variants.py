"""Values to render the chart with, and values that it has to refuse."""

# The hash of a key that nobody has.
API_KEY_HASH = "sha256:4aa97ee6cbd44cca1735e9c78ce50047825ed29f304e8621d99795db7d121b5a"
SECRETS = {
    "values": {
        "secrets": {
            "values": {
                "JWT_SECRET_KEY": "jwt-secret-jwt-secret-jwt-secret-jwt",
                "SRVC_SHARED_SECRET": "shared-secret-shared-secret",
                "ENCRYPTION_KEY": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                "REDIS_PASSWORD": "password-of-redis-password-of-redis",
            }
        }
    },
    "a Secret": {
        "secrets": {
            "existingSecret": "given-secrets",
            "keys": ["JWT_SECRET_KEY", "SRVC_SHARED_SECRET", "ENCRYPTION_KEY", "REDIS_PASSWORD"],
        }
    },
}
CERTIFICATES = {
    "a Secret": {"tls": {"existingSecret": "given-tls"}},
    "cert-manager": {"tls": {"certManager": {"enabled": True, "issuerRef": {"name": "ca"}, "dnsNames": ["cache.example.org"]}}},
}
LISTED = [
    {"name": "a", "master": "redis-a.data:6379", "replicas": ["redis-a1.data:6380", "10.0.0.2:6379"]},
    {"name": "b", "master": "redis-b.data:6379", "weight": 0.25},
]
MODES = {
    "bundled": {"redis": {"mode": "bundled"}},
    "external": {"redis": {"mode": "external", "shards": LISTED}},
    "external, TLS": {
        "redis": {
            "mode": "external",
            "shards": LISTED,
            "username": "cachefront",
            "tls": {"enabled": True, "existingSecret": "given-redis-tls", "clientCertificate": True},
        }
    },
    "sentinel": {
        "redis": {
            "mode": "sentinel",
            "sentinels": ["s1.data:26379", "s2.data:26379", "s3.data:26380"],
            "shards": [{"name": "a", "sentinelMaster": "mymaster"}, {"name": "b", "sentinelMaster": "other", "weight": 3}],
            "tls": {"enabled": True, "sentinels": True},
        }
    },
    "cluster": {"redis": {"mode": "cluster", "cluster": ["c1.data:7000", "c2.data:7001"]}},
}

# A container beside Cachefront.
SIDECAR = {
    "name": "beside",
    "image": "registry.example.org/shipper:1",
    "resources": {"requests": {"cpu": "10m", "memory": "17Mi"}, "limits": {"memory": "19Mi"}},
    "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
    "livenessProbe": {"tcpSocket": {"port": 8080}},
    "readinessProbe": {"tcpSocket": {"port": 8080}},
    "ports": [{"containerPort": 8080}],
}
RULES = [{"name": "cachefront", "rules": [{"alert": "CachefrontIsDown", "expr": 'up{job="cachefront"} == 0', "for": "5m"}]}]
PROMETHEUS = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
# Toggles: the values that switch each on, and off.
TOGGLES = {
    "HPA": ({"autoscaling": {"enabled": True}}, {"autoscaling": {"enabled": False}}),
    "PDB": ({"podDisruptionBudget": {"enabled": True}}, {"podDisruptionBudget": {"enabled": False}}),
    "NetworkPolicy": (
        {"networkPolicy": {"enabled": True, "monitoring": PROMETHEUS}},
        {"networkPolicy": {"enabled": False}},
    ),
    "ServiceMonitor": ({"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}}, {"serviceMonitor": {"enabled": False}}),
    "PrometheusRule": ({"prometheusRule": {"enabled": True, "groups": RULES}}, {"prometheusRule": {"enabled": False}}),
}
ALL_ON = {key: value for on, _ in TOGGLES.values() for key, value in on.items()}
ALL_OFF = {key: value for _, off in TOGGLES.values() for key, value in off.items()}

SPECIAL = {
    "nothing said": {},
    "all that is optional": {
        "global": {"anything": 1},
        "fullnameOverride": "a-name-of-its-own-which-is-much-longer-than-what-is-allowed",
        "image": {"repository": "registry.example.org/cachefront", "digest": f"sha256:{'0a' * 32}", "pullPolicy": "Always"},
        "imagePullSecrets": [{"name": "registry"}],
        "service": {
            "type": "LoadBalancer",
            "port": 443,
            "annotations": {"example.org/a": "b"},
            "labels": {"example.org/exposed": "outside"},
            "nodePort": 30443,
            "externalTrafficPolicy": "Local",
            "loadBalancerClass": "example.org/class",
            "loadBalancerSourceRanges": ["192.0.2.0/24"],
        },
        "drain": {"waitSeconds": 15, "seconds": 60, "spareSeconds": 5},
        "settings": {
            "redis": {"hedge_reads": False},
            "near_cache": {"enabled": True, "bytes_max": 67108864},
            "telemetry": {"otlp_endpoint": "http://collector:4317", "trace_sample_ratio": 0.1},
            "service": {"BODY_BYTES_MAX": 33554432, "LOG_LEVEL": "info,cachefront::store=debug"},
        },
        "clients": [
            # The hash of an unknown key.
            {"name": "billing", "apiKeyHash": API_KEY_HASH, "scopes": ["read", "write"], "namespace": "billing", "commandsPerSecond": 5000000},
        ],
        "redis": {"bundled": {"replicas": 5, "maxMemory": "1gb", "nodeSelector": {"disk": "fast"}, "tolerations": [{"operator": "Exists"}]}},
        "resources": {"limits": {"memory": "1Gi"}},
        "extraEnv": [{"name": "CACHEFRONT__SERVICE__LOG_LEVEL", "value": "debug"}],
        "envFrom": [{"configMapRef": {"name": "given-environment"}}],
        "extraVolumes": [{"name": "authority", "configMap": {"name": "given-files"}}],
        "extraVolumeMounts": [{"name": "authority", "mountPath": "/etc/cachefront/authority", "readOnly": True}],
        "initContainers": [SIDECAR | {"name": "prepare", "args": ["version"]}],
        "sidecars": [SIDECAR],
        "podSecurityContext": {"runAsUser": 1234, "supplementalGroups": [4321]},
        "securityContext": {"runAsGroup": 2345},
        "startupProbe": {"failureThreshold": 77},
        "livenessProbe": {"timeoutSeconds": 9},
        "readinessProbe": {"successThreshold": 3},
        "commonLabels": {"app.kubernetes.io/part-of": "shop", "example.org/cost-centre": "4711"},
        "hostAliases": [{"ip": "10.0.0.9", "hostnames": ["redis.internal"]}],
        "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
        "runtimeClassName": "gvisor",
        "dashboard": {"enabled": True, "labels": {"dashboards": "yes"}, "annotations": {"grafana_folder": "Caches"}},
        "tests": {"host": "cache.example.org", "trust": "public"},
        "extraObjects": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-extra"}, "data": {"a": "b"}},
            'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: text}\ndata: {a: "{{ .Values.service.port }}"}',
        ],
        "podAnnotations": {"example.org/a": "b"},
        "podLabels": {"team": "basket"},
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "cache", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
        "serviceAccount": {"create": False, "name": "given-account"},
        "networkPolicy": {"callers": [{"namespaceSelector": {}}], "monitoring": PROMETHEUS},
        "topologySpreadConstraints": [
            {"topologyKey": "rack", "maxSkew": 2, "whenUnsatisfiable": "DoNotSchedule", "minDomains": 3},
            {
                "topologyKey": "room",
                "maxSkew": 3,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {"app.kubernetes.io/component": "gateway"}},
            },
        ],
        "autoscaling": {
            "enabled": True,
            "metrics": [{"type": "Pods", "pods": {"metric": {"name": "requests"}, "target": {"type": "AverageValue", "averageValue": "5k"}}}],
        },
    },
    "fractions and large numbers": {
        **MODES["external"],
        "settings": {
            "telemetry": {"otlp_endpoint": "http://collector:4317", "trace_sample_ratio": 0.015},
            "near_cache": {"bytes_max": 1073741824},
            "service": {"BODIES_BYTES_MAX": 123456789},
        },
        "clients": [{"name": "one", "apiKeyHash": API_KEY_HASH, "scopes": ["read"], "namespace": "one", "commandsPerSecond": 1234567}],
    },
    "pods that KEDA counts": {"replicaCount": None},
    "a PodMonitor": {
        "podMonitor": {"enabled": True, "interval": "11s", "relabelings": [{"targetLabel": "team", "replacement": "shop"}]},
        "networkPolicy": {"monitoring": PROMETHEUS},
    },
    "a service account of another name": {"serviceAccount": {"name": "other-account", "annotations": {"example.org/role": "cache"}}},
    "the chart's alerts with links": {"prometheusRule": {"enabled": True, "runbooks": "https://docs.example.org/operations.html"}},
    "callers that are listed": {"networkPolicy": {"callers": PROMETHEUS}},
    "no test": {"tests": {"enabled": False}},
    "many pods": {"replicaCount": 12, "podDisruptionBudget": {"maxUnavailable": "25%"}},
    "no login at Redis": MODES["external"] | {"secrets": {"values": {"REDIS_PASSWORD": None}}},
    "a login at the sentinels": MODES["sentinel"] | {"secrets": {"values": {"SENTINEL_PASSWORD": "password-of-the-sentinels-of-redis"}}},
    "clients alone": {
        "secrets": {"values": {"SRVC_SHARED_SECRET": None, "ENCRYPTION_KEY": None}},
        "clients": [{"name": "billing", "apiKeyHash": API_KEY_HASH, "scopes": ["read"], "namespace": "*"}],
    },
}

# A part of the message, and the values that must be refused with it.
REFUSED = [
    ("additional properties 'replicas' not allowed", {"replicas": 3}),
    ("additional properties 'tagg' not allowed", {"image": {"tagg": "1"}}),
    ("additional properties 'REDIS_PASWORD' not allowed", {"secrets": {"values": {"REDIS_PASWORD": "x" * 32}}}),
    ("minLength", {"secrets": {"values": {"JWT_SECRET_KEY": "short"}}}),
    ("JWT_SECRET_KEY is missing", {"secrets": {"values": {"JWT_SECRET_KEY": None}}}),
    ("namespace", {"clients": [{"name": "one", "apiKeyHash": "sha256:x", "scopes": ["read"]}]}),
    ("scopes", {"clients": [{"name": "one", "apiKeyHash": "sha256:x", "namespace": "one"}]}),
    ("nobody could log in", {"secrets": {"values": {"SRVC_SHARED_SECRET": None}}}),
    ("needs the secret REDIS_PASSWORD", {"secrets": {"values": {"REDIS_PASSWORD": None}}}),
    ("existingSecret and values exclude each other", {"secrets": {"existingSecret": "given"}}),
    ("tls.existingSecret names the Secret", {"tls": {"existingSecret": ""}}),
    ("existingSecret and certManager exclude each other", {"tls": {"certManager": {"enabled": True, "issuerRef": {"name": "ca"}}}}),
    ("issuerRef.name says who issues", {"tls": {"existingSecret": "", "certManager": {"enabled": True}}}),
    ("value must be one of", {"redis": {"mode": "none"}}),
    ("redis.shards belong to", {"redis": {"mode": "external"}}),
    ("redis.sentinels belong to", {"redis": {"sentinels": ["s:26379"]}}),
    ("redis.cluster belongs to", {"redis": {"mode": "cluster"}}),
    ("does not match pattern", {"redis": {"mode": "cluster", "cluster": ["c1"]}}),
    ("bundled has REDIS_PASSWORD alone", {"redis": {"tls": {"enabled": True}}}),
    ("invalid propertyName 'password'", {"settings": {"redis": {"password": "x"}}}),
    ("invalid propertyName 'Jwt_Secret_Key'", {"settings": {"service": {"Jwt_Secret_Key": "x"}}}),
    ("does not match pattern", {"settings": {"service": {"LOG_LEVEL": "info\nJWT_SECRET_KEY=x"}}}),
    ("networkPolicy.monitoring must say", {"serviceMonitor": {"enabled": True}}),
    ("minimum", {"redis": {"bundled": {"replicas": 2}}}),
    ("additional properties 'topologySpread' not allowed", {"topologySpread": []}),
    ("app.kubernetes.io/name", {"commonLabels": {"app.kubernetes.io/name": "other"}}),
    ("app.kubernetes.io/component", {"podLabels": {"app.kubernetes.io/component": "other"}}),
    ("would be scraped twice", {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}),
    ("serviceAccount.name names the existing", {"serviceAccount": {"create": False}}),
    ("does not match pattern", {"prometheusRule": {"runbooks": "docs/operations.md"}}),
]
# Values, and all lines that must be in the one message with which they are refused.
MISSING = [
    (
        {},
        [
            "secrets: JWT_SECRET_KEY is missing",
            "secrets: nobody could log in",
            "needs the secret REDIS_PASSWORD",
            "tls.existingSecret names the Secret",
        ],
    ),
    (
        {
            "secrets": {"existingSecret": "given", "keys": ["ENCRYPTION_KEY"], "values": {"SENTINEL_PASSWORD": "x" * 16}},
            "tls": {"existingSecret": "given", "certManager": {"enabled": True}},
            "redis": {"sentinels": ["s:26379"], "cluster": ["c:6379"], "shards": LISTED, "username": "u"},
            "serviceMonitor": {"enabled": True},
            "podMonitor": {"enabled": True},
            "serviceAccount": {"create": False},
        },
        [
            "JWT_SECRET_KEY is missing",
            "nobody could log in",
            "needs the secret REDIS_PASSWORD",
            "secrets: existingSecret and values exclude each other",
            "tls: existingSecret and certManager exclude each other",
            "issuerRef.name says who issues",
            "bundled has REDIS_PASSWORD alone",
            "redis.shards belong to",
            "redis.sentinels belong to",
            "redis.cluster belongs to",
            "networkPolicy.monitoring must say",
            "scraped twice",
            "serviceAccount.name names",
        ],
    ),
]
