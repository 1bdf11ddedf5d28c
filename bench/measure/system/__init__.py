"""What the kernel and the GPU's driver report while a trial runs."""
