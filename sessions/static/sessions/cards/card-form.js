/** The forms of a permission card: a rule that always allows, and the sentence of a denial. */

import { h, setText } from "../elements/dom.js";
import { under } from "../server/paths.js";

const MAX_SENTENCE = 2_000;
const MAX_PATTERN = 300;
const SCOPES = [
  ["chat", "This chat"],
  ["project", "This project’s folder"],
  ["agent", "This agent, in every folder"],
  ["everywhere", "Everywhere"],
];
const LABELS = {
  command: "Commands that begin with",
  path: "Files (* and ** stand for names)",
  tool: "The tool",
  mcp: "The MCP tool",
};

/** @param {string} id @param {import("./card-forms.js").On} on */
export async function ruleForm(id, on) {
  const { kind, pattern, sentence } = await on.suggest();
  if (!pattern) return h("p.muted", { text: sentence });
  const field = h("input", {
    ...{
      type: "text",
      id: `${id}-pattern`,
      value: pattern,
      maxlength: MAX_PATTERN,
      required: true,
    },
    ...{
      autocomplete: "off",
      autocapitalize: "none",
      spellcheck: "false",
      dir: "ltr",
      translate: "no",
    },
  });
  const scope = h(
    "select",
    { id: `${id}-scope` },
    ...SCOPES.map(([value, text]) => h("option", { value, text })),
  );
  const problem = h("p.field-error", { role: "alert" });
  const form = h(
    "form",
    { "aria-label": "Always allow" },
    h("label", { for: `${id}-pattern`, text: LABELS[kind] ?? "Pattern" }),
    field,
    h("label", { for: `${id}-scope`, text: "For" }),
    scope,
    h("div.dialog-buttons", {}, h("button.quiet", { text: "Save the rule and allow" })),
    problem,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const wanted = { scope: valueOf(scope), kind, pattern: valueOf(field) };
    const { sentence: why, needsProof } = await on.always(wanted);
    setText(problem, why);
    if (needsProof) problem.append(" ", proofLink());
    if (why) problem.scrollIntoView({ block: "nearest" });
  });
  return form;
}

/** @param {string} id @param {import("./card-forms.js").On} on */
export async function denialForm(id, on) {
  const field = h("textarea", {
    id: `${id}-why`,
    rows: 2,
    maxlength: MAX_SENTENCE,
    required: true,
  });
  const form = h(
    "form",
    { "aria-label": "Deny and say why" },
    h("label", { for: `${id}-why`, text: "Your sentence to the agent" }),
    field,
    h("div.dialog-buttons", {}, h("button.quiet", { text: "Deny" })),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    on.deny(valueOf(field));
  });
  return form;
}

function proofLink() {
  const href = under("/account/confirm/?next=/account/rules/");
  return h("a", { href, target: "_blank", rel: "noopener", text: "Confirm that it is you" });
}

/** @param {HTMLElement} field */
function valueOf(field) {
  return /** @type {HTMLInputElement} */ (field).value;
}
