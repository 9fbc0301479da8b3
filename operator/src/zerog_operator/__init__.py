"""The Kubernetes operator of ZeroG: as many worker pods for each pool as its queue needs."""
