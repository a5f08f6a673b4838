// The list of groups. Only groups near to what is in view are there; a page of groups far away is an empty box.

import { make, makeButton } from "./dom.js";
import { PAGE_SIZE } from "./pages.js";
import { makeAbout, makeChip, makeCopyButton, makeFacts, makeModified, showThumbnail } from "./picture.js";
import { formatBytes, say } from "./words.js";

const MOST = 48; // pictures of a group shown at first
const NEAR = "1500px 0px";

export class GroupList {
  #element;
  #pages;
  #source;
  #plays;
  #open;
  #compare;
  #watcher;
  #boxes = [];

  /** plays(): whether animations play. open(position): shows one group. compare(group, member): compares two. */
  constructor(element, { pages, source, plays, open, compare }) {
    this.#element = element;
    this.#pages = pages;
    this.#source = source;
    this.#plays = plays;
    this.#open = open;
    this.#compare = compare;
  }

  /** Shows the groups of `pages` from the top. */
  reset() {
    if (this.#watcher) this.#watcher.disconnect();
    this.#watcher = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: NEAR });
    this.#boxes = Array.from({ length: this.#pages.count }, (_, number) => {
      const box = make("div", "page");
      box.dataset.page = number;
      box.style.setProperty("--groups", Math.min(PAGE_SIZE, this.#pages.total - number * PAGE_SIZE));
      return box;
    });
    this.#element.replaceChildren(...this.#boxes);
    for (const box of this.#boxes) this.#watcher.observe(box);
  }

  /** Scrolls to a group and moves the focus there. */
  async focus(position) {
    await this.scrollTo(position);
    this.#article(position)?.querySelector("h2").focus({ preventScroll: true });
  }

  async scrollTo(position) {
    await this.#fill(this.#boxes[Math.floor(position / PAGE_SIZE)]);
    this.#article(position)?.scrollIntoView({ block: "start" });
  }

  /** The position of the group that has the focus, or of the first one in view. */
  position() {
    const inside = document.activeElement.closest("article.group");
    const first = inside || [...this.#element.querySelectorAll("article.group")]
      .find((article) => article.getBoundingClientRect().bottom > 120);
    return first ? Number(first.dataset.position) : 0;
  }

  hasFocus() { return this.#element.contains(document.activeElement); }

  #article(position) { return this.#element.querySelector(`article[data-position="${position}"]`); }

  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) this.#fill(target);
      else this.#empty(target);
    }
  }

  async #fill(box) {
    if (!box || box.dataset.filled) return;
    box.dataset.filled = "1";
    const number = Number(box.dataset.page);
    const groups = await this.#pages.page(number);
    if (!box.dataset.filled || !box.isConnected) return;
    box.replaceChildren(...groups.map((group, at) => this.#card(group, number * PAGE_SIZE + at)));
    box.style.minHeight = "0";
  }

  /** Empties a box, and keeps its height. A picture without an address is not loaded any further. */
  #empty(box) {
    if (!box.dataset.filled || box.contains(document.activeElement)) return;
    delete box.dataset.filled;
    if (!box.firstChild) return;
    box.style.minHeight = `${box.getBoundingClientRect().height}px`;
    for (const image of box.querySelectorAll("img")) image.removeAttribute("src");
    box.replaceChildren();
  }

  #card(group, position) {
    const article = make("article", "group");
    article.dataset.position = position;
    const title = make("h2", "", say("group", { id: String(group.number) }));
    title.id = "list-" + position;
    title.tabIndex = -1;
    article.setAttribute("aria-labelledby", title.id);
    const head = make("header");
    const about = [
      say("pictures", { n: group.members.length }),
      say("in_copies", { size: formatBytes(group.bytes_extra) }),
    ];
    head.append(title, make("p", "", about.join(" · ")));
    if (group.reviewed) head.append(make("span", "chip", say("decided_" + (group.decision || "reviewed"))));
    const open = makeButton("quiet", say("open_group"), () => this.#open(position));
    open.setAttribute("aria-label", say("open_group_of", { id: String(group.number) }));
    head.append(open);
    const list = make("ul", "pictures");
    list.setAttribute("role", "list");
    list.append(...group.members.slice(0, MOST).map((member) => this.#item(group, member)));
    article.append(head, ...makeReasons(group), list);
    if (group.members.length > MOST) article.append(this.#more(group, list));
    return article;
  }

  #more(group, list) {
    const others = group.members.slice(MOST);
    const more = makeButton("more", say("more", { n: others.length }), () => {
      const items = others.map((member) => this.#item(group, member));
      list.append(...items);
      items[0].querySelector("button").focus();
      more.remove();
    });
    return more;
  }

  #item(group, member) {
    const item = make("li", member.keeper ? "picture keeper" : "picture");
    const tile = makeButton("thumb", undefined, () => this.#compare(group, member));
    tile.setAttribute("aria-label", say("compare_of", { name: member.name }));
    showThumbnail(tile, this.#source, member, this.#plays());
    const about = make("div", "about");
    const marks = make("p", "marks");
    marks.append(makeChip(member, group));
    if (member.gone) marks.append(make("span", "chip warn", say("gone")));
    marks.append(makeModified(member));
    about.append(...makeAbout(member), makeFacts(member), marks);
    if (!this.#source.decides) about.append(makeCopyButton(member));
    item.append(tile, about);
    return item;
  }
}

/** Why the best picture of a group was chosen, and what speaks against it. */
export const makeReasons = (group) => [
  ...(group.why ? [make("p", "why", group.why)] : []),
  ...(group.doubt ? [make("p", "why warn", say("doubt", { doubt: group.doubt }))] : []),
];
