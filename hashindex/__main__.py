"""The entry point, kept light: worker processes import it again, and must not pay for the command line."""

import gc
import os


def main() -> None:
    """Runs the command line and exits with its code."""
    # The matrices of the hashes are small: OpenBLAS's threads would only wait for each other. Before NumPy loads.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Looking for cycles of garbage took a quarter of the time to list 100,000 groups: they are looked for less often.
    gc.set_threshold(100_000, 20, 20)
    from hashindex.commands import streams

    streams.guard()
    try:
        from hashindex.commands.cli import app

        app(prog_name="hashindex")
    except KeyboardInterrupt:
        # Before a command began; later ones are told by the command itself.
        raise SystemExit(streams.INTERRUPTED) from None
    except Exception:  # noqa: BLE001 - a fault of ours; Python would end with 1, which means that nothing was found
        import traceback

        traceback.print_exc()
        raise SystemExit(streams.FAILED) from None
    finally:
        streams.flush()


if __name__ == "__main__":
    main()
