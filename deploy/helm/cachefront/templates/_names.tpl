{{/* Names and labels. */}}

{{- define "cachefront.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* At most 40 characters: with what is appended, a label value of 63 must hold it. */}}
{{- define "cachefront.fullname" -}}
{{- $name := include "cachefront.name" . -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{/* What the pods of Cachefront are selected by; never to be changed. */}}
{{- define "cachefront.selector" -}}
app.kubernetes.io/name: {{ include "cachefront.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: gateway
{{- end }}

{{- define "cachefront.redisSelector" -}}
app.kubernetes.io/name: {{ include "cachefront.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: redis
{{- end }}

{{/* Labels of what is not in a pod template, where a version would restart pods. */}}
{{- define "cachefront.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: cachefront
{{- end }}

{{- define "cachefront.secretName" -}}
{{ default (include "cachefront.fullname" .) .Values.secrets.existingSecret }}
{{- end }}

{{- define "cachefront.tlsSecretName" -}}
{{- if .Values.tls.certManager.enabled -}}
{{ include "cachefront.fullname" . }}-tls
{{- else -}}
{{ required "tls.existingSecret names the Secret with the certificate; or set tls.certManager.enabled" .Values.tls.existingSecret }}
{{- end -}}
{{- end }}

{{/* Which secrets there are, as a list of words. */}}
{{- define "cachefront.secretKeys" -}}
{{- if .Values.secrets.existingSecret -}}
{{ join " " .Values.secrets.keys }}
{{- else -}}
{{ keys .Values.secrets.values | sortAlpha | join " " }}
{{- end -}}
{{- end }}

{{/* Whole numbers come as floating-point ones, which print with an exponent when they are large. */}}
{{- define "cachefront.plain" -}}
{{ kindIs "float64" . | ternary (. | toString | float64 | int64) . }}
{{- end }}
