"""The catalogue: the one class that other packages open. Touches no file of the user's."""

import os

from hashindex.core.model import Forgotten
from hashindex.store.columns import IS_BELOW, below
from hashindex.store.destinations import DestinationStore
from hashindex.store.questions import Questions


class Catalogue(DestinationStore, Questions):
    """An open catalogue. A writer changes it inside atomic(), and as_of_now() gives answers of one moment.

    Its parts: database (the file), folders (roots, folders, transactions), contents (what a scan reads and writes),
    destinations (what organize writes), questions (what only reads). keys: the hashes, see hashes.py. verdicts: compare
    keys, judged pairs and decisions, see verdicts.py.
    """

    def forget(self, path: bytes) -> Forgotten:
        """Deletes every row at or below path, roots too, and the contents that no file has then."""
        folder, name = os.path.split(path)
        where = (
            f"folder IN (SELECT id FROM folder WHERE {IS_BELOW}) OR (folder, name) IN "
            "(SELECT id, ? FROM folder WHERE path = ?)"
        )
        values = (*below(path), name, folder)
        rows = self.connection.execute(
            f"SELECT DISTINCT content FROM file WHERE content IS NOT NULL AND ({where})", values
        )
        contents = [content for (content,) in rows]
        (pictures,) = self.connection.execute(f"SELECT count(content) FROM file WHERE {where}", values).fetchone()
        files = self.connection.execute(f"DELETE FROM file WHERE {where}", values).rowcount
        self.connection.execute(f"DELETE FROM folder WHERE {IS_BELOW}", below(path))
        roots = self.connection.execute(f"DELETE FROM root WHERE {IS_BELOW}", below(path)).rowcount
        self._folder_ids.clear()
        self._families.refresh_superseded_by(contents)
        self.drop_orphans(contents)
        return Forgotten(pictures, files - pictures, roots)
