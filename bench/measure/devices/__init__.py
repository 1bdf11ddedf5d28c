"""The seam to torch's devices: what a kind of device can do, and how it is asked."""
