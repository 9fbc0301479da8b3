"""`zerog simulate`: a pool's scaling tried against a load, without a cluster.

Only the cluster is played. ZeroG's policy is the function that the operator runs, fed with
readings and pods as the operator sees them. The policies it is compared with are models, made
from the source of KEDA and Kubernetes.

The invariant: a simulation is a function of trace, policy, cluster settings and seed.
"""
