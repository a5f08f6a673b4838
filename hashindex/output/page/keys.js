// All keys of the page, in one table: the help is made from it.

import { by, make } from "./dom.js";
import { openedDialog } from "./dialogs.js";
import { say } from "./words.js";

/** [keys, key of the words, function] each. where: "page" or "compare". */
export class Keys {
  #bindings = { page: [], compare: [] };

  constructor() {
    document.addEventListener("keydown", (event) => this.#pressed(event));
  }

  bind(where, bindings) { this.#bindings[where].push(...bindings); }

  /** Fills the list of keys in the help. */
  describe(list) {
    const rows = [];
    for (const where of ["page", "compare"]) {
      const titled = make("h4", "", say("keys_" + where));
      const rest = this.#bindings[where].filter(([, words]) => words);
      if (!rest.length) continue;
      rows.push(titled);
      const pairs = make("dl", "keys");
      for (const [keys, words, , shown] of rest) {
        const pair = make("div");
        const term = make("dt");
        for (const key of shown || keys) term.append(make("kbd", "", NAMES[key] ? say(NAMES[key]) : key));
        pair.append(term, make("dd", "", say(words)));
        pairs.append(pair);
      }
      rows.push(pairs);
    }
    list.replaceChildren(...rows);
  }

  #pressed(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (!by("use-keys").checked || isTyping(event)) return;
    const dialog = openedDialog();
    if (dialog && dialog.id !== "compare") return;
    const found = this.#bindings[dialog ? "compare" : "page"].find(([keys]) => keys.includes(event.key));
    // A key that is held down may walk on, but nothing is decided or removed by it.
    if (!found || (event.repeat && !WALKING.includes(event.key))) return;
    // A space or Enter on a button presses that button, as everywhere.
    if (event.key === " " && event.target.closest("button, summary, a")) {
      if (!event.target.matches(".look, .choose")) return;
    }
    event.preventDefault();
    found[2](event.key);
  }
}

const WALKING = ["j", "k", ",", ".", "+", "=", "-", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];
const NAMES = { " ": "key_space" };

/** Whether a key belongs to the field that has the focus: letters to a text, arrows to a slider. */
const isTyping = ({ target, key }) => {
  if (/^(SELECT|TEXTAREA)$/.test(target.tagName)) return true;
  if (target.tagName !== "INPUT") return false;
  if (/^(checkbox|radio|range)$/.test(target.type)) return key === " " || key.startsWith("Arrow");
  return true;
};
