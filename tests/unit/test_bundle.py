"""Modules become two scripts, in the order in which they need one another."""

from collections.abc import Callable

import pytest

from chatproject.assets import bundle

MODULES = {
    "a/main.js": """import { one, two as deux } from "./one.js";
import {
  Base,
} from "../b/base.js";

/** import { x } from nowhere */
export const main = one + deux + new Base().x;
""",
    "a/one.js": """import { Base } from "../b/base.js";
export function one() {}
export async function two() {}
const own = Base;
""",
    "b/base.js": "export class Base {}\n",
}
SCRIPT = """const module0 = (() => {
class Base {}

return { a: Base };
})();
const module1 = (() => {
const { a: Base } = module0;
function one() {}
async function two() {}
const own = Base;

return { a: one, b: two };
})();
const module2 = (() => {
const { a: one, b: deux } = module1;
const { a: Base } = module0;

/** import { x } from nowhere */
const main = one + deux + new Base().x;

return { a: main };
})();
"""


def reader(files: dict[str, str]) -> Callable[[str], str]:
    return files.__getitem__


def test_each_module_stands_once_behind_those_that_it_imports() -> None:
    assert bundle.scripts("a/main.js", reader(MODULES)) == (SCRIPT, "")


LATER = {
    "a/main.js": """import { one } from "./one.js";
/** @type {import("./late/panel.js").Panel|null} */
export const open = async () => (await import("./late/panel.js").catch(none))?.panel(one);
""",
    "a/one.js": "export const one = 1;\n",
    "a/own.js": "export const own = 2;\n",
    "a/late/panel.js": """import { one } from "../one.js";
import { own } from "../own.js";
export async function panel() {
  return (await import("../more.js")).more + one + own;
}
""",
    "a/more.js": """import { own } from "./own.js";
export const more = own;
""",
}
FIRST_OF_TWO = """const laterScript = (() => {
let loading = null, failures = 0;
const load = () => import(`./main.later.js${failures ? `?${failures}` : ""}`).catch((error) => {
failures += 1;
loading = null;
throw error;
});
return () => (loading ??= load());
})();
const module0 = (() => {
const one = 1;

return { a: one };
})();
const module1 = (() => {
const { a: one } = module0;
/** @type {import("./late/panel.js").Panel|null} */
const open = async () => (await laterScript().then(({ modules }) => modules.a).catch(none))?.panel(one);

return { a: open };
})();
export { module0 };
"""  # noqa: E501 (JavaScript)
SECOND_OF_TWO = """import { module0 } from "./main.js";
const later0 = (() => {
const own = 2;

return { a: own };
})();
const later1 = (() => {
const { a: one } = module0;
const { a: own } = later0;
async function panel() {
  return (await Promise.resolve(modules.b)).more + one + own;
}

return { a: panel };
})();
const later2 = (() => {
const { a: own } = later0;
const more = own;

return { a: more };
})();
export const modules = { a: { panel: later1.a }, b: { more: later2.a } };
"""


def test_what_is_loaded_later_is_one_script_that_repeats_nothing_of_the_first() -> None:
    assert bundle.scripts("a/main.js", reader(LATER)) == (FIRST_OF_TWO, SECOND_OF_TWO)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('export const x = () => import("./x.js");\n', "main.js: import"),
        (
            'import { x } from "./x.js";\nexport const y = async () => await import("./x.js");\n',
            "x.js is imported at once and later",
        ),
    ],
)
def test_a_module_is_loaded_later_in_one_form_and_never_at_once_as_well(
    text: str, why: str
) -> None:
    with pytest.raises(bundle.CannotBundle, match=why):
        bundle.scripts("main.js", reader({"main.js": text, "x.js": "export const x = 1;\n"}))


@pytest.mark.parametrize(
    "text",
    [
        'import all from "./x.js";\n',
        'import "./x.js";\n',
        "export default 1;\n",
        "export let x = 1;\n",
        'export { x } from "./x.js";\n',
        'import { a } from "./main.js";\n',
        'import { a } from "./x.js";\n',
    ],
)
def test_a_form_that_is_unknown_is_refused(text: str) -> None:
    with pytest.raises(bundle.CannotBundle):
        bundle.scripts("main.js", reader({"main.js": text, "x.js": ""}))


def test_a_sheet_has_its_imports_in_their_place() -> None:
    files = {"a/page.css": '@import "one.css";\np {}\n', "a/one.css": "b {}\n"}
    assert bundle.sheet("a/page.css", reader(files)) == "b {}\np {}\n"
