"""The entry point, kept light: worker processes import it again, and must not pay for the command line."""

import os


def main() -> None:
    """Runs the command line and exits with its code."""
    # The matrices of the hashes are small: OpenBLAS's threads would only wait for each other. Before NumPy loads.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from hashindex.cli import app

    app(prog_name="hashindex")


if __name__ == "__main__":
    main()
