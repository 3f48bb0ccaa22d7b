/** The faults of a window: parts beside it, buttons of a request out of reach, targets too small for a finger. */
(isTouched) => {
  const TARGET_PX = 40;
  const CONTROLS =
    "button, summary, select, textarea, input:not([type=hidden]), [role=tab], .button, .row-link";
  const faults = [];
  const named = (node) => node.outerHTML.slice(0, 120).replace(/\s+/g, " ");

  const boxes = [document.documentElement, document.getElementById("scroll")];
  for (const box of boxes) {
    const beside = box ? box.scrollWidth - box.clientWidth : 0;
    if (beside > 0) faults.push(`${box.tagName} is ${beside} px too wide`);
  }

  for (const button of document.querySelectorAll(".permission-options button")) {
    const { x, y, width, height } = button.getBoundingClientRect();
    const hit = document.elementFromPoint(x + width / 2, y + height / 2);
    if (!button.contains(hit)) faults.push(`out of reach: ${named(button)}`);
  }

  const isShown = (node) =>
    node.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  // A link in a sentence, and the number of a line of code, are as high as their line.
  const isInText = (node) => Boolean(node.closest(".prose p, .prose li, p > a, .diff-line"));
  for (const control of isTouched ? document.querySelectorAll(CONTROLS) : []) {
    const target = control.closest("label") ?? control;
    const { width, height } = target.getBoundingClientRect();
    if (!isShown(control) || isInText(control) || width <= 1) continue;
    if (Math.min(width, height) < TARGET_PX - 0.5) {
      faults.push(`${Math.round(width)} x ${Math.round(height)} px: ${named(control)}`);
    }
  }
  return faults;
};
