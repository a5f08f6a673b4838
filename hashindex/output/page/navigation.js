// Where in the groups the person is: the list or one group, which group, which query.

import { by, choose, chosen, makeButton } from "./dom.js";
import { notify } from "./notices.js";
import { say } from "./words.js";

const AHEAD = 5;

export class Navigation {
  #pages;
  #list;
  #view;
  #query = {};
  #at = 0;
  /** Done when the group in view has its details; a decision before would make the server look for a group that was. */
  completed = Promise.resolve();

  constructor(pages) { this.#pages = pages; }

  /** The list and the view need the navigation, so they come later than it. */
  connect(list, view) {
    this.#list = list;
    this.#view = view;
  }

  get showsGroup() { return chosen("view") === "group"; }

  /** The group in view, its position, and the chosen member. */
  current() { return { group: this.showsGroup ? this.#view.group : null, position: this.#at, chosen: this.#view.chosen }; }

  /** Whether a group is no longer among the answers of the query as it is now. */
  leaves(group) { return ["undecided", "new"].includes(this.#query.only) && group.reviewed; }

  /** Asks for the groups of a query and shows the first one, or the one at a position. */
  async ask(query, position = 0) {
    this.#query = query;
    try {
      await this.#pages.ask(query);
    } catch (error) {
      by("status").textContent = "";
      this.#nothing(error.message);
      return;
    }
    by("status").textContent = say("shown", { n: this.#pages.total });
    this.#at = Math.min(position, Math.max(0, this.#pages.total - 1));
    await this.show();
  }

  /** Asks the same again and stays where the person is. */
  again() { return this.ask(this.#query, this.#at); }

  /** Shows the list or one group, as chosen, at the group where the person is. */
  async show() {
    const none = this.#pages.total === 0;
    if (this.showsGroup && !none && !by("list").hidden) this.#at = this.#list.position();
    this.#arrange(none);
    if (none) {
      this.#nothing(this.#whyNone());
      this.#view.clear();
    } else if (this.showsGroup) {
      await this.open(this.#at);
    } else {
      this.#view.play(false);
      this.#list.reset();
      if (this.#at > 0) await this.#list.scrollTo(this.#at);
    }
  }

  async toggleView() {
    choose("view", this.showsGroup ? "list" : "group");
    await this.show();
    if (!this.showsGroup) await this.#list.focus(this.#at);
  }

  /** Shows one group. */
  async open(position) {
    choose("view", "group");
    this.#arrange(false);
    this.#at = Math.min(position, this.#pages.total);
    let group;
    try {
      group = await this.#pages.at(position);
    } catch (error) {
      notify(error.message, { warns: true });
      return;
    }
    if (this.#at !== Math.min(position, this.#pages.total)) return; // the person has gone on meanwhile
    if (!group) { this.#end(); return; }
    this.#view.show(group, position, this.#pages.total);
    if (group.provisional) this.completed = this.#complete(group, position);
    const ahead = Math.min(position + AHEAD, this.#pages.total - 1);
    this.#pages.at(ahead).catch(() => {}); // so that the next ones are there at once
    by("filters").scrollIntoView({ block: "start" });
  }

  /** Asks for what takes longer to find out than that there is the group: what of it is sure to be a copy. */
  async #complete(group, position) {
    const whole = await this.#pages.complete(group, position).catch(() => null);
    if (whole && this.#view.group === group) this.#view.show(whole, position, this.#pages.total);
  }

  /** Goes on by some groups. */
  async go(step) {
    const position = this.showsGroup ? this.#at : this.#list.position();
    if (!this.showsGroup) {
      const next = position + (this.#list.hasFocus() ? step : Math.min(step, 0));
      await this.#list.focus(Math.max(0, Math.min(this.#pages.total - 1, next)));
      return;
    }
    if (position + step < 0) return;
    await this.open(position + step);
  }

  /** Which parts of the page are there. */
  #arrange(none) {
    document.body.dataset.view = chosen("view");
    by("list").hidden = this.showsGroup || none;
    by("group").hidden = !this.showsGroup || none;
    if (!none) this.#nothing("");
  }

  #whyNone() {
    const { only, folder, text, words } = this.#query;
    if (words) return say("no_match_words");
    if (only === "undecided") return say("nothing_left");
    return say(only || folder || text ? "no_match" : "no_groups");
  }

  #end() {
    this.#view.say(
      say("end_title"),
      say("end_text"),
      makeButton("main", say("end_again"), () => this.ask(this.#query)),
      makeButton("", say("end_back"), () => this.open(this.#pages.total - 1)),
    );
  }

  #nothing(text) {
    by("nothing").hidden = !text;
    by("nothing").textContent = text;
  }
}
