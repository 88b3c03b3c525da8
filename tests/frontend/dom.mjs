/**
 * A page for `node --test`, and the kernel's side of a widget.
 *
 * Importing this gives the globals of a page (jsdom); `newPage()` before each test gives an empty
 * one. jsdom lays nothing out: sizes are 0, `innerText` is missing, nothing scrolls.
 */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const { JSDOM } = createRequire(import.meta.url)("jsdom");

const STATIC = new URL("../../llamanb/notebook/static/", import.meta.url);
const GLOBALS = [
  "window", "document", "navigator", "location", "Node", "Element", "HTMLElement", "SVGElement",
  "DocumentFragment", "Event", "CustomEvent", "KeyboardEvent", "MouseEvent", "InputEvent",
  "FocusEvent", "DOMParser", "MutationObserver", "NodeFilter", "Blob", "File", "FileReader",
  "getComputedStyle", "requestAnimationFrame", "cancelAnimationFrame",
];

/** What a page has that jsdom has not; nothing of it is seen without a layout. */
class Observer {
  observe() {}
  unobserve() {}
  disconnect() {}
}

/** Begin with an empty page: everything drawn before is gone. */
export function newPage() {
  globalThis.window?.close?.();
  const { window } = new JSDOM("<!doctype html><body></body>", {
    url: "http://127.0.0.1/", pretendToBeVisual: true,
  });
  Object.assign(window, { ResizeObserver: Observer, IntersectionObserver: Observer });
  window.Element.prototype.scrollIntoView = () => {};
  window.Element.prototype.scrollTo = () => {};
  for (const name of [...GLOBALS, "ResizeObserver", "IntersectionObserver"]) {
    Object.defineProperty(globalThis, name, {
      value: window[name], configurable: true, writable: true,
    });
  }
  return window.document;
}

/**
 * Import a module of the package by its name: `const { default: widget } = await load("chat")`.
 *
 * Node 18 takes a file named `.js` for CommonJS.
 * @param {string} name
 */
export async function load(name) {
  const file = new URL(`${name}.js`, STATIC);
  const source = `${await readFile(file, "utf-8")}\n//# sourceURL=${file}`;
  return import(`data:text/javascript;base64,${Buffer.from(source).toString("base64")}`);
}

/** The model of a widget: keeps what the page sent, and says what the kernel says. */
export class WidgetModel {
  /** @param {Record<string, any>} [traits] */
  constructor(traits = {}) {
    this.traits = { ...traits };
    /** @type {any[]} every message of the page, the oldest first */
    this.sent = [];
    this.isClosed = false;
    this.listeners = new Map();
  }

  on(name, heard) {
    this.listeners.set(name, [...this.heardBy(name), heard]);
  }

  off(name, heard) {
    this.listeners.set(name, this.heardBy(name).filter((one) => one !== heard));
  }

  heardBy(name) {
    return this.listeners.get(name) ?? [];
  }

  send(message) {
    if (this.isClosed) throw new Error("the channel is closed");
    this.sent.push(JSON.parse(JSON.stringify(message)));
  }

  get(name) {
    return this.traits[name];
  }

  set(name, value) {
    this.traits[name] = value;
  }

  save_changes() {}

  /** Bring a message of the kernel to the page. */
  say(message) {
    const received = JSON.parse(JSON.stringify(message));
    for (const heard of this.heardBy("msg:custom")) heard(received, []);
  }

  /** Give the messages of one kind that the page sent. */
  sentOf(kind) {
    return this.sent.filter((message) => message.k === kind);
  }
}

/** Draw a widget on the page; `close()` takes this view away. */
export async function draw(widget, model) {
  const el = document.createElement("div");
  document.body.append(el);
  const close = await widget.render({ model, el });
  return { el, close: () => { close?.(); el.remove(); } };
}

/** Press a key on an element, as a person would. */
export function press(element, key, more = {}) {
  const event = new window.KeyboardEvent("keydown", {
    key, bubbles: true, cancelable: true, ...more,
  });
  element.dispatchEvent(event);
  return event;
}

/** Let everything happen that is due at once: promises, microtasks, observers. */
export async function settle() {
  await new Promise((done) => setImmediate(done));
}

newPage();
