// Plays animations in step: all begin together and end together, whatever their number of frames.

import { make, once } from "./dom.js";

/** The frames of an animation as the server gives them, ready to be drawn; null if there is only one. */
export const loadFrames = async (source, member) => {
  if (!(member.frames > 1)) return null;
  const given = await source.frames(member);
  if (!given || given.count < 2) return null;
  const sheet = new Image();
  const loaded = Promise.race([once(sheet, "load"), once(sheet, "error").then(() => Promise.reject(new Error(sheet.src)))]);
  sheet.src = "data:image/webp;base64," + given.sheet;
  await loaded;
  const ends = [];
  let end = 0;
  for (const ms of given.durations_ms) ends.push((end += Math.max(ms, 10)));
  return { sheet, count: given.count, width: sheet.naturalWidth / given.count, height: sheet.naturalHeight, ends };
};

export const makeCanvas = (frames, name) => {
  const canvas = make("canvas");
  canvas.width = frames.width;
  canvas.height = frames.height;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", name);
  return canvas;
};

export class Player {
  #tracks = [];
  #place = 0; // from 0 to 1
  #last = 0;
  #playing = false;
  #onPlace;

  /** onPlace(place): called when another part of the animations is shown, from 0 to 1. */
  constructor(onPlace = () => {}) { this.#onPlace = onPlace; }

  get playing() { return this.#playing; }
  get empty() { return this.#tracks.length === 0; }

  add(canvas, frames) {
    this.#tracks.push({ canvas, frames, shown: -1 });
    this.#draw();
  }

  clear() {
    this.#tracks = [];
    this.#place = 0;
  }

  play(playing) {
    if (playing === this.#playing) return;
    this.#playing = playing;
    if (!playing) return;
    this.#last = performance.now();
    const tick = (now) => {
      if (!this.#playing) return;
      if (this.#tracks.length) {
        this.#place = (this.#place + Math.max(0, now - this.#last) / this.#length()) % 1;
        this.#draw();
      }
      this.#last = now;
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  seek(place) {
    this.#place = Math.min(Math.max(place, 0), 0.9999);
    this.#draw();
  }

  /** One frame of the animation with the most frames, forward or back. */
  step(direction) {
    this.play(false);
    const most = Math.max(...this.#tracks.map(({ frames }) => frames.count));
    const { frames } = this.#tracks.find((track) => track.frames.count === most);
    const at = (this.#frame(frames) + direction + most) % most;
    this.seek((at === 0 ? 0 : frames.ends[at - 1]) / frames.ends[most - 1] + 1e-6);
  }

  #length() { return Math.max(...this.#tracks.map(({ frames }) => frames.ends[frames.count - 1])); }

  #frame(frames) {
    const ms = this.#place * frames.ends[frames.count - 1];
    const at = frames.ends.findIndex((end) => end > ms);
    return at < 0 ? frames.count - 1 : at;
  }

  #draw() {
    for (const track of this.#tracks) {
      const { canvas, frames } = track;
      const at = this.#frame(frames);
      if (at === track.shown) continue;
      track.shown = at;
      const pen = canvas.getContext("2d");
      pen.clearRect(0, 0, canvas.width, canvas.height);
      pen.drawImage(frames.sheet, at * frames.width, 0, frames.width, frames.height, 0, 0, canvas.width, canvas.height);
    }
    this.#onPlace(this.#place);
  }
}
