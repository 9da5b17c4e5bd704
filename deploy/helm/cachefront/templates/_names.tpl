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
{{ include "cachefront.labelsWith" (list . dict) }}
{{- end }}

{{/* The same with further labels: (list . LABELS). Given labels win. */}}
{{- define "cachefront.labelsWith" -}}
{{- $further := last . -}}
{{- with first . -}}
{{- $own := dict "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") -}}
{{- $_ := set $own "app.kubernetes.io/version" .Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $_ := set $own "app.kubernetes.io/part-of" "cachefront" -}}
{{- merge (deepCopy $further) .Values.commonLabels $own | toYaml }}
{{- end -}}
{{- end }}

{{/* Labels of the pod of the test: no Service, budget or policy of the others selects it. */}}
{{- define "cachefront.testSelector" -}}
app.kubernetes.io/name: {{ include "cachefront.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: test
{{- end }}

{{- define "cachefront.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end -}}
{{- end }}

{{- define "cachefront.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "cachefront.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end }}

{{- define "cachefront.secretName" -}}
{{ default (include "cachefront.fullname" .) .Values.secrets.existingSecret }}
{{- end }}

{{- define "cachefront.tlsSecretName" -}}
{{- if .Values.tls.certManager.enabled -}}
{{ include "cachefront.fullname" . }}-tls
{{- else -}}
{{ .Values.tls.existingSecret }}
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

{{/* A value as an option of setup.config. All numbers come as floating-point ones, which templates print with an exponent when
they are large. JSON has the same digits without one. */}}
{{- define "cachefront.plain" -}}
{{ kindIs "float64" . | ternary (toJson .) . }}
{{- end }}
