#!/bin/bash
# The studio from outside, as a person at a screen: started under a window manager, LeNet is wired from an empty canvas
# with mouse and keys, trained, a filter is looked at, edits are undone, the project is saved and changed, the studio is
# killed with SIGKILL, started again and restored.
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

env -u DISPLAY -u WAYLAND_DISPLAY "$studio" --version | grep -qi "^wiregrad " || fail "--version without a display"

# A free display: Xvfb itself chooses and says which.
Xvfb -displayfd 3 -screen 0 2400x1400x24 -nolisten tcp 3>"$home/display" >/dev/null 2>&1 &
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
value = eval(sys.argv[2], {"s": s, "len": len, "sorted": sorted})
if value is None or value is False:
    sys.exit(1)
print(*value) if isinstance(value, list) else print(value)
PYTHON
}
# wait_for TEXT EXPRESSION: until it holds; 600 s is a failure, not a pace.
wait_for() {
    local end=$((SECONDS + 600))
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
    "$studio" --theme dark --size 2300x1300 --test-positions "$@" >"$log" 2>"$home/errors" &
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

# --- wire LeNet
place() { echo $((canvas[0] - 700 + 260 * $1)) $((canvas[1] - 330 + 200 * $2)); }
add() { # TYPE TEXT COLUMN ROW: adds and remembers the id as $id
    local before
    before=$(ask "len([n for n in s['nodes'].values() if n['type'] == '$1'])")
    # shellcheck disable=SC2046
    add_node "$2" $(place "$3" "$4")
    # Ids count up within a type: conv2d1, conv2d2, ...
    id=$(ask "sorted((n for n in s['nodes'] if s['nodes'][n]['type'] == '$1'), key=lambda n: (len(n), n))[$before]") ||
        fail "no $1 came from \"$2\""
}
set_param() { # NODE PARAM TEXT: selects the node, types into its field
    local at
    read -r -a at <<<"$(ask "s['nodes']['$1']['centre']")"
    persist "selected $1" "s['selected'] == ['$1'] and 'param_$2' in s['widgets']" click "${at[0]}" "${at[1]}"
    persist "$1.$2 = $3" "s['nodes']['$1']['params']['$2'] == '$4'" type_into "param_$2" "$3"
}
type_into() { # FIELD TEXT
    local at
    read -r -a at <<<"$(ask "s['widgets']['$1']")"
    click "${at[0]}" "${at[1]}"
    xdotool key ctrl+a
    xdotool type --delay 15 "$2"
    xdotool key Return
}
add Dataset dataset 0 0; data=$id
add Conv2d conv2d 1 0; conv1=$id
add ReLU relu 2 0; relu1=$id
add MaxPool2d maxpool2d 3 0; pool1=$id
add Conv2d conv2d 4 0; conv2=$id
add ReLU relu 0 1; relu2=$id
add MaxPool2d maxpool2d 1 1; pool2=$id
add Flatten flatten 2 1; flat=$id
add Linear fc 3 1; fc1=$id
add ReLU relu 4 1; relu3=$id
add Linear linear 0 2; fc2=$id
add ReLU relu 1 2; relu4=$id
add Linear linear 2 2; fc3=$id
add CrossEntropyLoss crossentropy 3 2; loss=$id
add Accuracy accuracy 3 3; metric=$id
add SGD sgd 4 2; sgd=$id
set_param "$conv1" out_channels 6 6
set_param "$conv1" kernel_size 5 5
set_param "$conv1" padding 2 2
set_param "$conv2" out_channels '4*4' 16
set_param "$conv2" kernel_size 5 5
set_param "$conv2" padding 0 0
set_param "$fc1" out_features 120 120
set_param "$fc2" out_features 84 84
set_param "$fc3" out_features 10 10
set_param "$sgd" lr 0.02 0.02
set_param "$sgd" momentum 0.9 0.9
from=$data port=x
for to in $conv1 $relu1 $pool1 $conv2 $relu2 $pool2 $flat $fc1 $relu3 $fc2 $relu4 $fc3; do
    wire "$from" "$port" "$to" in
    from=$to port=out
done
wire "$fc3" out "$loss" input
wire "$data" y "$loss" target
wire "$fc3" out "$metric" input
wire "$data" y "$metric" target
wire "$loss" loss "$sgd" loss
ask "len(s['nodes']) == 16 and len(s['wires']) == 17" >/dev/null || fail "this is not LeNet"

# --- train: the loss falls
read -r -a run <<<"$(ask "s['widgets']['toolbar.run.start']")"
persist "the first steps" "s['step'] > 0 and s['loss'] is not None" click "${run[0]}" "${run[1]}"
wait_for "a falling loss" "s['loss'] < 1.0" # from ln 10 = 2.3
echo "the loss fell to $(ask "'%.3f at step %d' % (s['loss'], s['step'])")"

# --- look at a filter while it learns
read -r -a at <<<"$(ask "s['nodes']['$conv1']['centre']")"
persist "selected $conv1" "s['selected'] == ['$conv1'] and 'inspectorValue' in s['widgets']" click "${at[0]}" "${at[1]}"
look() { # opens the choice, types the value's name
    local at
    read -r -a at <<<"$(ask "s['widgets']['inspectorValue']")"
    click "${at[0]}" "${at[1]}"
    xdotool type --delay 40 "weight"
    xdotool key Return
}
filter="s['inspector'] and s['inspector']['node'] == '$conv1' and s['inspector']['shape'] == [6, 1, 5, 5]"
persist "the filters of $conv1" "$filter" look
seen=$(ask "s['inspector']['step']") low=$(ask "s['inspector']['min']")
if ask "s['active']" >/dev/null; then
    wait_for "filters that move" "not s['active'] or ($filter and s['inspector']['step'] > $seen and s['inspector']['min'] != $low)"
fi
[ -n "$picture" ] && import -window root "$picture"
read -r -a stop <<<"$(ask "s['widgets']['toolbar.run.stop']")"
ask "s['active']" >/dev/null && click "${stop[0]}" "${stop[1]}"
wait_for "the end of the run" "not s['active']"

# --- undo and redo
persist "the canvas" "s['selected'] == []" click "${canvas[0]}" $((canvas[1] + 400))
xdotool key ctrl+z ctrl+z ctrl+z
wait_for "three wires undone" "len(s['wires']) == 14 and '$loss.loss -> $sgd.loss' not in s['wires']"
xdotool key ctrl+shift+z ctrl+shift+z ctrl+shift+z
wait_for "three wires redone" "len(s['wires']) == 17 and '$loss.loss -> $sgd.loss' in s['wires']"

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
# shellcheck disable=SC2046
add_node sigmoid $(place 0 3)
wait_for "the unsaved mark" "s['modified']"
for _ in $(seq 600); do
    grep -qs '"Sigmoid"' "$XDG_STATE_HOME"/wiregrad/recovery/*.wiregrad && break
    sleep 0.1
done
grep -qs '"Sigmoid"' "$XDG_STATE_HOME"/wiregrad/recovery/*.wiregrad || fail "no journal"
grep -q '"Sigmoid"' "$home/mine.wiregrad" && fail "the file was changed without saving"
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
wait_for "the restored network" "len(s['nodes']) == 17 and len(s['wires']) == 17 and s['modified'] and s['path'].endswith('mine.wiregrad')"
xdotool key ctrl+s
wait_for "the restored network on disk" "not s['modified']"
grep -q '"Sigmoid"' "$home/mine.wiregrad" || fail "the restored node was not saved"
xdotool key ctrl+q
for _ in $(seq 600); do kill -0 "$studio_pid" 2>/dev/null || break; sleep 0.1; done
kill -0 "$studio_pid" 2>/dev/null && fail "the studio does not end"
ls "$XDG_STATE_HOME"/wiregrad/recovery/* >/dev/null 2>&1 && fail "a clean end left a journal"
echo "passed: wired LeNet, trained, inspected, undid, saved, was killed, restored"
