"""The pictures of inspections, one file for each kind of inspection."""
