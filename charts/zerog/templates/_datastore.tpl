{{/* How the datastore is reached: environment, volumes and mounts, in lists that API, operator and
     workers share. */}}

{{- define "zerog.claimName" -}}
{{- default (include "zerog.componentName" (dict "root" . "component" "data")) .Values.sqlite.existingClaim }}
{{- end }}

{{- define "zerog.storeEnv" -}}
- name: ZEROG_STORE
  value: sqlite:////var/lib/zerog/zerog.db
{{- end }}

{{- define "zerog.storeVolumes" -}}
- name: zerog-data
  persistentVolumeClaim:
    claimName: {{ include "zerog.claimName" . }}
{{- end }}

{{- define "zerog.storeMounts" -}}
- name: zerog-data
  mountPath: /var/lib/zerog
{{- end }}

{{/* What the operator adds to every worker's pod: its setting ZEROG_WORKER_DEFAULTS. */}}
{{- define "zerog.workerDefaults" -}}
{{- $env := concat (include "zerog.storeEnv" . | fromYamlArray) .Values.workers.extraEnv }}
{{- $worker := dict "name" "worker" "env" $env "securityContext" .Values.workers.securityContext }}
{{- $spec := dict "securityContext" .Values.workers.podSecurityContext }}
{{- with .Values.imagePullSecrets }}
{{- $_ := set $spec "imagePullSecrets" . }}
{{- end }}
{{- $_ := set $spec "volumes" (include "zerog.storeVolumes" . | fromYamlArray) }}
{{- $_ := set $worker "volumeMounts" (include "zerog.storeMounts" . | fromYamlArray) }}
{{- if eq .Values.datastore "sqlite" }}
{{- $_ := set $spec "affinity" (include "zerog.nextToApi" . | fromYaml) }}
{{- end }}
{{- $_ := set $spec "containers" (list $worker) }}
{{- toPrettyJson $spec }}
{{- end }}

{{/* A volume that one node mounts: who uses SQLite's file runs where the API runs. */}}
{{- define "zerog.nextToApi" -}}
podAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    - topologyKey: kubernetes.io/hostname
      labelSelector:
        matchLabels: {{- include "zerog.selectorLabels" (dict "root" . "component" "api") | nindent 10 }}
{{- end }}
