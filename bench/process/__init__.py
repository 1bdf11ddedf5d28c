"""One worker process: its variables, its start, its time limit, its end."""
