// Small helpers for elements. All text is set by textContent, so no name of a file becomes markup.

export const by = (id) => document.getElementById(id);

export const make = (tag, kind, text) => {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  if (text !== undefined) element.textContent = text;
  return element;
};

export const makeButton = (kind, text, onClick) => {
  const button = make("button", kind, text);
  button.type = "button";
  button.addEventListener("click", onClick);
  return button;
};

/** A key as it is shown beside the text of a button. Screen readers get it by aria-keyshortcuts. */
export const withKey = (button, key) => {
  button.setAttribute("aria-keyshortcuts", key);
  const shown = make("kbd", "", key);
  shown.setAttribute("aria-hidden", "true");
  button.append(shown);
  return button;
};

/** A name or path: its letters may run from right to left, the page around it does not. */
export const makeName = (kind, text) => {
  const element = make("p", kind);
  element.append(make("bdi", "", text));
  return element;
};

export const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`).value;
export const choose = (name, value) => { document.querySelector(`input[name="${name}"][value="${value}"]`).checked = true; };

export const once = (target, event) => new Promise((done) => target.addEventListener(event, done, { once: true }));

/** The settings that this browser keeps for this page; some browsers refuse that to pages from disk. */
export const remembered = {
  get: (key) => { try { return localStorage.getItem("hashindex." + key); } catch { return null; } },
  set: (key, value) => { try { localStorage.setItem("hashindex." + key, value); } catch { /* Not kept, then. */ } },
};
