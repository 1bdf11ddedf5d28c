"""The numerics gate: whether a variant computes what float64 does, as closely as its precision allows."""
