/**
 * Messages that a person has taken back: the log keeps them, the fold marks them. Pure; the twin of
 * sessions/eventlog/folding/rewinding.py.
 *
 * @typedef {{seq: number, to: number, since: number, clientMsgIds: string[]}} Rewind seq: of the event that took them back
 */

/** The rewinds that count after a rewound event. @param {Rewind[]} rewinds @param {any} e @returns {Rewind[]} */
export function rewindsAfter(rewinds, e) {
  if (e.undoes !== undefined) return rewinds.filter(({ seq }) => seq !== e.undoes);
  const { seq, to, since = e.to, clientMsgIds = [] } = e;
  return [...rewinds, { seq, to, since, clientMsgIds }];
}

/** A message with its mark, or without one where it counts. @param {any} message @param {Rewind[]} rewinds */
export function withMark(message, rewinds) {
  const isBack = rewinds.some((rewind) => has(rewind, message));
  if (isBack === (message.rewound ?? false)) return message;
  if (isBack) return { ...message, rewound: true };
  const { rewound, ...bare } = message;
  return bare;
}

/** The last rewind that has taken a message back. @param {any} message @param {Rewind[]} rewinds */
export function rewindOf(message, rewinds) {
  return rewinds.findLast((rewind) => has(rewind, message));
}

function has({ seq, since, clientMsgIds }, message) {
  if (since <= message.seq && message.seq < seq) return true;
  return message.role === "user" && clientMsgIds.includes(message.clientMsgId);
}
