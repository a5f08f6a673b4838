// What a person does with a group: decisions, removing the rest, taking either back.

import { announce, notify } from "./notices.js";
import { formatBytes, say } from "./words.js";

/** What a group is after a decision that leaves none, by the name of the decision. */
const MADE = { same: "same", separate: "separate", keep: "kept", skip: "skipped" };

export class Actions {
  #source;
  #pages;
  #navigation;
  #onCounts;
  #openDone;
  #done = []; // what this page did, the last at the end: {position, group, batch} or {position, group, pictures}
  #running = null; // a promise while something is done

  /** navigation: where the person is. onCounts(counts): how much is left now. openDone(): lists what was done. */
  constructor({ source, pages, navigation, onCounts, openDone }) {
    this.#source = source;
    this.#pages = pages;
    this.#navigation = navigation;
    this.#onCounts = onCounts;
    this.#openDone = openDone;
  }

  same = () => this.#decide("same", (group) => group.members);
  separate = () => this.#decide("separate", (group) => group.members);
  takeOut = () => this.#decide("separate", (group, chosen) => [chosen]);
  skip = () => this.#decide("skip", () => []);

  /** The chosen picture becomes the one to keep; the group stays in view, since its rest may go next. */
  keep = () => this.#decide("keep", (group, chosen) => [chosen], { stays: true });

  /** Removes what is sure to be a copy of the best one. Nothing is asked: it goes to the trash and comes back by undo. */
  remove = () => this.#act(async (group, position) => {
    if (!group.members.some((member) => member.removable && !member.removed)) {
      notify(say("remove_none_why"));
      return;
    }
    const answer = await this.#source.remove([group.group], false);
    this.#onCounts(answer.counts);
    const left = answer.left.map(({ because }) => because);
    if (!answer.removed.length) {
      notify(answer.stopped || left[0] || say("remove_none_why"), { warns: true });
      return;
    }
    const removed = new Set(answer.removed.map(({ picture }) => picture));
    const members = group.members.map((member) => (removed.has(member.picture) ? { ...member, removed: true } : member));
    const now = { ...group, members, reviewed: true, decision: "removed" };
    this.#pages.replace(position, now, this.#navigation.leaves(now));
    this.#done.push({ position, group, batch: answer.batch });
    const text = say("removed_now", { n: answer.removed.length, size: formatBytes(answer.bytes) });
    notify(left.length ? `${text} ${say("left_now", { n: left.length, because: left[0] })}` : text, {
      action: [say("act_undo"), this.undo],
    });
    await this.#navigation.leave(position);
  });

  /** Takes back the last thing that this page did; without one, shows the list of all that was done. */
  undo = () => this.#act(async () => {
    const last = this.#done.pop();
    if (!last) { this.#openDone(); return; }
    const { position, group, batch, pictures } = last;
    if (batch !== undefined) {
      const answer = await this.#source.undo(batch);
      this.tellUndone(answer);
      this.#pages.replace(position, await this.#source.group(group.group).catch(() => group), false);
    } else {
      const answer = await this.#source.decide(group.group, "undo", pictures);
      this.#onCounts(answer.counts);
      this.#pages.replace(position, answer.group || group, false);
      announce(say("undone"));
    }
    await this.#navigation.open(position);
  }, { waits: true });

  openFolder = () => this.#act(async (group, position, chosen) => { await this.#source.openFolder(chosen); });

  /** Says what undo brought back, and what it could not. */
  tellUndone(answer) {
    this.#onCounts(answer.counts);
    notify(say("restored", { n: answer.restored }));
    for (const { name, because } of answer.refused) notify(say("not_restored", { name, because }), { warns: true });
  }

  async #decide(decision, choice, { stays = false } = {}) {
    await this.#act(async (group, position, chosen) => {
      const pictures = choice(group, chosen).map((member) => member.picture);
      const answer = await this.#source.decide(group.group, decision, pictures);
      const now = answer.group || { ...group, decision: MADE[decision], reviewed: true };
      this.#pages.replace(position, now, this.#navigation.leaves(now) || !answer.group);
      this.#done.push({ position, group, pictures });
      this.#onCounts(answer.counts);
      announce(say("decided_now_" + decision));
      if (stays) await this.#navigation.open(position);
      else await this.#navigation.leave(position);
    });
  }

  /**
   * Does one thing at a time: what is asked for meanwhile was meant for a group that is not in view any more, so it is
   * left undone; but an undo waits its turn. What the server refuses is said.
   */
  async #act(act, { waits = false } = {}) {
    const before = this.#running;
    if (before && !waits) return;
    const mine = (async () => {
      await before;
      await this.#navigation.completed;
      const { group, position, chosen } = this.#navigation.current();
      if (group || waits) await this.#tryTo(act, group, position, chosen);
    })();
    this.#running = mine;
    document.body.classList.add("busy");
    await mine;
    if (this.#running !== mine) return;
    this.#running = null;
    document.body.classList.remove("busy");
  }

  /** If the group has changed, what it is now is shown. */
  async #tryTo(act, group, position, chosen) {
    try {
      await act(group, position, chosen);
    } catch (error) {
      notify(error.message, { warns: true });
      if (error.stale && group) {
        this.#pages.replace(position, error.group || { ...group, reviewed: true, decision: "gone" }, !error.group);
        await this.#navigation.open(position);
      }
    }
  }
}
