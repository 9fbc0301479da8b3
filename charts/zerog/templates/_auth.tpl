{{/* Who may call the API. */}}

{{- define "zerog.authEnv" -}}
- name: ZEROG_AUTH
  value: {{ .Values.auth.mode | quote }}
{{- if eq .Values.auth.mode "off" }}
- name: ZEROG_ALLOW_OPEN
  value: "1"
{{- else if eq .Values.auth.mode "tokens" }}
- name: ZEROG_TOKENS
  value: /etc/zerog-tokens/tokens.json
{{- else if .Values.auth.audiences }}
- name: ZEROG_TOKEN_AUDIENCES
  value: {{ join " " .Values.auth.audiences }}
{{- end }}
{{- if not .Values.auth.anonymousMetrics }}
- name: ZEROG_ANONYMOUS_METRICS
  value: "0"
{{- end }}
{{- end }}

{{/* Whether helm test can be: it needs a pool here, and a token. */}}
{{- define "zerog.isTestable" -}}
{{- $here := or .Values.operator.clusterWide (has .Release.Namespace (include "zerog.operatorNamespaces" . | fromJsonArray)) }}
{{- if and $here (or (ne .Values.auth.mode "tokens") .Values.selfTest.existingSecret) }}true{{ end }}
{{- end }}
