"""Where people are and how they stand."""
