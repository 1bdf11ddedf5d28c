"""Many machines beside one another: which of them stand out from the others of their kind."""
