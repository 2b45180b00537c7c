# Sourced by tools/run and tools/test: installs what is missing from Debian's packages.
# build: to compile the engine and the command line; studio: the desktop application; test: runners and referees.
packages_build="g++ cmake ninja-build pkg-config ccache mold libhdf5-dev libdnnl-dev ocl-icd-opencl-dev
  libopenblas0-openmp nlohmann-json3-dev libcli11-dev libfmt-dev libzip-dev zlib1g-dev
  libcurl4-openssl-dev libpng-dev libjpeg-dev libonnx-dev libprotobuf-dev protobuf-compiler"
packages_studio="qt6-base-dev qt6-base-dev-tools libqt6opengl6-dev qt6-charts-dev qt6-svg-dev
  fonts-dejavu-core"
packages_test="libgtest-dev libgmock-dev libbenchmark-dev python3 python3-numpy python3-h5py python3-torch python3-onnx
  clang-format-14 xvfb xauth xdotool openbox x11-utils imagemagick procps"

install_missing() { # groups...
  local group list package missing=""
  for group in "$@"; do
    list="packages_$group"
    for package in ${!list}; do
      dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
    done
  done
  [ -z "$missing" ] && return 0
  command -v apt-get >/dev/null || {
    echo "These packages are missing, and there is no apt-get to install them:$missing" >&2
    return 1
  }
  local as_root=""
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
      echo "Run as root, or install sudo; these packages are missing:$missing" >&2
      return 1
    }
    as_root="sudo"
  fi
  echo "Installing:$missing"
  $as_root apt-get update -qq
  # shellcheck disable=SC2086
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
