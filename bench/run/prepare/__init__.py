"""How a run begins or goes on: it checks options, tries models and copies code trees."""
