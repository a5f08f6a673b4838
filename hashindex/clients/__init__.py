"""Chat clients: where they store pictures, and which files are one picture in several sizes."""
