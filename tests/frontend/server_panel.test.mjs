/** The page's side of a server's panel, without a browser and without a kernel. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { WidgetModel, draw, load, newPage, press } from "./dom.mjs";

const { default: widget } = await load("server_panel");

const FACTS = {
  url: "http://127.0.0.1:1", port: 1, apis: ["OpenAI"], models: ["demo"], has_key: false,
  status: "running", running: 0, waiting: 0, requests: 1, tokens_per_s: 0,
};
const TWIN = "llamanb-twin-0123456789abcdef";

let model, panel;

function row(number, more = {}) {
  return {
    number, time: 0, method: "POST", path: `/${number}`, client: "curl/8", address: "", agent: "",
    model: "demo", prompt: 1, cached: 0, generated: 2, first_ms: 3, total_ms: 4, status: 200,
    state: "done", note: "", ...more,
  };
}

function sayState(seq, rows, more = {}) {
  const [{ view }] = model.sentOf("hello");
  model.say({ v: 1, k: "state", seq, view, twin: TWIN,
    d: { facts: FACTS, rows, snippets: { curl: "curl it", codex: "codex it" }, ...more } });
}

function sayRows(seq, rows, facts = FACTS) {
  model.say({ v: 1, k: "rows", seq, twin: TWIN, d: { facts, rows } });
}

function shownPaths() {
  return [...panel.el.querySelectorAll("tbody tr")].map((one) => one.children[2].textContent);
}

beforeEach(async () => {
  newPage();
  model = new WidgetModel();
  panel = await draw(widget, model);
});

afterEach(() => panel.close());

test("a view says hello when it is drawn and bye when it goes", () => {
  assert.equal(model.sentOf("hello").length, 1);
  assert.ok(panel.el.querySelector(".llamanb-server").hidden);
  panel.close();
  assert.equal(model.sentOf("bye")[0].view, model.sentOf("hello")[0].view);
  assert.deepEqual(model.heardBy("msg:custom"), []);
});

test("the newest request stands on top, and one that ends stays in its place", () => {
  sayState(0, [row(2, { state: "running" }), row(1)]);
  assert.deepEqual(shownPaths(), ["POST /2", "POST /1"]);
  sayRows(1, [row(2), row(3)]);
  assert.deepEqual(shownPaths(), ["POST /3", "POST /2", "POST /1"]);
});

test("a view that missed a message asks for everything, once", () => {
  sayState(4, []);
  sayRows(5, [row(1)]);
  sayRows(7, [row(3)]);
  sayRows(8, [row(4)]);
  assert.equal(model.sentOf("hello").length, 2);
  assert.deepEqual(shownPaths(), ["POST /1"]);
  sayState(8, [row(4), row(3), row(1)]);
  assert.deepEqual(shownPaths(), ["POST /4", "POST /3", "POST /1"]);
});

test("an answer to another view changes nothing", () => {
  model.say({ v: 1, k: "state", seq: 3, view: "other", twin: TWIN, d: { facts: FACTS, rows: [row(1)] } });
  assert.deepEqual(shownPaths(), []);
});

test("names of clients are text, wherever they stand", () => {
  const evil = "<img src=x onerror=alert(1)>";
  const said = row(1, { client: evil, path: evil, agent: evil, model: evil, note: evil });
  sayState(0, [said], { facts: { ...FACTS, models: [evil] }, snippets: { [evil]: evil } });
  assert.equal(panel.el.querySelectorAll("img, script").length, 0);
  assert.ok(panel.el.querySelector(".llamanb-summary").textContent.includes(evil));
  assert.equal(panel.el.querySelector("tbody td:nth-child(4)").textContent, evil);
});

test("only a name of ours becomes part of a style", () => {
  sayState(0, []);
  assert.ok(panel.el.querySelector("style").textContent.includes(TWIN));
  model.say({ v: 1, k: "state", seq: 1, view: model.sentOf("hello")[0].view,
    twin: "x{} * { display: none } .y", d: { facts: FACTS, rows: [] } });
  assert.ok(!panel.el.querySelector("style").textContent.includes("*"));
});

test("arrow keys choose the configuration", () => {
  sayState(0, []);
  const tabs = panel.el.querySelectorAll("[role=tab]");
  assert.equal(press(tabs[0], "ArrowRight").defaultPrevented, true);
  assert.equal(document.activeElement, tabs[1]);
  assert.equal(panel.el.querySelector("[role=tabpanel]").textContent, "codex it");
});

test("a channel that is closed says so", () => {
  sayState(0, []);
  model.isClosed = true;
  panel.el.querySelector(".llamanb-stop").click();
  assert.match(panel.el.querySelector("[role=status]").textContent, /does not answer/);
});
