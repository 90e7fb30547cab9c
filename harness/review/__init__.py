"""Change review: what a preview would create, change, replace and delete, what forces it, and what is risked."""
