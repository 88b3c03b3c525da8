/** The page's side of a chat, without a browser and without a kernel. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { WidgetModel, draw, load, newPage, press, settle } from "./dom.mjs";

const { default: widget } = await load("chat");

const SAMPLING = { temperature: null, top_k: null, top_p: null, min_p: null, max_tokens: null, seed: null };
const SETTINGS = {
  model: "demo", models: [{ name: "demo", label: "demo", is_resident: true }, { name: "big", label: "big", is_resident: false }],
  loading: null, system_prompt: "", sampling: SAMPLING, defaults: { ...SAMPLING, temperature: 0.8 }, think: null,
  can_think: true, approve: "ask", tools: [], probabilities: false, n_ctx: 1000, used: 100, is_toy: false, chat: "",
  twin: "llamanb-twin-0a1b",
};
const STAT = { phase: "writing", tokens: 3, tokens_per_s: 12.34, used: 250, n_ctx: 1000, seconds: 1 };
const CALL = {
  kind: "call", id: "c1", name: "add", arguments: '{"a": 1}', args_html: "", state: "asking", state_text: "",
  result: null, stdout: "", ms: null, round: 1,
};
const EVIL = "<img src=x onerror=alert(1)>";

/** Seconds pass when we say so: a view does not say hello twice in a moment. */
const clock = { ahead: 0, now: Date.now };
Date.now = () => clock.now() + clock.ahead;

let model, panel, root;

function text(html, open = "") {
  return { kind: "text", html, open };
}

function turn(id, more = {}) {
  return {
    id, number: 1, siblings: [id], question: { html: `<p>${id}?</p>`, text: `${id}?`, attachments: [] }, parts: [],
    status: "done", error: "", footer: "", reused: "", has: ["prompt", "tokens"], ...more,
  };
}

/** Answer this view's hello. */
function sayState(seq, turns = [], more = {}) {
  const running = turns.find((one) => one.status === "running");
  const d = { settings: SETTINGS, turns, busy: running?.id ?? "", notice: "", ...more };
  model.say({ v: 1, k: "state", seq, view: model.sentOf("hello")[0].view, d });
}

function say(seq, k, d) {
  model.say({ v: 1, k, seq, d });
}

function answer(k, d) {
  model.say({ v: 1, k, seq: 0, view: model.sentOf("hello")[0].view, d });
}

function grow(seq, id, ...ops) {
  say(seq, "delta", { turn: id, ops, stat: STAT });
}

async function frame() {
  await new Promise((done) => requestAnimationFrame(done));
  await settle();
}

/** What the last turn says, block by block. */
function blocks() {
  const [turnElement] = [...root.querySelectorAll(".llamanb-turn")].slice(-1);
  return [...turnElement.querySelectorAll(".llamanb-answer .llamanb-block")].filter((one) => !one.hidden)
    .map((one) => one.innerHTML);
}

function shown() {
  return [...root.querySelectorAll(".llamanb-bubble")].map((one) => one.textContent);
}

function named(name, among = root) {
  const found = [...among.querySelectorAll("[aria-label]")].find((one) => one.getAttribute("aria-label") === name);
  assert.ok(found, `nothing is called ${name}`);
  return found;
}

function note() {
  return root.querySelector(".llamanb-note").textContent;
}

function field() {
  return named("Question");
}

function type(words, where = field()) {
  where.value = words;
  where.dispatchEvent(new window.Event("input", { bubbles: true }));
}

function change(element, value) {
  if (element.type === "checkbox") element.checked = value;
  else element.value = value;
  element.dispatchEvent(new window.Event("change", { bubbles: true }));
}

function last(kind) {
  const { v, view, k, ...rest } = model.sentOf(kind).at(-1) ?? {};
  assert.equal(v, 1, `nothing was sent as ${kind}`);
  assert.equal(view, model.sentOf("hello")[0].view);
  assert.equal(k, kind);
  return rest;
}

beforeEach(async () => {
  newPage();
  model = new WidgetModel();
  panel = await draw(widget, model);
  root = panel.el.querySelector(".llamanb-chat");
});

afterEach(() => panel.close());

test("a view says hello when it is drawn and bye when it goes", () => {
  assert.equal(model.sentOf("hello").length, 1);
  assert.ok(root.hidden, "until the kernel answers, the saved copy is seen");
  sayState(0);
  assert.ok(!root.hidden);
  panel.close();
  assert.equal(model.sentOf("bye")[0].view, model.sentOf("hello")[0].view);
  assert.deepEqual(model.heardBy("msg:custom"), []);
  assert.deepEqual(model.heardBy("comm_live_update"), []);
});

test("the saved copy is hidden, and nothing else can be", () => {
  sayState(0, [], { settings: { ...SETTINGS, twin: "x{} body" } });
  assert.equal(root.querySelector("style").textContent, "");
  say(1, "settings", SETTINGS);
  assert.match(root.querySelector("style").textContent, /^\.llamanb-twin-0a1b,/);
});

test("an answer grows: finished blocks stay, the open one is cut and goes on", async () => {
  sayState(4);
  say(5, "begin", { after: "", turn: turn("a", { status: "running" }) });
  grow(6, "a", { p: 0, new: text([], "<p>He</p>") });
  grow(7, "a", { p: 0, html: [], keep: 5, tail: "llo</p>" });
  await frame();
  assert.deepEqual(blocks(), ["<p>Hello</p>"]);
  grow(8, "a", { p: 0, html: ["<p>Hello.</p>"], keep: 0, tail: "<p>And</p>" });
  await frame();
  const [first] = root.querySelectorAll(".llamanb-answer .llamanb-block");
  grow(9, "a", { p: 0, html: ["<p>And more</p>"], keep: 0, tail: "" });
  await frame();
  assert.deepEqual(blocks(), ["<p>Hello.</p>", "<p>And more</p>"]);
  assert.equal(root.querySelector(".llamanb-answer .llamanb-block"), first);
});

test("what is kept counts UTF-16 units", async () => {
  sayState(0, [turn("a", { status: "running", parts: [text([], "<p>a😀b</p>")] })]);
  grow(1, "a", { p: 0, html: [], keep: "<p>a😀".length, tail: "c</p>" });
  await frame();
  assert.deepEqual(blocks(), ["<p>a😀c</p>"]);
});

test("an open block keeps the nodes that did not change", async () => {
  sayState(0, [turn("a", { status: "running", parts: [text([], "<ul><li>one</li><li>tw</li></ul>")] })]);
  const [one, two] = root.querySelectorAll(".llamanb-answer li");
  grow(1, "a", { p: 0, html: [], keep: 20, tail: "<b>two</b></li><li>3</li></ul>" });
  await frame();
  assert.deepEqual(blocks(), ["<ul><li>one</li><li><b>two</b></li><li>3</li></ul>"]);
  assert.equal(root.querySelector(".llamanb-answer li"), one);
  assert.equal(root.querySelectorAll(".llamanb-answer li")[1], two);
});

test("many deltas are drawn once, at the next frame", async () => {
  sayState(0, [turn("a", { status: "running", parts: [text([], "")] })]);
  for (let seq = 1; seq <= 50; seq += 1) grow(seq, "a", { p: 0, html: [], keep: seq - 1, tail: "x" });
  assert.deepEqual(blocks(), []);
  await frame();
  assert.deepEqual(blocks(), ["x".repeat(50)]);
});

test("a message that was lost makes the view ask for everything, once", () => {
  sayState(4);
  clock.ahead += 10_000;
  say(6, "notice", { text: "lost", is_error: false });
  say(7, "notice", { text: "later", is_error: false });
  assert.equal(model.sentOf("hello").length, 2);
  assert.equal(note(), "");
  sayState(7, [turn("a")]);
  say(8, "notice", { text: "heard", is_error: false });
  assert.equal(note(), "heard");
  assert.deepEqual(shown(), ["a?"]);
});

test("a delta for an unknown turn, or for a part that is missing, asks for everything", () => {
  sayState(0, [turn("a", { status: "running" })]);
  clock.ahead += 10_000;
  grow(1, "nobody", { p: 0, html: [], keep: 0, tail: "x" });
  assert.equal(model.sentOf("hello").length, 2);
  sayState(1, [turn("a", { status: "running" })]);
  clock.ahead += 10_000;
  grow(2, "a", { p: 1, html: [], keep: 0, tail: "x" });
  assert.equal(model.sentOf("hello").length, 3);
});

test("an answer that ended with another size than the kernel's is fetched anew", () => {
  sayState(0, [turn("a", { status: "running", parts: [text(["<p>1</p>"], "<p>2</p>")] })]);
  clock.ahead += 10_000;
  say(1, "done", { turn: turn("a"), sizes: [16] });
  assert.equal(model.sentOf("hello").length, 1);
  assert.deepEqual(blocks(), ["<p>1</p>", "<p>2</p>"]);
  say(2, "done", { turn: turn("a"), sizes: [17] });
  assert.equal(model.sentOf("hello").length, 2);
});

test("blocks that change after all are drawn anew", async () => {
  sayState(0, [turn("a", { status: "running", parts: [text(["<p>[x]</p>"], "<p>y")] })]);
  grow(1, "a", { p: 0, html: ["<p>x</p>", "<p>y</p>"], keep: 0, tail: "", anew: true });
  await frame();
  assert.deepEqual(blocks(), ["<p>x</p>", "<p>y</p>"]);
  say(2, "done", { turn: turn("a"), sizes: [16] });
  assert.equal(model.sentOf("hello").length, 1);
});

test("a snapshot in the middle of an answer goes on where it stands", async () => {
  sayState(0, [turn("a", { status: "running", parts: [text(["<p>1</p>"], "<p>old</p>")] })]);
  const [first] = root.querySelectorAll(".llamanb-answer .llamanb-block");
  sayState(9, [turn("a", { status: "running", parts: [text(["<p>1</p>", "<p>2</p>"], "<p>ne</p>")] })]);
  say(9, "notice", { text: "in the snapshot already", is_error: false });
  grow(10, "a", { p: 0, html: [], keep: 5, tail: "w</p>" });
  await frame();
  assert.deepEqual(blocks(), ["<p>1</p>", "<p>2</p>", "<p>new</p>"]);
  assert.equal(root.querySelector(".llamanb-answer .llamanb-block"), first);
  assert.equal(note(), "");
});

test("answers to other views and unknown kinds change nothing", () => {
  sayState(0, [turn("a")]);
  model.say({ v: 1, k: "state", seq: 5, view: "other", d: { settings: SETTINGS, turns: [], busy: "", notice: "" } });
  model.say({ v: 2, k: "notice", seq: 1, d: { text: "another version", is_error: false } });
  say(1, "telepathy", { turn: "a" });
  say(2, "notice", { text: "goes on", is_error: false });
  assert.deepEqual(shown(), ["a?"]);
  assert.equal(note(), "goes on");
});

test("an edited question takes the place of what followed", () => {
  sayState(0, [turn("a"), turn("b"), turn("c")]);
  say(1, "begin", { after: "a", turn: turn("d", { siblings: ["b", "d"], status: "running" }) });
  assert.deepEqual(shown(), ["a?", "d?"]);
  say(2, "done", { turn: turn("d", { siblings: ["b", "d"] }), sizes: [] });
  const versions = root.querySelectorAll(".llamanb-siblings")[1];
  assert.equal(versions.textContent, "2/2");
  assert.ok(named("Next version", versions).disabled);
  named("Previous version", versions).click();
  assert.deepEqual(last("choose"), { turn: "d", to: "b" });
});

test("Enter sends, and the text stays until the kernel has it", () => {
  sayState(0);
  type("Hello?");
  press(field(), "Enter", { shiftKey: true });
  press(field(), "Enter", { isComposing: true });
  assert.equal(model.sentOf("send").length, 0);
  press(field(), "Enter");
  press(field(), "Enter");
  assert.equal(model.sentOf("send").length, 1);
  assert.deepEqual(last("send"), { text: "Hello?", attachments: [] });
  assert.equal(field().value, "Hello?");
  say(1, "begin", { after: "", turn: turn("a", { status: "running" }) });
  assert.equal(field().value, "");
});

test("a text that could not be sent is kept, also over a new state", () => {
  sayState(0);
  type("precious");
  model.isClosed = true;
  press(field(), "Enter");
  assert.equal(field().value, "precious");
  assert.match(note(), /kernel does not answer/);
  model.isClosed = false;
  press(field(), "Enter");
  say(1, "notice", { text: "no model is loaded", is_error: true });
  sayState(2, [turn("a")]);
  assert.equal(field().value, "precious");
  assert.ok(!named("Send").disabled);
});

test("Escape and the button stop the running answer", () => {
  sayState(0, [turn("a", { status: "running" })]);
  type("not now");
  press(field(), "Enter");
  assert.equal(model.sentOf("send").length, 0);
  assert.match(note(), /Esc/);
  press(field(), "Escape");
  press(field(), "Escape");
  assert.equal(model.sentOf("stop").length, 1);
  assert.ok(named("Stop").disabled);
  say(1, "done", { turn: turn("a", { status: "stopped" }), sizes: [] });
  assert.ok(!named("Send").disabled);
  assert.equal(field().value, "not now");
});

test("ArrowUp in an empty field edits the last question", () => {
  sayState(0, [turn("a"), turn("b")]);
  press(field(), "ArrowUp");
  const editor = root.querySelector(".llamanb-editor textarea");
  assert.equal(document.activeElement, editor);
  assert.equal(editor.value, "b?");
  press(editor, "Escape");
  assert.equal(root.querySelector(".llamanb-editor"), null);
  press(field(), "ArrowUp");
  type("better?", root.querySelector(".llamanb-editor textarea"));
  press(root.querySelector(".llamanb-editor textarea"), "Enter");
  assert.deepEqual(last("edit"), { turn: "b", text: "better?" });
});

test("a call is approved, always allowed, or denied with a reason", () => {
  const asking = (id) => ({ ...CALL, id });
  sayState(0, [turn("a", { status: "running", parts: ["1", "2", "3"].map(asking) })]);
  const [one, two, three] = root.querySelectorAll(".llamanb-call");
  named("Approve the call of add", one).click();
  assert.deepEqual(last("approve"), { call: "1", allow: true });
  named("Always allow add in this chat", two).click();
  assert.deepEqual(last("approve"), { call: "2", allow: true, always: true });
  named("Deny the call of add", three).click();
  named("Reason", three).value = "too dear";
  press(named("Reason", three), "Enter");
  assert.deepEqual(last("approve"), { call: "3", allow: false, reason: "too dear" });
});

test("edited arguments are sent only when they are a JSON object", () => {
  sayState(0, [turn("a", { status: "running", parts: [CALL] })]);
  named("Edit the arguments for add").click();
  const editor = named("Arguments for add");
  assert.equal(editor.value, '{\n  "a": 1\n}');
  for (const wrong of ["{", "[1]", "1", "null"]) {
    type(wrong, editor);
    press(editor, "Enter", { ctrlKey: true });
    assert.equal(model.sentOf("approve").length, 0, wrong);
    assert.equal(editor.getAttribute("aria-invalid"), "true");
  }
  type('{"a": 2}', editor);
  press(editor, "Enter", { ctrlKey: true });
  assert.deepEqual(last("approve"), { call: "c1", allow: true, arguments: '{"a": 2}' });
});

test("a call that ended runs again with other arguments, and can be inspected", async () => {
  sayState(0, [turn("a", { status: "running", parts: [{ ...CALL, state: "writing", arguments: '{"a"' }] })]);
  grow(1, "a", { p: 0, args: ": 5}" }, { p: 0, call: { state: "done", args_html: "<span>5</span>", result: "6", ms: 12 } });
  await frame();
  const card = root.querySelector(".llamanb-call");
  assert.match(card.textContent, /done12 ms/);
  assert.equal(card.querySelector(".llamanb-args span").textContent, "5");
  named("Run add again", card).click();
  assert.equal(named("Arguments for add").value, '{\n  "a": 5\n}');
  named("Run again", card).click();
  assert.deepEqual(last("rerun"), { turn: "a", call: "c1", arguments: '{\n  "a": 5\n}' });
  named("Inspect the call of add", card).click();
  assert.deepEqual(last("inspect"), { turn: "a", what: "call", call: "c1" });
});

test("names and texts of others are text, wherever they stand", async () => {
  const call = { ...CALL, name: EVIL, arguments: EVIL, result: EVIL, stdout: EVIL, state_text: EVIL };
  const evilTurn = turn("a", {
    parts: [call, { kind: "thought", html: [], open: "", heading: EVIL, is_open: false }], error: EVIL, footer: EVIL,
    reused: EVIL, status: "error",
    question: { html: "<p>q</p>", text: "q", attachments: [{ name: EVIL, kind: "image", url: "https://x.invalid/a.png" },
      { name: EVIL, kind: "text", url: "data:image/svg+xml;base64,AAAA" }] },
  });
  const settings = { ...SETTINGS, model: EVIL, models: [{ name: EVIL, label: EVIL, is_resident: true }], chat: EVIL,
    system_prompt: EVIL, loading: { name: EVIL, fraction: null }, tools: [{ name: EVIL, description: EVIL, approve: true }] };
  sayState(0, [evilTurn], { settings, notice: EVIL });
  answer("variables", { variables: [{ name: EVIL, type: EVIL, summary: EVIL }] });
  answer("inspect", { what: "prompt", title: EVIL, html: "<p>prompt</p>" });
  say(1, "done", { turn: evilTurn, sizes: [0, 0] });
  await frame();
  assert.equal(root.querySelectorAll("img").length, 0);
  assert.ok(root.textContent.includes(EVIL));
});

test("images that were attached show up when they are inside the message", () => {
  const url = "data:image/png;base64,AAAA";
  const question = { html: "<p>q</p>", text: "q", attachments: [{ name: "plot", kind: "image", url }] };
  sayState(0, [turn("a", { question })]);
  assert.equal(root.querySelector("img").getAttribute("src"), url);
});

test("settings are sent as they change; nothing stands for the default", () => {
  sayState(0);
  const label = (words) => [...root.querySelectorAll("label")].find((one) => one.textContent.startsWith(words));
  const input = (words) => label(words).querySelector("input, select, textarea");
  assert.equal(input("Temperature").placeholder, "0.8");
  change(input("Temperature"), "0.3");
  assert.deepEqual(last("set"), { settings: { temperature: 0.3 } });
  change(input("Temperature"), "");
  assert.deepEqual(last("set"), { settings: { temperature: null } });
  change(input("System prompt"), "Be brief.");
  assert.deepEqual(last("set"), { settings: { system_prompt: "Be brief." } });
  change(input("Thinking"), "false");
  assert.deepEqual(last("set"), { settings: { think: false } });
  change(input("Keep the"), true);
  assert.deepEqual(last("set"), { settings: { probabilities: true } });
  change(named("Model"), "big");
  assert.deepEqual(last("set"), { settings: { model: "big" } });
  say(1, "notice", { text: "no such model", is_error: true });
  assert.equal(named("Model").value, "demo");
});

test("the meter shows what the answer uses", () => {
  sayState(0, [turn("a", { status: "running" })]);
  assert.equal(named("Context used").getAttribute("aria-valuenow"), "100");
  grow(1, "a");
  assert.equal(named("Context used").getAttribute("aria-valuenow"), "250");
  assert.equal(root.querySelector(".llamanb-speed").textContent, "12.3 tokens/s");
  say(2, "done", { turn: turn("a"), sizes: [] });
  assert.equal(root.querySelector(".llamanb-speed").textContent, "");
});

test("thinking is open while it lasts, unless somebody folds it", async () => {
  sayState(0, [turn("a", { status: "running", parts: [{ kind: "thought", html: [], open: "<p>hm</p>", heading: "Thinking…", is_open: true }] })]);
  const fold = root.querySelector("details.llamanb-thought");
  assert.ok(fold.open);
  grow(1, "a", { p: 0, html: ["<p>hmm</p>"], keep: 0, tail: "" }, { p: 0, thought: { heading: "Thought for 1 s", is_open: false } });
  await frame();
  assert.ok(!fold.open);
  assert.equal(fold.querySelector("summary").textContent, "Thought for 1 s");
  fold.open = true;
  fold.dispatchEvent(new window.Event("toggle"));
  assert.equal(fold.querySelector(".llamanb-thinking").textContent, "hmm");
});

test("only what has ended is read aloud", async () => {
  sayState(0, [turn("a", { status: "running", parts: [text([], "<p>half")] })]);
  const live = root.querySelector("[aria-live=polite]");
  grow(1, "a", { p: 0, html: ["<p>whole</p>"], keep: 0, tail: "" });
  await frame();
  assert.equal(live.textContent, "");
  say(2, "done", { turn: turn("a"), sizes: [12] });
  assert.equal(live.textContent, "Answer: whole");
  assert.equal(root.querySelector("[role=log]").getAttribute("aria-live"), "off");
});

test("an alternative of a token is chosen by mouse and by keyboard", () => {
  sayState(0, [turn("a")]);
  named("Inspect").click();
  assert.deepEqual(last("inspect"), { turn: "a", what: "prompt" });
  const html = '<p><i data-token="3">z</i><span data-token="3" data-alternative="512">x</span><span data-token="3" data-alternative="7">y</span></p>';
  answer("inspect", { what: "tokens", title: "Tokens", html });
  assert.equal(document.activeElement.textContent, "Tokens");
  const [one, two] = root.querySelectorAll("[data-alternative]");
  assert.deepEqual([one.getAttribute("role"), one.tabIndex], ["button", 0]);
  one.click();
  assert.deepEqual(last("continue"), { turn: "a", token: 3, alternative: 512 });
  assert.equal(two.tabIndex, -1);
  root.querySelector("i[data-token]").click();
  assert.equal(document.activeElement, one);
  press(one, "ArrowRight");
  assert.equal(document.activeElement, two);
  press(two, "Enter");
  assert.deepEqual(last("continue"), { turn: "a", token: 3, alternative: 7 });
  press(two, "Escape");
  assert.equal(root.querySelector(".llamanb-drawer"), null);
  assert.equal(document.activeElement, named("Inspect"));
});

test("a new chat is begun, and the note says where the old one is", () => {
  sayState(0, [turn("a")]);
  named("New chat").click();
  assert.equal(model.sentOf("clear").length, 1);
  assert.match(note(), /stays/);
  say(1, "state", { settings: SETTINGS, turns: [], busy: "", notice: "" });
  assert.deepEqual(shown(), []);
});

test("the menu of exports is worked with the keyboard", () => {
  sayState(0);
  const opener = named("Export");
  opener.click();
  const items = [...root.querySelectorAll("[role=menuitem]")];
  assert.equal(document.activeElement, items[0]);
  press(items[0], "ArrowUp");
  assert.equal(document.activeElement.textContent, "Insert as cells");
  press(document.activeElement, "Escape");
  assert.equal(document.activeElement, opener);
  assert.equal(opener.getAttribute("aria-expanded"), "false");
  opener.click();
  items[2].click();
  assert.deepEqual(last("export"), { format: "json" });
});

test("code becomes a cell below the one that shows the chat", () => {
  const cells = [];
  model.widget_manager = { context: { model: { sharedModel: {
    cells: [1, 2, 3], insertCell: (at, cell) => cells.push([at, cell.cell_type, cell.source]),
  } } } };
  const notebook = document.createElement("div");
  notebook.className = "jp-Notebook";
  notebook.innerHTML = '<div class="jp-Cell"></div><div class="jp-Cell"></div>';
  document.body.append(notebook);
  notebook.children[1].append(panel.el);
  sayState(0, [turn("a", { parts: [text(["<pre><code>print(<span>1</span>)\n</code></pre>"])] })]);
  named("Insert as cell").click();
  answer("cells", { cells: [{ kind: "markdown", source: "# a" }, { kind: "code", source: "b" }] });
  assert.deepEqual(cells, [[2, "code", "print(1)"], [2, "markdown", "# a"], [3, "code", "b"]]);
});

test("an answer is copied as Markdown", async () => {
  const html = ['<p>A <strong>b</strong> <a href="https://x.invalid/">c</a></p>\n', "<pre><code>d\n</code></pre>\n",
    "<ol>\n<li>e</li>\n<li>f\n<ul>\n<li>g</li>\n</ul>\n</li>\n</ol>\n",
    "<table>\n<thead>\n<tr>\n<th>h</th>\n<th>i</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>j</td>\n<td>k</td>\n</tr>\n</tbody>\n</table>\n"];
  const copied = [];
  Object.defineProperty(navigator, "clipboard", { value: { writeText: async (words) => { copied.push(words); } } });
  sayState(0, [turn("a", { parts: [text(html)] })]);
  named("Copy the answer").click();
  await settle();
  assert.equal(copied[0], "A **b** [c](https://x.invalid/)\n\n```\nd\n```\n\n1. e\n2. f\n   - g\n\n| h | i |\n| --- | --- |\n| j | k |");
  assert.equal(note(), "Copied.");
});

test("files are read, sent along, and refused with a word", async () => {
  sayState(0);
  const files = [new File(["a,b"], "a.csv", { type: "text/csv" }), new File([new Uint8Array([0, 255])], "b.bin"),
    new File([new Uint8Array([1])], "c.png", { type: "image/png" }), new File(["x"], "d.bmp", { type: "image/bmp" })];
  const paste = new window.Event("paste", { bubbles: true, cancelable: true });
  paste.clipboardData = { files };
  field().dispatchEvent(paste);
  while (!note()) await settle();
  assert.match(note(), /b\.bin is neither text nor an image/);
  assert.match(note(), /d\.bmp: images have to be/);
  answer("variables", { variables: [{ name: "x", type: "int", summary: "3" }, { name: "frame", type: "DataFrame", summary: "" }] });
  type("fra", named("Find a variable"));
  press(named("Find a variable"), "Enter");
  press(field(), "Enter");
  assert.equal(model.sentOf("send").length, 0);
  type("What is this?");
  press(field(), "Enter");
  assert.deepEqual(last("send").attachments, [
    { name: "a.csv", kind: "text", text: "a,b" }, { name: "c.png", kind: "image", url: "data:image/png;base64,AQ==" },
    { name: "frame", kind: "variable" }]);
  say(1, "begin", { after: "", turn: turn("a") });
  assert.equal(root.querySelector(".llamanb-composer .llamanb-chip"), null);
});

test("everything that takes the focus keeps the keys from the notebook and has a name", async () => {
  sayState(0, [turn("a", { parts: [CALL, text(["<pre><code>x</code></pre>"])] })]);
  await frame();
  for (const one of root.querySelectorAll("button, input, select, textarea, [tabindex]")) {
    const hasName = one.getAttribute("aria-label") || one.closest("label") || one.textContent.trim();
    assert.ok(hasName, one.outerHTML);
    one.dispatchEvent(new window.FocusEvent("focusin", { bubbles: true }));
    assert.equal(one.getAttribute("data-lm-suppress-shortcuts"), "true", one.outerHTML);
  }
});
