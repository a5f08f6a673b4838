// Groups from the data in this page: a report without a server. Nothing is loaded but pictures of this computer.

import { by } from "./dom.js";
import { currentLanguage } from "./words.js";

const ORDERS = {
  space: (a, b) => b.bytes - a.bytes || a.id - b.id,
  members: (a, b) => b.members.length - a.members.length || a.id - b.id,
  path: (a, b) => a.id - b.id,
};
/** Width of signs and case do not count in what is searched. */
const folded = (text) => text.normalize("NFKC").toLowerCase();
/** A number of each member in a row of the data. */
const [CONTENT, PATH, REAL_PATH, BYTES, MODIFIED, DISTANCE, GONE, RELATION] = [0, 1, 2, 3, 4, 5, 6, 7];

export class ReportSource {
  decides = false;
  #data;
  #groups;
  #blocks = new Map();

  constructor(data) {
    this.#data = data;
    this.#groups = data.groups.map((group) => ({
      ...group,
      bytes: group.members.slice(1).reduce((sum, member) => sum + member[BYTES], 0),
      searched: folded(group.members.map((member) => this.#searched(member)).join("\n")),
    }));
  }

  get data() { return this.#data; }

  async state() {
    const pictures = this.#groups.reduce((sum, group) => sum + group.members.length, 0);
    const bytes = this.#groups.reduce((sum, group) => sum + group.bytes, 0);
    return { counts: { groups: this.#groups.length, pictures, bytes_left: bytes } };
  }

  async groups(query, start, count) {
    const found = this.#groups.filter((group) => this.#matches(group, query)).sort(ORDERS[query.sort]);
    return { total: found.length, start, groups: found.slice(start, start + count).map((group) => this.#shown(group)) };
  }

  /** {src, moving} or {trouble, reason}. While the page loads, it waits until the thumbnail is there. */
  async thumbnail(member) {
    const { content } = member;
    let block = this.#block(content);
    if (!block) {
      await new Promise((done) => document.addEventListener("DOMContentLoaded", done, { once: true }));
      block = this.#block(content);
    }
    const found = block[content % this.#data.slice];
    if (found.trouble) return { trouble: found.trouble, reason: this.#spoken(found.reason) };
    const address = (base64) => base64 && "data:image/webp;base64," + base64;
    return { src: address(found.still), moving: address(found.moving), width: found.width, height: found.height };
  }

  /** The file on this computer; null if a browser cannot have it. Not from a share of a network. */
  pictureAddress(member) {
    const path = member.path.replaceAll("\\", this.#data.separator === "\\" ? "/" : "\\");
    if (member.gone || path.startsWith("//")) return null;
    const parts = path.split("/").map((part, number) => (number === 0 ? part : encodeURIComponent(part)));
    return "file://" + (path.startsWith("/") ? "" : "/") + parts.join("/");
  }

  async frames() { return null; }
  async difference() { return null; }

  /** The lines of text and the tags of a content. */
  #words(content) { return this.#data.words[content] || [[], []]; }

  #searched(member) { return [member[PATH], member[REAL_PATH] || "", ...this.#words(member[CONTENT]).flat()].join("\n"); }

  #matches(group, { text = "", only = "" }) {
    if (!group.searched.includes(folded(text))) return false;
    if (only === "animated") return group.members.some((member) => this.#data.contents[member[CONTENT]][3] > 1);
    if (only === "identical") return group.members.every((member) => member[CONTENT] === group.members[0][CONTENT]);
    return true;
  }

  #spoken(texts) { return texts && texts[currentLanguage()]; }

  #shown(group) {
    return {
      group: String(group.id),
      number: group.id,
      level: this.#data.level,
      why: this.#spoken(group.why),
      doubt: this.#spoken(group.doubt),
      spread: [group.widest, group.bits],
      bytes_extra: group.bytes,
      members: group.members.map((member) => this.#member(group, member)),
    };
  }

  #member(group, row) {
    const [format, width, height, frames, duration_ms] = this.#data.contents[row[CONTENT]];
    const cut = row[PATH].lastIndexOf(this.#data.separator) + 1;
    const keeper = group.members[0];
    const [words, tags] = this.#words(row[CONTENT]);
    return {
      picture: `${group.id}.${group.members.indexOf(row)}`,
      content: row[CONTENT],
      keeper: row === keeper,
      name: row[PATH].slice(cut),
      folder: row[PATH].slice(0, cut),
      path: row[REAL_PATH] || row[PATH],
      gone: Boolean(row[GONE]),
      format, width, height, frames, duration_ms,
      bytes: row[BYTES],
      modified: row[MODIFIED],
      relation: row === keeper ? "best" : row[RELATION],
      same_bytes: row[CONTENT] === keeper[CONTENT],
      distance: row[DISTANCE],
      words, tags,
      why: [],
      faults: [],
    };
  }

  /** Thumbnails are parsed block by block. While the page loads, a block is complete when the next one is there. */
  #block(content) {
    const number = Math.floor(content / this.#data.slice);
    if (!this.#blocks.has(number)) {
      const element = by("t" + number);
      if (!element || (document.readyState === "loading" && !by("t" + (number + 1)))) return null;
      this.#blocks.set(number, JSON.parse(element.textContent));
      element.remove();
    }
    return this.#blocks.get(number);
  }
}
