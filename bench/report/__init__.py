"""From tables to documents, and from those to pages."""
