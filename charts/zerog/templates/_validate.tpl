{{/* What contradicts itself fails with what to do instead; what is misspelt the schema refuses. */}}
{{- define "zerog.validate" -}}
{{- if eq .Values.datastore "sqlite" }}
{{- if or (gt (int .Values.api.replicas) 1) .Values.api.autoscaling.enabled }}
{{- fail "datastore=sqlite is for a trial with one API pod: set api.replicas=1 and api.autoscaling.enabled=false, or datastore=couchbase" }}
{{- end }}
{{- end }}
{{- if and .Values.beanstalkd.enabled .Values.beanstalkd.address }}
{{- fail "beanstalkd.address is of a beanstalkd of your own: set beanstalkd.enabled=false with it" }}
{{- end }}
{{- if not (or .Values.beanstalkd.enabled .Values.beanstalkd.address) }}
{{- fail "beanstalkd.enabled=false: name your own by beanstalkd.address=host:port" }}
{{- end }}
{{- end }}
