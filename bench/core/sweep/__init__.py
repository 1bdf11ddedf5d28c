"""sweep.json: which jobs a sweep has, on which nodes each was tried, and how that ended."""
