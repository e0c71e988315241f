# SPDX-License-Identifier: Apache-2.0
# The pictures of a Markdown page, read with Python: well-formed XML with title, description and colours for both
# surroundings, no scripts; every point of every path within the picture, texts within its sides; the page shows each of
# the files and no other. Python parses XML with expat, the parser of many programs.
set -u
program=$FANIN_BUILD_DIR/tests/page_markdown
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
"$program" "$dir" || { echo "the page was not written"; exit 1; }
python3 - "$dir" <<'END'
import pathlib, re, sys
import xml.etree.ElementTree as tree

folder = pathlib.Path(sys.argv[1])
SVG = "{http://www.w3.org/2000/svg}"

def places(d):
    """The places a path goes to; curves are arcs that stay around them."""
    tokens = re.findall(r"[MmLlHhVvAaZz]|-?(?:\d+\.?\d*|\.\d+)", d)
    x = y = 0.0
    start, at, command = (0.0, 0.0), 0, None
    take = lambda: float(tokens.pop(0))
    while tokens:
        if tokens[0].isalpha():
            command = tokens.pop(0)
        low = command.lower()
        base = (x, y) if command.islower() else (0.0, 0.0)
        if low == "z":
            x, y = start
            continue
        if low == "h": x = base[0] + take()
        elif low == "v": y = base[1] + take()
        else:
            if low == "a": del tokens[:5]
            x, y = base[0] + take(), base[1] + take()
        if low == "m": start = (x, y)
        yield x, y

def check(path):
    root = tree.parse(path).getroot()
    assert root.tag == SVG + "svg", path
    _, _, width, height = map(float, root.get("viewBox").split())
    assert width == 720 and root.get("width") == "720", path
    assert root.find(SVG + "title").text and len(root.find(SVG + "desc").text) > 20, path
    style = root.find(SVG + "style").text
    assert "prefers-color-scheme:dark" in style, path
    known = set(re.findall(r"\.(\w+)", style))
    for element in root.iter():
        assert element.tag[len(SVG):] in ("svg", "title", "desc", "style", "rect", "text", "path", "g"), element.tag
        assert not any(key.startswith("on") or "href" in key for key in element.keys()), path
        missing = set((element.get("class") or "").split()) - known
        assert not missing, f"{path.name}: no style for {missing}"
    inside = {element for group in root.iter(SVG + "g") if group.get("transform") for element in group.iter()}
    for element in root.iter(SVG + "path"):
        if element in inside:
            continue
        for x, y in places(element.get("d")):
            assert -1e-6 <= x <= width + 1e-6 and -1e-6 <= y <= height + 1e-6, f"{path.name}: ({x}, {y}) in {element.get('d')[:60]}"
    for element in root.iter(SVG + "text"):
        x, y = float(element.get("x")), float(element.get("y"))
        assert 0 <= x <= width and 0 <= y <= height, f"{path.name}: {element.text}"
        if element.get("transform"):
            continue
        reach = 7.5 * len(element.text or "")
        classes = (element.get("class") or "").split()
        left = x - (reach / 2 if "m" in classes else reach if "e" in classes else 0)
        assert left >= -2 and left + reach <= width + 2, f"{path.name}: '{element.text}' from {left}"

page = (folder / "study.md").read_text()
shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", page)
files = sorted(path.name for path in folder.glob("*.svg"))
assert len(shown) == 13 and sorted(shown) == files, (shown, files)
for name in files:
    check(folder / name)
END
