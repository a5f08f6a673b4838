"""The rows of files that organize and dedupe place somewhere, or put back. Touches no file on disk."""

import os

from hashindex.core.messages import Examined, FileStat
from hashindex.core.organizing import Action, Step
from hashindex.store.contents import ContentStore


class DestinationStore(ContentStore):
    """The part of Catalogue that follows the steps of organize and dedupe."""

    def note_placed_file(self, step: Step, seen: FileStat, now_ns: int) -> None:
        """Notes that a file of known content appeared at step.target. If it was moved, its row moves too."""
        if step.action is Action.MOVE:
            self._rename_file(step.source_bytes, step.target_bytes)
        # A scan leaves links out, unless organize has made them in a destination.
        if step.action is not Action.SYMLINK or step.number:
            self._put_known(step.target_bytes, step.digest, seen, now_ns)

    def note_restored_file(self, step: Step, seen: FileStat, now_ns: int) -> None:
        """Reverses note_placed_file and note_trashed_file."""
        if step.action in (Action.MOVE, Action.TRASH):
            self._rename_file(step.target_bytes, step.source_bytes)
            self._put_known(step.source_bytes, step.digest, seen, now_ns)
        else:
            self.drop_file(step.target_bytes)

    def note_trashed_file(self, path: bytes, now_ns: int) -> None:
        """Notes that a file was moved to the trash, as a scan would find it: its row stays and is marked missing."""
        folder, name = os.path.split(path)
        self.settle_gone([(folder, name, now_ns)], now_ns)

    def _put_known(self, path: bytes, digest: bytes, seen: FileStat, now_ns: int) -> None:
        folder, name = os.path.split(path)
        content = self.content_with(digest)
        # If another process forgot the content meanwhile, the next scan reads the file.
        examined = Examined(path, seen, now_ns, digest, retry=content is None)
        self._put_file(self._folder(folder), name, examined, content, now_ns)

    def _rename_file(self, old: bytes, new: bytes) -> None:
        """Gives a row of file another path, and deletes a row that had that path (its file is gone)."""
        self.drop_file(new)
        (old_folder, old_name), (new_folder, new_name) = os.path.split(old), os.path.split(new)
        self.connection.execute(
            "UPDATE file SET folder = ?, name = ?, superseded_by = NULL WHERE folder = ? AND name = ?",
            (self._folder(new_folder), new_name, self._known_folder(old_folder), old_name),
        )
