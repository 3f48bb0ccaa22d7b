/** The page: makes its parts, joins them and starts them. */

import { createCommands, isForeign } from "../transport/commands.js";
import { bindLifecycle } from "../transport/lifecycle.js";
import { Outbox } from "../transport/outbox.js";
import { Stream } from "../transport/stream.js";
import { SharedStream } from "../transport/tabs.js";
import { createActions } from "./actions.js";
import { createApi } from "./api.js";
import { cookieOf, storageOf } from "./browser.js";
import { ChatMenu } from "./chat-menu.js";
import { ConnectionView } from "./connection.js";
import { Conversation } from "./conversation.js";
import { bindDialogs } from "./dialogs.js";
import { byId } from "./dom.js";
import { DraftForm } from "./draft.js";
import { Drawer } from "./drawer.js";
import { Frames, rowPart } from "./frames.js";
import { bindKeys } from "./keys.js";
import { Navigation } from "./navigation.js";
import { Notifier } from "./notifier.js";
import { base, under } from "./paths.js";
import { Prompts } from "./prompts.js";
import { ServerClock } from "./server-clock.js";
import { Sidebar } from "./sidebar.js";
import { StandingView } from "./standing.js";
import { Store } from "./store.js";
import { isUnsent } from "./text.js";
import { toast } from "./toasts.js";
import { UnloadGuard } from "./unload-guard.js";
import { Watching } from "./watching.js";

const REFRESH_MS = 20_000;

const boot = JSON.parse(byId("bootstrap").textContent ?? "{}");
// Two sites below different paths of one host share their storage.
const person = `${base()}${boot.userId}`;
const tab = storageOf("sessionStorage");
const browser = storageOf("localStorage");

// Read once: after a log-in in another tab the server refuses this page's token. A prompt that waits
// here can never go out under another person's name. The page then reloads.
const csrf = cookieOf(boot.csrfCookieName);
/** @type {typeof fetch} every request goes to the site's own address */
const request = (path, init) => window.fetch(under(String(path)), init);

// -- the parts: a callback may name a part that is made further down ----------------------------

const clock = new ServerClock();
const store = new Store();
const drawer = new Drawer();
const unloadGuard = new UnloadGuard();
const command = createCommands({
  fetch: request,
  csrf: () => csrf,
  timeoutMs: boot.sendTimeoutMs,
  onAnswer: (answer) => standing.heard({ isForeign: isForeign(answer), body: answer.body }),
});
const api = createApi({
  fetch: request,
  csrf: () => csrf,
  onAnswer: (answer) => standing.heard(answer),
});

const stream = new SharedStream({
  name: `backstay.stream.${person}`,
  heartbeatMs: boot.heartbeatMs,
  onFrame: (frame) => frames.take(frame),
  onStatus: statusChanged,
  // One place is kept free: a watch that ends and one that begins are two requests, which may arrive in any order.
  maxWatches: Math.max(1, boot.maxWatches - 1),
  importance: (sessionId) => watching.importance(sessionId),
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
      under("/api/chat/suspend"),
      new Blob([JSON.stringify(body)], { type: "application/json" }),
    ),
});

const outbox = new Outbox({
  command,
  storage: tab,
  userId: person,
  maxPending: boot.maxPendingSends,
  connectionId: () => stream.connectionId,
  onChange: () => queueMicrotask(outboxChanged),
  onReceipt: (receipt, entry) => prompts.received(receipt, entry),
  onUnknownConnection: (id) => stream.forget(id),
});

const standing = new StandingView({
  outbox,
  api,
  storage: tab,
  beforeReload: () => unloadGuard.set(false),
});

const actions = createActions({
  command,
  connectionId: () => stream.connectionId,
  api,
});

const draft = new DraftForm({
  root: byId("draft-form"),
  agents: byId("agents"),
  mode: byId("draft-mode"),
  modeField: byId("draft-mode-field"),
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
  serverNow: clock.now,
  submit: (text) => prompts.submit(text),
  retry: (id) => prompts.retry(id),
  storage: tab,
  userId: person,
  historyPage: boot.historyPage,
  modesLearnt: (agent, modes) => draft.learnModes(agent, modes),
  agentLabel: (name) => draft.label(name),
  isAsked: () => sidebar.rows.some((row) => row.runState === "requires_action"),
});

const notifier = new Notifier({
  button: byId("notify"),
  storage: browser,
  serverNow: clock.now,
  open: (id) => navigation.open(id),
  refused: () => toast("This browser does not allow the page to notify you."),
});

const sidebar = new Sidebar({
  list: byId("sessions"),
  search: byId("search"),
  note: byId("sessions-note"),
  more: byId("sessions-more"),
  api,
  open: (id) => navigation.open(id),
  menu: (row, anchor) => menu.open(row, anchor),
  serverNow: clock.now,
  agentLabel: (name) => draft.label(name),
  told: (sessionId) => {
    const view = stream.watches(sessionId) ? store.get(sessionId) : null;
    return view?.ready ? rowPart(view.snapshot) : {};
  },
  unsent: (sessionId) =>
    outbox.entries.filter((entry) => entry.sessionId === sessionId && isUnsent(entry)).length,
});

const watching = new Watching({ stream, store, shown: () => conversation.sessionId });
const navigation = new Navigation({ conversation, sidebar, watching, drawer, draft, outbox });
const prompts = new Prompts({ outbox, store, conversation, draft, sidebar, navigation });
const frames = new Frames({ store, outbox, clock, sidebar, notifier, watching, conversation });
const menu = new ChatMenu({ actions, api, sidebar, store, conversation, navigation });
const connection = new ConnectionView({
  status: () => stream.status,
  hurry: () => {
    stream.wake("asked");
    outbox.resume();
  },
  focusElsewhere: () => conversation.composer.focus(),
});

// -- the joints ---------------------------------------------------------------------------------

function statusChanged(status) {
  if (status.state === "unauthorised") standing.lost();
  else if (status.isForeign) standing.heard({ isForeign: true, body: null });
  else if (status.state === "live") standing.heard({ isForeign: false, body: null });
  outbox.connectionChanged(status.connectionId);
  if (status.connectionId) conversation.lineIsBack();
  connection.draw();
}

function outboxChanged() {
  sidebar.redraw();
  conversation.schedule();
  standing.draw();
  unloadGuard.set(outbox.pending > 0 || conversation.composer.isAtRisk);
}

/** The page is in front again, or the network is back. */
function onBack() {
  if (cookieOf(boot.csrfCookieName) !== csrf) standing.lost(); // another log-in, perhaps of another person
  outbox.resume();
  standing.check();
  watching.followShown();
  sidebar.refresh();
  conversation.schedule();
}

// -- start --------------------------------------------------------------------------------------

bindDialogs();
bindKeys({ conversation, sidebar, navigation, drawer });
bindLifecycle(stream, { onBack });
setInterval(() => {
  connection.tick();
  conversation.tick();
  notifier.tick();
}, 1_000);
setInterval(() => document.visibilityState === "visible" && sidebar.refresh(), REFRESH_MS);

navigation.open(boot.sessionId, { push: false });
if (boot.sessionId) navigation.loadAgents();
stream.open();
outbox.start();
sidebar.refresh();
document.body.dataset.ready = "true";
