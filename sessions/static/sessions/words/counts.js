/** The words of the page for numbers. Pure. */

export function formatCount(n) {
  return n.toLocaleString("en");
}

/** 1234 → 1.2k: for numbers that are only to be compared. */
export function shortCount(n) {
  if (n < 1_000) return String(n);
  if (n < 1_000_000) return `${(n / 1_000).toFixed(n < 10_000 ? 1 : 0)}k`;
  return `${(n / 1_000_000).toFixed(1)}M`;
}

/** 3400000 → 3.4 MB. @param {number} bytes */
export function sizeText(bytes) {
  if (bytes < 1_000_000) return `${Math.max(1, Math.round(bytes / 1_000))} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** @param {any} usage @returns {string} empty without usage */
export function usageText(usage) {
  if (!usage || (!usage.inputTokens && !usage.outputTokens)) return "";
  const parts = [
    `${shortCount(usage.inputTokens)} ${usage.inputTokens === 1 ? "token" : "tokens"} in`,
    `${shortCount(usage.outputTokens)} out`,
  ];
  if (usage.costUsd)
    parts.push(`$${usage.costUsd < 0.01 ? usage.costUsd.toFixed(4) : usage.costUsd.toFixed(2)}`);
  if (usage.contextWindow) parts.push(`context of ${shortCount(usage.contextWindow)}`);
  return parts.join(" · ");
}

/** How full the model's context is. @param {{used: number, size: number}|null} context */
export function contextText(context) {
  return context?.size ? `context ${Math.round((100 * context.used) / context.size)} %` : "";
}

/** What a chat has used, and how full its context is. @param {import("../log/fold.js").Snapshot} snapshot */
export function spentText({ usage, context }) {
  return [usageText(usage), contextText(context)].filter(Boolean).join(" · ");
}
