// The groups of one query by their position. They are fetched in pages, when they are shown; few pages are kept.

export const PAGE_SIZE = 20;
const KEPT = 12;

export class Pages {
  #source;
  #query = {};
  #fetched = new Map(); // page number -> promise of its groups
  #changed = new Map(); // position -> the group as it is since it was fetched
  #left = new Set(); // positions of groups that the query has no longer
  total = 0;

  constructor(source) { this.#source = source; }

  get count() { return Math.ceil(this.total / PAGE_SIZE); }

  /** Asks anew, for a query or for the last one; total is known when the promise is done. */
  async ask(query = this.#query) {
    this.#query = query;
    this.#fetched.clear();
    this.#changed.clear();
    this.#left.clear();
    this.total = 0;
    await this.page(0);
  }

  /** The groups of a page. What the answer holds is forgotten if another query was asked meanwhile. */
  page(number) {
    let found = this.#fetched.get(number);
    if (!found) {
      found = this.#fetch(number, this.#query);
      found.catch(() => this.#fetched.delete(number));
    }
    this.#fetched.delete(number);
    this.#fetched.set(number, found);
    for (const oldest of this.#fetched.keys()) {
      if (this.#fetched.size <= KEPT) break;
      this.#fetched.delete(oldest);
    }
    return found.then((groups) => groups.map((group, at) => this.#changed.get(number * PAGE_SIZE + at) || group));
  }

  /** The group at a position; undefined beyond the end. */
  async at(position) {
    if (position < 0) return undefined;
    return (await this.page(Math.floor(position / PAGE_SIZE)))[position % PAGE_SIZE];
  }

  /** Keeps what a group is now. left: whether a new query would no longer find it. */
  replace(position, group, left) {
    this.#changed.set(position, group);
    if (left) this.#left.add(position);
    else this.#left.delete(position);
  }

  /** A group that was found without its details, with them. */
  async complete(group, position) {
    const whole = await this.#source.group(group.group);
    this.replace(position, whole, this.#left.has(position));
    return whole;
  }

  async #fetch(number, query) {
    const start = number * PAGE_SIZE;
    const positions = Array.from({ length: PAGE_SIZE }, (_, at) => start + at);
    const before = [...this.#left].filter((position) => position < start).length;
    const inside = positions.filter((position) => this.#left.has(position)).length;
    const answer = await this.#source.groups(query, start - before, PAGE_SIZE - inside || 1);
    if (query === this.#query) this.total = answer.total + this.#left.size;
    const found = answer.groups.values();
    const groups = positions.map((at) => (this.#left.has(at) ? this.#changed.get(at) : found.next().value));
    return groups.filter(Boolean);
  }
}
