// One group, as large as the window allows: its pictures side by side, what is known of them, what can be done.

import { loadFrames, makeCanvas, Player } from "./animation.js";
import { make, makeButton, withKey } from "./dom.js";
import { loadPicture } from "./compare.js";
import { makeReasons } from "./group_list.js";
import { makeAbout, makeChip, makeCopyButton, makeFacts, makeModified } from "./picture.js";
import { formatBytes, formatNumber, say } from "./words.js";

const MOST = 24; // pictures of a group shown at first

export class GroupView {
  #element;
  #source;
  #plays;
  #compare;
  #go;
  #acts;
  #group = null;
  #chosen = 1;
  #shown = 0; // grows with each group, so that pictures that arrive late are dropped
  #player = new Player((place) => { if (this.#bar) this.#bar.value = place * 1000; });
  #bar = null;

  /**
   * plays(): whether animations play. compare(group, member): compares it with the best. go(step): to another group.
   * acts: what can be done, {same, separate, takeOut, keep, skip, remove, undo, openFolder}; null in a report.
   */
  constructor(element, { source, plays, compare, go, acts }) {
    this.#element = element;
    this.#source = source;
    this.#plays = plays;
    this.#compare = compare;
    this.#go = go;
    this.#acts = acts;
  }

  get group() { return this.#group; }
  get chosen() { return this.#group && this.#group.members[this.#chosen]; }
  get player() { return this.#player; }

  /** Shows a group, which is the one at `position` of `total`. If it is in view already, its pictures stay. */
  show(group, position, total) {
    const hadFocus = this.#element.contains(document.activeElement) || document.activeElement === document.body;
    const before = this.#group;
    this.#group = group;
    if (before && hasSamePictures(before, group)) {
      this.#update(position, total);
    } else {
      this.#chosen = Math.min(1, group.members.length - 1);
      this.#build(position, total);
    }
    this.choose(this.#chosen);
    if (hadFocus && !this.#element.contains(document.activeElement)) {
      this.#element.querySelector("h2").focus({ preventScroll: true });
    }
  }

  #build(position, total) {
    const group = this.#group;
    this.#clear();
    const list = make("ul", "plates");
    list.setAttribute("role", "list");
    list.dataset.count = Math.min(group.members.length, 5);
    list.append(...group.members.slice(0, MOST).map((member, at) => this.#plate(member, at)));
    this.#element.replaceChildren(this.#head(position, total), this.#reasons(), list);
    if (group.members.length > MOST) this.#element.append(this.#more(list));
    if (group.members.some((member) => member.frames > 1) && this.#source.decides) this.#element.append(this.#motion());
    if (this.#acts) this.#element.append(this.#actions());
  }

  #update(position, total) {
    this.#element.querySelector(".group-head").replaceWith(this.#head(position, total));
    this.#element.querySelector(".reasons").replaceWith(this.#reasons());
    for (const plate of this.#element.querySelectorAll(".plate")) {
      const at = Number(plate.dataset.at);
      plate.querySelector(".about").replaceWith(this.#about(this.#group.members[at], at));
    }
    if (this.#acts) this.#element.querySelector(".actions").replaceWith(this.#actions());
  }

  /** Shows a sentence instead of a group. */
  say(title, text, ...buttons) {
    this.#clear();
    this.#group = null;
    const heading = make("h2", "", title);
    heading.id = "group-title";
    heading.tabIndex = -1;
    const box = make("div", "notice");
    box.append(heading, make("p", "", text), ...buttons);
    this.#element.replaceChildren(box);
    heading.focus({ preventScroll: true });
  }

  /** Chooses the member of this number, from 0, for what is done next. */
  choose(number) {
    if (!this.#group || !this.#group.members[number]) return;
    this.#chosen = number;
    for (const plate of this.#element.querySelectorAll(".plate")) {
      plate.classList.toggle("chosen", Number(plate.dataset.at) === number);
      plate.querySelector(".choose").setAttribute("aria-pressed", String(Number(plate.dataset.at) === number));
    }
  }

  play(playing) { this.#player.play(playing); }

  /** Shows nothing. */
  clear() {
    this.#clear();
    this.#group = null;
    this.#element.replaceChildren();
  }

  #clear() {
    this.#shown += 1;
    this.#player.clear();
    this.#bar = null;
    for (const image of this.#element.querySelectorAll("img")) image.removeAttribute("src");
  }

  #head(position, total) {
    const group = this.#group;
    const head = make("header", "group-head");
    const titles = make("div", "titles");
    const title = make("h2", "", say("group", { id: String(group.number) }));
    title.id = "group-title";
    title.tabIndex = -1;
    const about = make("p", "muted");
    const facts = [
      say("pictures", { n: group.members.length }),
      say("in_copies", { size: formatBytes(group.bytes_extra) }),
    ];
    if (typeof group.weakest === "number") facts.push(say("weakest", { percent: String(Math.floor(group.weakest * 100)) }));
    about.append(facts.join(" · "));
    titles.append(title, make("span", "chip", say("level_" + group.level)));
    if (group.decision || group.reviewed) {
      titles.append(make("span", "chip done", say("decided_" + (group.decision || "reviewed"))));
    }
    titles.append(about);
    const walk = make("div", "walk");
    const place = make("span", "muted", say("place", { n: position + 1, all: total }));
    const before = withKey(makeButton("", say("previous"), () => this.#go(-1)), "k");
    const after = withKey(makeButton("", say("next"), () => this.#go(1)), "j");
    before.disabled = position === 0;
    after.disabled = position + 1 >= total && !this.#acts;
    walk.append(place, before, after);
    head.append(titles, walk);
    return head;
  }

  #reasons() {
    const reasons = make("div", "reasons");
    reasons.append(...makeReasons(this.#group));
    return reasons;
  }

  #plate(member, at) {
    const plate = make("li", member.keeper ? "plate keeper" : "plate");
    plate.dataset.at = at;
    const look = makeButton("look", undefined, () => { this.choose(at); this.#compare(this.#group, member); });
    look.setAttribute("aria-label", say("compare_of", { name: member.name }));
    this.#load(look, member);
    plate.append(look, this.#about(member, at));
    return plate;
  }

  #about(member, at) {
    const marks = make("div", "marks");
    const choose = makeButton("choose", formatNumber(at + 1), () => this.choose(at));
    choose.setAttribute("aria-label", say("choose_of", { n: at + 1, name: member.name }));
    marks.append(choose, makeChip(member, this.#group));
    if (member.removed) marks.append(make("span", "chip done", say("removed")));
    for (const fault of member.faults) marks.append(make("span", "chip fault", fault));
    const when = make("p", "muted");
    when.append(makeModified(member));
    const about = make("div", "about");
    about.append(marks, ...makeAbout(member), makeFacts(member, this.#group), when);
    if (!member.keeper && !member.faults.length) for (const reason of member.why) about.append(make("p", "reason", reason));
    if (member.left_because) about.append(make("p", "reason warn", say("stays", { because: member.left_because })));
    about.append(this.#plateButtons(member, at));
    return about;
  }

  #plateButtons(member, at) {
    const buttons = make("div", "plate-buttons");
    if (!this.#acts) { buttons.append(makeCopyButton(member)); return buttons; }
    const then = (act) => () => { this.choose(at); act(); };
    if (!member.keeper) {
      const keep = makeButton("quiet", say("keep_this"), then(this.#acts.keep));
      keep.setAttribute("aria-label", say("named", { what: say("keep_this"), name: member.name }));
      buttons.append(keep);
    }
    if (this.#group.members.length > 2) {
      const takeOut = makeButton("quiet", say("act_take_out"), then(this.#acts.takeOut));
      takeOut.setAttribute("aria-label", say("named", { what: say("act_take_out"), name: member.name }));
      buttons.append(takeOut);
    }
    const folder = makeButton("quiet", say("open_folder"), then(this.#acts.openFolder));
    folder.setAttribute("aria-label", say("named", { what: say("open_folder"), name: member.name }));
    buttons.append(folder);
    return buttons;
  }

  async #load(look, member) {
    const shown = this.#shown;
    const frames = await loadFrames(this.#source, member).catch(() => null);
    const picture = frames ? makeCanvas(frames, member.name) : await loadPicture(this.#source, member);
    if (shown !== this.#shown) return;
    picture.style.setProperty("--shape", shapeOf(picture));
    look.append(picture);
    if (!frames) return;
    this.#player.add(picture, frames);
    this.#player.play(this.#plays());
  }

  #more(list) {
    const more = makeButton("more", say("more", { n: this.#group.members.length - MOST }), () => {
      const others = this.#group.members.slice(MOST).map((member, at) => this.#plate(member, MOST + at));
      list.append(...others);
      others[0].querySelector("button").focus();
      more.remove();
    });
    return more;
  }

  #motion() {
    const bar = make("div", "motion");
    const play = withKey(makeButton("", say("play"), () => this.#player.play(!this.#player.playing)), "p");
    const step = (text, key, direction) => withKey(makeButton("", text, () => {
      if (!this.#player.empty) this.#player.step(direction);
    }), key);
    const place = make("input");
    place.type = "range";
    place.max = 1000;
    place.value = 0;
    place.setAttribute("aria-label", say("motion_place"));
    place.addEventListener("input", () => { this.#player.play(false); this.#player.seek(place.value / 1000); });
    this.#bar = place;
    bar.append(play, step(say("frame_before"), ",", -1), step(say("frame_after"), ".", 1), place);
    return bar;
  }

  #actions() {
    const group = this.#group;
    const going = group.members.filter((member) => member.removable && !member.removed);
    const bar = make("div", "actions");
    bar.setAttribute("role", "group");
    bar.setAttribute("aria-label", say("actions"));
    const remove = withKey(makeButton("main", this.#removalText(going), this.#acts.remove), "d");
    remove.disabled = going.length === 0;
    const button = (text, key, act) => withKey(makeButton("", text, act), key);
    bar.append(
      remove,
      button(say("act_same"), "s", this.#acts.same),
      button(say(group.members.length > 2 ? "act_separate_all" : "act_separate"), "x", this.#acts.separate),
      button(say("act_skip"), "n", this.#acts.skip),
      button(say("act_undo"), "u", this.#acts.undo),
    );
    return bar;
  }

  /** What the button for removing says; going: the members that it would remove. */
  #removalText(going) {
    const size = formatBytes(going.reduce((sum, member) => sum + member.bytes, 0));
    if (going.length) return say("remove_rest", { n: going.length, size });
    if (this.#group.level !== "copies") return say("remove_level");
    return say(this.#group.provisional ? "comparing" : "remove_none");
  }
}

const hasSamePictures = (one, other) => one.members.length === other.members.length
  && one.members.every((member, at) => member.picture === other.members[at].picture);

/** Width by height of a picture that is loaded. */
const shapeOf = (picture) => (picture.naturalWidth || picture.width || 1) / (picture.naturalHeight || picture.height || 1);
