"""What parent and child say to each other, and why a trial gave no plain result."""
