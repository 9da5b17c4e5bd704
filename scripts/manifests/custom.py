"""Schemas of the custom resources in the chart and the examples: the fields that are used, as their projects define them."""

import jsonschema

TEXT = {"type": "string", "minLength": 1}
TEXTS = {"type": "array", "items": TEXT, "minItems": 1}
LABELS = {"type": "object", "additionalProperties": {"type": "string"}}
DURATION = {"type": "string", "pattern": "^([0-9]+(ms|s|m|h))+$"}


def record(required, **properties):
    return {"type": "object", "properties": properties, "required": required.split(), "additionalProperties": False}


RULE = record("expr", alert=TEXT, record=TEXT, expr={"type": ["string", "integer"]}, labels=LABELS, annotations=LABELS)
RULE["properties"] |= {"for": DURATION, "keep_firing_for": DURATION}
RULE["oneOf"] = [{"required": ["alert"]}, {"required": ["record"]}]

ENDPOINT = record(
    "port",
    port=TEXT,
    path={"type": "string", "pattern": "^/"},
    interval=DURATION,
    scrapeTimeout=DURATION,
    relabelings={
        "type": "array",
        "items": record("", sourceLabels=TEXTS, regex=TEXT, targetLabel=TEXT, replacement=TEXT, action=TEXT, separator=TEXT),
    },
)
ENDPOINTS = {"type": "array", "minItems": 1, "items": ENDPOINT}

# gateway.networking.k8s.io/v1
PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
PARENTS = {"type": "array", "minItems": 1, "items": record("name", name=TEXT, namespace=TEXT, sectionName=TEXT, port=PORT)}
BACKENDS = {"type": "array", "minItems": 1, "items": record("name port", name=TEXT, namespace=TEXT, port=PORT, weight={"type": "integer"})}
REFERENCE = record("group kind name", group={"type": "string"}, kind=TEXT, name=TEXT)
MATCH = record("path", path=record("type value", type={"enum": ["Exact", "PathPrefix", "RegularExpression"]}, value=TEXT))
LISTENER = record(
    "name port protocol",
    name=TEXT,
    port=PORT,
    protocol={"enum": ["HTTP", "HTTPS", "TCP", "TLS", "UDP"]},
    hostname=TEXT,
    tls=record("mode", mode={"enum": ["Passthrough", "Terminate"]}),
)

# The fields that the chart and the examples use, by the version of their API.
SCHEMAS = {
    "gateway.networking.k8s.io/v1": {
        "Gateway": record("gatewayClassName listeners", gatewayClassName=TEXT, listeners={"type": "array", "minItems": 1, "items": LISTENER}),
        "TLSRoute": record(
            "parentRefs hostnames rules",
            parentRefs=PARENTS,
            hostnames=TEXTS,
            rules={"type": "array", "minItems": 1, "maxItems": 1, "items": record("backendRefs", backendRefs=BACKENDS)},
        ),
        "HTTPRoute": record(
            "parentRefs rules",
            parentRefs=PARENTS,
            hostnames=TEXTS,
            rules={
                "type": "array",
                "minItems": 1,
                "items": record(
                    "backendRefs",
                    backendRefs=BACKENDS,
                    matches={"type": "array", "items": MATCH},
                    timeouts=record("", request=DURATION, backendRequest=DURATION),
                ),
            },
        ),
        "BackendTLSPolicy": record(
            "targetRefs validation",
            targetRefs={"type": "array", "minItems": 1, "items": REFERENCE},
            validation=record("hostname", hostname=TEXT, caCertificateRefs={"type": "array", "minItems": 1, "items": REFERENCE}),
        ),
    },
    "external-secrets.io/v1": {
        "ExternalSecret": record(
            "secretStoreRef target data",
            refreshInterval=DURATION,
            secretStoreRef=record("kind name", kind={"enum": ["SecretStore", "ClusterSecretStore"]}, name=TEXT),
            target=record("name", name=TEXT, creationPolicy={"enum": ["Owner", "Orphan", "Merge", "None"]}),
            data={
                "type": "array",
                "minItems": 1,
                "items": record("secretKey remoteRef", secretKey=TEXT, remoteRef=record("key", key=TEXT, property=TEXT, version=TEXT)),
            },
        ),
    },
    "keda.sh/v1alpha1": {
        "ScaledObject": record(
            "scaleTargetRef minReplicaCount maxReplicaCount triggers",
            scaleTargetRef=record("name", name=TEXT, kind=TEXT, apiVersion=TEXT),
            minReplicaCount={"type": "integer", "minimum": 0},
            maxReplicaCount={"type": "integer", "minimum": 1},
            advanced=record("", horizontalPodAutoscalerConfig=record("", behavior={"type": "object"})),
            fallback=record("failureThreshold replicas", failureThreshold={"type": "integer"}, replicas={"type": "integer"}),
            # All of the metadata are texts.
            triggers={"type": "array", "minItems": 1, "items": record("type metadata", type={"enum": ["prometheus", "cron"]}, metadata=LABELS)},
        ),
    },
    "cert-manager.io/v1": {
        "Certificate": record(
            "secretName dnsNames issuerRef",
            secretName=TEXT,
            dnsNames=TEXTS,
            duration=DURATION,
            renewBefore=DURATION,
            usages={"type": "array", "items": {"enum": ["digital signature", "server auth", "key encipherment"]}},
            privateKey=record(
                "algorithm",
                algorithm={"enum": ["RSA", "ECDSA", "Ed25519"]},
                size={"enum": [256, 384, 521, 2048, 4096]},
                rotationPolicy={"enum": ["Always", "Never"]},
            ),
            issuerRef=record("name", name=TEXT, kind=TEXT, group=TEXT),
        ),
    },
    "monitoring.coreos.com/v1": {
        "ServiceMonitor": record(
            "selector endpoints",
            jobLabel=TEXT,
            selector=record("matchLabels", matchLabels=LABELS),
            endpoints=ENDPOINTS,
        ),
        "PodMonitor": record(
            "selector podMetricsEndpoints",
            jobLabel=TEXT,
            selector=record("matchLabels", matchLabels=LABELS),
            podMetricsEndpoints=ENDPOINTS,
        ),
        "PrometheusRule": record(
            "groups",
            groups={
                "type": "array",
                "minItems": 1,
                "items": record("name rules", name=TEXT, interval=DURATION, rules={"type": "array", "items": RULE, "minItems": 1}),
            },
        ),
    },
}


def problem(document):
    schema = SCHEMAS.get(document["apiVersion"], {}).get(document["kind"])
    if schema is None:
        return f"custom.py has no schema for {document['kind']}"
    whole = record(
        "apiVersion kind metadata spec",
        apiVersion=TEXT,
        kind=TEXT,
        metadata=record("name labels", name=TEXT, labels=LABELS, annotations=LABELS),
        spec=schema,
    )
    error = next(jsonschema.Draft202012Validator(whole).iter_errors(document), None)
    return error and f"{'.'.join(map(str, error.absolute_path)) or 'resource'}: {error.message}"
