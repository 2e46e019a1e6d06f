"""Results out: files and folders that appear whole, and what says that they are."""
