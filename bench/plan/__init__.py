"""What is measured, in which order and for how long. Pure: nothing runs here."""
