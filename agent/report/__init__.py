"""A scan as pages and terminal lines that a reviewer reads."""
