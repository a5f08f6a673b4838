"""The catalogue: an SQLite file, its tables, and what keeps it sound."""
