"""Measures commits of a repository, one after the other, each beside the first of them."""
