"""The verbs of `python -m bench`: their options, what each calls, and how each ends."""
