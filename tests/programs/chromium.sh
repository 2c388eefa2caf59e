#!/bin/sh
# chromium without a window runs a script in a page and prints the page. Its own malloc serves most of its code; the
# libraries that it loads call the preloaded one.

. "$(dirname "$0")/data/common.sh"
need chromium

cat >page.html <<'END'
<!doctype html><title>load</title><p id="result">none</p>
<script>
let state = 7;
const number = below => (state = state * 16807 % 2147483647) % below;
const words = Array.from({ length: 50000 }, () => 'w' + number(5000));
const count = new Map();
for (const word of words) count.set(word, (count.get(word) || 0) + 1);
for (let i = 0; i < 500; i++) document.body.appendChild(document.createElement('div')).textContent = words[i];
document.getElementById('result').textContent = [...count].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 5).join(' ');
</script>
END

HOME=$PWD
export HOME
preloaded chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$PWD/profile" \
    --dump-dom "file://$PWD/page.html" 2>log | sed -n 's/.*id="result">\([^<]*\)<.*/\1/p'
