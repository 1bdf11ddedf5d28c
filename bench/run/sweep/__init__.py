"""The same measurement as many jobs: one job is one whole `bench run` on one node, and a lost one is tried again."""
