"""What everyone may know: names, records, text. Frozen or pure; it imports nothing of bench but itself."""
