// Dialogs: opened in front of the page, closed by Escape, by their button and by a click beside them.

import { makeButton } from "./dom.js";
import { say } from "./words.js";

/** Opens a dialog of the page. The browser keeps the focus inside, and gives it back when the dialog closes. */
export const openDialog = (dialog) => {
  const head = dialog.querySelector(":scope > header");
  if (head && !head.querySelector(".close")) {
    const close = makeButton("quiet close", "×", () => dialog.close());
    head.append(close);
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  }
  if (head) head.querySelector(".close").setAttribute("aria-label", say("close"));
  if (!dialog.open) dialog.showModal();
};

export const openedDialog = () => document.querySelector("dialog[open]");
