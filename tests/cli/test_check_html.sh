# SPDX-License-Identifier: Apache-2.0
# fanin check --html: the file is there completely or not at all, and what a browser makes of it at two widths: no message on
# its console, ink in every plot, nothing wider than the window. The browser's part is skipped where there is no Chromium.
. "$FANIN_SOURCE_DIR/tests/cli/lib.sh" || exit 1

cat >'odd <b>&name.yaml' <<'END'
name: "</script><img src=x onerror=alert(1)><!--"
data: digits
net: [{dense: 24}, tanh, {dense: 16}, tanh, {dense: 10}]
init: {constant: 0.01}
END
cat >deep.yaml <<'END'
data: digits
net: [{repeat: {times: 30, net: [{dense: 64}, relu]}}, {dense: 10}]
init: xavier_normal
train: {epochs: 10, batch: 32}
END

# ---- the file
"$FANIN" check >plain 2>/dev/null
done_with "$FANIN" check --html page.html
exists page.html
cmp -s plain "$dir/out" || fail "--html changes what is printed"
done_with "$FANIN" check --html quiet.html --quiet
[ "$(cat "$dir/out")" = trainable ] || fail "--html --quiet: more than the verdict"
done_with "$FANIN" check --html json.html --json
is_json
grep -q "fanin check --html page.html" page.html || fail "the page does not tell the command"
run 11 "$FANIN" check 'odd <b>&name.yaml' --html odd.html --set train.seed=2
exists odd.html
grep -q "<title>odd &#60;b&#62;&#38;name.yaml</title>" odd.html || fail "the title is not escaped"
[ "$(grep -c '<img\|</script><\|<!--' odd.html)" = 0 ] || fail "a name became markup"
"$FANIN" check deep.yaml --html deep.html >/dev/null 2>&1
exists deep.html
if grep -nE '(src|href)="?(https?:)?//|@import|url\(' page.html | grep -v 'data:'; then fail "the page loads something"; fi

# ---- what cannot be written, and what is not written
refused 1 "cannot write" "$FANIN" check --html no/such.html
refused 1 "cannot write" "$FANIN" check --html .
refused 1 "cannot write" "$FANIN" check --html /dev/full
refused 3 "No such file" "$FANIN" check missing.yaml --html new.html
refused 2 "--html needs a value" "$FANIN" check --html
absent new.html

# ---- a browser
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -z "$browser" ] || [ -n "${FANIN_SANITIZE:-}" ]; then
    echo "browser: skipped, no Chromium or a sanitizer build"
    finish
fi
[ -x "$FANIN_BUILD_DIR/tests/page_page" ] && "$FANIN_BUILD_DIR/tests/page_page" all.html >/dev/null
[ -x "$FANIN_BUILD_DIR/tests/page_markdown" ] && "$FANIN_BUILD_DIR/tests/page_markdown" . >/dev/null
exists all.html
exists study.html
# Looks at the page after it is drawn: does not ask the page's own script.
cat >probe <<'END'
<script>
addEventListener("load", () => setTimeout(() => {
    const inked = (canvas) => {
        const d = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        const colors = new Set();
        for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 200 && Math.max(d[i], d[i+1], d[i+2]) - Math.min(d[i], d[i+1], d[i+2]) > 60) colors.add(i);
        return colors.size > 30;
    };
    const figures = [...document.querySelectorAll("figure")];
    const shown = (f) => { const c = f.querySelector("canvas"); return c ? inked(c) : f.querySelectorAll(".cell").length > 3; };
    document.querySelectorAll("details").forEach((d) => { d.open = true; });
    // tables are made when they are opened
    setTimeout(() => {
        const rows = figures.filter((f) => f.querySelectorAll("tbody tr").length > 0).length;
        console.assert(!document.querySelector("img"), "markup from a name");
        const found = `plots ${figures.length} shown ${figures.filter(shown).length} tables ${rows} over ${
            Math.max(0, document.documentElement.scrollWidth - innerWidth)} wide ${innerWidth} state ${document.documentElement.dataset.state}`;
        parent.postMessage(found, "*");
    }, 200);
}, 300));
</script>
END
look() { # FILE WIDTH PLOTS
    cat "$1" probe >probed.html
    # a window of Chromium is never narrower than 500 pixels; a frame is
    cat >frame.html <<END
<script>addEventListener("message", (event) => { document.documentElement.dataset.probe = event.data; });</script>
<iframe src="probed.html" style="width: ${2}px; height: 900px; border: 0"></iframe>
END
    local sandbox=
    [ "$(id -u)" != 0 ] || sandbox=--no-sandbox
    timeout 120 "$browser" --headless $sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$dir/profile" \
        --enable-logging=stderr --window-size=1400,1000 --virtual-time-budget=4000 --dump-dom \
        "file://$PWD/frame.html" >"$dir/out" 2>"$dir/err" || fail "$1: the browser failed"
    if grep -a ':CONSOLE' "$dir/err" >console; then fail "$1 at $2: $(head -n 3 console)"; fi
    grep -qE "data-probe=\"plots $3 shown $3 tables $3 over 0 wide $2 state drawn\"" "$dir/out" ||
        fail "$1 at $2: $(grep -oE 'data-probe="[^"]*"' "$dir/out" || echo nothing drawn)"
}
for width in 1280 390; do
    look odd.html $width 7
    look deep.html $width 7
done
look page.html 390 7
look all.html 1280 6
look all.html 390 6
look study.html 1280 13
look study.html 390 13
finish
