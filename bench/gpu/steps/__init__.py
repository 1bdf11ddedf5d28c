"""The steps of `bench gpu`, one a file."""
