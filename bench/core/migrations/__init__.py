"""Files of runs that an earlier schema wrote, made into those of today."""
