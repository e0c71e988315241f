# SPDX-License-Identifier: Apache-2.0
# The boundary of a heat map: between two rows by the logarithm, and at the edge where it is beyond the map, infinite depth among it.
. "$FANIN_SOURCE_DIR/tests/cli/lib.sh" || exit 1

cat >heat.yaml <<'YAML'
recipe:
  data: {reader: digits, test_fraction: 0.3}
  net: [{repeat: {times: 2, net: [dense: 16, tanh]}}, dense: outputs]
  init: {variance_scaling: {scale: 1, distribution: normal}}
trains: false
seeds: 1
grid:
  depth: {net.0.repeat.times: [2, 4, 8]}
  sigma: {"0.1": {init.variance_scaling.scale: 0.01}, "0.5": {init.variance_scaling.scale: 0.25}, "1": {init.variance_scaling.scale: 1}}
measure: {start: {signals: {batch: 16}, at: start}}
plots:
  - heat: {figure: start.loss, x: sigma, y: depth, boundary: "start.xi[dense2]", factor: 6}
YAML
done_with "$FANIN" study heat.yaml --quiet
# 6 xi = 1.3, 4.33 and infinite, xi = -1 / ln sigma^2; row 1 + ln(4.33 / 4) / ln 2
grep -q '"boundary":\[-0.5,1.1137,2.5\]' heat.html || fail "$(grep -o '"boundary":[^]]*' heat.html)"
finish
