# Sourced by demo.sh and test.sh: makes a fresh clone ready, one line per step, and changes nothing that
# is ready already. What belongs to the machine (QEMU and a few tools) is installed only as root or with
# a sudo that asks nothing; otherwise the command is printed and nothing further happens.

say() {
  printf '%s\n' "$*" >&2
}

stop() {
  say "$*"
  exit 1
}

[ "$(uname -s)" = Linux ] || stop "Ferry runs on Linux only (it reads /proc and runs QEMU), and this is $(uname -s)."
command -v node >/dev/null || stop "Node.js 20.11 or newer is needed: https://nodejs.org, or your distribution's package."
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 11) ? 0 : 1)' ||
  stop "Node.js 20.11 or newer is needed, and this is $(node --version)."

[ -w . ] || stop "You may not write into $(pwd), and building does. Clone Ferry into a folder of your own."

# Runs a step with its output kept back; shows the end of it only if the step fails.
quietly() {
  ferry_log=$(mktemp)
  trap 'rm -f "$ferry_log"; exit 130' INT
  trap 'rm -f "$ferry_log"; exit 143' TERM
  if "$@" >"$ferry_log" 2>&1 </dev/null; then
    rm -f "$ferry_log"
    trap - INT TERM
  else
    tail -n 30 "$ferry_log" >&2
    rm -f "$ferry_log"
    stop "failed: $*"
  fi
}

# need PROGRAM PACKAGE: remembers the Debian package of a program that is not there.
ferry_missing=
need() {
  command -v "$1" >/dev/null || ferry_missing="$ferry_missing $2"
}

# Installs what `need` found missing.
install_missing() {
  [ -n "$ferry_missing" ] || return 0
  if [ "$(id -u)" = 0 ]; then
    ferry_root=env
  elif sudo -n true 2>/dev/null; then
    ferry_root="sudo -n env"
  else
    stop "These are missing here:$ferry_missing
Install them, then run this again:
  sudo apt-get update && sudo apt-get install --no-install-recommends -y$ferry_missing"
  fi
  command -v apt-get >/dev/null || stop "These are missing here, by Debian's names, and there is no apt-get:$ferry_missing"
  say "Installing$ferry_missing …"
  quietly $ferry_root DEBIAN_FRONTEND=noninteractive apt-get update -q
  # shellcheck disable=SC2086 # a list of words
  quietly $ferry_root DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $ferry_missing
}

# Everything from npm, as the lock file says; only when it is not what is there.
install_packages() {
  if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    say "Installing npm packages …"
    quietly npm ci --no-audit --no-fund
  fi
}

build() {
  say "Building …"
  quietly npm run --silent build
}

need_host_programs() {
  PATH=$PATH:/usr/sbin:/sbin
  need qemu-system-x86_64 qemu-system-x86
  need qemu-img qemu-utils
  need ip iproute2
  need nft nftables
  need flock util-linux
}

# For the tests that build Ferry's image and run agents in containers (deploy/image).
need_container_programs() {
  need buildah buildah
  need runc runc
  need mmdebstrap mmdebstrap
  need systemd-analyze systemd
}
