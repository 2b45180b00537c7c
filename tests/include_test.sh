#!/usr/bin/env bash
# The house rule: an include goes only downward (app -> ui -> session -> nodes -> datasets -> engine), no Qt below
# session, no widget in session, QtCharts only in ui/monitor, and each vendor header only in the files that wrap it.
set -u
cd "$1" || exit 2
fail=0
refuse() { # what, pattern, paths...
  local what="$1" pattern="$2"; shift 2
  local hits; hits=$(grep -rnE --include='*.h' --include='*.cpp' --include='*.inc' "$pattern" "$@" 2>/dev/null)
  if [ -n "$hits" ]; then echo "$what:"; echo "$hits"; fail=1; fi
}
allow_only() { # what, pattern, allowed-file-regex
  local hits; hits=$(grep -rlE --include='*.h' --include='*.cpp' "$2" engine datasets nodes session ui app 2>/dev/null | grep -vE "$3")
  if [ -n "$hits" ]; then echo "$1:"; echo "$hits"; fail=1; fi
}
refuse "engine includes a higher layer" '#include "(datasets|nodes|session|ui|app)/' engine
refuse "datasets includes a higher layer" '#include "(nodes|session|ui|app)/' datasets
refuse "nodes includes a higher layer" '#include "(session|ui|app)/' nodes
refuse "session includes a higher layer" '#include "(ui|app)/' session
refuse "ui includes app" '#include "app/' ui
refuse "Qt below session, or in the command line" '#include <Q' engine datasets nodes app/cli
refuse "a widget in session" '#include <Q(Widget|MainWindow|Dialog|Graphics|Application|Label|PushButton|DockWidget|Layout)' session
allow_only "QtCharts outside ui/monitor" '#include <(QtCharts|QChart|QValueAxis|QLineSeries|QLogValueAxis)' '^ui/monitor/'
allow_only "oneDNN outside its wrapper" '#include <(oneapi/dnnl|dnnl)' '^engine/backend/cpu/onednn[a-z_]*\.(h|cpp)$'
allow_only "HDF5 outside its wrapper" '#include <(hdf5|H5)' '^engine/io/hdf5\.(h|cpp)$'
allow_only "ONNX or protobuf outside its wrapper" '#include <(onnx/|google/protobuf)' '^engine/io/onnx\.cpp$'
allow_only "OpenBLAS outside its wrapper" '(#include <cblas|openblas.*\.so)' '^engine/backend/cpu/blas\.(h|cpp)$'
allow_only "libcurl outside its wrapper" '#include <curl/' '^datasets/download[a-z]*\.(h|cpp)$'
for layer in engine datasets nodes session ui; do
  [ -n "$(find $layer -name '*.cpp' 2>/dev/null | head -1)" ] || { echo "no sources in $layer: is this the right folder?"; fail=1; }
done
[ $fail = 0 ] && echo "includes go downward only"
exit $fail
