// The words of the page in its languages, and numbers, sizes and times as people write them.

import { by } from "./dom.js";

const words = JSON.parse(by("words").textContent);
let language = "en";

export const currentLanguage = () => language;
export const knownLanguages = Object.keys(words);

/** A text by its key, with its {names} filled in. Of several forms, n chooses one. */
export const say = (key, values = {}) => {
  let text = words[language][key];
  if (Array.isArray(text)) text = text[values.n === 1 ? 0 : text.length - 1];
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    return typeof value === "number" ? formatNumber(value) : value;
  });
};

export const setWords = (name) => {
  language = name;
  document.documentElement.lang = name === "zh" ? "zh-Hans" : "en";
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = say(element.dataset.t);
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", say(element.dataset.label));
  }
};

// Made once: toLocaleString would make a formatter for each number, half a second for 5,000 groups.
const formats = { en: new Intl.NumberFormat("en-US"), zh: new Intl.NumberFormat("zh-CN") };
export const formatNumber = (number) => formats[language].format(number);

export const formatBytes = (number) => {
  if (number < 1024) return formatNumber(number) + " B";
  const units = ["KB", "MB", "GB"];
  let size = number / 1024;
  while (size >= 1023.95 && units.length > 1) { size /= 1024; units.shift(); }
  return size.toFixed(1) + " " + units[0];
};

const two = (number) => String(number).padStart(2, "0");
export const formatTime = (time) => {
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return "?";
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
};

export const formatSeconds = (ms) => say("seconds", { s: (ms / 1000).toFixed(1) });
