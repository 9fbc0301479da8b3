{{/* The release's namespaces: its own and those of its pools. A list of NetworkPolicyPeers. */}}
{{- define "zerog.namespacePeers" -}}
- namespaceSelector:
    matchExpressions:
      - key: kubernetes.io/metadata.name
        operator: In
        values: {{- append (include "zerog.operatorNamespaces" . | fromJsonArray) .Release.Namespace | uniq | sortAlpha | toYaml | nindent 10 }}
{{- if .Values.operator.clusterWide }}
- namespaceSelector:
    matchLabels: {zerog.dev/pools: allowed}
{{- end }}
{{- end }}

{{/* The pods that work with queue and datastore: API, operator, and workers of all its pools. */}}
{{- define "zerog.insiders" -}}
- podSelector:
    matchLabels: {{- include "zerog.selectorLabels" (dict "root" . "component" "api") | nindent 6 }}
- podSelector:
    matchLabels: {{- include "zerog.selectorLabels" (dict "root" . "component" "operator") | nindent 6 }}
{{- range include "zerog.namespacePeers" . | fromYamlArray }}
- podSelector:
    matchExpressions:
      - {key: zerog.dev/role, operator: In, values: [worker, describe]}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A rule of egress to ports of some peers, empty for anywhere; takes ports and to. */}}
{{- define "zerog.egressRule" -}}
- ports: {{- toYaml .ports | nindent 4 }}
  {{- with .to }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* Where a pod may connect to; takes root, and queue and server for those two. */}}
{{- define "zerog.egress" -}}
{{- $values := .root.Values }}
{{- $egress := $values.networkPolicy.egress }}
{{- include "zerog.egressRule" (dict "ports" (list (dict "port" 53 "protocol" "UDP") (dict "port" 53 "protocol" "TCP"))) }}
{{- if .queue }}
{{- $port := 11300 }}
{{- $to := $egress.beanstalkd }}
{{- if $values.beanstalkd.enabled }}
{{- $to = list (dict "podSelector" (dict "matchLabels" (include "zerog.selectorLabels" (dict "root" .root "component" "beanstalkd") | fromYaml))) }}
{{- else }}
{{- $port = splitList ":" $values.beanstalkd.address | last | int }}
{{- end }}
{{ include "zerog.egressRule" (dict "ports" (list (dict "port" $port)) "to" $to) }}
{{- end }}
{{- if eq $values.datastore "couchbase" }}
{{- $to := $egress.couchbase }}
{{- if $values.couchbase.development.enabled }}
{{- $to = list (dict "podSelector" (dict "matchLabels" (include "zerog.selectorLabels" (dict "root" .root "component" "couchbase") | fromYaml))) }}
{{- end }}
{{ include "zerog.egressRule" (dict "ports" (list (dict "port" 8091 "endPort" 8096) (dict "port" 11207) (dict "port" 11210) (dict "port" 18091 "endPort" 18096)) "to" $to) }}
{{- end }}
{{- if .server }}
{{ include "zerog.egressRule" (dict "ports" (list (dict "port" 443) (dict "port" 6443)) "to" $egress.apiServer) }}
{{- end }}
{{- if .queue }}
{{- with $egress.extra }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- end }}
