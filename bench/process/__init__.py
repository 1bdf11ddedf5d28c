"""One worker process: its environment, its start, its time limit, its end."""
