{{/* setup.config, and which of it needs a restart. */}}

{{/* Never a secret: this becomes a ConfigMap, which many may read. */}}
{{- define "cachefront.settings" -}}
{{- $redis := .Values.redis -}}
[redis]
{{- if eq $redis.mode "bundled" }}
sentinels={{ include "cachefront.redisNodes" (list . ":26379" ", ") }}
{{- else if eq $redis.mode "sentinel" }}
sentinels={{ join ", " $redis.sentinels }}
{{- else if eq $redis.mode "cluster" }}
cluster={{ join ", " $redis.cluster }}
{{- end }}
{{- with $redis.username }}
username={{ . }}
{{- end }}
{{- with $redis.sentinelUsername }}
sentinel_username={{ . }}
{{- end }}
{{- if $redis.tls.enabled }}
tls=true
{{- if $redis.tls.existingSecret }}
ca_cert=/etc/cachefront/redis-tls/ca.crt
{{- end }}
{{- if $redis.tls.clientCertificate }}
client_cert=/etc/cachefront/redis-tls/tls.crt
client_key=/etc/cachefront/redis-tls/tls.key
{{- end }}
{{- if $redis.tls.sentinels }}
sentinel_tls=true
{{- end }}
{{- end }}
{{- range $option, $value := .Values.settings.redis }}
{{ $option }}={{ include "cachefront.plain" $value }}
{{- end }}
{{- if eq $redis.mode "bundled" }}

[shard:a]
sentinel_master=cachefront
{{- end }}
{{- range $redis.shards }}

[shard:{{ .name }}]
{{- with .master }}
master={{ . }}
{{- end }}
{{- with .replicas }}
replicas={{ join ", " . }}
{{- end }}
{{- with .sentinelMaster }}
sentinel_master={{ . }}
{{- end }}
{{- with .weight }}
weight={{ include "cachefront.plain" . }}
{{- end }}
{{- end }}

[service]
PORT=9090
ADMIN_PORT=9091
TLS_CERT=/etc/cachefront/tls/tls.crt
TLS_KEY=/etc/cachefront/tls/tls.key
DRAIN_WAIT_SECS={{ .Values.drain.waitSeconds }}
DRAIN_SECS={{ .Values.drain.seconds }}
{{- range $option, $value := .Values.settings.service }}
{{ $option }}={{ include "cachefront.plain" $value }}
{{- end }}
{{- with .Values.settings.near_cache }}

[near_cache]
{{- range $option, $value := . }}
{{ $option }}={{ include "cachefront.plain" $value }}
{{- end }}
{{- end }}
{{- with .Values.settings.telemetry }}

[telemetry]
{{- range $option, $value := . }}
{{ $option }}={{ include "cachefront.plain" $value }}
{{- end }}
{{- end }}
{{- range .Values.clients }}

[client:{{ .name }}]
api_key_hash={{ .apiKeyHash }}
namespace={{ .namespace }}
scopes={{ join "," .scopes }}
{{- with .commandsPerSecond }}
commands_per_second={{ include "cachefront.plain" . }}
{{- end }}
{{- end }}
{{ end }}

{{/* Options of `settings` that take effect while the service runs, in lower case. */}}
{{- define "cachefront.liveOptions" -}}
username sentinel_username ca_cert client_cert client_key expected_name key_expire_secs jwt_expire_secs jwt_start_leeway_secs jwt_end_leeway_secs identity encrypt_values value_bytes_max body_bytes_max bodies_bytes_max replies_bytes_max
request_deadline_ms requests_max drain_wait_secs drain_secs reload_every_secs log_level trace_sample_ratio
inspect_one_in inspect_per_second
{{- end }}

{{/* The lines of setup.config that count at the next start only. Clients and listed shards are taken over live. */}}
{{- define "cachefront.settingsAtStart" -}}
{{- $live := include "cachefront.liveOptions" . | splitList "\n" | join " " | splitList " " -}}
{{- $isLiveSection := false -}}
{{- range include "cachefront.settings" . | splitList "\n" -}}
{{- if hasPrefix "[" . -}}
{{- $isLiveSection = or (hasPrefix "[client:" .) (and (hasPrefix "[shard:" .) (eq $.Values.redis.mode "external")) -}}
{{- end -}}
{{- if not (or $isLiveSection (has (splitList "=" . | first | lower) $live)) }}
{{ . }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The password with which the bundled Redis starts. */}}
{{- define "cachefront.redisLogins" -}}
{{- with .Values.secrets }}{{ if not .existingSecret }}{{ pick .values "REDIS_PASSWORD" | toJson }}{{ end }}{{ end -}}
{{- end }}

{{/* What the schema cannot say about several values together. All of it is said at once. */}}
{{- define "cachefront.check" -}}
{{- $values := .Values -}}
{{- $mode := $values.redis.mode -}}
{{- $keys := include "cachefront.secretKeys" . | splitList " " -}}
{{- $has := dict -}}
{{- range $key := $keys }}{{ $_ := set $has $key true }}{{ end -}}
{{- $problems := list -}}
{{- if not $has.JWT_SECRET_KEY }}{{ $problems = append $problems "secrets: JWT_SECRET_KEY is missing: give secrets.values, or secrets.existingSecret and secrets.keys" }}{{ end -}}
{{- if not (or $values.clients $has.SRVC_SHARED_SECRET) }}{{ $problems = append $problems "secrets: nobody could log in: give SRVC_SHARED_SECRET, or clients" }}{{ end -}}
{{- if and (eq $mode "bundled") (not $has.REDIS_PASSWORD) }}{{ $problems = append $problems "secrets: redis.mode bundled needs the secret REDIS_PASSWORD" }}{{ end -}}
{{- if and $values.secrets.existingSecret $values.secrets.values }}{{ $problems = append $problems "secrets: existingSecret and values exclude each other" }}{{ end -}}
{{- if not (or $values.tls.existingSecret $values.tls.certManager.enabled) }}{{ $problems = append $problems "tls: tls.existingSecret names the Secret with the certificate; or set tls.certManager.enabled" }}{{ end -}}
{{- if and $values.tls.existingSecret $values.tls.certManager.enabled }}{{ $problems = append $problems "tls: existingSecret and certManager exclude each other" }}{{ end -}}
{{- if and $values.tls.certManager.enabled (not $values.tls.certManager.issuerRef.name) }}{{ $problems = append $problems "tls: tls.certManager.issuerRef.name says who issues the certificate" }}{{ end -}}
{{- if and (eq $mode "bundled") (or $values.redis.tls.enabled $values.redis.username $values.redis.sentinelUsername $has.SENTINEL_PASSWORD) }}{{ $problems = append $problems "redis: redis.mode bundled has REDIS_PASSWORD alone: no users, no tls, no SENTINEL_PASSWORD" }}{{ end -}}
{{- if ne (has $mode (list "external" "sentinel")) (not (empty $values.redis.shards)) }}{{ $problems = append $problems "redis: redis.shards belong to the modes external and sentinel, which need them" }}{{ end -}}
{{- if ne (eq $mode "sentinel") (not (empty $values.redis.sentinels)) }}{{ $problems = append $problems "redis: redis.sentinels belong to the mode sentinel, which needs them" }}{{ end -}}
{{- if ne (eq $mode "cluster") (not (empty $values.redis.cluster)) }}{{ $problems = append $problems "redis: redis.cluster belongs to the mode cluster, which needs it" }}{{ end -}}
{{- $isMonitored := or $values.serviceMonitor.enabled $values.podMonitor.enabled -}}
{{- if and $values.networkPolicy.enabled $isMonitored (not $values.networkPolicy.monitoring) }}{{ $problems = append $problems "networkPolicy: networkPolicy.monitoring must say where Prometheus is, else serviceMonitor and podMonitor are of no use" }}{{ end -}}
{{- if and $values.serviceMonitor.enabled $values.podMonitor.enabled }}{{ $problems = append $problems "monitoring: serviceMonitor and podMonitor exclude each other, because each pod would be scraped twice" }}{{ end -}}
{{- if not (or $values.serviceAccount.create $values.serviceAccount.name) }}{{ $problems = append $problems "serviceAccount: serviceAccount.name names the existing service account, because serviceAccount.create is false" }}{{ end -}}
{{- if $problems }}{{ printf "\n\nthese values are missing or contradict each other:\n- %s\n" (join "\n- " $problems) | fail }}{{ end -}}
{{- end }}
