// The list of what was done: removals and decisions, each with a button that takes it back.

import { openDialog } from "./dialogs.js";
import { by, make, makeButton } from "./dom.js";
import { formatBytes, formatTime, say } from "./words.js";

/** onUndone(answer): called after a removal was taken back. */
export const openDoneList = async (source, onUndone) => {
  openDialog(by("done"));
  const place = by("done-list");
  place.replaceChildren(make("p", "muted", say("loading")));
  try {
    const { batches, decisions } = await source.done();
    if (!batches.length && !decisions.length) {
      place.replaceChildren(make("p", "muted", say("done_nothing")));
      return;
    }
    const list = make("ul", "done-items");
    list.setAttribute("role", "list");
    list.append(...batches.map((batch) => batchItem(source, batch, onUndone)), ...decisions.map(decisionItem));
    place.replaceChildren(list);
  } catch (error) {
    place.replaceChildren(make("p", "warn", error.message));
  }
};

const batchItem = (source, batch, onUndone) => {
  const item = make("li");
  const text = make("p", "", say("done_batch", { n: batch.files, size: formatBytes(batch.bytes) }));
  item.append(text, make("p", "muted", formatTime(batch.when)));
  if (batch.undone) {
    item.append(make("span", "chip", say("done_undone")));
    return item;
  }
  const undo = makeButton("", say("act_undo"), async () => {
    undo.disabled = true;
    try {
      await onUndone(await source.undo(batch.batch));
      undo.replaceWith(make("span", "chip", say("done_undone")));
    } catch (error) {
      undo.disabled = false;
      item.append(make("p", "warn", error.message));
    }
  });
  undo.setAttribute("aria-label", say("done_undo_of", { time: formatTime(batch.when) }));
  item.append(undo);
  return item;
};

const decisionItem = (decision) => {
  const item = make("li");
  const names = decision.names.join(", ");
  item.append(make("p", "", say("done_decision", { what: say("decided_" + decision.decision), names })));
  item.append(make("p", "muted", formatTime(decision.when)));
  return item;
};
