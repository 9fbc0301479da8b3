"""The Kubernetes operator of ZeroG. An empty frame: nothing is built here yet."""
