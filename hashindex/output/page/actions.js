// What a person does with a group: decisions, removing the rest, taking either back.

import { announce, notify } from "./notices.js";
import { formatBytes, say } from "./words.js";

/** What a group is after a decision that leaves none, by the name of the decision. */
const MADE = { same: "same", separate: "separate", keep: "kept", skip: "skipped" };

/**
 * The next group is in view at once; what was asked for is done meanwhile, one thing after the other. Each is about the
 * group that was in view when it was asked for.
 */
export class Actions {
  #source;
  #pages;
  #navigation;
  #onCounts;
  #openDone;
  #done = []; // what this page did, the last at the end: {position, group, batch} or {position, group, pictures}
  #queue = Promise.resolve();
  #asked = new Set(); // positions of groups for which something is still to be done

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
  remove = async () => {
    const before = this.#navigation.current();
    await this.#navigation.completed;
    const { group, position } = this.#navigation.current();
    if (!group || position !== before.position || this.#asked.has(position)) return;
    if (!group.members.some((member) => member.removable && !member.removed)) {
      notify(say("remove_none_why"));
      return;
    }
    this.#navigation.open(position + 1);
    await this.#do(position, group, async () => {
      const answer = await this.#source.remove([group.group], false);
      this.#onCounts(answer.counts);
      const left = answer.left.map(({ because }) => because);
      if (!answer.removed.length) throw new Error(answer.stopped || left[0] || say("remove_none_why"));
      const removed = new Set(answer.removed.map(({ picture }) => picture));
      const members = group.members.map((one) => (removed.has(one.picture) ? { ...one, removed: true } : one));
      this.#replace(position, { ...group, members, reviewed: true, decision: "removed" });
      this.#done.push({ position, group, batch: answer.batch });
      const text = say("removed_now", { n: answer.removed.length, size: formatBytes(answer.bytes) });
      notify(left.length ? `${text} ${say("left_now", { n: left.length, because: left[0] })}` : text, {
        action: [say("act_undo"), this.undo],
      });
    });
  };

  /** Takes back the last thing that this page did; without one, shows the list of all that was done. */
  undo = async () => {
    await this.#queue;
    const last = this.#done.pop();
    if (!last) { this.#openDone(); return; }
    const { position, group, batch, pictures } = last;
    await this.#do(position, group, async () => {
      if (batch !== undefined) {
        this.tellUndone(await this.#source.undo(batch));
        this.#pages.replace(position, await this.#source.group(group.group).catch(() => group), false);
      } else {
        const answer = await this.#source.decide(group.group, "undo", pictures);
        this.#onCounts(answer.counts);
        this.#pages.replace(position, answer.group || group, false);
        announce(say("undone"));
      }
      await this.#navigation.open(position);
    });
  };

  openFolder = async () => {
    const { chosen } = this.#navigation.current();
    if (chosen) await this.#source.openFolder(chosen).catch((error) => notify(error.message, { warns: true }));
  };

  /** Says what undo brought back, and what it could not. */
  tellUndone(answer) {
    this.#onCounts(answer.counts);
    notify(say("restored", { n: answer.restored }));
    for (const { name, because } of answer.refused) notify(say("not_restored", { name, because }), { warns: true });
  }

  async #decide(decision, choice, { stays = false } = {}) {
    const { group, position, chosen } = this.#navigation.current();
    if (!group || this.#asked.has(position)) return;
    const { completed } = this.#navigation;
    if (!stays) this.#navigation.open(position + 1);
    await this.#do(position, group, async () => {
      await completed;
      const pictures = choice(group, chosen).map((member) => member.picture);
      const answer = await this.#source.decide(group.group, decision, pictures);
      this.#replace(position, answer.group || { ...group, decision: MADE[decision], reviewed: true }, !answer.group);
      this.#done.push({ position, group, pictures });
      this.#onCounts(answer.counts);
      announce(say("decided_now_" + decision));
      if (stays) await this.#navigation.open(position);
    });
  }

  /** gone: whether it is no group any more. */
  #replace(position, group, gone = false) {
    this.#pages.replace(position, group, gone || this.#navigation.leaves(group));
  }

  /** Acts when all before is done. What the server refuses is said; if the group has changed, it is shown as it is. */
  #do(position, group, act) {
    this.#asked.add(position);
    this.#queue = this.#queue.then(act).catch(async (error) => {
      notify(error.message, { warns: true, action: [say("show_now"), () => this.#navigation.open(position)] });
      if (!error.stale) return;
      this.#replace(position, error.group || { ...group, reviewed: true, decision: "gone" }, !error.group);
      await this.#navigation.open(position);
    }).finally(() => this.#asked.delete(position));
    return this.#queue;
  }
}
