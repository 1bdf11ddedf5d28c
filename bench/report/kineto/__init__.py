"""The page of `bench trace`: what any Kineto trace holds."""
