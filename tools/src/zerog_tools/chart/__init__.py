"""The Helm chart: how it is rendered, and what is generated from it."""
