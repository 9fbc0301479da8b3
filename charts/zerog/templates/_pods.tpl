{{/* Parts that all pods have. */}}

{{/* The name of an image; takes (dict "root" $ "image" .Values.api.image "name" "api"). */}}
{{- define "zerog.image" -}}
{{- $repository := default (printf "%s/%s" (trimSuffix "/" .root.Values.imageRegistry) .name) .image.repository }}
{{- if .image.digest }}
{{- printf "%s@%s" $repository .image.digest }}
{{- else }}
{{- printf "%s:%s" $repository (default .root.Chart.AppVersion .image.tag) }}
{{- end }}
{{- end }}

{{/* Labels of a pod; takes root, component, values. */}}
{{- define "zerog.podLabels" -}}
{{ include "zerog.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: zerog
{{- with mergeOverwrite (deepCopy .root.Values.commonLabels) (default dict .values.podLabels) }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What a pod's spec begins with; takes root, component and values. Replicas prefer different nodes;
     a pod that runs once goes anywhere. */}}
{{- define "zerog.podBasics" -}}
# Services' names in the environment would look like misspelt settings.
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- toYaml .values.podSecurityContext | nindent 2 }}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- $selector := dict "matchLabels" (include "zerog.selectorLabels" . | fromYaml) }}
{{- with .values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- else }}
{{- if has .component (list "api" "operator") }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector: {{- toYaml $selector | nindent 12 }}
{{- end }}
{{- end }}
{{- if has .component (list "api" "operator") }}
{{- with .values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  - {{- ternary . (set (deepCopy .) "labelSelector" $selector) (hasKey . "labelSelector") | toYaml | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{/* What a container begins with; takes root, values and image, the image's name in imageRegistry. */}}
{{- define "zerog.containerBasics" -}}
image: {{ include "zerog.image" (dict "root" .root "image" .values.image "name" .image) }}
imagePullPolicy: {{ .values.image.pullPolicy }}
securityContext: {{- toYaml .values.securityContext | nindent 2 }}
resources: {{- toYaml .values.resources | nindent 2 }}
{{- end }}

{{- define "zerog.queueAddress" -}}
{{- if .Values.beanstalkd.enabled }}
{{- printf "%s.%s.svc:11300" (include "zerog.componentName" (dict "root" . "component" "beanstalkd")) .Release.Namespace }}
{{- else }}
{{- .Values.beanstalkd.address }}
{{- end }}
{{- end }}
