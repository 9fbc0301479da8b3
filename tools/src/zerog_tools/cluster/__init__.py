"""Kubernetes on this machine: its programs, a control plane, and several ways to have nodes."""
