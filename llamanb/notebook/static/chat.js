// @ts-check
/**
 * The chat widget's page: questions, answers that stream in, tool calls, settings, inspectors.
 *
 * The kernel keeps the talk; the page shows it. Everything comes as numbered messages, a gap makes
 * the page ask for all of it again. HTML is what the kernel's one renderer made (fields `html`,
 * `open`, `args_html`); every other text goes in with `textContent`.
 *
 * @typedef {{kind: "text", html: string[], open: string}} Text
 * @typedef {{kind: "thought", html: string[], open: string, heading: string,
 *   is_open: boolean}} Thought
 * @typedef {{kind: "call", id: string, name: string, arguments: string, args_html: string,
 *   state: string, state_text: string, result: string | null, stdout: string, ms: number | null,
 *   round: number}} Call
 * @typedef {Text | Thought | Call} Part
 * @typedef {{name: string, kind: string, url?: string, text?: string}} Attachment
 * @typedef {{id: string, number: number, siblings: string[],
 *   question: {html: string, text: string, attachments: Attachment[]}, parts: Part[],
 *   status: string, error: string, footer: string, reused: string, has: string[]}} Turn
 * @typedef {{p: number, new?: Part, html?: string[], keep?: number, tail?: string, anew?: boolean,
 *   args?: string, call?: Partial<Call>, thought?: Partial<Thought>}} Op
 * @typedef {{phase: string, tokens: number, tokens_per_s: number, used: number, n_ctx: number,
 *   seconds: number}} Stat
 * @typedef {Record<string, number | null>} Sampling
 * @typedef {{model: string, models: {name: string, label: string, is_resident: boolean}[],
 *   loading: {name: string, fraction: number | null} | null, system_prompt: string,
 *   sampling: Sampling, defaults: Sampling, think: boolean | null, can_think: boolean,
 *   approve: string, tools: {name: string, description: string, approve: boolean}[],
 *   probabilities: boolean, n_ctx: number, used: number, is_toy: boolean, chat: string,
 *   twin: string}} Settings
 * @typedef {{kind: string, source: string}} Cell
 * @typedef {{v: number, k: string, seq: number, view?: string, d: any}} Message
 * @typedef {{on: (name: string, heard: (message: any) => void) => void,
 *   off: (name: string, heard: (message: any) => void) => void,
 *   send: (message: object) => void, widget_manager?: any}} Model
 */

const VERSION = 1;
const PATIENCE_MS = 1500;
const SHOWN_MS = 4000;
const HELLO_PAUSE_MS = 500;
const NEAR_END_PX = 32;
const TEXT_LIMIT = 1024 ** 2;
const IMAGE_LIMIT = 6 * 1024 ** 2;
// Jupyter's server takes messages of 10 MiB: it closes the connection for larger ones.
const MESSAGE_LIMIT = 9 * 1024 ** 2;
const LONGEST_SPOKEN = 2000;
const SHORT_RESULT = 400;
const TWIN = /^llamanb-twin-[0-9a-f]+$/;
const IMAGE_TYPE = /^image\/(png|jpeg|gif|webp)$/;
const IMAGE_URL = /^data:image\/(png|jpeg|gif|webp);base64,/;
const SVG = "http://www.w3.org/2000/svg";
// JupyterLab takes keys for its own ("x" cuts the cell) unless the focused element says no.
const OWN_KEYS = "data-lm-suppress-shortcuts";
const BUSY = "The kernel does not answer: a cell is running, or it was restarted.";
const RUNNING = "An answer is being written: press Esc to stop it first.";
const HOW_TO_TYPE = "Ask something (Enter sends, Shift+Enter: new line)";

/** Lines on a field of 16 × 16. */
const ICONS = {
  send: "M8 13V3M3.5 7.5 8 3l4.5 4.5", stop: "M4.5 4.5h7v7h-7z", plus: "M8 3v10M3 8h10",
  settings: "M2 5h6M13 5h1M2 11h1M8 11h6M10.5 3a2 2 0 1 0 0 4 2 2 0 1 0 0-4M5.5 9a2 2 0 1 0 0 4 2 2 0 1 0 0-4",
  export: "M8 2v8M4.5 7 8 10.5 11.5 7M3 13.5h10", edit: "M3 13l.7-3L11 2.7 13.3 5 6 12.3zM9.5 4.2l2.3 2.3",
  again: "M13 8a5 5 0 1 1-1.5-3.5M12.5 1.5v3.5H9", copy: "M6 6h7v7H6zM3 10V3h7",
  branch: "M4.5 5.5v5M4.5 9c4.5 0 7-.6 7-3.5M4.5 2.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 1 0 0-3M4.5 10.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 1 0 0-3M11.5 2.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 1 0 0-3",
  inspect: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 1 0 0-9M10.3 10.300l3.5 3.5",
  attach: "M13 7.5 8 12.5a3 3 0 0 1-4.3-4.300l5.2-5.200a2 2 0 0 1 2.9 2.900l-5 5a1 1 0 0 1-1.5-1.5L9.5 5.2",
  variable: "M5 3C3 3 4.5 7 2.5 8c2 1 .5 5 2.5 5M11 3c2 0 .5 4 2.5 5-2 1-.5 5-2.5 5M6.5 6l3 4M9.5 6l-3 4",
  close: "M4 4l8 8M12 4l-8 8", down: "M8 3v10M3.5 8.5 8 13l4.5-4.5", left: "M10 3 5 8l5 5",
  right: "M6 3l5 5-5 5", cell: "M3 2.5h10v5H3zM8 10v5M5.5 12.5h5", done: "M3 8.5 6.5 12 13 4.5",
};

/** @type {[name: string, label: string, least: number, step: string][]} */
const SAMPLING = [
  ["temperature", "Temperature", 0, "any"], ["top_k", "Top k", 0, "1"], ["top_p", "Top p", 0, "any"],
  ["min_p", "Min p", 0, "any"], ["max_tokens", "Most tokens", 1, "1"], ["seed", "Seed", 0, "1"],
];
/** @type {[value: string, text: string][]} */
const EXPORTS = [
  ["md", "Markdown"], ["html", "HTML"], ["json", "JSON"], ["py", "Python script"],
  ["ipynb", "Notebook"], ["cells", "Insert as cells"],
];
/** @type {[value: string, text: string][]} */
const APPROVALS = [
  ["ask", "Ask before each call"], ["auto", "Run without asking"], ["never", "Never run tools"],
  ["function", "As the notebook decides"],
];
/** @type {[value: string, text: string][]} */
const THINKING = [["null", "As the model likes"], ["true", "On"], ["false", "Off"]];
/** @type {Record<string, string>} */
const INSPECTORS = { prompt: "Prompt", grammar: "Grammar", raw: "Raw text", tokens: "Tokens" };
/** @type {Record<string, string>} */
const PHASES = {
  waiting: "waiting", reading: "reading", thinking: "thinking", writing: "writing",
  asking: "waits for your answer", tool: "runs a tool",
};
/** @type {Record<string, string>} */
const STATES = {
  writing: "writing…", asking: "asks to run", running: "running…", done: "done",
  denied: "denied", error: "failed",
};
/**
 * How the tags of an answer are written in Markdown, for Copy.
 * @type {Record<string, string>}
 */
const MARKS = { STRONG: "**", EM: "*", DEL: "~~", S: "~~" };

/**
 * Make an element; `text` becomes its text, everything else an attribute.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** @param {keyof typeof ICONS} name */
function icon(name) {
  const drawn = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  drawn.setAttribute("viewBox", "0 0 16 16");
  drawn.setAttribute("class", `llamanb-icon llamanb-icon-${name}`);
  drawn.setAttribute("aria-hidden", "true");
  drawn.append(path);
  return drawn;
}

/**
 * Make a button; `name` is what a screen reader says, `text` what stands on it.
 * @param {string} name
 * @param {{text?: string, icon?: keyof typeof ICONS, class?: string}} look
 * @param {(button: HTMLButtonElement) => void} pressed
 */
function button(name, look, pressed) {
  const made = make("button", { type: "button", class: look.class ?? "", [OWN_KEYS]: "true" });
  if (look.icon) made.append(icon(look.icon));
  if (look.text) made.append(make("span", { class: "llamanb-word", text: look.text }));
  rename(made, name);
  made.addEventListener("click", () => pressed(made));
  return made;
}

/**
 * @param {HTMLElement} element
 * @param {string} name
 */
function rename(element, name) {
  element.setAttribute("aria-label", name);
  element.title = name;
}

/**
 * Set a text only where it differs.
 * @param {Node} element
 * @param {string} text
 */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {number} number */
function count(number) {
  return number.toLocaleString("en");
}

/** @param {number} number */
function short(number) {
  if (number < 1000) return String(number);
  const thousands = number / 1000;
  return `${thousands.toFixed(thousands < 10 ? 1 : 0)}k`;
}

/** @param {number | null} ms */
function duration(ms) {
  if (!ms) return "";
  if (ms < 1) return "<1 ms";
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** @param {string} text */
function tidyJson(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/**
 * Say what is wrong with the arguments of a call, "" if nothing is.
 * @param {string} text
 */
function jsonFault(text) {
  try {
    const value = JSON.parse(text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? "" : "The arguments have to be a JSON object: {…}";
  } catch (fault) {
    return `No JSON: ${/** @type {Error} */ (fault).message}`;
  }
}

/**
 * Put a text on the clipboard; without permission (http, an old browser) by selecting it.
 * @param {string} text
 * @param {Element} near where the helping text field may stand
 */
async function copy(text, near) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const focused = focusedIn(near);
    const field = make("textarea", { class: "llamanb-unseen" });
    field.value = text;
    near.append(field);
    field.select();
    const isCopied = document.execCommand?.("copy") ?? false;
    field.remove();
    focused?.focus();
    return isCopied;
  }
}

/**
 * @param {Element} element
 * @returns {HTMLElement | null} what has the focus, if it is inside `element`
 */
function focusedIn(element) {
  const place = /** @type {Document | ShadowRoot} */ (element.getRootNode());
  const focused = /** @type {HTMLElement | null} */ (place.activeElement ?? null);
  return focused && element.contains(focused) ? focused : null;
}

/**
 * Make the children of `shown` like those of `wanted`; what is the same stays as it is, so that
 * the browser lays out little, and a reader's selection lives.
 * @param {Node} shown
 * @param {Node} wanted it is used up
 */
function liken(shown, wanted) {
  let old = shown.firstChild;
  for (const made of [...wanted.childNodes]) {
    const next = old?.nextSibling ?? null;
    if (!old) shown.appendChild(made);
    else if (!old.isEqualNode(made)) likenOne(old, made);
    old = next;
  }
  while (old) {
    const next = old.nextSibling;
    shown.removeChild(old);
    old = next;
  }
}

/**
 * @param {Node} old
 * @param {Node} made
 */
function likenOne(old, made) {
  if (old.nodeType === 3 && made.nodeType === 3) {
    const [before, after] = [old.nodeValue ?? "", made.nodeValue ?? ""];
    if (after.startsWith(before)) /** @type {globalThis.Text} */ (old).appendData(after.slice(before.length));
    else old.nodeValue = after;
  } else if (old.cloneNode(false).isEqualNode(made.cloneNode(false))) liken(old, made);
  else old.parentNode?.replaceChild(made, old);
}

/**
 * Give an answer as Markdown, as far as its HTML tells.
 * @param {Node} node
 * @returns {string}
 */
function markdownOf(node) {
  if (node.nodeType === 3) return isLayout(node) ? "" : node.textContent ?? "";
  const element = /** @type {HTMLElement} */ (node);
  const tag = element.tagName;
  if (tag === "PRE") return `\`\`\`\n${(element.textContent ?? "").replace(/\n$/, "")}\n\`\`\`\n\n`;
  if (tag === "CODE") return `\`${element.textContent}\``;
  if (tag === "BR") return "\n";
  if (tag === "HR") return "---\n\n";
  if (tag === "BUTTON") return "";
  if (tag === "TR") return rowMarkdown(element);
  const inside = [...element.childNodes].map(markdownOf).join("");
  if (Object.hasOwn(MARKS, tag)) return `${MARKS[tag]}${inside}${MARKS[tag]}`;
  if (tag === "A") return `[${inside}](${element.getAttribute("href") ?? ""})`;
  if (tag === "LI") return itemMarkdown(element, inside);
  if (tag === "BLOCKQUOTE") return `${inside.trim().replace(/^/gm, "> ")}\n\n`;
  if (/^H[1-6]$/.test(tag)) return `${"#".repeat(Number(tag[1]))} ${inside.trim()}\n\n`;
  if (tag === "P") return `${inside.trim()}\n\n`;
  if (tag === "UL" || tag === "OL") return `${inside.replace(/^\n+/, "").trimEnd()}\n\n`;
  return tag === "TABLE" ? `${inside.trim().replace(/\n\s*\n/g, "\n")}\n\n` : inside;
}

/**
 * Whether a text only sets tags apart from each other.
 * @param {Node} node
 */
function isLayout(node) {
  return /^\s*\n\s*$/.test(node.textContent ?? "") && !/^(P|A|EM|STRONG|DEL|S)$/.test(node.parentElement?.tagName ?? "");
}

/** @param {HTMLElement} row */
function rowMarkdown(row) {
  const cells = [...row.children].map((cell) =>
    [...cell.childNodes].map(markdownOf).join("").trim().replace(/\|/g, "\\|"));
  const line = `| ${cells.join(" | ")} |\n`;
  const isHead = row.parentElement?.tagName === "THEAD";
  return isHead ? `${line}|${" --- |".repeat(cells.length)}\n` : line;
}

/**
 * @param {HTMLElement} item
 * @param {string} inside
 */
function itemMarkdown(item, inside) {
  const list = item.parentElement;
  const before = list ? [...list.children].indexOf(item) : 0;
  const first = Number(list?.getAttribute("start") ?? 1);
  const mark = list?.tagName === "OL" ? `${first + before}. ` : "- ";
  const text = inside.trim().replace(/\n{2,}/g, "\n").replace(/\n/g, `\n${" ".repeat(mark.length)}`);
  return `\n${mark}${text}`;
}

/**
 * Give a file as something to attach, or a sentence that says why not.
 * @param {File} file
 * @returns {Promise<Attachment | string>}
 */
async function attachmentOf(file) {
  if (IMAGE_TYPE.test(file.type)) {
    if (file.size > IMAGE_LIMIT) return `${file.name} is larger than 6 MiB.`;
    return { name: file.name, kind: "image", url: await urlOf(file) };
  }
  if (file.type.startsWith("image/") && file.type !== "image/svg+xml") {
    return `${file.name}: images have to be PNG, JPEG, GIF or WebP.`;
  }
  if (file.size > TEXT_LIMIT) return `${file.name} is larger than 1 MiB.`;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(await bytesOf(file)));
    if (!text.includes("\0")) return { name: file.name, kind: "text", text };
  } catch { /* said below */ }
  return `${file.name} is neither text nor an image.`;
}

/**
 * @param {File} file
 * @returns {Promise<string>}
 */
function urlOf(file) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result));
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(file);
  });
}

/**
 * @param {File} file
 * @returns {Promise<ArrayBuffer>}
 */
function bytesOf(file) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(/** @type {ArrayBuffer} */ (reader.result));
    reader.onerror = () => failed(reader.error);
    reader.readAsArrayBuffer(file);
  });
}

/**
 * Let the browser save a file.
 * @param {{name: string, mime: string, text: string}} file
 */
function download(file) {
  const url = URL.createObjectURL(new Blob([file.text], { type: file.mime }));
  const link = make("a", { href: url, download: file.name });
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(url), SHOWN_MS);
}

/**
 * Give the cells of the notebook that shows `near`, where the front end lets us.
 * @param {any} manager the widget manager
 * @param {Element} near
 */
function notebookOf(manager, near) {
  const known = manager?.context?.model?.sharedModel;
  if (typeof known?.insertCell === "function") return known;
  const app = /** @type {any} */ (globalThis).jupyterapp;
  const panels = [...(app?.shell?.widgets?.("main") ?? [])];
  const panel = panels.find((one) => one.node?.contains(near));
  const shared = panel?.context?.model?.sharedModel;
  return typeof shared?.insertCell === "function" ? shared : null;
}

/**
 * Insert cells below the one whose output we are; false where the page cannot.
 * @param {any} manager
 * @param {Element} near
 * @param {Cell[]} cells
 */
function insertCells(manager, near, cells) {
  const notebook = notebookOf(manager, near);
  if (!notebook) return false;
  const at = cellIndex(near) ?? notebook.cells.length - 1;
  cells.forEach((cell, offset) => notebook.insertCell(at + 1 + offset, {
    cell_type: cell.kind === "markdown" ? "markdown" : "code", source: cell.source, metadata: {},
  }));
  return true;
}

/** @param {Element} near */
function cellIndex(near) {
  const cell = /** @type {HTMLElement | null} */ (near.closest(".jp-Cell"));
  if (!cell) return null;
  // JupyterLab takes cells that are out of sight off the page: its own number counts them.
  if (cell.dataset.windowedListIndex) return Number(cell.dataset.windowedListIndex);
  const all = cell.closest(".jp-Notebook")?.querySelectorAll(".jp-Cell") ?? [];
  const index = [...all].indexOf(cell);
  return index < 0 ? null : index;
}

/** A button that opens a list of commands; arrows move, Escape closes. */
class Menu {
  /**
   * @param {HTMLButtonElement} opener
   * @param {[value: string, text: string][]} items
   * @param {(value: string) => void} chosen
   */
  constructor(opener, items, chosen) {
    this.opener = opener;
    this.list = make("div", { class: "llamanb-menu", role: "menu", popover: "auto" });
    rename(this.list, opener.getAttribute("aria-label") ?? "");
    this.list.removeAttribute("title");
    this.list.hidden = true;
    this.items = items.map(([value, text]) => {
      const item = make("button", { type: "button", role: "menuitem", tabindex: "-1", text,
        "data-value": value, [OWN_KEYS]: "true" });
      item.addEventListener("click", () => { this.close(); chosen(value); });
      return item;
    });
    this.list.append(...this.items);
    this.element = make("span", { class: "llamanb-anchor" }, opener, this.list);
    opener.setAttribute("aria-haspopup", "menu");
    opener.setAttribute("aria-expanded", "false");
    opener.addEventListener("click", () => (this.isOpen ? this.close() : this.open()));
    this.element.addEventListener("keydown", (event) => this.move(event));
    this.element.addEventListener("focusout", (event) => {
      if (!this.element.contains(/** @type {Node | null} */ (event.relatedTarget))) this.close(false);
    });
    this.list.addEventListener("toggle", (event) => {
      if (/** @type {any} */ (event).newState === "closed") this.close(false);
    });
  }

  get isOpen() {
    return !this.list.hidden;
  }

  open() {
    this.list.hidden = false;
    /** @type {any} */ (this.list).showPopover?.();
    const place = this.opener.getBoundingClientRect();
    const width = this.list.getBoundingClientRect().width;
    this.list.style.top = `${place.bottom + 2}px`;
    this.list.style.left = `${Math.max(4, place.right - width)}px`;
    this.opener.setAttribute("aria-expanded", "true");
    this.items[0].focus();
  }

  close(isFocusWanted = true) {
    if (!this.isOpen) return;
    this.list.hidden = true;
    /** @type {any} */ (this.list).hidePopover?.();
    this.opener.setAttribute("aria-expanded", "false");
    if (isFocusWanted) this.opener.focus();
  }

  /** @param {KeyboardEvent} event */
  move(event) {
    if (!this.isOpen) {
      if (event.key !== "ArrowDown") return;
      event.preventDefault();
      this.open();
      return;
    }
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      this.close();
      return;
    }
    const last = this.items.length - 1;
    const at = this.items.findIndex((item) => item === event.target);
    /** @type {Record<string, number>} */
    const to = { ArrowDown: at < last ? at + 1 : 0, ArrowUp: at > 0 ? at - 1 : last, Home: 0, End: last };
    if (!Object.hasOwn(to, event.key)) return;
    event.preventDefault();
    this.items[to[event.key]].focus();
  }
}

/** A text field that takes the place of what it edits: Save or Cancel. */
class Editor {
  /**
   * @param {{label: string, text: string, save: string, isLined?: boolean,
   *   check?: (text: string) => string, saved: (text: string) => void, closed: () => void}} wanted
   *   `isLined`: Enter begins a new line, Ctrl+Enter saves
   */
  constructor(wanted) {
    this.wanted = wanted;
    this.field = make("textarea", { class: "llamanb-edit-field", "aria-label": wanted.label,
      spellcheck: wanted.isLined ? "false" : "true", rows: "1", [OWN_KEYS]: "true" });
    this.field.value = wanted.text;
    this.fault = make("div", { class: "llamanb-fault", role: "alert" });
    this.fault.hidden = true;
    const save = button(wanted.save, { text: wanted.save, class: "llamanb-primary" }, () => this.save());
    const cancel = button("Cancel", { text: "Cancel" }, () => this.close());
    const hint = wanted.isLined ? "Ctrl+Enter to go on, Esc to cancel" : "Enter to go on, Esc to cancel";
    this.element = make("div", { class: "llamanb-editor" }, this.field, this.fault,
      make("div", { class: "llamanb-row" }, save, cancel, make("span", { class: "llamanb-hint", text: hint })));
    this.field.addEventListener("input", () => this.fit());
    this.element.addEventListener("keydown", (event) => this.press(event));
  }

  open() {
    this.fit();
    this.field.focus();
    this.field.setSelectionRange(this.field.value.length, this.field.value.length);
  }

  fit() {
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight + 2}px`;
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      this.close();
    } else if (event.key === "Enter" && event.target === this.field) {
      const isSaving = this.wanted.isLined ? event.ctrlKey || event.metaKey : !event.shiftKey;
      if (!isSaving) return;
      event.preventDefault();
      this.save();
    }
  }

  save() {
    const text = this.field.value;
    const fault = this.wanted.check?.(text) ?? "";
    this.fault.textContent = fault;
    this.fault.hidden = !fault;
    this.field.setAttribute("aria-invalid", String(Boolean(fault)));
    if (fault) this.field.focus();
    else this.wanted.saved(text);
  }

  close() {
    this.element.remove();
    this.wanted.closed();
  }
}

/** HTML that grows block by block; only the last, open one is drawn again. */
class Blocks {
  /**
   * @param {Chat} chat
   * @param {HTMLElement} element
   */
  constructor(chat, element) {
    this.chat = chat;
    this.element = element;
    /** @type {string[]} */
    this.finished = [];
    this.open = "";
    this.length = 0;
    this.drawn = 0;
    this.drawnOpen = "";
    this.last = make("div", { class: "llamanb-block llamanb-open" });
    this.last.hidden = true;
    element.append(this.last);
  }

  /**
   * Show this from now on; blocks that are there already stay.
   * @param {string[]} html
   * @param {string} open
   */
  set(html, open) {
    let same = 0;
    while (same < this.drawn && this.finished[same] === html[same]) same += 1;
    while (this.drawn > same) {
      this.drawn -= 1;
      this.element.children[this.drawn].remove();
    }
    this.finished = [...html];
    this.open = open;
    this.length = html.reduce((sum, block) => sum + block.length, 0);
  }

  /**
   * @param {Op} op blocks that are finished now, the first of which goes on after what stays of
   *   the open one (`keep`, in UTF-16 units); without any, `tail` does
   */
  add({ html = [], keep = 0, tail = "", anew = false }) {
    if (anew) this.set([], "");
    const kept = this.open.slice(0, keep);
    html.forEach((rest, place) => {
      const block = place === 0 ? kept + rest : rest;
      this.finished.push(block);
      this.length += block.length;
    });
    this.open = html.length ? tail : kept + tail;
  }

  get size() {
    return this.length + this.open.length;
  }

  draw() {
    for (; this.drawn < this.finished.length; this.drawn += 1) {
      const block = make("div", { class: "llamanb-block" });
      block.innerHTML = this.finished[this.drawn];
      this.chat.equip(block);
      this.last.before(block);
    }
    if (this.open === this.drawnOpen) return;
    const wanted = make("template");
    wanted.innerHTML = this.open;
    liken(this.last, wanted.content);
    this.last.hidden = !this.open;
    this.drawnOpen = this.open;
  }

  markdown() {
    return [...this.element.children].map(markdownOf).join("").trim();
  }
}

/** A text of an answer. */
class TextView {
  /** @param {Chat} chat */
  constructor(chat) {
    this.kind = "text";
    this.element = make("div", { class: "llamanb-md" });
    this.blocks = new Blocks(chat, this.element);
  }

  /** @param {Text} part */
  set(part) {
    this.blocks.set(part.html, part.open);
  }

  /** @param {Op} op */
  apply(op) {
    this.blocks.add(op);
  }

  get size() {
    return this.blocks.size;
  }

  draw() {
    this.blocks.draw();
  }
}

/** What the model thought: a fold, open while it thinks unless somebody closed it. */
class ThoughtView {
  /** @param {Chat} chat */
  constructor(chat) {
    this.kind = "thought";
    this.heading = make("span");
    this.body = make("div", { class: "llamanb-md llamanb-thinking", tabindex: "0", role: "group",
      "aria-label": "Reasoning" });
    this.fold = make("summary", {}, this.heading);
    this.element = make("details", { class: "llamanb-thought" }, this.fold, this.body);
    this.blocks = new Blocks(chat, this.body);
    this.isOpen = false;
    this.isTouched = false;
    this.fold.addEventListener("click", () => { this.isTouched = true; });
    this.element.addEventListener("toggle", () => this.draw());
  }

  /** @param {Thought} part */
  set(part) {
    this.blocks.set(part.html, part.open);
    this.mark(part.heading, part.is_open);
  }

  /** @param {Op} op */
  apply(op) {
    if (op.tail !== undefined) this.blocks.add(op);
    if (op.thought) this.mark(op.thought.heading, op.thought.is_open);
  }

  /**
   * @param {string} [heading]
   * @param {boolean} [isOpen]
   */
  mark(heading, isOpen) {
    if (heading !== undefined) this.headingText = heading;
    if (isOpen === undefined || isOpen === this.isOpen) return;
    this.isOpen = isOpen;
    if (!this.isTouched) this.element.open = isOpen;
  }

  get size() {
    return this.blocks.size;
  }

  draw() {
    write(this.heading, this.headingText ?? "");
    this.element.classList.toggle("llamanb-thinks", this.isOpen);
    if (!this.element.open) return;
    this.blocks.draw();
    if (this.isOpen) this.body.scrollTop = this.body.scrollHeight;
  }
}

/** A tool call: what it wants, what came of it, and what may be done about it. */
class CallView {
  /**
   * @param {Chat} chat
   * @param {TurnView} turn
   */
  constructor(chat, turn) {
    this.kind = "call";
    this.chat = chat;
    this.turn = turn;
    /** @type {Call} */
    this.call = { kind: "call", id: "", name: "", arguments: "", args_html: "", state: "",
      state_text: "", result: null, stdout: "", ms: null, round: 0 };
    this.name = make("code", { class: "llamanb-name" });
    this.badge = make("span", { class: "llamanb-badge" });
    this.note = make("span", { class: "llamanb-hint" });
    this.code = make("code");
    this.args = make("pre", { class: "llamanb-args", tabindex: "0", role: "group",
      "aria-label": "Arguments", [OWN_KEYS]: "true" }, this.code);
    this.printed = this.fold("Printed");
    this.result = this.fold("Result");
    this.actions = make("div", { class: "llamanb-row llamanb-call-actions" });
    this.element = make("section", { class: "llamanb-call" },
      make("div", { class: "llamanb-call-head" }, this.name, this.badge, this.note),
      this.args, this.printed.element, this.result.element, this.actions);
    this.shownArgs = "";
    this.shownState = "";
    /** @type {Editor | null} */
    this.editor = null;
  }

  /** @param {string} title */
  fold(title) {
    const heading = make("summary", { text: title });
    const text = make("pre", { tabindex: "0", role: "group", "aria-label": title, [OWN_KEYS]: "true" });
    const element = make("details", { class: "llamanb-fold" }, heading, text);
    element.hidden = true;
    return { element, heading, text };
  }

  /** @param {Call} part */
  set(part) {
    this.call = { ...part };
  }

  /** @param {Op} op */
  apply(op) {
    if (op.args !== undefined) this.call.arguments += op.args;
    if (op.call) Object.assign(this.call, op.call);
  }

  get size() {
    return null;
  }

  draw() {
    const { call } = this;
    this.element.dataset.state = call.state;
    this.element.setAttribute("aria-label", `Tool call ${call.name}`);
    write(this.name, call.name);
    const label = STATES[call.state] ?? "";
    const took = duration(call.ms);
    write(this.badge, label);
    this.badge.hidden = !label;
    write(this.note, took || (label ? "" : call.state_text));
    this.drawArguments();
    this.drawFold(this.printed, call.stdout, "Printed");
    this.drawFold(this.result, call.result ?? "", call.state === "error" ? "Error" : "Result");
    if (call.state !== this.shownState) this.enter(call.state);
  }

  drawArguments() {
    const html = this.call.state === "writing" ? "" : this.call.args_html;
    const shown = html || this.call.arguments;
    this.args.hidden = !shown || this.editor !== null;
    if (shown === this.shownArgs) return;
    this.shownArgs = shown;
    if (html) this.code.innerHTML = html;
    else this.code.textContent = shown;
  }

  /**
   * @param {{element: HTMLDetailsElement, heading: HTMLElement, text: HTMLElement}} fold
   * @param {string} text
   * @param {string} title
   */
  drawFold(fold, text, title) {
    const isNew = fold.element.hidden && text !== "";
    fold.element.hidden = !text;
    write(fold.heading, title);
    write(fold.text, text);
    if (isNew) fold.element.open = text.length <= SHORT_RESULT;
  }

  /**
   * The call stands somewhere else now: offer what can be done there.
   * @param {string} state
   */
  enter(state) {
    const hadFocus = focusedIn(this.actions) !== null || focusedIn(this.editor?.element ?? this.actions) !== null;
    this.shownState = state;
    this.closeEditor();
    this.offer();
    if (state === "asking") this.chat.announce(`The tool ${this.call.name} waits for your approval.`);
    if (hadFocus) (this.actions.querySelector("button") ?? this.chat.composer.field).focus();
  }

  offer() {
    const { name, state } = this.call;
    const isOver = ["done", "denied", "error"].includes(state);
    /** @type {HTMLButtonElement[]} */
    let buttons = [];
    if (state === "asking") {
      buttons = [
        button(`Approve the call of ${name}`, { text: "Approve", icon: "done", class: "llamanb-primary" },
          () => this.approve({ allow: true })),
        button(`Edit the arguments for ${name}`, { text: "Edit", icon: "edit" }, () => this.edit()),
        button(`Deny the call of ${name}`, { text: "Deny", icon: "close" }, () => this.askReason()),
        button(`Always allow ${name} in this chat`, { text: "Always allow" },
          () => this.approve({ allow: true, always: true })),
      ];
    } else if (isOver) {
      buttons = [
        button(`Run ${name} again`, { text: "Run again", icon: "again" }, () => this.edit()),
        button(`Inspect the call of ${name}`, { text: "Inspect", icon: "inspect" }, (pressed) =>
          this.chat.inspect(this.turn, "call", pressed, this.call.id)),
      ];
    }
    this.actions.replaceChildren(...buttons);
    this.actions.hidden = buttons.length === 0;
  }

  /** @param {{allow: boolean, always?: boolean, arguments?: string, reason?: string}} answer */
  approve(answer) {
    const isSent = this.chat.send({ k: "approve", call: this.call.id, ...answer });
    for (const one of this.actions.querySelectorAll("button")) one.disabled = isSent;
    if (isSent) this.chat.composer.field.focus();
  }

  /** Open the arguments: of a call that waits, or of one that shall run again. */
  edit() {
    const isAsked = this.call.state === "asking";
    this.editor = new Editor({
      label: `Arguments for ${this.call.name}`, text: tidyJson(this.call.arguments || "{}"),
      save: isAsked ? "Run with these" : "Run again", isLined: true, check: jsonFault,
      saved: (text) => {
        this.closeEditor();
        if (isAsked) this.approve({ allow: true, arguments: text });
        else this.chat.send({ k: "rerun", turn: this.turn.id, call: this.call.id, arguments: text });
      },
      closed: () => {
        this.closeEditor();
        this.actions.querySelectorAll("button")[isAsked ? 1 : 0]?.focus();
      },
    });
    this.args.before(this.editor.element);
    this.args.hidden = true;
    this.actions.hidden = true;
    this.editor.open();
  }

  closeEditor() {
    this.editor?.element.remove();
    this.editor = null;
    this.args.hidden = !this.shownArgs;
    this.actions.hidden = this.actions.childElementCount === 0;
  }

  askReason() {
    const reason = make("input", { type: "text", placeholder: "Reason for the model (optional)",
      "aria-label": "Reason", [OWN_KEYS]: "true" });
    const deny = () => this.approve({ allow: false, ...(reason.value.trim() ? { reason: reason.value.trim() } : {}) });
    const back = () => {
      this.offer();
      this.actions.querySelectorAll("button")[2]?.focus();
    };
    reason.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "Enter") deny();
      if (event.key !== "Escape") return;
      event.stopPropagation();
      back();
    });
    this.actions.replaceChildren(reason,
      button(`Deny the call of ${this.call.name}`, { text: "Deny", icon: "close" }, deny),
      button("Cancel", { text: "Cancel" }, back));
    reason.focus();
  }
}

/** A question and all that followed it. */
class TurnView {
  /**
   * @param {Chat} chat
   * @param {Turn} turn
   */
  constructor(chat, turn) {
    this.chat = chat;
    this.id = turn.id;
    this.turn = turn;
    /** @type {(TextView | ThoughtView | CallView)[]} */
    this.parts = [];
    /** @type {Editor | null} */
    this.editor = null;
    this.bubble = make("div", { class: "llamanb-bubble llamanb-md" });
    this.chips = make("div", { class: "llamanb-chips" });
    this.change = button("Edit the question", { icon: "edit" }, () => this.edit());
    this.question = make("div", { class: "llamanb-question" }, this.chips,
      make("div", { class: "llamanb-asked" }, this.bubble, make("div", { class: "llamanb-actions llamanb-faint" }, this.change)));
    this.answer = make("div", { class: "llamanb-answer" });
    this.phase = make("div", { class: "llamanb-phase" }, make("span", { class: "llamanb-dots", "aria-hidden": "true" },
      make("i"), make("i"), make("i")), make("span"));
    this.error = make("div", { class: "llamanb-error" });
    this.footer = make("span", { class: "llamanb-footer" });
    this.tools = this.buttons();
    this.siblings = this.switcher();
    this.below = make("div", { class: "llamanb-below" }, this.siblings.element, this.footer, this.tools);
    this.element = make("article", { class: "llamanb-turn" }, this.question, this.answer, this.phase,
      this.error, this.below);
    this.shownQuestion = "";
    this.update(turn, turn.parts);
  }

  buttons() {
    this.copyButton = button("Copy the answer", { icon: "copy" }, () => this.chat.copied(this.markdown()));
    this.againButton = button("Regenerate", { icon: "again" }, () => this.chat.send({ k: "regenerate", turn: this.id }));
    this.branchButton = button("Branch from here", { icon: "branch" }, () => this.chat.send({ k: "branch", turn: this.id }));
    this.inspectButton = button("Inspect", { icon: "inspect" }, (pressed) =>
      this.chat.inspect(this, this.turn.has[0], pressed));
    return make("div", { class: "llamanb-actions llamanb-faint" }, this.copyButton, this.againButton,
      this.branchButton, this.inspectButton);
  }

  switcher() {
    const back = button("Previous version", { icon: "left" }, () => this.choose(-1));
    const forth = button("Next version", { icon: "right" }, () => this.choose(1));
    const place = make("span");
    const element = make("div", { class: "llamanb-siblings", role: "group", "aria-label": "Versions" },
      back, place, forth);
    return { element, back, forth, place };
  }

  /** @param {number} step */
  choose(step) {
    const to = this.turn.siblings[this.turn.siblings.indexOf(this.id) + step];
    if (to !== undefined) this.chat.send({ k: "choose", turn: this.id, to });
  }

  /**
   * @param {Turn} turn
   * @param {Part[]} parts none: those that are there stay
   */
  update(turn, parts) {
    this.turn = turn;
    this.element.dataset.status = turn.status;
    this.element.setAttribute("aria-label", `Question ${turn.number}`);
    this.drawQuestion();
    if (parts.length || turn.status === "running") parts.forEach((part, p) => this.place(p, part));
    if (parts.length) this.parts.splice(parts.length).forEach((part) => part.element.remove());
    this.drawEnd();
  }

  drawQuestion() {
    const { question } = this.turn;
    const key = JSON.stringify(question);
    if (key === this.shownQuestion) return;
    this.shownQuestion = key;
    this.bubble.innerHTML = question.html;
    this.chat.equip(this.bubble);
    this.bubble.hidden = !question.text.trim() && !question.html.trim();
    this.chips.replaceChildren(...question.attachments.map(chip));
  }

  drawEnd() {
    const { turn } = this;
    const isRunning = turn.status === "running";
    this.phase.hidden = !isRunning;
    write(this.error, turn.error);
    this.error.hidden = !turn.error;
    const isStopped = turn.status === "stopped" && !turn.footer;
    write(this.footer, [turn.footer || (isStopped ? "stopped" : ""), turn.reused].filter(Boolean).join(" · "));
    this.below.hidden = isRunning && turn.siblings.length < 2;
    this.tools.hidden = isRunning;
    const at = turn.siblings.indexOf(this.id);
    this.siblings.element.hidden = turn.siblings.length < 2;
    write(this.siblings.place, `${at + 1}/${turn.siblings.length}`);
    this.siblings.element.setAttribute("aria-label", `Version ${at + 1} of ${turn.siblings.length}`);
    this.enable();
  }

  /** What would disturb a running answer waits until it has ended. */
  enable() {
    const isFree = !this.chat.busy;
    const at = this.turn.siblings.indexOf(this.id);
    const { change, againButton, branchButton, siblings, inspectButton } = this;
    for (const one of [change, againButton, branchButton]) if (one) one.disabled = !isFree;
    siblings.back.disabled = !isFree || at <= 0;
    siblings.forth.disabled = !isFree || at >= this.turn.siblings.length - 1;
    if (inspectButton) inspectButton.hidden = this.turn.has.length === 0;
  }

  /**
   * @param {number} p
   * @param {Part} part
   */
  place(p, part) {
    let view = this.parts[p];
    if (view?.kind !== part.kind) {
      view?.element.remove();
      view = this.newPart(part.kind);
      this.parts[p] = view;
      this.answer.insertBefore(view.element, this.answer.children[p] ?? null);
    }
    /** @type {any} */ (view).set(part);
    this.chat.paint(view);
  }

  /** @param {string} kind */
  newPart(kind) {
    if (kind === "thought") return new ThoughtView(this.chat);
    return kind === "call" ? new CallView(this.chat, this) : new TextView(this.chat);
  }

  /**
   * @param {Op} op
   * @returns {boolean} whether it fits what is here
   */
  apply(op) {
    if (op.new) {
      if (op.p > this.parts.length) return false;
      this.place(op.p, op.new);
      return true;
    }
    const view = this.parts[op.p];
    if (!view) return false;
    view.apply(op);
    this.chat.paint(view);
    return true;
  }

  /** @param {Stat} stat */
  tell(stat) {
    const words = PHASES[stat.phase] ?? stat.phase;
    const isSeen = stat.phase === "writing" || stat.phase === "thinking";
    const wait = stat.seconds >= 1 ? ` ${Math.floor(stat.seconds)} s` : "";
    write(/** @type {Element} */ (this.phase.lastElementChild), isSeen ? "" : `${words}${wait}`);
  }

  /**
   * Whether every part is as long as the kernel says.
   * @param {(number | null)[]} sizes
   */
  fits(sizes) {
    return sizes.length === this.parts.length
      && this.parts.every((part, p) => part.size === null || sizes[p] === null || part.size === sizes[p]);
  }

  markdown() {
    const texts = this.parts.flatMap((part) => (part instanceof TextView ? [part.blocks.markdown()] : []));
    return texts.filter(Boolean).join("\n\n");
  }

  spoken() {
    const texts = this.parts.flatMap((part) => (part instanceof TextView ? [part.element.textContent ?? ""] : []));
    return texts.join(" ").replace(/\s+/g, " ").trim().slice(0, LONGEST_SPOKEN);
  }

  edit() {
    if (this.editor || this.chat.busy) return;
    this.editor = new Editor({
      label: "Changed question", text: this.turn.question.text, save: "Send",
      check: (text) => (text.trim() ? "" : "The question is empty."),
      saved: (text) => {
        if (this.chat.send({ k: "edit", turn: this.id, text })) this.closeEditor();
      },
      closed: () => this.closeEditor(),
    });
    this.question.classList.add("llamanb-edited");
    this.question.append(this.editor.element);
    this.editor.open();
  }

  closeEditor() {
    this.editor?.element.remove();
    this.editor = null;
    this.question.classList.remove("llamanb-edited");
    (this.change.disabled ? this.chat.composer.field : this.change).focus();
  }
}

/**
 * Draw something that was given along with a question.
 * @param {Attachment} attachment
 */
function chip(attachment) {
  const made = make("span", { class: "llamanb-chip", "data-kind": attachment.kind });
  if (attachment.url && IMAGE_URL.test(attachment.url)) {
    made.append(make("img", { src: attachment.url, alt: attachment.name, title: attachment.name }));
  } else {
    made.append(icon(attachment.kind === "variable" ? "variable" : "attach"));
    made.append(make("span", { class: "llamanb-chip-name", text: attachment.name, title: attachment.name }));
  }
  return made;
}

/** What lies behind an answer: below its turn, one at a time. */
class Drawer {
  /** @param {Chat} chat */
  constructor(chat) {
    this.chat = chat;
    /** @type {TurnView | null} */
    this.turn = null;
    this.what = "";
    /** @type {HTMLElement | null} */
    this.opener = null;
    this.title = make("h3", { tabindex: "-1", class: "llamanb-drawer-title", [OWN_KEYS]: "true" });
    this.tabs = make("div", { class: "llamanb-tabs", role: "group", "aria-label": "What to look at" });
    this.body = make("div", { class: "llamanb-drawer-body", tabindex: "0", role: "group",
      "aria-label": "What was found", [OWN_KEYS]: "true" });
    const close = button("Close", { icon: "close" }, () => this.close());
    this.element = make("section", { class: "llamanb-drawer", role: "region", "aria-label": "Inspector" },
      make("div", { class: "llamanb-drawer-head" }, this.title, this.tabs, close), this.body);
    this.body.addEventListener("click", (event) => this.press(event));
    this.body.addEventListener("keydown", (event) => this.key(event));
  }

  get isOpen() {
    return this.element.isConnected;
  }

  /**
   * @param {TurnView} turn
   * @param {string} what
   * @param {HTMLElement} opener
   * @param {string} call
   */
  ask(turn, what, opener, call = "") {
    this.turn = turn;
    this.what = what;
    if (!this.element.contains(opener)) this.opener = opener;
    this.chat.send({ k: "inspect", turn: turn.id, what, ...(call ? { call } : {}) });
  }

  /** @param {{what: string, title: string, html: string, turn?: string}} found */
  show(found) {
    const turn = (found.turn && this.chat.turns.get(found.turn)) || this.turn;
    if (!turn) return;
    const wasOpen = this.isOpen && this.element.parentElement === turn.element;
    this.turn = turn;
    this.what = found.what;
    write(this.title, found.title);
    this.element.setAttribute("aria-label", found.title || "Inspector");
    this.body.innerHTML = found.html;
    this.body.scrollTop = 0;
    this.arm();
    this.offer(turn);
    if (!wasOpen) turn.element.append(this.element);
    (this.tabs.querySelector("[aria-pressed=true]") && wasOpen
      ? /** @type {HTMLElement} */ (this.tabs.querySelector("[aria-pressed=true]")) : this.title).focus();
    this.element.scrollIntoView?.({ block: "nearest" });
  }

  /** @param {TurnView} turn */
  offer(turn) {
    const offered = turn.turn.has.map((what) => {
      const name = INSPECTORS[what] ?? what;
      const tab = button(name, { text: name }, (pressed) => this.ask(turn, what, pressed));
      tab.setAttribute("aria-pressed", String(what === this.what));
      return tab;
    });
    this.tabs.replaceChildren(...offered);
    this.tabs.hidden = offered.length === 0;
  }

  /** Make the alternatives of tokens buttons: one stop for Tab, arrows go from one to the next. */
  arm() {
    this.alternatives().forEach((one, index) => {
      if (one.tagName !== "BUTTON") one.setAttribute("role", "button");
      one.tabIndex = index ? -1 : 0;
      one.classList.add("llamanb-alternative");
      if (!one.title) one.title = "Go on from here with this token";
    });
  }

  /** @returns {HTMLElement[]} */
  alternatives() {
    return [...this.body.querySelectorAll("[data-token][data-alternative]")].map((one) =>
      /** @type {HTMLElement} */ (one));
  }

  /** @param {Event} event */
  press(event) {
    const target = /** @type {Element} */ (event.target);
    const pressed = /** @type {HTMLElement | null} */ (target.closest("[data-token]"));
    if (!pressed || !this.turn) return;
    event.preventDefault();
    const { token, alternative } = pressed.dataset;
    if (alternative === undefined) this.visit(this.alternatives().find((one) => one.dataset.token === token));
    else if (this.chat.busy) this.chat.say(RUNNING, true);
    else {
      this.chat.send({ k: "continue", turn: this.turn.id, token: Number(token), alternative: Number(alternative) });
    }
  }

  /** @param {HTMLElement} [wanted] */
  visit(wanted) {
    if (!wanted) return;
    for (const one of this.alternatives()) one.tabIndex = one === wanted ? 0 : -1;
    wanted.focus();
    wanted.scrollIntoView?.({ block: "nearest" });
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const offered = this.alternatives();
    const at = offered.findIndex((one) => one === event.target);
    if (at < 0) return;
    if (event.key === "Enter" || event.key === " ") {
      this.press(event);
      return;
    }
    const { token } = offered[at].dataset;
    const next = offered.findIndex((one, index) => index > at && one.dataset.token !== token);
    const before = offered.slice(0, at).reverse().find((one) => one.dataset.token !== token)?.dataset.token;
    /** @type {Record<string, number>} */
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: next, Home: 0, End: offered.length - 1,
      ArrowUp: offered.findIndex((one) => one.dataset.token === before) };
    if (!Object.hasOwn(to, event.key)) return;
    event.preventDefault();
    this.visit(offered[to[event.key]]);
  }

  close() {
    const hadFocus = focusedIn(this.element) !== null;
    this.element.remove();
    this.turn = null;
    if (hadFocus) (this.opener?.isConnected ? this.opener : this.chat.composer.field).focus();
  }
}

/** System prompt, sampling, thinking, tools: sent as soon as they change. */
class SettingsPanel {
  /** @param {Chat} chat */
  constructor(chat) {
    this.chat = chat;
    this.system = make("textarea", { rows: "2", placeholder: "What the model should always know" });
    this.listen(this.system, () => ({ system_prompt: this.system.value || null }));
    /** @type {Record<string, HTMLInputElement>} */
    this.numbers = {};
    for (const [name, , least, step] of SAMPLING) this.numbers[name] = this.number(name, least, step);
    this.think = this.select(THINKING, (value) => ({ think: JSON.parse(value) }));
    this.approve = this.select(APPROVALS, (value) => ({ approve: value }));
    this.probabilities = make("input", { type: "checkbox" });
    this.listen(this.probabilities, () => ({ probabilities: this.probabilities.checked }));
    this.tools = make("ul", { class: "llamanb-tools" });
    this.thinkRow = labelled("Thinking", this.think);
    this.approveRow = labelled("Tools", this.approve);
    const check = make("label", { class: "llamanb-check" }, this.probabilities,
      make("span", { text: "Keep the probabilities of tokens" }));
    const grid = make("div", { class: "llamanb-grid" },
      ...SAMPLING.map(([name, label]) => labelled(label, this.numbers[name])), this.thinkRow, this.approveRow);
    this.element = make("section", { class: "llamanb-settings", "aria-label": "Settings" },
      labelled("System prompt", this.system), grid, check, this.tools);
    this.element.hidden = true;
    this.shownTools = "";
    for (const one of this.element.querySelectorAll("input, textarea, select")) one.setAttribute(OWN_KEYS, "true");
  }

  /**
   * @param {HTMLElement} field
   * @param {() => object | null} setting
   */
  listen(field, setting) {
    field.addEventListener("change", () => {
      const settings = setting();
      if (settings) this.chat.send({ k: "set", settings });
    });
  }

  /**
   * @param {string} name
   * @param {number} least
   * @param {string} step
   */
  number(name, least, step) {
    const field = make("input", { type: "number", min: String(least), step, autocomplete: "off" });
    this.listen(field, () => {
      const isFine = field.validity.valid;
      field.setAttribute("aria-invalid", String(!isFine));
      if (isFine) return { [name]: field.value === "" ? null : Number(field.value) };
      this.chat.say(`${name}: ${field.validationMessage}`, true);
      return null;
    });
    return field;
  }

  /**
   * @param {[value: string, text: string][]} choices
   * @param {(value: string) => object} setting
   */
  select(choices, setting) {
    const made = make("select", {}, ...choices.map(([value, text]) => make("option", { value, text })));
    this.listen(made, () => setting(made.value));
    return made;
  }

  /** @param {Settings} settings */
  show(settings) {
    this.fill(this.system, settings.system_prompt ?? "");
    for (const [name] of SAMPLING) {
      const value = settings.sampling?.[name];
      const normal = settings.defaults?.[name];
      this.fill(this.numbers[name], value === null || value === undefined ? "" : String(value));
      this.numbers[name].placeholder = normal === null || normal === undefined ? "default" : String(normal);
    }
    this.think.value = String(settings.think ?? null);
    this.thinkRow.hidden = !settings.can_think;
    this.approve.value = settings.approve;
    this.approve.options[APPROVALS.length - 1].hidden = settings.approve !== "function";
    this.probabilities.checked = settings.probabilities;
    this.showTools(settings.tools ?? []);
  }

  /**
   * What somebody types into right now is left alone.
   * @param {HTMLInputElement | HTMLTextAreaElement} field
   * @param {string} value
   */
  fill(field, value) {
    if (focusedIn(this.element) !== field && field.value !== value) field.value = value;
  }

  /** @param {Settings["tools"]} tools */
  showTools(tools) {
    this.approveRow.hidden = tools.length === 0;
    this.tools.hidden = tools.length === 0;
    const key = JSON.stringify(tools);
    if (key === this.shownTools) return;
    this.shownTools = key;
    this.tools.replaceChildren(...tools.map((tool) => make("li", {},
      make("code", { text: tool.name }), make("span", { text: tool.description }),
      make("span", { class: "llamanb-hint", text: tool.approve ? "runs without asking" : "asks first" }))));
  }

  toggle(isOpen = this.element.hidden) {
    this.element.hidden = !isOpen;
    this.chat.header.settings.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) this.system.focus();
    else this.chat.header.settings.focus();
  }
}

/**
 * @param {string} text
 * @param {HTMLElement} field
 */
function labelled(text, field) {
  return make("label", { class: "llamanb-field" }, make("span", { text }), field);
}

/** The line on top: model, context, speed, and what concerns the whole talk. */
class Header {
  /** @param {Chat} chat */
  constructor(chat) {
    this.chat = chat;
    this.model = make("select", { class: "llamanb-model", "aria-label": "Model", [OWN_KEYS]: "true" });
    this.model.addEventListener("change", () => chat.send({ k: "set", settings: { model: this.model.value } }));
    this.toy = make("span", { class: "llamanb-badge llamanb-toy", text: "toy",
      title: "A toy model for trying things out: its answers mean nothing" });
    this.fill = make("span");
    this.meter = make("span", { class: "llamanb-meter", role: "meter", "aria-label": "Context used",
      "aria-valuemin": "0" }, this.fill);
    this.context = make("span", { class: "llamanb-context" });
    this.speed = make("span", { class: "llamanb-speed" });
    this.clear = button("New chat", { icon: "plus", text: "New" }, () => this.askToClear());
    this.settings = button("Settings", { icon: "settings", text: "Settings" }, () => chat.settingsPanel.toggle());
    this.settings.setAttribute("aria-expanded", "false");
    this.menu = new Menu(button("Export", { icon: "export", text: "Export" }, () => {}), EXPORTS,
      (format) => chat.send({ k: "export", format }));
    this.loading = make("div", { class: "llamanb-loading", role: "progressbar", "aria-label": "Loading" },
      make("span"));
    this.loadingText = make("span", { class: "llamanb-hint" });
    this.loading.hidden = true;
    this.element = make("header", { class: "llamanb-header" }, this.model, this.toy,
      make("span", { class: "llamanb-usage" }, this.meter, this.context), this.loadingText, this.speed,
      make("span", { class: "llamanb-row llamanb-commands" }, this.clear, this.settings, this.menu.element),
      this.loading);
    this.shownModels = "";
  }

  /** @param {Settings} settings */
  show(settings) {
    const key = JSON.stringify(settings.models);
    if (key !== this.shownModels) {
      this.shownModels = key;
      this.model.replaceChildren(...settings.models.map((one) => make("option", { value: one.name,
        text: `${one.label}${one.is_resident ? " · loaded" : ""}` })));
    }
    if (settings.models.every((one) => one.name !== settings.model)) {
      this.model.append(make("option", { value: settings.model, text: settings.model }));
    }
    this.model.value = settings.model;
    this.model.title = settings.model;
    this.toy.hidden = !settings.is_toy;
    this.showUse(settings.used, settings.n_ctx);
    this.showLoading(settings.loading);
  }

  /**
   * @param {number} used
   * @param {number} most
   */
  showUse(used, most) {
    const share = most ? Math.min(1, used / most) : 0;
    this.fill.style.width = `${(share * 100).toFixed(1)}%`;
    this.meter.dataset.level = share > 0.95 ? "full" : share > 0.8 ? "high" : "";
    this.meter.setAttribute("aria-valuemax", String(most));
    this.meter.setAttribute("aria-valuenow", String(Math.min(used, most)));
    const text = `${count(used)} of ${count(most)} tokens`;
    this.meter.setAttribute("aria-valuetext", text);
    this.meter.title = `Context: ${text}`;
    this.meter.hidden = !most;
    write(this.context, most ? `${short(used)} / ${short(most)}` : "");
  }

  /** @param {Settings["loading"]} loading */
  showLoading(loading) {
    this.loading.hidden = !loading;
    const bar = /** @type {HTMLElement} */ (this.loading.firstElementChild);
    const fraction = loading?.fraction ?? null;
    this.loading.classList.toggle("llamanb-endless", fraction === null);
    bar.style.width = fraction === null ? "" : `${(fraction * 100).toFixed(1)}%`;
    if (fraction === null) this.loading.removeAttribute("aria-valuenow");
    else this.loading.setAttribute("aria-valuenow", String(Math.round(fraction * 100)));
    const part = fraction === null ? "" : ` ${Math.round(fraction * 100)} %`;
    write(this.loadingText, loading ? `Loading ${loading.name}…${part}` : "");
    this.loadingText.hidden = !loading;
    if (loading) this.loading.setAttribute("aria-label", `Loading ${loading.name}`);
  }

  /** @param {Stat | null} stat */
  tell(stat) {
    if (!stat) {
      write(this.speed, "");
      return;
    }
    const phase = PHASES[stat.phase] ?? stat.phase;
    const rate = stat.tokens_per_s ? `${stat.tokens_per_s.toFixed(stat.tokens_per_s < 100 ? 1 : 0)} tokens/s` : "";
    write(this.speed, rate || phase);
    this.speed.title = [phase, stat.tokens ? `${count(stat.tokens)} tokens` : "", `${stat.seconds.toFixed(1)} s`]
      .filter(Boolean).join(" · ");
    if (stat.n_ctx) this.showUse(stat.used, stat.n_ctx);
  }

  /** Begin anew; the kernel keeps what was said as another version of the first question. */
  askToClear() {
    if (this.chat.turns.size) this.chat.say("A new chat. The one before stays: ‹ 1/2 › below your next answer leads back.");
    this.chat.send({ k: "clear" });
    this.chat.composer.field.focus();
  }
}

/** A list of the kernel's variables: type to find one, Enter attaches it. */
class VariablePicker {
  /** @param {Composer} composer */
  constructor(composer) {
    this.composer = composer;
    /** @type {{name: string, type: string, summary: string}[]} */
    this.variables = [];
    this.at = 0;
    const id = `llamanb-list-${Math.random().toString(36).slice(2)}`;
    this.list = make("ul", { role: "listbox", id, "aria-label": "Variables" });
    this.field = make("input", { type: "text", role: "combobox", placeholder: "Find a variable",
      "aria-label": "Find a variable", "aria-controls": id, "aria-expanded": "true", "aria-autocomplete": "list",
      autocomplete: "off", spellcheck: "false", [OWN_KEYS]: "true" });
    this.empty = make("div", { class: "llamanb-hint", text: "No variables that could be attached." });
    this.element = make("div", { class: "llamanb-picker" }, this.field, this.list, this.empty);
    this.element.hidden = true;
    this.field.addEventListener("input", () => this.draw());
    this.field.addEventListener("keydown", (event) => this.key(event));
    this.element.addEventListener("focusout", (event) => {
      if (!this.element.contains(/** @type {Node | null} */ (event.relatedTarget))) this.close(false);
    });
  }

  /** @param {{name: string, type: string, summary: string}[]} variables */
  open(variables) {
    this.variables = variables;
    this.field.value = "";
    this.element.hidden = false;
    this.draw();
    this.field.focus();
  }

  draw() {
    const wanted = this.field.value.trim().toLowerCase();
    const found = this.variables.filter((one) => `${one.name} ${one.type}`.toLowerCase().includes(wanted));
    this.at = 0;
    this.list.replaceChildren(...found.map((one, index) => {
      const row = make("li", { role: "option", id: `${this.list.id}-${index}`, "data-name": one.name },
        make("code", { text: one.name }), make("span", { text: one.type }), make("small", { text: one.summary }));
      // mousedown, not click: the field would lose the focus and close the list
      row.addEventListener("mousedown", (event) => { event.preventDefault(); this.choose(one.name); });
      return row;
    }));
    this.list.hidden = found.length === 0;
    this.empty.hidden = found.length > 0;
    this.mark();
  }

  mark() {
    [...this.list.children].forEach((row, index) => row.setAttribute("aria-selected", String(index === this.at)));
    const row = this.list.children[this.at];
    if (row) this.field.setAttribute("aria-activedescendant", row.id);
    else this.field.removeAttribute("aria-activedescendant");
    row?.scrollIntoView?.({ block: "nearest" });
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.isComposing) return;
    const rows = this.list.childElementCount;
    if (event.key === "Escape") {
      event.stopPropagation();
      this.close();
    } else if (event.key === "Enter") {
      const row = /** @type {HTMLElement | undefined} */ (this.list.children[this.at]);
      if (row) this.choose(row.dataset.name ?? "");
    } else if (rows && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      this.at = (this.at + (event.key === "ArrowDown" ? 1 : -1) + rows) % rows;
      this.mark();
    } else return;
    event.preventDefault();
  }

  /** @param {string} name */
  choose(name) {
    this.composer.attach({ name, kind: "variable" });
    this.close();
  }

  close(isFocusWanted = true) {
    if (this.element.hidden) return;
    this.element.hidden = true;
    if (isFocusWanted) this.composer.field.focus();
  }
}

/** Where the next question is written; what is typed stays until the kernel has it. */
class Composer {
  /** @param {Chat} chat */
  constructor(chat) {
    this.chat = chat;
    /** @type {Attachment[]} */
    this.attachments = [];
    /** @type {{text: string, attachments: Attachment[]} | null} what was sent and not heard of yet */
    this.sent = null;
    this.isSending = false;
    this.field = make("textarea", { rows: "1", placeholder: HOW_TO_TYPE, "aria-label": "Question", [OWN_KEYS]: "true" });
    this.chips = make("div", { class: "llamanb-chips" });
    this.files = make("input", { type: "file", multiple: "", hidden: "", tabindex: "-1", "aria-label": "Files" });
    this.picker = new VariablePicker(this);
    this.go = button("Send", { icon: "send", class: "llamanb-primary llamanb-go" }, () => this.pressed());
    const attach = button("Attach files", { icon: "attach" }, () => this.files.click());
    const variable = button("Attach a variable", { icon: "variable" }, () => chat.send({ k: "variables" }));
    this.box = make("div", { class: "llamanb-box" }, this.chips, this.field,
      make("div", { class: "llamanb-row" }, attach, variable, make("span", { class: "llamanb-gap" }), this.go));
    this.element = make("div", { class: "llamanb-composer" }, this.picker.element, this.box, this.files);
    this.field.addEventListener("input", () => { this.fit(); this.enable(); });
    this.field.addEventListener("keydown", (event) => this.key(event));
    this.field.addEventListener("paste", (event) => this.take(event, event.clipboardData));
    this.files.addEventListener("change", () => this.read([...(this.files.files ?? [])]));
    this.drawChips();
  }

  /** @param {DragEvent} event */
  drop(event) {
    if (event.type === "drop") this.take(event, event.dataTransfer);
    else if (event.dataTransfer?.types.includes("Files")) {
      event.preventDefault();
      event.stopPropagation();
    }
    this.box.classList.toggle("llamanb-over", event.type === "dragover");
  }

  /**
   * Files that were dropped or pasted; a text is left to the browser.
   * @param {Event} event
   * @param {DataTransfer | null} brought
   */
  take(event, brought) {
    const files = [...(brought?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    event.stopPropagation();
    this.read(files);
  }

  /** @param {File[]} files */
  async read(files) {
    const read = await Promise.all(files.map((file) => attachmentOf(file).catch(() => `${file.name} cannot be read.`)));
    this.files.value = "";
    const refused = read.filter((one) => typeof one === "string");
    for (const one of read) if (typeof one !== "string") this.attach(one);
    if (refused.length) this.chat.say(refused.join(" "), true);
  }

  /** @param {Attachment} attachment */
  attach(attachment) {
    const isSame = (/** @type {Attachment} */ one) => one.kind === "variable" && one.name === attachment.name;
    if (attachment.kind === "variable" && this.attachments.some(isSame)) return;
    this.attachments.push(attachment);
    this.drawChips();
  }

  drawChips() {
    this.chips.replaceChildren(...this.attachments.map((attachment) => {
      const made = chip(attachment);
      made.append(button(`Remove ${attachment.name}`, { icon: "close" }, () => {
        this.attachments = this.attachments.filter((one) => one !== attachment);
        this.drawChips();
        this.field.focus();
      }));
      return made;
    }));
    this.chips.hidden = this.attachments.length === 0;
    this.enable();
  }

  fit() {
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight}px`;
  }

  /** The one button sends, or stops what runs. */
  enable() {
    const isBusy = Boolean(this.chat.busy);
    const wanted = isBusy ? "Stop" : "Send";
    if (this.go.getAttribute("aria-label") !== wanted) {
      rename(this.go, wanted);
      this.go.replaceChildren(icon(isBusy ? "stop" : "send"));
      this.go.classList.toggle("llamanb-stop", isBusy);
    }
    const hasWords = this.field.value.trim() !== "";
    this.go.disabled = isBusy ? this.chat.isStopping : !hasWords || this.isSending;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.isComposing || event.keyCode === 229) return; // an input method picks a word
    if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "ArrowUp" && this.field.value === "" && !this.chat.busy) {
      const last = [...this.chat.turns.values()].pop();
      if (!last) return;
      event.preventDefault();
      last.edit();
    }
  }

  pressed() {
    if (this.chat.busy) this.chat.stop();
    else this.submit();
  }

  submit() {
    const text = this.field.value;
    if (this.isSending) return;
    if (!text.trim()) {
      if (this.attachments.length) this.chat.say("Write something about what is attached first.", true);
      return;
    }
    if (this.chat.busy) {
      this.chat.say(RUNNING, true);
      return;
    }
    const attachments = this.attachments.map(({ name, kind, text: inside, url }) =>
      (kind === "image" ? { name, kind, url } : kind === "text" ? { name, kind, text: inside } : { name, kind }));
    if (new Blob([JSON.stringify([text, attachments])]).size > MESSAGE_LIMIT) {
      this.chat.say("Together this is larger than 9 MiB: attach less.", true);
      return;
    }
    if (!this.chat.send({ k: "send", text, attachments })) return;
    this.sent = { text, attachments: this.attachments };
    this.isSending = true;
    this.element.classList.add("llamanb-sending");
    this.chat.scrollToEnd();
    this.enable();
  }

  /**
   * The kernel has a question: if it is ours, the field is free for the next one.
   * @param {Turn | undefined} turn
   * @param {boolean} isNew whether it has only just begun
   */
  begun(turn, isNew) {
    if (!this.sent) return;
    const { text, attachments } = this.sent;
    const isSame = turn?.question.text.trim() === text.trim();
    if (!isSame && !(isNew && this.isSending)) return;
    if (this.field.value === text) this.field.value = "";
    this.attachments = this.attachments.filter((one) => !attachments.includes(one));
    this.sent = null;
    this.release();
    this.drawChips();
    this.fit();
  }

  /** It did not work, or we do not know: what was typed is still there. */
  release() {
    this.isSending = false;
    this.element.classList.remove("llamanb-sending");
    this.enable();
  }
}

/** One view of the talk: drawn, filled by messages, closed. */
class Chat {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.view = Math.random().toString(36).slice(2);
    this.sequence = -1;
    this.isAnswered = false;
    this.lastHello = -Infinity;
    this.busy = "";
    this.isStopping = false;
    this.isAtEnd = true;
    /** @type {Map<string, TurnView>} in the order of the talk */
    this.turns = new Map();
    /** @type {Set<number>} */
    this.timers = new Set();
    this.patience = 0;
    this.frame = 0;
    /** @type {Set<{draw: () => void}>} */
    this.unpainted = new Set();
    /** @type {HTMLElement[]} */
    this.fresh = [];
    /** @type {Settings | null} */
    this.settings = null;
    this.hiding = document.createElement("style");
    this.header = new Header(this);
    this.settingsPanel = new SettingsPanel(this);
    this.composer = new Composer(this);
    this.drawer = new Drawer(this);
    this.thread = make("div", { class: "llamanb-thread" });
    this.empty = make("div", { class: "llamanb-empty" });
    this.log = make("div", { class: "llamanb-log", role: "log", "aria-live": "off", "aria-label": "Conversation",
      tabindex: "0", [OWN_KEYS]: "true" }, this.empty, this.thread);
    this.toEnd = button("Go to the end", { icon: "down", class: "llamanb-to-end" }, () => this.scrollToEnd());
    this.toEnd.hidden = true;
    this.note = make("div", { class: "llamanb-note", role: "status" });
    this.live = make("div", { class: "llamanb-unseen", "aria-live": "polite" });
    this.root = make("section", { class: "llamanb-chat", "aria-label": "Chat", [OWN_KEYS]: "true" },
      this.hiding, this.header.element, this.settingsPanel.element,
      make("div", { class: "llamanb-stage" }, this.log, this.toEnd), this.note, this.composer.element, this.live);
    this.root.hidden = true; // until the kernel answers, the saved copy says more
    this.growth = new ResizeObserver(() => this.follow());
    this.listen();
    this.hello();
  }

  listen() {
    this.heard = (/** @type {Message} */ message) => this.hear(message);
    this.lost = () => this.hello();
    this.model.on("msg:custom", this.heard);
    this.model.on("comm_live_update", this.lost);
    this.growth.observe(this.thread);
    this.growth.observe(this.log);
    this.log.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.root.addEventListener("focusin", (event) =>
      /** @type {Element} */ (event.target).setAttribute?.(OWN_KEYS, "true"));
    for (const name of /** @type {const} */ (["dragover", "dragleave", "drop"])) {
      this.root.addEventListener(name, (event) => this.composer.drop(event));
    }
  }

  /**
   * @param {{k: string, [more: string]: any}} message
   * @returns {boolean} whether there is still a channel to the kernel
   */
  send(message) {
    try {
      this.model.send({ v: VERSION, view: this.view, ...message });
    } catch {
      this.say(BUSY, true);
      return false;
    }
    if (message.k !== "bye") this.waitForAnswer();
    return true;
  }

  /** Say so when nothing comes back for a while. */
  waitForAnswer() {
    window.clearTimeout(this.patience);
    this.timers.delete(this.patience);
    this.patience = this.later(PATIENCE_MS, () => {
      this.say(BUSY, true);
      this.composer.release();
    });
  }

  /** Ask for everything; a busy kernel answers later. */
  hello() {
    const wait = this.lastHello + HELLO_PAUSE_MS - Date.now();
    this.isAnswered = false;
    if (wait > 0) {
      window.clearTimeout(this.nextHello);
      this.nextHello = this.later(wait, () => this.hello());
      return;
    }
    this.lastHello = Date.now();
    this.send({ k: "hello" });
  }

  /** @param {Message} message */
  hear(message) {
    if (message?.v !== VERSION || (message.view && message.view !== this.view)) return;
    if (message.view && message.k === "state") this.restart(message);
    else if (message.view) this.answered(message);
    else if (message.seq <= this.sequence) return;
    else if (message.k === "state") this.restart(message);
    else if (!this.isAnswered) return;
    else if (message.seq > this.sequence + 1) this.hello(); // a message was lost
    else {
      this.sequence = message.seq;
      this.calm();
      this.news(message);
    }
  }

  /** The kernel lives. */
  calm() {
    window.clearTimeout(this.patience);
    this.timers.delete(this.patience);
    if (this.note.textContent === BUSY) this.say("");
  }

  /** @param {Message} message */
  news({ k, d }) {
    if (k === "begin") this.begin(d.after, d.turn);
    else if (k === "delta") this.grow(d);
    else if (k === "done") this.end(d.turn, d.sizes ?? null);
    else if (k === "settings") this.showSettings(d);
    else if (k === "notice") this.notice(d);
  }

  /** @param {Message} message */
  answered({ k, d }) {
    this.calm();
    if (k === "file") download(d);
    else if (k === "cells") this.insert(d.cells);
    else if (k === "inspect") this.drawer.show(d);
    else if (k === "variables") this.composer.picker.open(d.variables);
    else if (k === "notice") this.notice(d);
    if (k === "file") this.say(`Saved as ${d.name}.`);
  }

  /** @param {Message} message everything there is */
  restart(message) {
    const { settings, turns, busy, notice } = message.d;
    this.sequence = message.seq;
    this.isAnswered = true;
    this.calm();
    this.keepFocus(() => {
      this.root.hidden = false;
      this.showSettings(settings);
      this.setBusy(busy ?? "");
      this.showTurns(turns);
    });
    this.composer.begun(turns[turns.length - 1], false);
    if (notice) this.notice(typeof notice === "string" ? { text: notice, is_error: false } : notice);
  }

  /** @param {Turn[]} turns */
  showTurns(turns) {
    const before = this.turns;
    this.turns = new Map();
    for (const turn of turns) {
      const known = before.get(turn.id);
      if (known) this.refill(known, turn);
      this.turns.set(turn.id, known ?? new TurnView(this, turn));
      before.delete(turn.id);
    }
    for (const gone of before.values()) this.drop(gone);
    let place = this.thread.firstElementChild;
    for (const { element } of this.turns.values()) {
      if (element === place) place = place.nextElementSibling;
      else this.thread.insertBefore(element, place);
    }
    this.flush();
    this.showEmpty();
  }

  /**
   * @param {TurnView} view
   * @param {Turn} turn
   */
  refill(view, turn) {
    if (!turn.parts.length) view.parts.splice(0).forEach((part) => part.element.remove());
    view.update(turn, turn.parts);
  }

  /** @param {TurnView} turn */
  drop(turn) {
    if (this.drawer.turn === turn) this.drawer.turn = null;
    for (const part of turn.parts) this.unpainted.delete(part);
    turn.element.remove();
  }

  showEmpty() {
    this.empty.hidden = this.turns.size > 0;
    const chat = this.settings?.chat;
    const shared = chat ? ` This is the chat “${chat}”: cells with %%llama -c ${chat} go on with it.` : "";
    write(this.empty, `Ask ${this.settings?.model || "the model"} something.${shared}`);
  }

  /**
   * A new answer; everything after the turn `after` leaves the page.
   * @param {string} after
   * @param {Turn} turn
   */
  begin(after, turn) {
    if (after && !this.turns.has(after)) {
      this.hello();
      return;
    }
    this.keepFocus(() => {
      let isAfter = after === "";
      for (const [id, view] of [...this.turns]) {
        if (isAfter) {
          this.turns.delete(id);
          this.drop(view);
        }
        isAfter ||= id === after;
      }
      this.setBusy(turn.status === "running" ? turn.id : "");
      const view = new TurnView(this, turn);
      this.turns.set(turn.id, view);
      this.thread.append(view.element);
      this.flush();
    });
    this.composer.begun(turn, true);
    this.say("");
    this.showEmpty();
    this.scrollToEnd();
  }

  /** @param {{turn: string, ops: Op[], stat?: Stat}} grown */
  grow({ turn, ops, stat }) {
    const view = this.turns.get(turn);
    if (!view || !ops.every((op) => view.apply(op))) {
      this.hello();
      return;
    }
    if (!stat?.phase) return;
    view.tell(stat);
    this.header.tell(stat);
  }

  /**
   * @param {Turn} turn
   * @param {(number | null)[] | null} sizes
   */
  end(turn, sizes) {
    const view = this.turns.get(turn.id);
    if (!view) {
      this.hello();
      return;
    }
    if (turn.status !== "running" && this.busy === turn.id) this.setBusy("");
    this.keepFocus(() => {
      view.update(turn, turn.parts ?? []);
      this.flush();
    });
    if (sizes && !view.fits(sizes)) this.hello();
    if (turn.status === "running") return;
    const heading = turn.status === "error" ? turn.error : turn.status === "stopped" ? "Stopped." : "Answer:";
    this.announce(`${heading} ${view.spoken()}`);
  }

  /** @param {string} turn the one that runs, "" for none */
  setBusy(turn) {
    const wasBusy = this.busy;
    this.busy = turn;
    if (wasBusy !== turn) this.isStopping = false;
    if (!turn) this.header.tell(null);
    this.root.toggleAttribute("data-busy", Boolean(turn));
    if (Boolean(wasBusy) !== Boolean(turn)) for (const view of this.turns.values()) view.enable();
    this.composer.enable();
  }

  /** @param {Settings} settings */
  showSettings(settings) {
    this.settings = settings;
    this.header.show(settings);
    this.settingsPanel.show(settings);
    this.showEmpty();
    if (!TWIN.test(settings.twin ?? "")) return;
    const rule = `.${settings.twin}, .jp-OutputArea-child:has(.${settings.twin}) { display: none; }`;
    write(this.hiding, rule);
  }

  /** @param {{text: string, is_error: boolean}} notice */
  notice({ text, is_error: isError }) {
    this.say(text, isError);
    if (!isError) return;
    this.composer.sent = null;
    this.composer.release();
    if (this.settings) this.showSettings(this.settings); // what was refused jumps back
  }

  stop() {
    if (!this.busy || this.isStopping) return;
    this.isStopping = this.send({ k: "stop" });
    this.composer.enable();
    this.later(PATIENCE_MS, () => {
      this.isStopping = false;
      this.composer.enable();
    });
  }

  /**
   * @param {TurnView} turn
   * @param {string} what
   * @param {HTMLElement} opener
   * @param {string} [call]
   */
  inspect(turn, what, opener, call) {
    const isSame = this.drawer.isOpen && this.drawer.turn === turn && this.drawer.opener === opener;
    if (isSame) this.drawer.close();
    else this.drawer.ask(turn, what, opener, call);
  }

  /** @param {Cell[]} cells */
  async insert(cells) {
    if (insertCells(this.model.widget_manager, this.root, cells)) {
      this.say(cells.length === 1 ? "Inserted below." : `${cells.length} cells inserted below.`);
      return;
    }
    await this.copied(cells.map((cell) => cell.source).join("\n\n"), "No cells here: copied instead.");
  }

  /**
   * @param {string} text
   * @param {string} said
   */
  async copied(text, said = "Copied.") {
    const isCopied = await copy(text, this.root);
    this.say(isCopied ? said : "The browser does not allow it: select the text to copy it.", !isCopied);
  }

  /**
   * Give finished HTML its buttons: code can be copied and made a cell.
   * @param {HTMLElement} block
   */
  equip(block) {
    for (const code of block.querySelectorAll("pre")) {
      const text = () => (code.textContent ?? "").replace(/\n$/, "");
      const box = make("div", { class: "llamanb-code" });
      code.replaceWith(box);
      box.append(code, make("div", { class: "llamanb-code-actions llamanb-faint" },
        button("Copy the code", { icon: "copy" }, () => this.copied(text())),
        button("Insert as cell", { icon: "cell" }, () => this.insert([{ kind: "code", source: text() }]))));
      this.fresh.push(code);
    }
    this.fresh.push(...block.querySelectorAll("table"));
  }

  /**
   * Draw at the next frame, whatever happens until then.
   * @param {{draw: () => void}} view
   */
  paint(view) {
    this.unpainted.add(view);
    this.frame ||= requestAnimationFrame(() => this.flush());
  }

  flush() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const views = [...this.unpainted];
    this.unpainted.clear();
    for (const view of views) view.draw();
    if (this.fresh.length) this.later(0, () => this.reach());
  }

  /** What scrolls sideways can be reached by keyboard. */
  reach() {
    const wide = this.fresh.splice(0).map((one) =>
      (one.tagName === "TABLE" ? /** @type {HTMLElement} */ (one.parentElement) : one))
      .filter((one) => one?.isConnected && one.scrollWidth > one.clientWidth);
    for (const one of wide) {
      one.tabIndex = 0;
      one.setAttribute("role", "group");
      one.setAttribute("aria-label", one.tagName === "PRE" ? "Code" : "Table");
    }
  }

  /**
   * Change the page; if the focus is lost by that, it goes to the composer.
   * @param {() => void} change
   */
  keepFocus(change) {
    const focused = focusedIn(this.root);
    change();
    if (focused && (!focused.isConnected || /** @type {HTMLButtonElement} */ (focused).disabled)) {
      this.composer.field.focus({ preventScroll: true });
    }
  }

  scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.log;
    this.isAtEnd = scrollTop + clientHeight >= scrollHeight - NEAR_END_PX;
    this.toEnd.hidden = this.isAtEnd;
  }

  /** The log has grown: stay at its end if the reader is there. */
  follow() {
    if (this.isAtEnd) this.log.scrollTop = this.log.scrollHeight;
    else this.scrolled();
  }

  scrollToEnd() {
    this.isAtEnd = true;
    this.toEnd.hidden = true;
    this.follow();
  }

  /**
   * Escape: first what is open here, then the running answer, then any panel.
   * @param {KeyboardEvent} event
   */
  key(event) {
    if (event.key !== "Escape" || event.isComposing) return;
    const { drawer, settingsPanel } = this;
    if (focusedIn(drawer.element)) drawer.close();
    else if (focusedIn(settingsPanel.element)) settingsPanel.toggle(false);
    else if (this.busy) this.stop();
    else if (drawer.isOpen) drawer.close();
    else if (!settingsPanel.element.hidden) settingsPanel.toggle(false);
    else if (this.note.textContent) this.say("");
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {string} text for screen readers */
  announce(text) {
    this.live.replaceChildren(make("div", { text }));
  }

  /**
   * @param {string} text
   * @param {boolean} isError it stays until something else is said
   */
  say(text, isError = false) {
    this.note.textContent = text;
    this.note.classList.toggle("llamanb-bad", isError);
    if (text && !isError) this.later(SHOWN_MS, () => this.note.textContent === text && this.say(""));
  }

  /**
   * @param {number} wait in milliseconds
   * @param {() => void} then
   */
  later(wait, then) {
    const timer = window.setTimeout(() => {
      this.timers.delete(timer);
      then();
    }, wait);
    this.timers.add(timer);
    return timer;
  }

  close() {
    this.model.off("msg:custom", /** @type {any} */ (this.heard));
    this.model.off("comm_live_update", /** @type {any} */ (this.lost));
    for (const timer of this.timers) window.clearTimeout(timer);
    cancelAnimationFrame(this.frame);
    this.growth.disconnect();
    this.send({ k: "bye" });
    this.root.remove();
  }
}

/** @param {{model: Model, el: HTMLElement}} place */
function render({ model, el }) {
  const chat = new Chat(model);
  el.append(chat.root);
  return () => chat.close();
}

export default { render };
