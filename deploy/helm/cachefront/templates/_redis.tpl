{{/* What the containers of the bundled Redis share. */}}

{{/* Names of all pods: (list . AFTER_EACH BETWEEN). */}}
{{- define "cachefront.redisNodes" -}}
{{- $context := first . -}}
{{- $name := printf "%s-redis" (include "cachefront.fullname" $context) -}}
{{- $nodes := list -}}
{{- range $number := until (int $context.Values.redis.bundled.replicas) -}}
{{- $nodes = append $nodes (printf "%s-%d.%s%s" $name $number $name (index $ 1)) -}}
{{- end -}}
{{ join (index . 2) $nodes }}
{{- end }}

{{- define "cachefront.redisEnv" -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: SELF
  value: $(POD_NAME).{{ include "cachefront.fullname" . }}-redis
- name: NODES
  value: {{ include "cachefront.redisNodes" (list . "" " ") }}
- name: REDIS_PASSWORD_FILE
  value: /etc/redis-password/REDIS_PASSWORD
{{- end }}

{{- define "cachefront.redisContainer" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
  - name: scripts
    mountPath: /etc/redis
    readOnly: true
  - name: password
    mountPath: /etc/redis-password
    readOnly: true
  - name: data
    mountPath: /data
{{- end }}
