"""The measure of plain English counts words, hidden actors and idioms, and nothing in code."""

from lab import language


def test_hidden_actors_and_idioms_are_counted_beside_the_words():
    counted = language.count(["Whoever reads is told.", "What comes goes on."])
    assert counted == language.Count(words=8, pronouns=2, idioms=2)
    assert counted.pronouns_per_1000 == counted.idioms_per_1000 == 250


def test_a_word_inside_another_is_not_counted():
    assert language.count(["whole whatever whose"]).pronouns == 0


def test_code_of_a_page_is_not_counted(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("Text.\n\n```\nwhat who\n```\n\n<!-- nobody -->\nMore text.\n")
    assert language.count(language.prose(page)) == language.Count(words=3)


def test_docstrings_and_comments_are_told_apart(tmp_path):
    module = tmp_path / "module.py"
    module.write_text('"""What it is."""\n\n# who\ndef f():\n    """Nobody."""\n    return "who"\n')
    assert language.count(language.docstrings(module)).pronouns == 2
    assert language.count(language.comments(module)).pronouns == 1


def test_comments_of_javascript_are_found_and_addresses_are_not(tmp_path):
    module = tmp_path / "module.js"
    module.write_text('/** Who reads. */\nfetch("https://who/"); // what\n')
    assert language.count(language.js_comments(module)).pronouns == 2


def test_every_kind_of_text_of_the_project_is_measured():
    assert all(language.measure(kind).words > 1000 for kind in language.kinds())
