"""The page of `bench fleet`: its sections, sentences and figure."""
