// Groups from the server of `hashindex review`, and the decisions that go there.

import { currentLanguage, say } from "./words.js";

/** The server refused a request. stale: the group has changed meanwhile; `group` is what it is now, if it is one. */
class Refusal extends Error {
  constructor(status, answer) {
    super(answer.error || String(status));
    this.status = status;
    this.stale = status === 409;
    this.group = answer.group || null;
  }
}

export class ServerSource {
  decides = true;

  state(level) { return this.#get("/api/state?" + new URLSearchParams(level ? { level } : {})); }

  /** {total, start, stamp, groups}: some groups of a query, from the position `start` on. */
  groups(query, start, count) {
    const asked = new URLSearchParams({ start, count });
    for (const [name, value] of Object.entries(query)) if (value) asked.set(name, value);
    return this.#get("/api/groups?" + asked);
  }

  group(id) { return this.#get("/api/groups/" + encodeURIComponent(id)); }

  /** Where the small picture of a member is. */
  async thumbnail(member) { return { src: this.#picture(member, "thumbnail?side=256") }; }

  pictureAddress(member) { return this.#picture(member, "picture"); }

  /** {count, durations_ms, sheet}: the frames of an animation, side by side in one picture, in Base64. */
  frames(member) { return this.#get(this.#picture(member, "frames?side=512")); }

  difference(first, second) {
    return this.#get("/api/difference?" + new URLSearchParams({ first: first.picture, second: second.picture }));
  }

  /** decision: "same", "separate", "keep" or "skip"; "undo" takes back the last one on the group. */
  decide(group, decision, pictures) { return this.#post("/api/decide", { group, decision, pictures }); }
  undoDecision(number) { return this.#post("/api/decide", { decision: "undo", number }); }
  remove(groups, preview) { return this.#post("/api/remove", { groups, preview }); }
  undo(batch) { return this.#post("/api/undo", { batch }); }
  done() { return this.#get("/api/done"); }
  openFolder(member) { return this.#post("/api/open-folder", { picture: member.picture }); }

  /** asked: a File or Blob with the bytes of a picture, or its path on this computer. */
  search(asked) {
    if (typeof asked === "string") return this.#post("/api/search", { address: asked });
    return this.#send("/api/search", asked, "application/octet-stream");
  }

  searchWords(words) { return this.#post("/api/search", { words }); }

  /** Calls onEvent with each change of the catalogue that the server tells. The browser connects again by itself. */
  listen(onEvent) {
    const events = new EventSource("/api/events");
    events.onmessage = (message) => onEvent(JSON.parse(message.data));
  }

  #picture(member, what) { return `/api/pictures/${encodeURIComponent(member.picture)}/${what}`; }
  #get(address) { return this.#ask(address, {}); }
  #post(address, value) { return this.#send(address, JSON.stringify(value), "application/json"); }

  #send(address, body, type) {
    return this.#ask(address, { method: "POST", body, headers: { "Content-Type": type, "X-Hashindex": "1" } });
  }

  async #ask(address, options) {
    const headers = { "Accept-Language": currentLanguage(), ...options.headers };
    const answer = await fetch(address, { ...options, headers }).catch(() => {
      throw new Refusal(0, { error: say("server_gone") });
    });
    const value = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Refusal(answer.status, value);
    return value;
  }
}
