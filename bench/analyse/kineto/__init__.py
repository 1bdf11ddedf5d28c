"""From any trace of torch.profiler (Kineto) to checked tables: whoever made it, and with whichever torch."""
