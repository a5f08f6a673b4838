"""Places pictures in a folder, and takes that back."""
