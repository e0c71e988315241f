# SPDX-License-Identifier: Apache-2.0
# fanin check --html: the file is there completely or not at all, and what a browser makes of it at two widths: no message on
# its console, ink in every plot, nothing wider than the window. The browser's part is skipped where there is no Chromium.
. "$FANIN_SOURCE_DIR/tests/cli/lib.sh" || exit 1
. "$FANIN_SOURCE_DIR/tests/cli/browser.sh" || exit 1

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
need_browser
[ -x "$FANIN_BUILD_DIR/tests/page_page" ] && "$FANIN_BUILD_DIR/tests/page_page" all.html >/dev/null
[ -x "$FANIN_BUILD_DIR/tests/page_markdown" ] && "$FANIN_BUILD_DIR/tests/page_markdown" . >/dev/null
exists all.html
exists study.html
for width in 1280 390; do
    look odd.html $width 6 # of equal weights no chi is predicted
    look deep.html $width 8 # with the depth scale
done
look page.html 390 7
look all.html 1280 6
look all.html 390 6
look study.html 1280 13
look study.html 390 13
finish
