"""What `bench ab` finds: the cells of both trees, what changed, and who died."""
