// Language, appearance and motion, as the browser has them until somebody chooses others here.

import { by, choose, chosen, remembered } from "./dom.js";
import { knownLanguages, setWords } from "./words.js";

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const known = (value, values) => (values.includes(value) ? value : null);

export const plays = () => by("motion").checked;

/**
 * Applies the settings. given: the language of the command that started this, if another than English was chosen there.
 * onLanguage() and onMotion(): called when one is changed.
 */
export const startSettings = ({ given, onLanguage, onMotion }) => {
  const browser = (navigator.languages || [navigator.language]).map((tag) => tag.slice(0, 2).toLowerCase());
  const spoken = [remembered.get("language"), given, ...browser, "en"].find((name) => knownLanguages.includes(name));
  choose("language", spoken);
  choose("theme", known(remembered.get("theme"), ["auto", "light", "dark"]) || "auto");
  by("motion").checked = !calm.matches;
  setWords(spoken);
  setTheme();
  for (const input of document.querySelectorAll('input[name="language"]')) {
    input.addEventListener("change", () => {
      remembered.set("language", input.value);
      setWords(input.value);
      onLanguage();
    });
  }
  for (const input of document.querySelectorAll('input[name="theme"]')) {
    input.addEventListener("change", () => { remembered.set("theme", input.value); setTheme(); });
  }
  by("motion").addEventListener("change", onMotion);
  calm.addEventListener("change", () => { by("motion").checked = !calm.matches; onMotion(); });
};

const setTheme = () => {
  const theme = chosen("theme");
  document.documentElement.style.colorScheme = theme === "auto" ? "light dark" : theme;
};
