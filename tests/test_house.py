"""The rules of the house that no linter knows: sizes, names, templates without inline code, one way of imports."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core import checks

CHECKOUT = Path(__file__).resolve().parent.parent
ROOMS = ("tokenops_site", "budgets", "usage", "routing", "reports", "sdk", "benchmarks", "tests")
LONGEST_FILE, LONGEST_FUNCTION = 400, 60
FORBIDDEN_NAMES = {"services.py", "utils.py", "helpers.py", "common.py", "misc.py", "signals.py"}


def sources():
    found = [path for room in ROOMS for path in sorted((CHECKOUT / room).rglob("*.py"))]
    found = [path for path in found if not {"build", ".venv"} & set(path.relative_to(CHECKOUT).parts)]
    return [*found, CHECKOUT / "manage.py", CHECKOUT / "conftest.py"]


def short(path):
    return str(path.relative_to(CHECKOUT))


def test_no_file_is_longer_than_400_lines():
    lengths = {short(path): len(path.read_text().splitlines()) for path in sources() if "migrations" not in path.parts}
    assert len(lengths) > 50
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def long_functions(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = node.end_lineno - node.lineno + 1
            if length > LONGEST_FUNCTION:
                yield node.name, length


def test_no_function_is_longer_than_60_lines():
    long = [
        f"{short(path)}: {name} has {length}"
        for path in sources()
        for name, length in long_functions(ast.parse(path.read_text()))
    ]
    assert long == []


def test_the_function_rule_sees_methods_and_inner_functions():
    body = "\n".join(f"            x = {number}" for number in range(61))
    tree = ast.parse(f"class A:\n    def outer(self):\n        async def inner():\n{body}\n")
    assert {name for name, _ in long_functions(tree)} == {"outer", "inner"}


def test_no_room_is_named_for_nothing():
    assert [short(path) for path in sources() if path.name in FORBIDDEN_NAMES] == []


def test_no_test_is_skipped_or_expected_to_fail_for_good():
    marks = re.compile(r"pytest\.mark\.(skip\(|xfail)")
    tests = [path for path in sources() if path.name.startswith("test_") and path != Path(__file__)]
    assert [short(path) for path in tests if marks.search(path.read_text())] == []


def test_no_promise_is_left_in_the_code():
    promise = re.compile(r"#.*\b(TODO|FIXME|XXX|HACK)\b")
    others = [path for path in sources() if path != Path(__file__)]
    assert [short(path) for path in others if promise.search(path.read_text())] == []


INLINE = re.compile(
    r"""\sstyle\s*=\s*["']|\son[a-z]+\s*=\s*["']|<style\b|<script(?![^>]*\bsrc=)(?![^>]*json)[^>]*>""", re.I
)


SPACED_SHARE = re.compile(r"(?:\d|\}\}) %(?![\w}(])")


def spaced_shares(tree):
    """Texts like f"{share} %" and "99 % of the calls"; comments may write them so."""
    said = {one.value for one in ast.walk(tree) if isinstance(one, ast.Expr)}  # docstrings
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = node.values[1:]
            yield from (one.value for one in parts if isinstance(one, ast.Constant) and one.value.startswith(" %"))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in said:
            yield from SPACED_SHARE.findall(node.value)


def test_pages_write_12_percent_in_one_way():
    unseen = {"tests", "benchmarks", "models", "migrations"}
    shown = [path for path in sources() if unseen.isdisjoint(path.relative_to(CHECKOUT).parts)]
    found = {short(path): text for path in shown for text in spaced_shares(ast.parse(path.read_text()))}
    templates = (CHECKOUT / "templates").rglob("*.html")
    assert found | {short(one): "" for one in templates if SPACED_SHARE.search(one.read_text())} == {}
    assert [*spaced_shares(ast.parse('log(f"{x} % of", "99 % of")'))] == [" % of", "9 %"]
    assert [*spaced_shares(ast.parse('"""12 % here"""\nlog("%d %s", 1 % 2)'))] == []


def test_templates_have_no_inline_style_or_script():
    """The content-security policy would stop them in the browser; here it is seen before."""
    templates = [*(CHECKOUT / "templates").rglob("*.html"), *CHECKOUT.glob("*/templates/**/*.html")]
    templates.remove(CHECKOUT / "templates/delivery/mail.html")  # mail programs read no style sheets
    assert templates
    found = {short(path): INLINE.findall(path.read_text()) for path in templates}
    assert {name: hits for name, hits in found.items() if hits} == {}


@pytest.mark.parametrize("inline", ['<p style="x">', "<style>", "<script>let a", '<a onclick="go()">'])
def test_the_template_rule_sees_inline_code(inline):
    assert INLINE.search(inline)


@pytest.mark.parametrize("fine", ['<script src="a.js" defer></script>', '<script type="application/json" id="d">'])
def test_the_template_rule_lets_files_and_data_pass(fine):
    assert not INLINE.search(fine)


def test_no_template_names_another_host():
    """Everything a page loads is served by this site: it works without the internet, and tells nobody."""
    loads = re.compile(r"""(?:src|href|action)\s*=\s*["'](?:https?:)?//""")
    templates = (CHECKOUT / "templates").rglob("*.html")
    assert [short(path) for path in templates if loads.search(path.read_text())] == []


def test_imports_keep_to_the_contracts():
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pure_arithmetic_imports_neither_django_nor_models():
    """Blueprint 3, rule 1. Listed here because the contract tool sees imports of imports too."""
    pure = (
        "budgets/limits/calendar.py", "usage/prices/cost.py", "reports/unusual/creep.py", "reports/unusual/detector.py",
        "reports/unusual/scan.py", "reports/unusual/seasons.py", "reports/unusual/sizes.py",
    )  # fmt: skip
    for name in pure:
        imported = {
            name
            for node in ast.walk(ast.parse((CHECKOUT / name).read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names])
        }
        assert not [one for one in imported if one.startswith("django") or one.endswith("models")], name


def test_migrations_are_made():
    done = subprocess.run(
        [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"],
        cwd=CHECKOUT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_site_has_no_warnings():
    assert checks.run_checks() == []


def test_dependencies_are_pinned():
    for name in ("requirements.txt", "requirements-dev.txt"):
        lines = [line for line in (CHECKOUT / name).read_text().splitlines() if line and line[0] not in "#-"]
        assert lines
        assert [line for line in lines if not re.match(r"[\w.\[\]-]+==[\w.]+", line)] == []
