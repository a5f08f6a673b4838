"""Chat clients: where they keep pictures, and in how many sizes."""
