{{/* Parts that all pods have. */}}

{{/* The name of an image; takes (dict "root" $ "image" .Values.api.image). */}}
{{- define "zerog.image" -}}
{{- $tag := default .root.Chart.AppVersion .image.tag }}
{{- if .image.digest }}
{{- printf "%s@%s" .image.repository .image.digest }}
{{- else }}
{{- printf "%s:%s" .image.repository $tag }}
{{- end }}
{{- end }}

{{/* Labels of a pod; takes root, component, values. */}}
{{- define "zerog.podLabels" -}}
{{ include "zerog.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: zerog
{{- with .values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What a pod's spec begins with; takes root and values. */}}
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
{{- with .values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What a container begins with; takes root and values. */}}
{{- define "zerog.containerBasics" -}}
image: {{ include "zerog.image" (dict "root" .root "image" .values.image) }}
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
