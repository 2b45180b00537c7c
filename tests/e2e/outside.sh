#!/bin/bash
# The studio from outside, as a person at a screen: started under a window manager, a small network is wired with the
# mouse, trained, pictured, changed, killed with SIGKILL, started again and restored.
# Usage: tests/e2e/outside.sh PATH/TO/wiregrad-studio [PICTURE.png]
# Needs Xvfb, openbox, xdotool, import (ImageMagick) and python3. Exit 77 where one is missing. Waits on conditions only.
set -u
studio=$(realpath "${1:?path to wiregrad-studio}")
picture=${2:-}
for tool in Xvfb openbox xdotool xprop import python3; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done

python=python3
[ -x /usr/bin/python3 ] && python=/usr/bin/python3 # not a version manager's slow shim

home=$(mktemp -d)
export HOME=$home XDG_CONFIG_HOME=$home/config XDG_STATE_HOME=$home/state XDG_RUNTIME_DIR=$home/run XDG_CACHE_HOME=$home/cache
mkdir -p "$XDG_RUNTIME_DIR" && chmod 700 "$XDG_RUNTIME_DIR"
log=$home/positions.jsonl
pids=()
finish() {
    code=$?
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
    wait 2>/dev/null
    rm -rf "$home"
    exit $code
}
trap finish EXIT
fail() { echo "FAILED: $*"; tail -n 1 "$log" 2>/dev/null | cut -c1-2000; exit 1; }

# A free display: Xvfb itself chooses and says which.
Xvfb -displayfd 3 -screen 0 1600x1000x24 -nolisten tcp 3>"$home/display" >/dev/null 2>&1 &
pids+=($!)
for _ in $(seq 200); do [ -s "$home/display" ] && break; sleep 0.05; done
DISPLAY=:$(cat "$home/display") && export DISPLAY
openbox >/dev/null 2>&1 &
pids+=($!)
# A window that is there before its manager gets no focus.
for _ in $(seq 600); do
    xprop -root _NET_SUPPORTING_WM_CHECK 2>/dev/null | grep -q 'window id' && break
    sleep 0.05
done

# ask EXPRESSION: a Python expression on the newest line `s` of what the studio prints.
ask() {
    "$python" -S - "$log" "$1" <<'PYTHON'
import json, sys
lines = [line for line in open(sys.argv[1], errors="replace").read().split("\n") if line.endswith("}")]
if not lines:
    sys.exit(1)
s = json.loads(lines[-1])
value = eval(sys.argv[2], {"s": s, "len": len, "any": any, "list": list})
if value is None or value is False:
    sys.exit(1)
print(*value) if isinstance(value, list) else print(value)
PYTHON
}
# wait_for TEXT EXPRESSION: until it holds; 120 s is a failure, not a pace.
wait_for() {
    local end=$((SECONDS + 120))
    while [ $SECONDS -lt $end ]; do
        ask "$2" >/dev/null 2>&1 && return 0
        kill -0 "$studio_pid" 2>/dev/null || fail "the studio ended while waiting for: $1"
        sleep 0.1
    done
    fail "waited in vain for: $1"
}
# persist TEXT EXPRESSION COMMAND...: acts until it holds; a display server that has just begun may lose a click or two,
# so the same is done up to three times, as a person would.
persist() {
    local text=$1 expression=$2 attempt end
    shift 2
    for attempt in 1 2 3; do
        "$@"
        end=$((SECONDS + 20))
        while [ $SECONDS -lt $end ]; do
            ask "$expression" >/dev/null 2>&1 && return 0
            kill -0 "$studio_pid" 2>/dev/null || fail "the studio ended while waiting for: $text"
            sleep 0.1
        done
        echo "attempt $attempt brought nothing: $text"
    done
    fail "waited in vain for: $text"
}
start() {
    : > "$log"
    "$studio" --theme dark --size 1500x900 --test-positions "$@" >"$log" 2>"$home/errors" &
    studio_pid=$!
    pids+=("$studio_pid")
    wait_for "the window" "s['focused'] and 'canvas' in s['widgets']" # placed by the window manager
}
click() { xdotool mousemove "$1" "$2" click 1; }
drag() { # in small steps, as a hand does
    xdotool mousemove "$1" "$2" mousedown 1
    for i in 1 2 3 4 5 6; do xdotool mousemove $(($1 + ($3 - $1) * i / 6)) $(($2 + ($4 - $2) * i / 6)); done
    xdotool mouseup 1
}
add_node() { # TEXT X Y: double-click on the empty canvas, type, Enter
    local before
    before=$(ask "len(s['nodes'])")
    persist "node $1" "len(s['nodes']) == $before + 1" choose "$@"
}
choose() { # TEXT X Y
    ask "'canvas.search.field' in s['widgets']" >/dev/null 2>&1 && xdotool key Escape
    persist "the search" "'canvas.search.field' in s['widgets']" xdotool mousemove "$2" "$3" click --repeat 2 --delay 60 1
    xdotool type --delay 15 "$1"
    xdotool key Return
}
id_of() { ask "[n for n in sorted(s['nodes']) if s['nodes'][n]['type'] == '$1'][${2:-0}]"; }
wire() { # FROM PORT TO PORT
    local wires a b
    wires=$(ask "len(s['wires'])")
    read -r -a a <<<"$(ask "s['nodes']['$1']['outputs']['$2']")"
    read -r -a b <<<"$(ask "s['nodes']['$3']['inputs']['$4']")"
    persist "wire $1 -> $3" "len(s['wires']) == $wires + 1" drag "${a[0]}" "${a[1]}" "${b[0]}" "${b[1]}"
}

# --- first start: the gallery; an empty canvas is one click away
start
wait_for "the gallery" "s['gallery'] and 'gallery.empty' in s['widgets']"
read -r -a at <<<"$(ask "s['widgets']['gallery.empty']")"
persist "the empty canvas" "not s['gallery']" click "${at[0]}" "${at[1]}"
read -r -a canvas <<<"$(ask "s['widgets']['canvas']")"
xdotool mousemove "${canvas[0]}" "${canvas[1]}"
xdotool key ctrl+1

# --- wire a classifier for drawn digits
left=$((canvas[0] - 380)) top=$((canvas[1] - 200))
add_node dataset $left $top
add_node flatten $((left + 230)) $top
add_node linear $((left + 460)) $top
add_node crossentropy $((left + 230)) $((top + 200))
add_node sgd $((left + 490)) $((top + 200))
data=$(id_of Dataset) flat=$(id_of Flatten) fc=$(id_of Linear) loss=$(id_of CrossEntropyLoss) sgd=$(id_of SGD)
wire "$data" x "$flat" in
wire "$flat" out "$fc" in
wire "$fc" out "$loss" input
wire "$data" y "$loss" target
wire "$loss" loss "$sgd" loss

# --- train: the loss falls
read -r -a run <<<"$(ask "s['widgets']['toolbar.run.start']")"
persist "the first steps" "s['step'] > 0 and s['loss'] is not None" click "${run[0]}" "${run[1]}"
first=$(ask "s['loss']")
wait_for "a falling loss" "s['loss'] < 0.85 * $first"
read -r -a stop <<<"$(ask "s['widgets']['toolbar.run.stop']")"
[ -n "$picture" ] && import -window root "$picture"
ask "s['active']" >/dev/null && click "${stop[0]}" "${stop[1]}"
wait_for "the end of the run" "not s['active']"

# --- save through the file dialog
xdotool key ctrl+s
for _ in $(seq 600); do
    dialog=$(xdotool search --onlyvisible --name "Save the project" 2>/dev/null | head -1) && [ -n "$dialog" ] && break
    sleep 0.1
done
[ -n "${dialog:-}" ] || fail "no file dialog"
xdotool windowfocus --sync "$dialog" key ctrl+a
xdotool type --delay 10 "$home/mine.wiregrad"
xdotool key Return
wait_for "the saved file" "s['path'].endswith('mine.wiregrad') and not s['modified']"
[ -s "$home/mine.wiregrad" ] || fail "nothing was saved"

# --- change something, wait until the journal has it, kill -9
xdotool mousemove "${canvas[0]}" $((canvas[1] + 120))
add_node relu $((left + 60)) $((top + 330))
wait_for "the unsaved mark" "s['modified']"
for _ in $(seq 600); do
    grep -qs '"ReLU"' "$XDG_STATE_HOME"/wiregrad/recovery/*.wiregrad && break
    sleep 0.1
done
grep -qs '"ReLU"' "$XDG_STATE_HOME"/wiregrad/recovery/*.wiregrad || fail "no journal"
grep -q '"ReLU"' "$home/mine.wiregrad" && fail "the file was changed without saving"
kill -9 "$studio_pid"
wait "$studio_pid" 2>/dev/null

# --- start again, restore
start
wait_for "the question" "'restored' in s['banner'] and 'mine.wiregrad' in s['banner']"
read -r -a yes <<<"$(ask "s['widgets'].get('banner.Restore')")"
[ "${#yes[@]}" = 2 ] || fail "no button to restore"
# The gallery lies over a fresh start; Esc closes it.
ask "s['gallery']" >/dev/null 2>&1 && xdotool key Escape && wait_for "a closed gallery" "not s['gallery']"
click "${yes[0]}" "${yes[1]}"
wait_for "the restored network" "len(s['nodes']) == 6 and s['modified'] and s['path'].endswith('mine.wiregrad')"
xdotool key ctrl+s
wait_for "the restored network on disk" "not s['modified']"
grep -q '"ReLU"' "$home/mine.wiregrad" || fail "the restored node was not saved"
xdotool key ctrl+q
for _ in $(seq 600); do kill -0 "$studio_pid" 2>/dev/null || break; sleep 0.1; done
kill -0 "$studio_pid" 2>/dev/null && fail "the studio does not end"
ls "$XDG_STATE_HOME"/wiregrad/recovery/* >/dev/null 2>&1 && fail "a clean end left a journal"
echo "passed: wired, trained, saved, killed, restored"
