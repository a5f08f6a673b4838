"""Every way hashindex says no: one base class, each message a sentence that names the thing and the way out."""


class HashIndexError(Exception):
    """Base of all errors that hashindex raises on purpose.

    str(error) is a whole sentence for the person. `exit_code` is what the command line ends with.
    """

    exit_code = 2


class UsageError(HashIndexError):
    """The call itself is wrong: an unknown hash, a radius out of range, a folder that is not there."""


class UnreadablePicture(HashIndexError):
    """A picture that was asked about by name cannot be read or decoded."""


class CatalogueError(HashIndexError):
    """The catalogue is missing, foreign, newer than this program, or damaged."""

    exit_code = 4


class CatalogueMissing(CatalogueError):
    """There is no catalogue yet at that path."""


class CatalogueForeign(CatalogueError):
    """The file is not a hashindex catalogue, or was written by a newer hashindex."""


class CatalogueDamaged(CatalogueError):
    """SQLite says that the catalogue's pages do not hold together."""


class CatalogueLocked(HashIndexError):
    """Another process held the catalogue's lock longer than the time to wait."""

    exit_code = 5


class CatalogueUnwritable(HashIndexError):
    """The catalogue cannot be written: it is read-only, or the disk is full."""
