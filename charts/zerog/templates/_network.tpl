{{/* The pods that work with queue and datastore: API, operator, and workers of all its pools. */}}
{{- define "zerog.insiders" -}}
- podSelector:
    matchLabels: {{- include "zerog.selectorLabels" (dict "root" . "component" "api") | nindent 6 }}
- podSelector:
    matchLabels: {{- include "zerog.selectorLabels" (dict "root" . "component" "operator") | nindent 6 }}
- podSelector:
    matchExpressions:
      - {key: zerog.dev/role, operator: In, values: [worker, describe]}
  {{- with include "zerog.operatorNamespaces" . | fromJsonArray }}
  namespaceSelector:
    matchExpressions:
      - key: kubernetes.io/metadata.name
        operator: In
        values: {{- toYaml . | nindent 10 }}
  {{- else }}
  namespaceSelector: {}
  {{- end }}
{{- end }}
