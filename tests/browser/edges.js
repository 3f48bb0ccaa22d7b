/**
 * The faults of a window: parts beside it, buttons out of reach, fields that are cut or have the look of the browser,
 * targets too small for a finger.
 */
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

  const isHit = (node) => {
    const { x, y, width, height } = node.getBoundingClientRect();
    return node.contains(document.elementFromPoint(x + width / 2, y + height / 2));
  };
  // A person who writes into the form below them has scrolled to it.
  const answers =
    ".permission:not(:has(.permission-form:not([hidden]))) .permission-options button";
  for (const button of document.querySelectorAll(
    `${answers}, dialog[open] .dialog-buttons button`,
  )) {
    if (!isHit(button)) faults.push(`out of reach: ${named(button)}`);
  }
  const saves = document.querySelector(".waiting-form .primary");
  if (innerHeight < 320) saves?.scrollIntoView(); // a page of 400 % is scrolled
  if (saves && !isHit(saves)) faults.push(`out of reach: ${named(saves)}`);
  const field = document.querySelector(".permission-form :focus");
  field?.scrollIntoView();
  if (field && !isHit(field)) faults.push(`covered: ${named(field)}`);

  for (const box of document.querySelectorAll("dialog[open]")) {
    const { top, bottom } = box.getBoundingClientRect();
    if (top < 0 || bottom > innerHeight) faults.push(`higher than the window: ${named(box)}`);
  }

  const isShown = (node) =>
    node.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  for (const box of document.querySelectorAll(".code-rows")) {
    const { right } = box.getBoundingClientRect();
    for (const control of box.querySelectorAll("button, textarea")) {
      const beside = control.getBoundingClientRect().right - right + box.scrollLeft;
      if (isShown(control) && beside > 0) faults.push(`cut at the side: ${named(control)}`);
    }
  }
  const OURS =
    ":is(.chat-page, .plain-page, dialog) :is(textarea, select, input:not([type], [type=text]))";
  for (const control of document.querySelectorAll(OURS)) {
    if (["checkbox", "radio", "file", "hidden"].includes(control.type) || !isShown(control))
      continue;
    const look = getComputedStyle(control.closest(".composer") ?? control);
    if (look.borderTopLeftRadius === "0px") faults.push(`not styled: ${named(control)}`);
  }
  for (const control of document.querySelectorAll("textarea[placeholder]")) {
    const { paddingLeft } = getComputedStyle(control);
    const pen = new OffscreenCanvas(1, 1).getContext("2d");
    pen.font = getComputedStyle(control, "::placeholder").font;
    const beside = pen.measureText(control.placeholder).width - control.clientWidth;
    if (isShown(control) && !control.value && beside + parseFloat(paddingLeft) > 0) {
      faults.push(`${Math.ceil(beside)} px of its words are cut: ${named(control)}`);
    }
  }

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
