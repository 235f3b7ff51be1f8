"""What is copied from elsewhere into `static/vendor/`."""

import importlib.util
from types import ModuleType

from reviewdesk.environment import CHECKOUT


def build_css() -> ModuleType:
    file = CHECKOUT / "static/vendor/tabler/build_css.py"
    spec = importlib.util.spec_from_file_location("build_css", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_stylesheet_has_every_rule_of_tabler_that_a_page_uses():
    build = build_css()
    needed = build.used_rules(build.used_words())
    missing = set(needed) - set(build.BUILT.read_text().split("\n"))
    assert not missing, "run: python static/vendor/tabler/build_css.py"


def test_rule_of_a_class_that_is_used_nowhere_is_left_out():
    rules = build_css().used_rules({"btn", "show"})
    text = "\n".join(rules)
    assert ".btn{" in text
    assert ".carousel" not in text
    assert ":root{" in text


def test_selector_of_an_unused_class_leaves_a_shared_rule():
    kept = build_css()._kept
    text = '.a,.b:is(.c,.d){x:"}"}@media print{.b{y:1}.a:hover{z:1}}'
    assert list(kept(text, {"a"})) == ['.a{x:"}"}', "@media print{.a:hover{z:1}}"]
