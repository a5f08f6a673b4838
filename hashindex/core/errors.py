"""All errors. Each message is a sentence that names what is wrong and what to do about it."""


class HashIndexError(Exception):
    """Base class. str(error) is a sentence for the user; exit_code is the exit code of the command line."""

    exit_code = 2


class UsageError(HashIndexError):
    """The arguments are wrong: an unknown hash, a radius out of range, a folder that does not exist."""


class UnreadablePicture(HashIndexError):
    """A picture named by the caller cannot be read or decoded."""


class ClusterError(HashIndexError):
    """A cluster that runs the tasks of a scan is gone, or cannot run them. What the scan has done is kept."""


class CatalogueError(HashIndexError):
    """The catalogue is missing, damaged, newer than this program, or not a catalogue."""

    exit_code = 4


class CatalogueMissing(CatalogueError):
    """There is no catalogue at that path yet."""


class CatalogueForeign(CatalogueError):
    """The file is not a hashindex catalogue, or was written by a newer hashindex."""


class CatalogueDamaged(CatalogueError):
    """SQLite reports that the catalogue is malformed."""


class CatalogueLocked(HashIndexError):
    """Another process held the lock of the catalogue for longer than the waiting time."""

    exit_code = 5


class CatalogueUnwritable(HashIndexError):
    """The catalogue cannot be written: it is read-only, or the disk is full."""
