"""Schemas of the custom resources in the chart: the fields that it uses, as their operators define them."""

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

# cert-manager.io/v1 and monitoring.coreos.com/v1.
SCHEMAS = {
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
            endpoints={
                "type": "array",
                "minItems": 1,
                "items": record("port", port=TEXT, path={"type": "string", "pattern": "^/"}, interval=DURATION, scrapeTimeout=DURATION),
            },
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
    schema = SCHEMAS[document["apiVersion"]].get(document["kind"])
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
