"""The workload: Network in Network on Fashion-MNIST. Knows nothing of benchmarking."""
