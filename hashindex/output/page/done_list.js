// The list of what was done: removals and decisions, each with a button that takes it back.

import { openDialog } from "./dialogs.js";
import { by, make, makeButton } from "./dom.js";
import { formatBytes, formatTime, say } from "./words.js";

/** onUndone(answer): called after a removal or a decision was taken back; only the answer to a removal has `restored`. */
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
    list.append(...batches.map((batch) => batchItem(source, batch, onUndone)), ...decisions.map((made) => decisionItem(source, made, onUndone)));
    place.replaceChildren(list);
  } catch (error) {
    place.replaceChildren(make("p", "warn", error.message));
  }
};

const batchItem = (source, batch, onUndone) => {
  const item = make("li");
  const size = batch.bytes === null ? "" : formatBytes(batch.bytes);
  item.append(make("p", "", say(size ? "done_batch" : "done_batch_earlier", { n: batch.files, size })));
  item.append(make("p", "muted", formatTime(batch.when)));
  addUndo(item, batch, () => source.undo(batch.batch), onUndone);
  return item;
};

const decisionItem = (source, made, onUndone) => {
  const item = make("li");
  const names = made.names.join(", ");
  item.append(make("p", "", say("done_decision", { what: say("decided_" + made.decision), names })));
  item.append(make("p", "muted", formatTime(made.when)));
  addUndo(item, made, () => source.undoDecision(made.number), onUndone);
  return item;
};

const addUndo = (item, { undone, when }, undo, onUndone) => {
  if (undone) {
    item.append(make("span", "chip", say("done_undone")));
    return;
  }
  const button = makeButton("", say("act_undo"), async () => {
    button.disabled = true;
    try {
      await onUndone(await undo());
      button.replaceWith(make("span", "chip", say("done_undone")));
    } catch (error) {
      button.disabled = false;
      item.append(make("p", "warn", error.message));
    }
  });
  button.setAttribute("aria-label", say("named", { what: say("act_undo"), name: formatTime(when) }));
  item.append(button);
};
