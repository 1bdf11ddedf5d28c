"""summary.md: the page in less than 60 lines, short enough for a comment on a pull request."""
