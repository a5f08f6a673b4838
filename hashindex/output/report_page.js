"use strict";
// Shows the groups in the data of this page. All text is set by textContent; nothing is loaded or written.
(() => {
  const MOST = 48; // pictures of a group shown at first
  const by = (id) => document.getElementById(id);
  const read = (id) => JSON.parse(by(id).textContent);
  const words = read("words");
  const data = read("data");
  const remembered = {
    get: (key) => { try { return localStorage.getItem("hashindex." + key); } catch { return null; } },
    set: (key, value) => { try { localStorage.setItem("hashindex." + key, value); } catch { /* some browsers refuse it for file:// */ } },
  };

  // A member is [content, shown path, real path or 0, bytes, mtime in ms, distance or null, gone].
  const groups = data.groups.map((group, number) => ({
    ...group,
    number,
    size: group.members.slice(1).reduce((sum, member) => sum + member[3], 0),
    searched: group.members.map((member) => (member[1] + "\n" + (member[2] || "")).toLowerCase()).join("\n"),
  }));

  // Words

  let language = "en";
  const say = (key, values = {}) => {
    let text = words[language][key];
    if (Array.isArray(text)) text = text[values.n === 1 ? 0 : text.length - 1];
    return text.replace(/\{(\w+)\}/g, (whole, name) => {
      const value = values[name];
      return typeof value === "number" ? count(value) : value;
    });
  };
  // Made once: toLocaleString would make a formatter per number, half a second for 5,000 groups.
  const formats = { en: new Intl.NumberFormat("en-US"), zh: new Intl.NumberFormat("zh-CN") };
  const spoken = (texts) => texts && texts[language];
  const count = (number) => formats[language].format(number);
  const bytes = (number) => {
    if (number < 1024) return count(number) + " B";
    const units = ["KB", "MB", "GB"];
    let size = number / 1024;
    while (size >= 1023.95 && units.length > 1) { size /= 1024; units.shift(); }
    return size.toFixed(1) + " " + units[0];
  };
  const two = (number) => String(number).padStart(2, "0");
  const time = (ms) => {
    const at = new Date(ms);
    if (Number.isNaN(at.getTime())) return "?";
    return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
  };
  const make = (tag, kind, text) => {
    const element = document.createElement(tag);
    if (kind) element.className = kind;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  let hush;
  const announce = (text) => {
    by("said").textContent = text;
    clearTimeout(hush);
    hush = setTimeout(() => { by("said").textContent = ""; }, 4000);
  };

  // Thumbnails are parsed block by block. While the page loads, later blocks are awaited.

  const slices = new Map();
  let waiting = [];
  const thumbnail = (content) => {
    const number = Math.floor(content / data.slice);
    if (!slices.has(number)) {
      const block = by("t" + number);
      // While the page loads, a block may be incomplete; it is complete when the next block or the end is there.
      if (!block || (document.readyState === "loading" && !by("t" + (number + 1)))) return null;
      slices.set(number, JSON.parse(block.textContent));
      block.remove();
    }
    return slices.get(number)[content % data.slice];
  };
  document.addEventListener("DOMContentLoaded", () => {
    const late = waiting;
    waiting = [];
    late.forEach((show) => show());
  });
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const source = (found) =>
    "data:image/webp;base64," + (by("motion").checked && found.moving ? found.moving : found.still);

  const putThumbnail = (tile, content, name, about) => {
    const found = thumbnail(content);
    if (!found) { waiting.push(() => putThumbnail(tile, content, name, about)); return; }
    if (found.trouble) {
      tile.classList.add("none");
      tile.textContent = say("no_thumbnail");
      about.append(make("p", "trouble", say("trouble_" + found.trouble, { reason: spoken(found.reason) })));
      return;
    }
    if (found.clear) tile.classList.add("clear");
    const image = make("img");
    image.decoding = "async";
    image.width = found.width;
    image.height = found.height;
    image.alt = say("thumbnail", { name });
    if (found.moving) image.dataset.content = content;
    image.src = source(found);
    tile.append(image);
  };
  const setMotion = () => {
    for (const image of document.querySelectorAll("img[data-content]")) {
      image.src = source(thumbnail(Number(image.dataset.content)));
    }
  };

  // Groups

  const fact = (group, member) => {
    const [content, , , , , distance] = member;
    if (member === group.members[0]) return make("span", "badge keep", say("keep"));
    if (content === group.members[0][0]) return make("span", "badge", say("same_bytes"));
    if (distance === null) return make("span", "badge", say("same_pixels"));
    return make("span", "badge", say("bits", { n: distance }));
  };

  const pictureOf = (group, member) => {
    const [content, path, truth, size, modified, , gone] = member;
    const [format, width, height, frames] = data.contents[content];
    const cut = path.lastIndexOf(data.separator) + 1;
    const name = path.slice(cut);
    const item = make("li", member === group.members[0] ? "picture keeper" : "picture");
    const tile = make("div", "thumb");
    const about = make("div", "about");
    const named = make("p", "name");
    named.append(make("bdi", "", name));
    const folder = make("p", "folder");
    folder.append(make("bdi", "", path.slice(0, cut)));
    const facts = [format.toUpperCase(), `${width} × ${height}`];
    if (frames > 1) facts.push(say("frames", { n: frames }));
    facts.push(bytes(size));
    const marks = make("p", "marks");
    marks.append(fact(group, member));
    if (gone) marks.append(make("span", "badge warn", say("gone")));
    const when = make("time", "", say("modified", { time: time(modified) }));
    if (!Number.isNaN(new Date(modified).getTime())) when.dateTime = new Date(modified).toISOString();
    const copy = make("button", "copy", say("copy"));
    copy.type = "button";
    copy.setAttribute("aria-label", say("copy_of", { name }));
    copy.addEventListener("click", () => copyPath(copy, truth || path, name));
    marks.append(when);
    about.append(named, folder, make("p", "facts", facts.join(" · ")), marks, copy);
    putThumbnail(tile, content, name, about);
    item.append(tile, about);
    return item;
  };

  const fill = (group) => {
    if (group.filled) return;
    group.filled = true;
    const list = group.element.querySelector("ul");
    list.classList.add("filled");
    list.append(...group.members.slice(0, MOST).map((member) => pictureOf(group, member)));
    if (group.members.length <= MOST) return;
    const more = make("button", "more", say("more", { n: group.members.length - MOST }));
    more.type = "button";
    more.addEventListener("click", () => {
      const others = group.members.slice(MOST).map((member) => pictureOf(group, member));
      list.append(...others);
      others[0].querySelector("button").focus();
      more.remove();
    });
    group.element.append(more);
  };

  let watcher;
  const build = () => {
    if (watcher) watcher.disconnect();
    waiting = [];
    watcher = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        watcher.unobserve(entry.target);
        fill(groups[entry.target.dataset.number]);
      }
    }, { rootMargin: "1200px 0px" });
    for (const group of groups) {
      const element = make("article", "group");
      element.dataset.number = group.number;
      const shown = Math.min(MOST, group.members.length);
      element.style.setProperty("--narrow", shown);
      element.style.setProperty("--wide", Math.ceil(shown / 2));
      const head = make("header");
      const title = make("h2", "", say("group", { id: String(group.id) }));
      title.id = "g" + group.number;
      title.tabIndex = -1;
      element.setAttribute("aria-labelledby", title.id);
      const about = [say("pictures", { n: group.members.length }), say("in_copies", { size: bytes(group.size) })];
      about.push(say("apart", { n: group.widest, bits: group.bits }));
      head.append(title, make("p", "", about.join(" · ")));
      if (group.why) head.append(make("p", "", spoken(group.why)));
      const list = make("ul", "pictures");
      list.setAttribute("role", "list");
      element.append(head, list);
      group.element = element;
      group.filled = false;
    }
    arrange();
    for (const group of groups) watcher.observe(group.element);
  };

  const ORDERS = {
    space: (a, b) => b.size - a.size || a.id - b.id,
    members: (a, b) => b.members.length - a.members.length || a.id - b.id,
    path: (a, b) => a.id - b.id,
  };
  const arrange = () => {
    by("list").replaceChildren(...[...groups].sort(ORDERS[by("sort").value]).map((group) => group.element));
    sift();
  };
  const sift = () => {
    const wanted = by("filter").value.trim().toLowerCase();
    let found = 0;
    for (const group of groups) {
      const matches = group.searched.includes(wanted);
      if (group.element.hidden === matches) group.element.hidden = !matches;
      if (matches) found += 1;
    }
    by("status").textContent = wanted
      ? say("shown_of", { n: found, all: groups.length })
      : say("shown", { n: groups.length });
    by("nothing").hidden = found > 0;
    by("nothing").textContent = groups.length ? say("no_match") : say("no_groups");
  };

  // Copying: browsers may refuse the clipboard to a page from disk; then execCommand, then a selection.

  const copyPath = async (button, path, name) => {
    let done = false;
    try {
      await navigator.clipboard.writeText(path);
      done = true;
    } catch {
      const box = make("textarea", "hidden");
      box.value = path;
      document.body.append(box);
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
    setTimeout(() => { button.textContent = say("copy"); }, 1800);
  };

  // Keys that move between groups

  const go = (step) => {
    const shown = [...by("list").children].filter((element) => !element.hidden);
    const inside = document.activeElement.closest(".group");
    let at = shown.indexOf(inside);
    if (at < 0) {
      at = shown.findIndex((element) => element.getBoundingClientRect().bottom > 100);
      if (step > 0) at -= 1;
    }
    const next = shown[Math.max(0, Math.min(shown.length - 1, at + step))];
    if (!next) return;
    fill(groups[next.dataset.number]);
    const title = next.querySelector("h2");
    title.focus({ preventScroll: true });
    next.scrollIntoView({ block: "start" });
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (event.target === by("filter")) {
      if (event.key === "Escape") { by("filter").value = ""; sift(); }
      return;
    }
    if (!by("keys").checked || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    if (event.key === "j") go(1);
    else if (event.key === "k") go(-1);
    else if (event.key === "/") by("filter").focus();
    else return;
    event.preventDefault();
  });

  // Switches

  const choose = (name, value) => { document.querySelector(`input[name="${name}"][value="${value}"]`).checked = true; };
  const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`).value;
  const setTheme = () => {
    const theme = chosen("theme");
    document.documentElement.style.colorScheme = theme === "auto" ? "light dark" : theme;
  };
  const setLanguage = (name) => {
    language = name;
    document.documentElement.lang = name === "zh" ? "zh-Hans" : "en";
    for (const element of document.querySelectorAll("[data-t]")) element.textContent = say(element.dataset.t);
    const title = data.title || say("title");
    by("title").textContent = title;
    document.title = title + " – hashindex";
    by("made").textContent = say("made", { time: time(data.made), version: data.version });
    by("number-groups").textContent = count(groups.length);
    const pictures = groups.reduce((sum, group) => sum + group.members.length, 0);
    by("number-pictures").textContent = count(pictures);
    by("number-copies").textContent = count(pictures - groups.length);
    by("number-bytes").textContent = bytes(groups.reduce((sum, group) => sum + group.size, 0));
    build();
  };

  const browser = (navigator.languages || [navigator.language]).map((tag) => tag.slice(0, 2).toLowerCase());
  const known = (value, values) => (values.includes(value) ? value : null);
  choose("language", known(remembered.get("language"), ["en", "zh"]) || browser.find((tag) => tag in words) || "en");
  choose("theme", known(remembered.get("theme"), ["auto", "light", "dark"]) || "auto");
  by("motion").checked = !still.matches;
  by("sort").value = data.sort;
  setTheme();
  setLanguage(chosen("language"));

  for (const input of document.querySelectorAll('input[name="language"]')) {
    input.addEventListener("change", () => { remembered.set("language", input.value); setLanguage(input.value); });
  }
  for (const input of document.querySelectorAll('input[name="theme"]')) {
    input.addEventListener("change", () => { remembered.set("theme", input.value); setTheme(); });
  }
  still.addEventListener("change", () => { by("motion").checked = !still.matches; setMotion(); });
  by("motion").addEventListener("change", setMotion);
  by("sort").addEventListener("change", arrange);
  let typing;
  by("filter").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(sift, 120); });
})();
