"""What everyone may know: names, records, text. All of it is frozen or pure, and imports nothing else of bench."""
