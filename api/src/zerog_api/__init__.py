"""The REST API of ZeroG, on Tornado's HTTP server. `zerog_api.main.serve` runs it."""
