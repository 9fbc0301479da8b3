{{/* What contradicts itself fails with what to do instead; what is misspelt the schema refuses. */}}
{{- define "zerog.validate" -}}
{{- include "zerog.validateImages" . }}
{{- include "zerog.validateNetwork" . }}
{{- if and .Values.operator.clusterWide .Values.operator.namespaces }}
{{- fail "operator.namespaces are those of operator.clusterWide=false: leave them empty, or set that" }}
{{- end }}
{{- /* Without a cluster helm knows no kinds at all; Kubernetes 1.30 has this one. */}}
{{- $apis := .Capabilities.APIVersions }}
{{- if and .Values.operator.admissionPolicy.enabled ($apis.Has "v1/Pod") (not ($apis.Has "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy")) }}
{{- fail "this cluster does not serve ValidatingAdmissionPolicy (admissionregistration.k8s.io/v1): set operator.admissionPolicy.enabled=false, and read in docs/howto/install.md what the operator's token can do then" }}
{{- end }}
{{- if eq .Values.datastore "sqlite" }}
{{- if or (gt (int .Values.api.replicas) 1) .Values.api.autoscaling.enabled }}
{{- fail "datastore=sqlite is for a trial with one API pod: set api.replicas=1 and api.autoscaling.enabled=false, or datastore=couchbase" }}
{{- end }}
{{- if and .Values.operator.namespaces (not (has .Release.Namespace .Values.operator.namespaces)) }}
{{- fail (printf "datastore=sqlite: workers share a volume of this namespace: add %s to operator.namespaces, or set datastore=couchbase" .Release.Namespace) }}
{{- end }}
{{- end }}
{{- if eq .Values.datastore "couchbase" }}
{{- $couchbase := .Values.couchbase }}
{{- if and $couchbase.development.enabled $couchbase.connectionString }}
{{- fail "couchbase.connectionString is of a Couchbase of your own: leave it empty with couchbase.development.enabled=true" }}
{{- end }}
{{- if not (or $couchbase.development.enabled $couchbase.connectionString) }}
{{- fail "datastore=couchbase: name yours by couchbase.connectionString=couchbases://host, or set couchbase.development.enabled=true" }}
{{- end }}
{{- if and $couchbase.existingSecret $couchbase.password }}
{{- fail "couchbase.existingSecret and couchbase.password are both set: keep one" }}
{{- end }}
{{- if not (or $couchbase.existingSecret $couchbase.password) }}
{{- fail "datastore=couchbase: name a Secret with the password by couchbase.existingSecret (or, for development, set couchbase.password)" }}
{{- end }}
{{- if and $couchbase.development.enabled $couchbase.objects.enabled }}
{{- fail "couchbase.objects are for the Couchbase operator: they have no use with couchbase.development.enabled=true" }}
{{- end }}
{{- if $couchbase.objects.enabled }}
{{- if and (gt (int $couchbase.objects.replicas) 2) (ne $couchbase.durability "none") }}
{{- fail "couchbase.objects.replicas: Couchbase makes no write durable with more than 2: set 2 or 1, or couchbase.durability=none" }}
{{- end }}
{{- range $name, $key := dict "couchbase.existingSecretKey" $couchbase.existingSecretKey "couchbase.workers.existingSecretKey" $couchbase.workers.existingSecretKey }}
{{- if ne $key "password" }}
{{- fail (printf "%s: the Couchbase operator reads a user's password by the key password: store it there, or set couchbase.objects.enabled=false" $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- $workers := $couchbase.workers }}
{{- if and $workers.username (not $workers.existingSecret) }}
{{- fail "couchbase.workers.username: name a Secret with its password by couchbase.workers.existingSecret" }}
{{- end }}
{{- if and $workers.existingSecret (or (not $workers.username) (eq $workers.username $couchbase.username)) }}
{{- fail "couchbase.workers.existingSecret has the password of a user of its own: name that by couchbase.workers.username" }}
{{- end }}
{{- if and $workers.username $couchbase.development.enabled }}
{{- fail "couchbase.development has one user, who may do everything: leave couchbase.workers empty" }}
{{- end }}
{{- else if or .Values.couchbase.connectionString .Values.couchbase.development.enabled .Values.couchbase.objects.enabled .Values.couchbase.workers.username }}
{{- fail "couchbase is set up, but datastore=sqlite: set datastore=couchbase" }}
{{- end }}
{{- if and (eq .Values.auth.mode "tokens") (not .Values.auth.existingSecret) }}
{{- fail "auth.mode=tokens: name a Secret with the tokens by auth.existingSecret" }}
{{- end }}
{{- if and .Values.auth.existingSecret (ne .Values.auth.mode "tokens") }}
{{- fail "auth.existingSecret has the tokens of auth.mode=tokens: set that, or leave it empty" }}
{{- end }}
{{- if and .Values.metrics.serviceMonitor.enabled (not .Values.auth.anonymousMetrics) (not .Values.metrics.serviceMonitor.authorization) }}
{{- fail "auth.anonymousMetrics=false: give Prometheus a token by metrics.serviceMonitor.authorization" }}
{{- end }}
{{- if and .Values.beanstalkd.enabled .Values.beanstalkd.address }}
{{- fail "beanstalkd.address is of a beanstalkd of your own: set beanstalkd.enabled=false with it" }}
{{- end }}
{{- if not (or .Values.beanstalkd.enabled .Values.beanstalkd.address) }}
{{- fail "beanstalkd.enabled=false: name your own by beanstalkd.address=host:port" }}
{{- end }}
{{- with .Values.api.autoscaling }}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) }}
{{- fail "api.autoscaling.minReplicas is more than api.autoscaling.maxReplicas: lower the one or raise the other" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "zerog.validateImages" -}}
{{- $needed := dict "api" .Values.api.image "operator" .Values.operator.image }}
{{- if .Values.beanstalkd.enabled }}
{{- $_ := set $needed "beanstalkd" .Values.beanstalkd.image }}
{{- end }}
{{- if include "zerog.isTestable" . }}
{{- $_ := set $needed "selfTest" .Values.selfTest.image }}
{{- end }}
{{- range $name, $image := $needed }}
{{- if not (or $.Values.imageRegistry $image.repository) }}
{{- fail (printf "where are ZeroG's images? Name your registry by imageRegistry=registry.example/zerog, or set imageRegistry=localhost/zerog if the nodes have the images that `make images` built (%s.image.repository names a single image)" $name) }}
{{- end }}
{{- end }}
{{- end }}

{{/* A way in from outside the release's namespaces, and a policy that closes it, are a 504 to find. */}}
{{- define "zerog.validateNetwork" -}}
{{- if and .Values.api.ingress.enabled (not .Values.api.ingress.hosts) }}
{{- fail "api.ingress.enabled: name the hosts by api.ingress.hosts" }}
{{- end }}
{{- if and .Values.api.httpRoute.enabled (not .Values.api.httpRoute.parentRefs) }}
{{- fail "api.httpRoute.enabled: name a Gateway in api.httpRoute.parentRefs" }}
{{- end }}
{{- if .Values.networkPolicy.enabled }}
{{- $ways := dict "api.ingress.enabled" .Values.api.ingress.enabled "api.httpRoute.enabled" .Values.api.httpRoute.enabled "api.service.type" (ne .Values.api.service.type "ClusterIP") }}
{{- range $way, $open := $ways }}
{{- if and $open (not $.Values.networkPolicy.apiFrom) }}
{{- fail (printf "%s: the NetworkPolicy lets in only pods of the release's namespaces. Name who else may reach the API by networkPolicy.apiFrom, e.g. the controller's namespace, or set networkPolicy.enabled=false" $way) }}
{{- end }}
{{- end }}
{{- if and .Values.metrics.serviceMonitor.enabled (not .Values.networkPolicy.metricsFrom) }}
{{- fail "metrics.serviceMonitor.enabled: the NetworkPolicy lets in only pods of the release's namespaces. Name Prometheus's namespace by networkPolicy.metricsFrom, or set networkPolicy.enabled=false" }}
{{- end }}
{{- else if .Values.networkPolicy.egress.enabled }}
{{- fail "networkPolicy.egress.enabled: set networkPolicy.enabled=true with it" }}
{{- end }}
{{- end }}
