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
        "service": {"type": "LoadBalancer", "port": 443, "annotations": {"example.org/a": "b"}},
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
        "podAnnotations": {"example.org/a": "b"},
        "podLabels": {"team": "shop"},
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "cache", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
        "serviceAccount": {"existing": "given-account"},
        "networkPolicy": {"callers": [{"namespaceSelector": {}}], "monitoring": PROMETHEUS},
        "topologySpread": [],
        "autoscaling": {
            "enabled": True,
            "metrics": [{"type": "Pods", "pods": {"metric": {"name": "requests"}, "target": {"type": "AverageValue", "averageValue": "5k"}}}],
        },
    },
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
]
