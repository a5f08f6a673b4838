"""The entry point. Worker processes import it again, so it imports little."""

import gc
import os


def main() -> None:
    """Run the command line and exit with its exit code."""
    # Set before NumPy loads: the matrices of the hashes are too small for OpenBLAS's threads.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Run the cyclic garbage collector less often: it took a quarter of the time of listing 100,000 groups.
    gc.set_threshold(100_000, 20, 20)
    from hashindex.commands import streams

    streams.guard()
    try:
        from hashindex.commands.cli import app

        app(prog_name="hashindex")
    except KeyboardInterrupt:
        # Before the command began. Later interrupts are reported by the command.
        raise SystemExit(streams.INTERRUPTED) from None
    except Exception:  # noqa: BLE001 - Python would exit with 1, which means that nothing was found
        import traceback

        traceback.print_exc()
        raise SystemExit(streams.FAILED) from None
    finally:
        streams.flush()
        # At exit the interpreter would search all objects for garbage: 35 ms after a query (benchmarks/start.py).
        gc.freeze()


if __name__ == "__main__":
    main()
