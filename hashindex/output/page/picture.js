// What the list and the view of one group show of a picture: thumbnail, name, facts, what it is to the best one.

import { make, makeButton, makeName } from "./dom.js";
import { announce } from "./notices.js";
import { formatBytes, formatSeconds, formatTime, say } from "./words.js";

/** Puts the thumbnail of a member into a tile, or says there why there is none. plays: as an animation if it is one. */
export const showThumbnail = async (tile, source, member, plays) => {
  const found = await source.thumbnail(member);
  if (found.trouble) { showTrouble(tile, found); return; }
  const image = make("img");
  image.decoding = "async";
  if (found.width) { image.width = found.width; image.height = found.height; }
  image.alt = say("thumbnail", { name: member.name });
  if (found.moving) {
    image.dataset.still = found.src;
    image.dataset.moving = found.moving;
  }
  image.addEventListener("error", () => { image.remove(); showTrouble(tile, { trouble: "missing" }); });
  image.src = plays && found.moving ? found.moving : found.src;
  tile.append(image);
};

const showTrouble = (tile, { trouble, reason }) => {
  tile.classList.add("none");
  tile.append(make("span", "trouble", say("trouble_" + trouble, { reason })));
};

/** Lets the animations of all thumbnails play, or stand still. */
export const playThumbnails = (plays) => {
  for (const image of document.querySelectorAll("img[data-moving]")) {
    image.src = plays ? image.dataset.moving : image.dataset.still;
  }
};

/** "GIF · 240 × 240 · 24 frames · 1.2 s · 128 KB"; what is most in its group stands out. */
export const makeFacts = (member, group) => {
  const area = (other) => other.width * other.height;
  const most = (value) => group && group.members.some((other) => value(other) < value(member))
    && group.members.every((other) => value(other) <= value(member));
  const facts = make("p", "facts");
  const add = (text, stands) => {
    if (facts.childNodes.length) facts.append(" · ");
    facts.append(make(stands ? "b" : "span", "", text));
  };
  add(member.format.toUpperCase());
  if (member.width) add(`${member.width} × ${member.height}`, most(area));
  if (member.frames > 1) add(say("frames", { n: member.frames }), most((other) => other.frames));
  if (member.frames > 1 && member.duration_ms) add(formatSeconds(member.duration_ms));
  add(formatBytes(member.bytes), most((other) => other.bytes));
  return facts;
};

export const makeModified = (member) => {
  const when = make("time", "", say("modified", { time: formatTime(member.modified) }));
  const at = new Date(member.modified);
  if (!Number.isNaN(at.getTime())) when.dateTime = at.toISOString();
  return when;
};

/** What a member is to the best one, as a chip; how sure that is, or the bits between them, in its tooltip. */
export const makeChip = (member, group) => {
  const chip = make("span", "chip " + (member.relation || "near"), relationOf(member));
  if (member.chance !== undefined && member.chance !== null && member.relation !== "best") {
    chip.title = say("chance", { percent: String(Math.floor(member.chance * 100)) });
  } else if (member.distance !== undefined && member.distance !== null && group.spread && member.relation !== "best") {
    chip.title = say("bits_of", { n: member.distance, bits: group.spread[1] });
  }
  return chip;
};

const relationOf = (member) => {
  if (member.relation === "best") return say("best");
  if (member.same_bytes) return say("same_bytes");
  if (member.relation === "identical") return say("identical");
  if (member.relation === "copy") return say("copy");
  if (member.relation === "variant") return say("variant");
  return member.distance === null ? say("same_pixels") : say("bits", { n: member.distance });
};

export const makeAbout = (member) => [
  makeName("name", member.name),
  makeName("folder", member.folder),
  ...(member.words.length || member.tags.length ? [makeWords(member)] : []),
];

/** The tags of a picture and the words that were read in it: one line, or all of them after a click. */
const makeWords = ({ words, tags }) => {
  const button = makeButton("words", undefined, () => {
    const isWhole = button.classList.toggle("whole");
    button.setAttribute("aria-expanded", String(isWhole));
  });
  button.setAttribute("aria-expanded", "false");
  const all = [...tags.map((tag) => "#" + tag), ...words];
  button.title = all.join("\n");
  button.append(make("bdi", "", all.join(" · ")));
  return button;
};

/** Browsers may refuse the clipboard to a page from disk; then execCommand, then a selection. */
export const makeCopyButton = (member) => {
  const button = makeButton("quiet", say("copy_path"), () => copy(button, member.path, member.name));
  button.setAttribute("aria-label", say("named", { what: say("copy_path"), name: member.name }));
  return button;
};

const copy = async (button, path, name) => {
  let done = false;
  try {
    await navigator.clipboard.writeText(path);
    done = true;
  } catch {
    const box = make("textarea", "hidden");
    box.value = path;
    button.after(box);
    box.select();
    try { done = document.execCommand("copy"); } catch { done = false; }
    box.remove();
    button.focus();
  }
  if (!done) {
    const box = make("textarea", "path");
    box.readOnly = true;
    box.value = path;
    box.setAttribute("aria-label", say("copy_failed_of"));
    button.after(box);
    box.addEventListener("blur", () => box.remove());
    box.select();
  }
  button.textContent = say(done ? "copied" : "copy_failed");
  announce(done ? say("copied_of", { name }) : say("copy_failed_of"));
  setTimeout(() => { button.textContent = say("copy_path"); }, 1800);
};
