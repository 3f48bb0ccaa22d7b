/** The page: puts stream, outbox, store and views together, and follows addresses, keys and the network. */

import { createCommands } from "../transport/commands.js";
import { bindLifecycle } from "../transport/lifecycle.js";
import { Outbox } from "../transport/outbox.js";
import { Stream } from "../transport/stream.js";
import { SharedStream } from "../transport/tabs.js";
import { createActions } from "./actions.js";
import { createApi } from "./api.js";
import { Conversation, isUnsent } from "./conversation.js";
import { askArchive, askTitle, bindDialogs, openMenu } from "./dialogs.js";
import { byId, setText } from "./dom.js";
import { DraftForm } from "./draft.js";
import { bindKeys } from "./keys.js";
import { Login } from "./login.js";
import { Notifier } from "./notifier.js";
import { Sidebar } from "./sidebar.js";
import { speak } from "./speaker.js";
import { stoppable, Store } from "./store.js";
import { canHurry, lineText } from "./text.js";
import { announce, toast } from "./toasts.js";

const boot = JSON.parse(byId("bootstrap").textContent ?? "{}");
const REFRESH_MS = 20_000;

/**
 * Storage may be forbidden; the page works without, and says so where it matters.
 * @param {"sessionStorage"|"localStorage"} name
 * @returns {Storage|null}
 */
function storageOf(name) {
  try {
    return window[name];
  } catch {
    return null;
  }
}
const tab = storageOf("sessionStorage");
const browser = storageOf("localStorage");

// Read once: after a log-in in another tab this page's token is refused, so that a prompt which waits
// here can never go out under somebody else's name. Login.lost then loads the page anew.
const csrfNow = () =>
  new RegExp(`(?:^|; )${boot.csrfCookieName}=([^;]*)`).exec(document.cookie)?.[1] ?? "";
const csrf = csrfNow();
const request = window.fetch.bind(window);
const command = createCommands({ fetch: request, csrf: () => csrf, timeoutMs: boot.sendTimeoutMs });
const api = createApi({ fetch: request, csrf: () => csrf, signedOut: () => login.lost() });
const store = new Store();

let clockSkewMs = 0;
const serverNow = () => Date.now() + clockSkewMs;

const stream = new SharedStream({
  name: `backstay.stream.${boot.userId}`,
  heartbeatMs: boot.heartbeatMs,
  onFrame,
  onStatus: lineChanged,
  makeStream: (on) =>
    new Stream({
      fetch: request,
      command,
      heartbeatMs: boot.heartbeatMs,
      pingGrace: boot.pingGrace,
      ...on,
    }),
  locks: navigator.locks ?? null,
  makeChannel: window.BroadcastChannel ? (name) => new BroadcastChannel(name) : null,
  beacon: (body) =>
    navigator.sendBeacon(
      "/api/chat/suspend",
      new Blob([JSON.stringify(body)], { type: "application/json" }),
    ),
});
const outbox = new Outbox({
  command,
  storage: tab,
  userId: boot.userId,
  maxPending: boot.maxPendingSends,
  connectionId: () => stream.connectionId,
  onChange: () => queueMicrotask(outboxChanged),
  onReceipt: received,
  onUnknownConnection: (id) => stream.forget(id),
  onUnauthorised: () => login.lost(),
});
const login = new Login({ outbox, api, userId: boot.userId, storage: tab });
const actions = createActions({
  command,
  connectionId: () => stream.connectionId,
  api,
  signedOut: () => login.lost(),
});
const draft = new DraftForm({
  root: byId("draft-form"),
  agents: byId("agents"),
  mode: byId("draft-mode"),
  modeField: byId("draft-mode-field"),
  folder: byId("folder"),
  note: byId("agents-note"),
  others: byId("other-agents"),
  othersLabel: byId("other-agents-label"),
  othersList: byId("other-agents-list"),
  api,
  storage: browser,
});
const conversation = new Conversation({
  store,
  outbox,
  api,
  actions,
  serverNow,
  submit,
  retry,
  storage: tab,
  userId: boot.userId,
  historyPage: boot.historyPage,
  modesLearnt: (agent, modes) => draft.learnModes(agent, modes),
  agentLabel: (name) => draft.label(name),
  isAsked: () => sidebar.rows.some((row) => row.runState === "requires_action"),
});
const notifier = new Notifier({
  button: byId("notify"),
  storage: browser,
  serverNow,
  open: (id) => open(id),
  refused: () => toast("This browser does not allow the page to notify you."),
});
const sidebar = new Sidebar({
  list: byId("sessions"),
  search: byId("search"),
  note: byId("sessions-note"),
  more: byId("sessions-more"),
  api,
  open: (id) => open(id),
  menu: showMenu,
  agentLabel: (name) => draft.label(name),
  told: (sessionId) => {
    const view = stream.watches(sessionId) ? store.get(sessionId) : null;
    return view?.ready ? rowPart(view.snapshot) : {};
  },
  unsent: (sessionId) =>
    outbox.entries.filter((entry) => entry.sessionId === sessionId && isUnsent(entry)).length,
});

// -- frames -------------------------------------------------------------------------------------

function onFrame(frame) {
  if (frame.serverTime) clockSkewMs = Date.parse(frame.serverTime) - Date.now();
  const { sessionId } = frame;
  if (!sessionId) return;
  const before = store.get(sessionId);
  const view = /** @type {import("./store.js").View} */ (store.apply(frame));
  confirmPrompts(frame);
  if (view.ready) sidebar.patch(sessionId, rowPart(view.snapshot));
  notifier.hear(frame, view.snapshot.title || "New chat");
  if (sessionId === conversation.sessionId) {
    speak(frame, before, view);
  } else {
    if (frame.type === "turn_end") sidebar.markNew(sessionId);
    if (!isAtWork(view)) leave(sessionId);
  }
  conversation.schedule();
}

function rowPart({ title, state, runState, agent }) {
  return { title, state, runState, agent };
}

/** A prompt that the log shows has arrived, whatever became of its receipt. */
function confirmPrompts(frame) {
  if (frame.type === "user_message") outbox.confirm(frame.clientMsgId, frame.sessionId);
  for (const message of frame.messages ?? [])
    if (message.role === "user") outbox.confirm(message.clientMsgId, frame.sessionId);
}

// -- prompts ------------------------------------------------------------------------------------

function submit(text) {
  const { sessionId, draftId } = conversation;
  outbox.send(sessionId ? { sessionId, text } : { draftId, text, ...draft.choice });
  return true;
}

/** A new chat that was refused may be sent again with another agent or folder. */
function retry(id) {
  outbox.retry(id, conversation.sessionId ? {} : draft.choice);
}

function received({ sessionId, clientMsgId }, entry) {
  if (entry.draftId && entry.draftId === conversation.draftId && !conversation.sessionId)
    adopt(sessionId);
  else if (!store.get(sessionId)) outbox.confirm(clientMsgId, sessionId); // nobody here waits to see it in the log
  sidebar.refresh();
}

/** The new chat has its session: the address becomes its own, and what is shown stays. */
function adopt(sessionId) {
  if (!stream.watches(sessionId)) stream.watch(sessionId, null);
  history.replaceState({}, "", `/s/${sessionId}`);
  conversation.show({ sessionId });
  sidebar.show(sessionId);
}

function outboxChanged() {
  sidebar.redraw();
  conversation.schedule();
  login.draw();
}

// -- which chat is shown ------------------------------------------------------------------------

/** @param {string|null} sessionId null: a new chat */
function open(sessionId, { push = true } = {}) {
  const before = conversation.sessionId;
  if (push) history.pushState({}, "", sessionId ? `/s/${sessionId}` : "/");
  if (sessionId && !stream.watches(sessionId)) stream.watch(sessionId, store.cursor(sessionId));
  conversation.show(sessionId ? { sessionId } : { draftId: newDraftId() });
  if (before && before !== sessionId && !isAtWork(store.get(before))) leave(before);
  sidebar.show(sessionId);
  closeDrawer();
  conversation.composer.focus();
  if (!sessionId) loadAgents();
}

async function loadAgents() {
  await draft.load();
  conversation.schedule();
  sidebar.redraw();
}

/** A turn runs, or will: a prompt waits for it, or nothing is known yet. @param {import("./store.js").View|null} view */
function isAtWork(view) {
  if (!view?.ready) return !view?.rejected;
  return view.snapshot.runState !== "idle" || stoppable(view.snapshot) !== null;
}

/** A chat that is neither shown nor at work need not be followed; what is held of it stays. */
function leave(sessionId) {
  if (sessionId !== conversation.sessionId) stream.unwatch(sessionId);
}

/** A new chat keeps its draft over a reload while it has prompts that wait. */
function newDraftId() {
  const waiting = outbox.entries.find((entry) => entry.draftId && !entry.sessionId);
  return waiting?.draftId ?? `draft-${crypto.randomUUID()}`;
}

addEventListener("popstate", () =>
  open(/^\/s\/([0-9a-f-]{36})$/.exec(location.pathname)?.[1] ?? null, { push: false }),
);

// -- the menu of a chat -------------------------------------------------------------------------

function showMenu(row, anchor) {
  const { sessionId, title } = row;
  const isRunning = row.runState !== "idle";
  openMenu(anchor, [
    {
      label: "Rename",
      run: () =>
        askTitle(title, async (name) => {
          await actions.rename(sessionId, name);
          sidebar.patch(sessionId, { title: name });
        }),
    },
    { label: "Export as Markdown", href: api.exportUrl(sessionId, "md") },
    { label: "Export all events (JSON lines)", href: api.exportUrl(sessionId, "jsonl") },
    ...(row.state === "ENDED"
      ? []
      : [
          {
            label: isRunning ? "Stop the agent now" : "Close the agent",
            run: () => (isRunning ? actions.stop(sessionId) : actions.close(sessionId)),
          },
        ]),
    {
      label: "Archive",
      danger: true,
      run: () =>
        askArchive(title || "New chat", async () => {
          await actions.archive(sessionId);
          sidebar.remove(sessionId);
          announce("The chat is archived.");
          if (sessionId === conversation.sessionId) open(null);
        }),
    },
  ]);
}

byId("open-menu").addEventListener("click", () => {
  const id = conversation.sessionId;
  const view = id ? store.get(id) : null;
  if (id) showMenu(sidebar.row(id) ?? { sessionId: id, ...view?.snapshot }, byId("open-menu"));
});

// -- the state of the line ----------------------------------------------------------------------

function lineChanged(status) {
  if (status.state === "unauthorised") login.lost();
  outbox.connectionChanged(status.connectionId);
  if (status.connectionId) conversation.lineIsBack();
  drawLine(status);
}

function drawLine(status = stream.status) {
  const { kind, label } = lineText(status, navigator.onLine, Date.now());
  byId("line").dataset.kind = kind;
  byId("line").title = status.reason ? `Last reason: ${status.reason}` : "";
  setText(byId("line-text"), label);
  const hurry = byId("line-retry");
  const isOffered = canHurry(status, Date.now());
  if (!isOffered && document.activeElement === hurry) conversation.composer.focus();
  hurry.hidden = !isOffered;
}

byId("line-retry").addEventListener("click", () => {
  stream.wake("asked");
  outbox.resume();
});

// -- the drawer of a small screen ---------------------------------------------------------------

function openDrawer() {
  document.body.classList.add("drawer-open");
  byId("open-sidebar").setAttribute("aria-expanded", "true");
  byId("close-sidebar").focus();
}

function closeDrawer() {
  if (!document.body.classList.contains("drawer-open")) return;
  document.body.classList.remove("drawer-open");
  byId("open-sidebar").setAttribute("aria-expanded", "false");
  byId("open-sidebar").focus();
}

byId("open-sidebar").addEventListener("click", openDrawer);
byId("close-sidebar").addEventListener("click", closeDrawer);
byId("scrim").addEventListener("click", closeDrawer);
for (const id of ["new-chat", "brand"]) {
  byId(id).addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    open(null);
  });
}

// -- start --------------------------------------------------------------------------------------

bindDialogs();
bindKeys({ conversation, sidebar, open, openDrawer, closeDrawer });
bindLifecycle(stream, {
  onBack: () => {
    if (csrfNow() !== csrf) login.lost(); // somebody has logged in or out meanwhile, perhaps somebody else
    outbox.resume();
    login.check();
    sidebar.refresh();
    conversation.schedule();
  },
});
for (const name of ["online", "offline"]) addEventListener(name, () => drawLine());
setInterval(() => {
  if (stream.status.state !== "live") drawLine();
  conversation.tick();
  notifier.tick();
}, 1_000);
setInterval(() => document.visibilityState === "visible" && sidebar.refresh(), REFRESH_MS);

open(boot.sessionId, { push: false });
if (boot.sessionId) loadAgents();
stream.open();
outbox.start();
sidebar.refresh();
document.body.dataset.ready = "true";
