{{/* What the operator may do: exactly what zerog_operator.cluster calls and kopf watches. */}}
{{- define "zerog.operatorRules" -}}
- apiGroups: [zerog.dev]
  resources: [zerogworkerpools]
  verbs: [list, watch]
- apiGroups: [zerog.dev]
  resources: [zerogworkerpools/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, create, delete, patch]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end }}

{{/* The namespaces that the operator looks after, as JSON; empty for all. */}}
{{- define "zerog.operatorNamespaces" -}}
{{- if .Values.operator.clusterWide }}[]
{{- else }}{{ default (list .Release.Namespace) .Values.operator.namespaces | toJson }}
{{- end }}
{{- end }}

{{/* The subjects of the operator's bindings. */}}
{{- define "zerog.operatorSubjects" -}}
- kind: ServiceAccount
  name: {{ include "zerog.serviceAccountName" (dict "root" . "component" "operator") }}
  namespace: {{ .Release.Namespace }}
{{- end }}
