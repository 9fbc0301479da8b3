{{/* Names and labels. Each helper but fullname takes (dict "root" $ "component" "api"). */}}

{{- define "zerog.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* 40 characters leave room for the longest suffix in a Service's name. */}}
{{- define "zerog.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "zerog.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "zerog.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "zerog.componentName" -}}
{{- printf "%s-%s" (include "zerog.fullname" .root) .component }}
{{- end }}

{{- define "zerog.selectorLabels" -}}
app.kubernetes.io/name: {{ include "zerog.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "zerog.labels" -}}
{{ include "zerog.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: zerog
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "zerog.metadata" -}}
name: {{ include "zerog.componentName" . }}
namespace: {{ .root.Release.Namespace }}
labels: {{- include "zerog.labels" . | nindent 2 }}
{{- end }}

{{/* What is cluster-wide carries the namespace, so that two installations do not meet. */}}
{{- define "zerog.clusterName" -}}
{{- printf "%s:%s" .root.Release.Namespace (include "zerog.componentName" .) }}
{{- end }}

{{/* The same, where a colon is not allowed: a namespace has no dot. */}}
{{- define "zerog.policyName" -}}
{{- printf "%s.%s" .root.Release.Namespace (include "zerog.componentName" .) }}
{{- end }}

{{- define "zerog.serviceAccountName" -}}
{{- $account := (index .root.Values .component).serviceAccount }}
{{- if $account.create }}
{{- default (include "zerog.componentName" .) $account.name }}
{{- else }}
{{- required (printf "%s.serviceAccount.create is false: name one by %s.serviceAccount.name" .component .component) $account.name }}
{{- end }}
{{- end }}
