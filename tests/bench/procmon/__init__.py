"""How small and quick procmon is: memory, processor time, latency and throughput, beside its peers in one run."""
