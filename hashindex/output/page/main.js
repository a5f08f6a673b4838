// Puts the parts of the page together: with a server for `hashindex review`, with the data in the page for a report.

import { Actions } from "./actions.js";
import { openBulk } from "./bulk.js";
import { Compare } from "./compare.js";
import { openDialog } from "./dialogs.js";
import { by, choose } from "./dom.js";
import { openDoneList } from "./done_list.js";
import { GroupList } from "./group_list.js";
import { GroupView } from "./group_view.js";
import { Keys } from "./keys.js";
import { Navigation } from "./navigation.js";
import { notify } from "./notices.js";
import { Pages } from "./pages.js";
import { playThumbnails } from "./picture.js";
import { ReportSource } from "./report_source.js";
import { Search } from "./search.js";
import { ServerSource } from "./server_source.js";
import { plays, startSettings } from "./settings.js";
import { formatBytes, formatNumber, formatTime, say } from "./words.js";

const report = by("data") && JSON.parse(by("data").textContent);
const source = report ? new ReportSource(report) : new ServerSource();
for (const element of document.querySelectorAll(`[data-only="${report ? "server" : "report"}"]`)) element.remove();

const pages = new Pages(source);
const navigation = new Navigation(pages);
const compare = new Compare(by("compare"), { source, plays });
const keys = new Keys();
let counts = null;
let actions = null;

const compareWith = (group, member) => compare.open(group, member);
const openDone = () => openDoneList(source, async (answer) => {
  if (answer.restored === undefined) showCounts(answer.counts);
  else actions.tellUndone(answer);
  await navigation.again();
});
if (!report) {
  actions = new Actions({ source, pages, navigation, onCounts: showCounts, openDone });
}
const list = new GroupList(by("list"), { pages, source, plays, open: (at) => navigation.open(at), compare: compareWith });
const view = new GroupView(by("group"), {
  source,
  plays,
  compare: compareWith,
  go: (step) => navigation.go(step),
  acts: actions,
});
navigation.connect(list, view);

// How much is left

function showCounts(now) {
  if (!now) return;
  counts = now;
  by("progress").max = Math.max(1, now.groups);
  by("progress").value = now.reviewed;
  by("progress-text").textContent = say("progress_text", {
    n: now.reviewed,
    all: now.groups,
    left: formatBytes(now.bytes_left),
    freed: formatBytes(now.bytes_freed),
  });
}

const showState = async () => {
  const state = await source.state(counts && by("level").value);
  if (report) { showNumbers(state.counts); return; }
  showCounts(state.counts);
  const folder = by("folder");
  const before = folder.value;
  for (const option of [...folder.options].slice(1)) option.remove();
  for (const { id, name } of state.folders) folder.add(new Option(name, id));
  folder.value = [...folder.options].some(({ value }) => value === before) ? before : "";
  const { files, bytes } = state.sure_to_remove.identical;
  by("open-bulk").hidden = files === 0;
  by("open-bulk").textContent = say("bulk_open", { n: files, size: formatBytes(bytes) });
  return state;
};

const showNumbers = ({ groups, pictures, bytes_left }) => {
  by("number-groups").textContent = formatNumber(groups);
  by("number-pictures").textContent = formatNumber(pictures);
  by("number-copies").textContent = formatNumber(pictures - groups);
  by("number-bytes").textContent = formatBytes(bytes_left);
  by("made").textContent = [
    say("made", { time: formatTime(report.made), version: report.version }),
    say("made_level", { level: say("level_" + report.level) }),
  ].join(" · ");
};

const showTitle = () => {
  const title = (report && report.title) || say(report ? "title" : "review_title");
  by("title").textContent = title;
  document.title = title + " – hashindex";
};

// Filters

const query = () => {
  const asked = { only: by("only").value, sort: by("sort").value };
  if (report) return { ...asked, text: by("filter").value.trim() };
  return { ...asked, level: by("level").value, folder: by("folder").value, words: by("with-words").value.trim() };
};
const ask = () => navigation.ask(query());

by("filters").addEventListener("submit", (event) => event.preventDefault());
for (const id of ["only", "sort", "level", "folder"]) if (by(id)) by(id).addEventListener("change", ask);
if (!report) {
  by("level").addEventListener("change", showState);
  by("open-filters").addEventListener("click", () => {
    by("open-filters").setAttribute("aria-expanded", String(by("filters").classList.toggle("open")));
  });
}
const typed = by(report ? "filter" : "with-words");
let typing;
typed.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(ask, report ? 120 : 300); });
typed.addEventListener("keydown", (event) => {
  if (event.key === "Escape") { typed.value = ""; ask(); }
});
for (const input of document.querySelectorAll('input[name="view"]')) {
  input.addEventListener("change", () => navigation.show());
}

// Buttons of the head, and what a server tells

const openHelp = () => { keys.describe(by("keys")); openDialog(by("help")); };
by("open-help").addEventListener("click", openHelp);
by("open-settings").addEventListener("click", () => openDialog(by("settings")));
let openSearch = () => by("filter").focus();
if (!report) {
  const search = new Search(source);
  openSearch = () => search.open();
  by("open-search").addEventListener("click", openSearch);
  by("open-done").addEventListener("click", openDone);
  by("open-bulk").addEventListener("click", () => openBulk(source, query(), async (answer) => {
    notify(say("removed_now", { n: answer.removed.length, size: formatBytes(answer.bytes) }), {
      action: [say("done"), openDone],
    });
    await showState();
    await ask();
  }));
  source.listen(({ kind, counts: now }) => {
    if (kind !== "changed") return;
    const more = counts ? now.groups - counts.groups : 0;
    showCounts(now);
    if (more > 0) notify(say("newcomers", { n: more }), { action: [say("show_now"), () => navigation.again()] });
  });
}

// Keys

const digits = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
const inGroup = (act) => () => { if (navigation.showsGroup) act(); };
keys.bind("page", [
  [["j"], "key_next", () => navigation.go(1)],
  [["k"], "key_previous", () => navigation.go(-1)],
  [digits, "key_choose", (key) => view.choose(Number(key) - 1), ["1–9"]],
  [[" "], "key_compare", inGroup(() => { if (view.group) compare.open(view.group, view.chosen, "flicker"); })],
  [["c"], "key_side", inGroup(() => { if (view.group) compare.open(view.group, view.chosen, "side"); })],
  [["g"], "key_list", () => navigation.toggleView()],
  [["p"], report ? null : "key_play", () => view.play(!view.player.playing)],
  [[","], null, () => { if (!view.player.empty) view.player.step(-1); }],
  [["."], null, () => { if (!view.player.empty) view.player.step(1); }],
  [["/"], report ? "key_filter" : "key_search", () => openSearch()],
  [["?"], "key_help", openHelp],
]);
if (actions) {
  keys.bind("page", [
    [["d"], "key_remove", actions.remove],
    [["s"], "key_same", actions.same],
    [["x"], "key_separate", actions.separate],
    [["t"], "key_take_out", actions.takeOut],
    [["b"], "key_keep", actions.keep],
    [["n"], "key_skip", actions.skip],
    [["u"], "key_undo", actions.undo],
    [["f"], "key_folder", actions.openFolder],
    [["h"], "key_done", openDone],
  ]);
}
const PAN = 60;
keys.bind("compare", [
  [[" "], "key_flip", () => compare.flip()],
  [["m"], "key_mode", () => compare.nextMode()],
  [["a"], "key_flicker", () => compare.toggleFlicker()],
  ...(report ? [] : [[["o"], "key_outline", () => compare.toggleOutlines()]]),
  [["z"], "key_pixels", () => compare.togglePixels()],
  [["+", "="], "key_zoom_in", () => compare.zoomBy(1.25), ["+"]],
  [["-"], "key_zoom_out", () => compare.zoomBy(0.8)],
  [digits, "key_choose", (key) => compare.choose(Number(key) - 1), ["1–9"]],
  [["p"], null, () => compare.togglePlay()],
  [["ArrowLeft"], null, () => compare.moveBy(PAN, 0)],
  [["ArrowRight"], null, () => compare.moveBy(-PAN, 0)],
  [["ArrowUp"], null, () => compare.moveBy(0, PAN)],
  [["ArrowDown"], null, () => compare.moveBy(0, -PAN)],
]);

// Start

const start = async () => {
  // Its sentences come in the language that is asked for, so the language is found out first.
  const given = report ? null : await source.state().then(({ lang }) => (lang === "en" ? null : lang), () => null);
  choose("view", report ? "list" : "group");
  document.body.dataset.source = report ? "report" : "server";
  startSettings({
    given,
    onLanguage: async () => { showTitle(); await showState(); await navigation.again(); },
    onMotion: () => { playThumbnails(plays()); view.play(plays()); },
  });
  showTitle();
  if (report) by("sort").value = report.sort;
  try {
    const state = await showState();
    if (state) by("level").value = state.level;
    await ask();
  } catch (error) {
    by("nothing").hidden = false;
    by("nothing").textContent = error.message;
  }
};
start();
