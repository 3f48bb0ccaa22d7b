/** The page: makes its parts, joins them and starts them. */

import { Client } from "../transport/client.js";
import { isForeign } from "../transport/commands.js";
import { bindLifecycle } from "../transport/tabs/lifecycle.js";
import { FileStore } from "../transport/browser/files.js";
import { createActions } from "./server/actions.js";
import { createApi } from "./server/api.js";
import { cookieOf, storageOf } from "./server/browser.js";
import { ChatMenu } from "./chat/chat-menu.js";
import { ConnectionView } from "./page/connection.js";
import { Conversation } from "./conversation.js";
import { bindDialogs, bindLogOut } from "./dialogs/dialogs.js";
import { byId } from "./elements/dom.js";
import { Drawer } from "./list/drawer.js";
import { Frames, rowPart } from "./page/frames.js";
import { bindKeys } from "./page/keys.js";
import { takeOver } from "./composer/left-prompts.js";
import { closable, Leaving } from "./page/leaving.js";
import { Navigation } from "./page/navigation.js";
import { Notifier } from "./announcing/notifier.js";
import { keptKeys } from "./server/origin-key.js";
import { attachedFiles, bindSearch, draftForm, uploadBy, workParts } from "./page-parts.js";
import { base, under } from "./server/paths.js";
import { Personal } from "./list/personal.js";
import { Projects } from "./new-chat/projects.js";
import { Prompts } from "./composer/prompts.js";
import { createRequest } from "./server/requests.js";
import { ServerClock } from "./server/server-clock.js";
import { Sidebar } from "./list/sidebar.js";
import { StandingView } from "./page/standing.js";
import { Store } from "./log/store.js";
import { isUnsent } from "./words/text.js";
import { bindTerminalChats } from "./chat/terminal-chats.js";
import { toast } from "./dialogs/toasts.js";
import { readFilesBy } from "./answers/blob-files.js";
import { UnloadGuard } from "./page/unload-guard.js";
import { UpToDate } from "./page/up-to-date.js";
import { Watching } from "./page/watching.js";

const REFRESH_MS = 20_000;
/** One piece of a file may take so long. */
const UPLOAD_MS = 60_000;

const boot = JSON.parse(byId("bootstrap").textContent ?? "{}");
// Two sites below different paths of one host share their storage.
const person = `${base()}${boot.userId}`;
const browser = storageOf("localStorage");
const hasLeft = () => leaving.hasLeft;
const tab = closable(storageOf("sessionStorage"), hasLeft);
const choices = closable(browser, hasLeft);

// Read once: after a log-in in another tab the server refuses this page's token. A prompt that waits
// here can never go out under another person's name. The page then reloads.
const csrf = cookieOf(boot.csrfCookieName);
// Read once, too: keys of a later log-in are for its own pages.
const keys = keptKeys(browser, base());
/** @param {() => string} held */
const requestWith = (held) =>
  createRequest({
    fetch: (path, init) => window.fetch(path, init),
    keys: held,
    userId: boot.userId,
    onOther: () => leaving.giveWay(),
  });
const request = requestWith(() => keys);
const fileStore = new FileStore(person);
readFilesBy(request, (blob) => fileStore.get(blob));

// -- the parts: a callback may name a part that is made further down ----------------------------

const clock = new ServerClock();
const store = new Store();
const drawer = new Drawer();
const unloadGuard = new UnloadGuard(
  () => outbox.pending.length > 0 || composer.isAtRisk(!shown() && connection.isStale),
);
const api = createApi({
  fetch: request,
  csrf: () => csrf,
  onAnswer: (answer) => standing.heard(answer),
});

const client = new Client({
  fetch: request,
  csrf: () => csrf,
  userId: person,
  storage: tab,
  browser: choices,
  sendTimeoutMs: boot.sendTimeoutMs,
  heartbeatMs: boot.heartbeatMs,
  pingGrace: boot.pingGrace,
  maxPending: boot.maxPendingSends,
  // One place is kept free: a watch that ends and one that begins are two requests, which may arrive in any order.
  maxWatches: Math.max(1, boot.maxWatches - 1),
  locks: navigator.locks ?? null,
  makeChannel: window.BroadcastChannel ? (name) => new BroadcastChannel(name) : null,
  beacon: (body) =>
    navigator.sendBeacon(
      under("/api/chat/suspend"),
      new Blob([JSON.stringify(body)], { type: "application/json" }),
    ),
  importance: (sessionId) => watching.importance(sessionId),
  onFrame: (frame) => frames.take(frame),
  onStatus: statusChanged,
  onAnswer: (answer) => standing.heard({ isForeign: isForeign(answer), body: answer.body }),
  onPrompts: () => queueMicrotask(outboxChanged),
  upload: uploadBy({
    fetch: request,
    csrf: () => csrf,
    timeoutMs: UPLOAD_MS,
    files: fileStore,
  }),
  onReceipt: (receipt, prompt) => prompts.received(receipt, prompt),
});
const { command, stream, outbox } = client;

const leaving = new Leaving({
  fetch: request,
  csrf: () => csrf,
  tab: storageOf("sessionStorage"),
  browser,
  keys,
  beforeLeave: () => {
    unloadGuard.end();
    stream.close();
  },
});

const standing = new StandingView({
  outbox,
  // A log-in of another tab has made its own key by now.
  api: createApi({ fetch: requestWith(() => keptKeys(browser, base())), csrf: () => csrf }),
  storage: tab,
  beforeReload: () => unloadGuard.end(),
});

const actions = createActions({
  command,
  connectionId: () => stream.connectionId,
  api,
});

const projects = new Projects(api, boot.foldersRefused);
const draft = draftForm(api, projects, choices);

const files = attachedFiles({
  files: fileStore,
  storage: tab,
  maxFiles: boot.maxAttachments,
  maxBytes: boot.uploadBytes,
});

const conversation = new Conversation({
  ...{ files, projects, store, outbox },
  api,
  actions,
  serverNow: clock.now,
  submit: (...prompt) => prompts.submit(...prompt),
  retry: (id) => prompts.retry(id),
  storage: tab,
  userId: person,
  historyPage: boot.historyPage,
  modesLearnt: (agent, modes) => draft.learnModes(agent, modes),
  agentLabel: (name) => draft.label(name),
  isStale: () => connection.isStale,
  downFor: () => connection.downFor,
  choice: () => draft.choice,
  onDrawn: (sessionId) => {
    upToDate.drawn(sessionId);
    menu.drawn(sessionId);
    connection.draw();
  },
  shownRow: () => sidebar.row(shown()),
  isAsked: () => sidebar.rows.some((row) => row.runState === "requires_action"),
});

const notifier = new Notifier({
  button: byId("notify"),
  storage: choices,
  serverNow: clock.now,
  open: (id) => navigation.open(id),
  refused: () => toast("This browser does not allow the page to notify you."),
});

const sidebar = new Sidebar({
  list: byId("sessions"),
  note: byId("sessions-note"),
  more: byId("sessions-more"),
  api,
  open: (id) => navigation.open(id),
  menu: (row, anchor) => menu.open(row, anchor),
  listed: (rows) => {
    personal.listed(rows);
    menu.listed();
  },
  serverNow: clock.now,
  isStale: () => connection.isStale,
  agentLabel: (name) => draft.label(name),
  projects,
  told: (sessionId) => {
    const view = stream.watches(sessionId) ? store.get(sessionId) : null;
    return view?.ready ? rowPart(view.snapshot) : {};
  },
  unsent: (sessionId) =>
    outbox.prompts.filter((entry) => entry.sessionId === sessionId && isUnsent(entry)).length,
});

const shown = () => conversation.sessionId;
const watching = new Watching({ stream, store, shown });
const navigation = new Navigation({ conversation, sidebar, watching, drawer, draft, outbox });
const joined = { store, conversation, sidebar, navigation };
const prompts = new Prompts({ ...joined, actions, outbox, draft, files });
const { composer } = conversation;
const submit = (text) => prompts.submit(text);
const comments = workParts({ api, storage: choices, userId: person, session: shown, submit });
const personal = new Personal({ ...joined, api, shown, tab, comments, composer, browser: choices });
const frames = new Frames({ store, clock, sidebar, notifier, watching, conversation, personal });
const menu = new ChatMenu({ ...joined, actions, api });
const upToDate = new UpToDate({ store, shown, caughtUpBy: (id) => stream.caughtUpBy(id) });
const connection = new ConnectionView({
  status: () => stream.status,
  isUpToDate: () => upToDate.isTrue,
  hurry: () => client.hurry(),
  focusElsewhere: () => conversation.composer.focus(),
  onStale: () => {
    sidebar.redraw();
    conversation.schedule();
  },
});

// -- the joints ---------------------------------------------------------------------------------

/** @type {string|null} the stream that was live last */
let connectionId = null;

function statusChanged(status) {
  if (status.state === "unauthorised") standing.lost();
  else if (status.isForeign) standing.heard({ isForeign: true, body: null });
  else if (status.state === "live") standing.heard({ isForeign: false, body: null });
  if (status.connectionId) conversation.lineIsBack();
  // A change of another device may have been told while this one was away.
  if (status.connectionId && status.connectionId !== connectionId) sidebar.refresh();
  connectionId = status.connectionId ?? connectionId;
  connection.draw();
}

function outboxChanged() {
  sidebar.redraw();
  conversation.schedule();
  standing.draw();
  unloadGuard.look();
}

/** The page is in front again, or the network is back. */
function onBack() {
  if (leaving.check()) return;
  if (cookieOf(boot.csrfCookieName) !== csrf) standing.lost(); // another log-in, perhaps of another person
  outbox.resume();
  takeOver(client, navigation);
  standing.check();
  watching.followShown();
  sidebar.refresh();
  conversation.schedule();
}

// -- start --------------------------------------------------------------------------------------

bindDialogs();
bindLogOut({
  unsent: () => outbox.pending.length,
  hasDrafts: () => leaving.hasDrafts,
  logOut: () => leaving.logOut(),
  failed: () => toast("You are still logged in: the server was not reached. Try again."),
});
bindTerminalChats({ api, draft, navigation, sidebar });
bindKeys({ conversation, sidebar, navigation, drawer, find: () => menu.find() });
bindLifecycle(stream, { onBack });
setInterval(() => {
  connection.tick();
  unloadGuard.look();
  if (connection.isStale) conversation.schedule(); // since when
  conversation.tick();
  notifier.tick();
  comments.tick();
}, 1_000);
setInterval(() => document.visibilityState === "visible" && sidebar.refresh(), REFRESH_MS);

navigation.open(boot.sessionId, { push: false });
bindSearch({ api, conversation, navigation, sidebar });
if (boot.sessionId) navigation.loadAgents();
client.start();
takeOver(client, navigation);
fileStore.clean();
sidebar.refresh();
document.body.dataset.ready = "true";
