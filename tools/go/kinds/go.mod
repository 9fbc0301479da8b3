// Nothing is built of it: these modules hold the CRDs, as YAML, of kinds that the chart uses.
module zerog.invalid/cluster/kinds

go 1.26.0

require (
	github.com/prometheus-operator/prometheus-operator v0.85.0
	sigs.k8s.io/gateway-api v1.4.0
)
