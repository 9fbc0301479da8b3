"""The node agent: runs the commands of pods as processes of this machine."""
