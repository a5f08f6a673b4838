// Messages that appear at the edge of the page, and those that only screen readers get.

import { by, make, makeButton } from "./dom.js";
import { say } from "./words.js";

const MOST = 3;
const SHOWN_MS = 8000;

/** Shows a message for some seconds. action: [text, function] for a button in it. */
export const notify = (text, { action, warns = false } = {}) => {
  const box = make("div", warns ? "notice-box warns" : "notice-box");
  box.append(make("p", "", text));
  const remove = () => box.remove();
  if (action) box.append(makeButton("", action[0], () => { remove(); action[1](); }));
  const close = makeButton("quiet", "×", remove);
  close.setAttribute("aria-label", say("close"));
  box.append(close);
  const shown = by("notices");
  shown.append(box);
  while (shown.children.length > MOST) shown.firstChild.remove();
  let ending = setTimeout(remove, SHOWN_MS);
  // As long as somebody reads or uses it, it stays.
  for (const event of ["pointerenter", "focusin"]) box.addEventListener(event, () => clearTimeout(ending));
  for (const event of ["pointerleave", "focusout"]) {
    box.addEventListener(event, () => { clearTimeout(ending); ending = setTimeout(remove, SHOWN_MS); });
  }
};

let hush;
export const announce = (text) => {
  by("said").textContent = text;
  clearTimeout(hush);
  hush = setTimeout(() => { by("said").textContent = ""; }, 4000);
};
