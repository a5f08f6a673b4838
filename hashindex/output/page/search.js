// Search by a picture that is dropped, pasted or chosen, or that has a path on this computer; and by words.

import { openDialog } from "./dialogs.js";
import { by, make, makeButton } from "./dom.js";
import { notify } from "./notices.js";
import { makeAbout, makeChip, makeFacts, showThumbnail } from "./picture.js";
import { say } from "./words.js";

export class Search {
  #source;
  #asked = 0; // grows with each question, so that only the last one is answered

  constructor(source) {
    this.#source = source;
    by("search-file").addEventListener("change", (event) => this.#start(event.target.files[0]));
    by("search-address").addEventListener("submit", (event) => {
      event.preventDefault();
      const path = by("search-path").value.trim();
      if (path) this.#start(path);
    });
    by("search-text").addEventListener("submit", (event) => {
      event.preventDefault();
      const words = by("search-words").value.trim();
      if (words) this.#show(this.#source.searchWords(words), "search_found_words", "search_none_words");
    });
    document.addEventListener("paste", (event) => this.#startWith(event, event.clipboardData));
    document.addEventListener("dragover", (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      by("drop").hidden = false;
    });
    document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) by("drop").hidden = true; });
    document.addEventListener("drop", (event) => {
      by("drop").hidden = true;
      this.#startWith(event, event.dataTransfer);
    });
  }

  open() {
    openDialog(by("search"));
    by("search-path").focus();
  }

  #startWith(event, { files }) {
    if (!files.length) return;
    event.preventDefault();
    this.#start(files[0]);
  }

  #start(asked) { if (asked) this.#show(this.#source.search(asked), "search_found", "search_none"); }

  /** Shows the answers when they are there. some, none: what to say if there are some, or none. */
  async #show(answered, some, none) {
    this.#asked += 1;
    const number = this.#asked;
    openDialog(by("search"));
    by("search-answers").replaceChildren();
    by("search-says").textContent = say("search_running");
    try {
      const { answers, reason } = await answered;
      if (number !== this.#asked) return;
      by("search-says").textContent = answers.length ? say(some, { n: answers.length }) : reason || say(none);
      by("search-answers").replaceChildren(...answers.map((answer) => this.#answer(answer)));
    } catch (error) {
      if (number === this.#asked) by("search-says").textContent = error.message;
    } finally {
      by("search-file").value = "";
    }
  }

  #answer(answer) {
    const item = make("li", "picture");
    const tile = make("div", "thumb");
    showThumbnail(tile, this.#source, answer, false);
    const about = make("div", "about");
    const marks = make("p", "marks");
    if (answer.relation || answer.distance !== null) marks.append(makeChip(answer, {}));
    if (answer.state === "missing") marks.append(make("span", "chip warn", say("gone")));
    about.append(...makeAbout(answer), makeFacts(answer), marks);
    for (const reason of answer.why) about.append(make("p", "reason", reason));
    const folder = makeButton("quiet", say("open_folder"), () => {
      this.#source.openFolder(answer).catch((error) => notify(error.message, { warns: true }));
    });
    folder.setAttribute("aria-label", say("named", { what: say("open_folder"), name: answer.name }));
    about.append(folder);
    item.append(tile, about);
    return item;
  }
}
