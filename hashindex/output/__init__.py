"""What a person or a program is shown: text, JSON, a page, pictures."""
