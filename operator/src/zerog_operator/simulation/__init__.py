"""`zerog simulate`: a pool's scaling tried against a load, without a cluster.

    trace ──▶ cluster (queue, pods, clock: a model) ◀──look, act── policy (ZeroG's `decide`, KEDA)
                          └──▶ outcome ──▶ table, JSON, plot

Only the cluster is played. ZeroG's policy is `zerog_operator.scaling.decide`, the function that
the operator runs, fed with readings and pods as the operator sees them. The policies it is
compared with are models, made from the documentation and source of KEDA and Kubernetes.

The invariant: a simulation is a function of trace, policy, cluster settings and seed.
"""
