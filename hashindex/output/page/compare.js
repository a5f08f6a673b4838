// Two pictures of a group, side by side, in turn at one place, or with a line between them; differences outlined.

import { loadFrames, makeCanvas, Player } from "./animation.js";
import { make, makeButton, makeName, withKey } from "./dom.js";
import { openDialog } from "./dialogs.js";
import { announce } from "./notices.js";
import { makeChip, makeFacts } from "./picture.js";
import { say } from "./words.js";
import { Zoom } from "./zoom.js";

export const MODES = ["side", "flicker", "slider"];
const FLICKER_MS = 600;
const NEAR_SHAPE = 0.03;
const MOST_OF_A_TAP = 6; // CSS pixels

export class Compare {
  #dialog;
  #source;
  #plays;
  #mode = "flicker";
  #group = null;
  #second = null;
  #showsSecond = false;
  #outlines = false;
  #flickering = 0;
  #parts = {};
  #zoom = new Zoom((scale) => { this.#showScale(scale); });
  #player = new Player();
  #opened = 0; // grows with each pair, so that what arrives late for another pair is dropped

  constructor(dialog, { source, plays }) {
    this.#dialog = dialog;
    this.#source = source;
    this.#plays = plays;
    dialog.addEventListener("close", () => this.#close());
    window.addEventListener("resize", () => this.#zoom.refit());
  }

  get isOpen() { return this.#dialog.open; }

  /** Compares a member of a group with the best one; the best one is compared with the first other. */
  open(group, member, mode = this.#mode) {
    this.#group = group;
    this.#mode = mode;
    this.#outlines = false;
    this.#build();
    openDialog(this.#dialog);
    this.choose(Math.max(1, group.members.indexOf(member)));
    this.#parts.desk.focus();
  }

  /** Compares the member of this number, from 0, with the best one. */
  choose(number) {
    const second = this.#group.members[number];
    if (!second || number === 0) return;
    this.#second = second;
    this.#show();
  }

  setMode(mode) {
    this.#mode = mode;
    this.#showsSecond = false;
    this.#stopFlicker();
    this.#arrange();
    this.#zoom.fit();
  }

  nextMode() { this.setMode(MODES[(MODES.indexOf(this.#mode) + 1) % MODES.length]); }

  /** Shows the other picture at the same place. */
  flip() {
    if (this.#mode !== "flicker") this.setMode("flicker");
    this.#showsSecond = !this.#showsSecond;
    this.#arrange();
    announce((this.#showsSecond ? this.#second : this.#group.members[0]).name);
  }

  toggleFlicker() {
    if (this.#flickering) { this.#stopFlicker(); return; }
    this.flip();
    this.#flickering = setInterval(() => { this.#showsSecond = !this.#showsSecond; this.#arrange(); }, FLICKER_MS);
    this.#arrange();
  }

  togglePixels() { this.#zoom.togglePixels(); }
  zoomBy(factor) { this.#zoom.zoomBy(factor); }
  moveBy(x, y) { this.#zoom.moveBy(x, y); }
  togglePlay() { this.#player.play(!this.#player.playing); }

  async toggleOutlines() {
    this.#outlines = !this.#outlines;
    this.#arrange();
    if (!this.#outlines || this.#parts.says.childNodes.length) return;
    const opened = this.#opened;
    this.#parts.says.replaceChildren(make("p", "muted", say("comparing")));
    let found;
    try {
      found = await this.#source.difference(this.#group.members[0], this.#second);
    } catch (error) {
      found = { areas: [], says: [error.message] };
    }
    if (opened !== this.#opened) return;
    const { width, height, areas = [], says = [] } = found || {};
    const sentences = says.length ? says : [say(found ? "no_difference" : "no_outlines")];
    this.#parts.says.replaceChildren(...sentences.map((sentence) => make("p", "", sentence)));
    for (const holder of this.#parts.areas) {
      holder.replaceChildren(...areas.map(([x, y, w, h]) => {
        const area = make("span", "area");
        area.style.left = `${(100 * x) / width}%`;
        area.style.top = `${(100 * y) / height}%`;
        area.style.width = `${(100 * w) / width}%`;
        area.style.height = `${(100 * h) / height}%`;
        return area;
      }));
    }
    announce(sentences.join(" "));
  }

  #build() {
    const head = make("header", "compare-head");
    const modes = make("div", "modes");
    modes.setAttribute("role", "group");
    modes.setAttribute("aria-label", say("compare_how"));
    const modeButtons = MODES.map((mode) => makeButton("", say("mode_" + mode), () => this.setMode(mode)));
    modes.append(...modeButtons);
    const others = make("div", "modes");
    others.setAttribute("role", "group");
    others.setAttribute("aria-label", say("compare_with"));
    const otherButtons = this.#group.members.slice(1, 10).map((member, at) => {
      const button = makeButton("", String(at + 2), () => this.choose(at + 1));
      button.setAttribute("aria-label", `${at + 2}: ${member.name}`);
      return button;
    });
    others.append(...otherButtons);
    const outline = withKey(makeButton("", say("outline"), () => this.toggleOutlines()), "o");
    const flicker = withKey(makeButton("", say("flicker_auto"), () => this.toggleFlicker()), "a");
    const pixels = withKey(makeButton("", "100 %", () => this.togglePixels()), "z");
    const close = makeButton("quiet close", "×", () => this.#dialog.close());
    close.setAttribute("aria-label", say("close"));
    head.append(modes, ...(otherButtons.length > 1 ? [others] : []), flicker);
    if (this.#source.decides) head.append(outline);
    head.append(pixels, close);

    const desk = make("div", "desk");
    desk.tabIndex = -1;
    const panes = [make("div", "pane"), make("div", "pane second")];
    const layers = panes.map((pane) => {
      const layer = make("div", "layer");
      pane.append(layer);
      this.#zoom.attach(pane);
      this.#flipByTap(pane);
      return layer;
    });
    const line = make("div", "line");
    const slider = make("input", "slider");
    slider.type = "range";
    slider.max = 1000;
    slider.value = 500;
    slider.setAttribute("aria-label", say("slider"));
    slider.addEventListener("input", () => this.#slide());
    line.addEventListener("pointerdown", (event) => line.setPointerCapture(event.pointerId));
    line.addEventListener("pointermove", (event) => {
      if (!line.hasPointerCapture(event.pointerId)) return;
      const box = desk.getBoundingClientRect();
      slider.value = (1000 * (event.clientX - box.left)) / box.width;
      this.#slide();
    });
    desk.append(...panes, line, slider);

    const captions = [make("div", "caption"), make("div", "caption second")];
    const says = make("div", "says");
    const foot = make("footer", "compare-foot");
    foot.append(...captions, says);
    this.#parts = {
      desk, panes, layers, line, slider, captions, says, outline, pixels, flicker, modeButtons, otherButtons, areas: [],
    };
    this.#dialog.replaceChildren(head, desk, foot);
  }

  /** A tap shows the other picture; a drag moves both. */
  #flipByTap(pane) {
    let from = [0, 0];
    pane.addEventListener("pointerdown", ({ clientX, clientY }) => { from = [clientX, clientY]; });
    pane.addEventListener("click", ({ clientX, clientY }) => {
      const moved = Math.hypot(clientX - from[0], clientY - from[1]);
      if (this.#mode === "flicker" && moved < MOST_OF_A_TAP) this.flip();
    });
  }

  async #show() {
    this.#opened += 1;
    this.#player.clear();
    this.#showsSecond = false;
    const first = this.#group.members[0];
    const pair = [first, this.#second];
    this.#parts.says.replaceChildren();
    const size = { width: first.width || 400, height: first.height || 300 };
    this.#parts.areas = this.#parts.layers.map(() => make("div", "areas"));
    pair.forEach((member, at) => {
      const caption = this.#parts.captions[at];
      const title = makeName("name", `${this.#group.members.indexOf(member) + 1}  ${member.name}`);
      title.prepend(makeChip(member, this.#group), " ");
      caption.replaceChildren(title, makeFacts(member, this.#group));
      this.#parts.layers[at].replaceChildren(this.#parts.areas[at]);
    });
    this.#parts.otherButtons.forEach((button, at) => {
      button.setAttribute("aria-pressed", String(this.#group.members[at + 1] === this.#second));
    });
    this.#arrange();
    this.#zoom.show(this.#parts.layers, size);
    if (this.#outlines) { this.#outlines = false; this.toggleOutlines(); }
    await Promise.all(pair.map((member, at) => this.#load(member, at, size, this.#opened)));
    if (!this.#player.empty) this.#player.play(this.#plays());
  }

  async #load(member, at, size, opened) {
    let shown;
    const frames = await loadFrames(this.#source, member).catch(() => null);
    if (frames) {
      shown = makeCanvas(frames, member.name);
    } else {
      shown = await loadPicture(this.#source, member);
    }
    if (opened !== this.#opened) return;
    const sameShape = Math.abs((member.width * size.height) / (member.height * size.width || 1) - 1) < NEAR_SHAPE;
    shown.classList.toggle("contained", !sameShape);
    this.#parts.layers[at].prepend(shown);
    if (frames) this.#player.add(shown, frames);
  }

  #arrange() {
    const { desk, panes, captions, modeButtons, outline, flicker, areas } = this.#parts;
    desk.dataset.mode = this.#mode;
    panes[1].hidden = this.#mode === "flicker" && !this.#showsSecond;
    panes[0].classList.toggle("behind", this.#mode === "flicker" && this.#showsSecond);
    captions[0].classList.toggle("shown", this.#mode === "flicker" && !this.#showsSecond);
    captions[1].classList.toggle("shown", this.#mode === "flicker" && this.#showsSecond);
    modeButtons.forEach((button, at) => button.setAttribute("aria-pressed", String(MODES[at] === this.#mode)));
    outline.setAttribute("aria-pressed", String(this.#outlines));
    flicker.setAttribute("aria-pressed", String(this.#flickering > 0));
    for (const holder of areas) holder.hidden = !this.#outlines;
    this.#slide();
  }

  #slide() {
    const { panes, line, slider } = this.#parts;
    const part = slider.value / 10;
    panes[1].style.clipPath = this.#mode === "slider" ? `inset(0 0 0 ${part}%)` : "";
    line.style.left = `${part}%`;
  }

  #showScale(scale) {
    const percent = Math.round(scale * window.devicePixelRatio * 100);
    if (this.#parts.pixels) this.#parts.pixels.firstChild.data = `${percent} %`;
  }

  #stopFlicker() {
    clearInterval(this.#flickering);
    this.#flickering = 0;
    this.#arrange();
  }

  #close() {
    this.#stopFlicker();
    this.#opened += 1;
    this.#player.play(false);
    this.#player.clear();
  }
}

/** The picture at its full size; its thumbnail where a browser cannot have it. */
export const loadPicture = async (source, member) => {
  const image = make("img");
  image.alt = member.name;
  image.draggable = false;
  const load = (address) => new Promise((done, failed) => {
    image.onload = done;
    image.onerror = failed;
    image.src = address;
  });
  try {
    const address = source.pictureAddress(member);
    if (!address) throw new Error("no address");
    await load(address);
  } catch {
    const { src } = await source.thumbnail(member);
    if (!src) return make("p", "trouble", say("trouble_missing"));
    await load(src).catch(() => {});
  }
  return image;
};
