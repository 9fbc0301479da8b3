{{/* How the datastore is reached: environment, volumes and mounts, in lists that API, operator,
     workers and the init Job share. Passwords are files of Secrets, so that they can be changed. */}}

{{- define "zerog.claimName" -}}
{{- default (include "zerog.componentName" (dict "root" . "component" "data")) .Values.sqlite.existingClaim }}
{{- end }}

{{- define "zerog.couchbaseSecret" -}}
{{- default (include "zerog.componentName" (dict "root" . "component" "couchbase")) .Values.couchbase.existingSecret }}
{{- end }}

{{- define "zerog.couchbaseHost" -}}
{{- printf "%s.%s.svc" (include "zerog.componentName" (dict "root" . "component" "couchbase")) .Release.Namespace }}
{{- end }}

{{/* couchbase://user@hosts/bucket/scope?options */}}
{{- define "zerog.couchbaseUrl" -}}
{{- $couchbase := .Values.couchbase }}
{{- $address := $couchbase.connectionString }}
{{- if $couchbase.development.enabled }}
{{- $address = printf "couchbase://%s?network=default" (include "zerog.couchbaseHost" .) }}
{{- end }}
{{- $parts := splitn "?" 2 $address }}
{{- $place := splitn "://" 2 $parts._0 }}
{{- printf "%s://%s@%s/%s/%s" $place._0 $couchbase.username $place._1 $couchbase.bucket $couchbase.scope }}
{{- with $parts._1 }}?{{ . }}{{ end }}
{{- end }}

{{- define "zerog.storeEnv" -}}
{{- if eq .Values.datastore "sqlite" -}}
- name: ZEROG_STORE
  value: sqlite:////var/lib/zerog/zerog.db
{{- else -}}
- name: ZEROG_STORE
  value: {{ include "zerog.couchbaseUrl" . }}
- name: ZEROG_COUCHBASE_PASSWORD_FILE
  value: /etc/zerog-couchbase/password
{{- if .Values.couchbase.caSecret }}
- name: ZEROG_COUCHBASE_CA_PATH
  value: /etc/zerog-couchbase/ca.crt
{{- end }}
- name: ZEROG_COUCHBASE_DURABILITY
  value: {{ .Values.couchbase.durability }}
- name: ZEROG_COUCHBASE_LISTING
  value: {{ .Values.couchbase.listing }}
{{- end }}
{{- end }}

{{/* A password belongs to root; its readers are the group of the pod's fsGroup. */}}
{{- define "zerog.storeVolumes" -}}
{{- if eq .Values.datastore "sqlite" -}}
- name: zerog-data
  persistentVolumeClaim:
    claimName: {{ include "zerog.claimName" . }}
{{- else -}}
- name: zerog-couchbase
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ include "zerog.couchbaseSecret" . }}
          items:
            - {key: {{ .Values.couchbase.existingSecretKey }}, path: password}
      {{- with .Values.couchbase.caSecret }}
      - secret:
          name: {{ . }}
          items:
            - {key: {{ $.Values.couchbase.caSecretKey }}, path: ca.crt}
      {{- end }}
{{- end }}
{{- end }}

{{- define "zerog.storeMounts" -}}
{{- if eq .Values.datastore "sqlite" -}}
- name: zerog-data
  mountPath: /var/lib/zerog
{{- else -}}
- name: zerog-couchbase
  mountPath: /etc/zerog-couchbase
  readOnly: true
{{- end }}
{{- end }}

{{/* What the operator adds to every worker's pod: its setting ZEROG_WORKER_DEFAULTS. */}}
{{- define "zerog.workerDefaults" -}}
{{- $values := deepCopy .Values }}
{{- with .Values.couchbase.workers }}
{{- if .username }}
{{- $_ := mergeOverwrite $values.couchbase . }}
{{- end }}
{{- end }}
{{- $root := dict "Values" $values "Release" .Release "Chart" .Chart }}
{{- $worker := dict "name" "worker" "securityContext" .Values.workers.securityContext }}
{{- $_ := set $worker "env" (concat (include "zerog.storeEnv" $root | fromYamlArray) .Values.workers.extraEnv) }}
{{- $tmp := dict "name" "zerog-tmp" "mountPath" "/tmp" }}
{{- $_ := set $worker "volumeMounts" (concat (list $tmp) (include "zerog.storeMounts" $root | fromYamlArray) .Values.workers.extraVolumeMounts) }}
{{- with .Values.workers.resources }}
{{- $_ := set $worker "resources" . }}
{{- end }}
{{- $spec := dict "securityContext" .Values.workers.podSecurityContext "containers" (list $worker) }}
{{- $tmp = dict "name" "zerog-tmp" "emptyDir" dict }}
{{- $_ := set $spec "volumes" (concat (list $tmp) (include "zerog.storeVolumes" $root | fromYamlArray) .Values.workers.extraVolumes) }}
{{- with .Values.workers.priorityClassName }}
{{- $_ := set $spec "priorityClassName" . }}
{{- end }}
{{- with .Values.imagePullSecrets }}
{{- $_ := set $spec "imagePullSecrets" . }}
{{- end }}
{{- if eq .Values.datastore "sqlite" }}
{{- $_ := set $spec "affinity" (include "zerog.nextToApi" . | fromYaml) }}
{{- end }}
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

{{/* Metadata of the objects for the Couchbase operator; takes root and component. */}}
{{- define "zerog.couchbaseMetadata" -}}
{{ include "zerog.metadata" . }}
{{- with .root.Values.couchbase.objects.labels }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
