// Removing the identical files of all groups at once: first what would go, then the removal.

import { openDialog } from "./dialogs.js";
import { by, make, makeButton } from "./dom.js";
import { formatBytes, say } from "./words.js";

const PAGE = 100; // groups of one answer
const NAMED = 100; // files that the preview names

/** Shows what would be removed. query: where to look. onRemoved(answer): called after the removal. */
export const openBulk = async (source, query, onRemoved) => {
  const dialog = by("bulk");
  const place = by("bulk-preview");
  openDialog(dialog);
  place.replaceChildren(make("p", "muted", say("loading")));
  try {
    const groups = await identicalGroups(source, query, (n, all) => {
      place.replaceChildren(make("p", "muted", say("place", { n, all })));
    });
    const preview = groups.length ? await source.remove(groups, true) : { removed: [], left: [], bytes: 0 };
    place.replaceChildren(...previewOf(preview, async (button) => {
      button.disabled = true;
      place.append(make("p", "muted", say("bulk_running")));
      try {
        onRemoved(await source.remove(groups, false));
        dialog.close();
      } catch (error) {
        place.replaceChildren(make("p", "warn", error.message));
      }
    }));
  } catch (error) {
    place.replaceChildren(make("p", "warn", error.message));
  }
};

const identicalGroups = async (source, query, onProgress) => {
  const groups = [];
  for (;;) {
    const answer = await source.groups({ ...query, only: "identical" }, groups.length, PAGE);
    groups.push(...answer.groups.map(({ group }) => group));
    onProgress(groups.length, answer.total);
    if (!answer.groups.length || groups.length >= answer.total) return groups;
  }
};

const previewOf = ({ removed, left, bytes }, remove) => {
  if (!removed.length) return [make("p", "", say("bulk_nothing"))];
  const text = make("p", "", say("bulk_preview", { n: removed.length, size: formatBytes(bytes) }));
  const list = make("ul", "names");
  list.append(...removed.slice(0, NAMED).map((file) => {
    const item = make("li");
    item.append(make("bdi", "", file.name), ` · ${formatBytes(file.bytes)}`);
    return item;
  }));
  if (removed.length > NAMED) list.append(make("li", "muted", say("bulk_more", { n: removed.length - NAMED })));
  const button = makeButton("main", say("bulk_remove", { n: removed.length }), () => remove(button));
  const notes = left.length ? [make("p", "muted", say("bulk_left", { n: left.length }))] : [];
  return [text, list, ...notes, button];
};
