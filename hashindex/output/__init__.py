"""Output: text, JSON, the HTML report, pictures, progress."""
