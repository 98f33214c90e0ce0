#!/usr/bin/env bash
# Installs what tests use and pip cannot bring, on Debian: the modules of Python's venv, Chromium and a font for the look
# of the report, and WordNet for the glosses sample; with the word `e2e` also what a node and its images are made of. Does
# nothing when all of it is there.
set -euo pipefail

missing=()
need() {
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}

need make command -v make
need git command -v git
need util-linux command -v flock
need openssl command -v openssl
need python3-venv "${PYTHON:-python3}" -c 'import ensurepip, venv'
need chromium command -v chromium
need fonts-liberation test -d /usr/share/fonts/truetype/liberation
need wordnet-base test -f /usr/share/wordnet/data.noun
if [[ ${1:-} == e2e ]]; then
  need containerd command -v containerd
  need runc test -x /usr/sbin/runc
  need containernetworking-plugins test -x /usr/lib/cni/bridge
  need iptables test -x /usr/sbin/iptables
  need conntrack test -x /usr/sbin/conntrack
  need iproute2 command -v ip
  need buildah command -v buildah
  need debootstrap test -x /usr/sbin/debootstrap
  need busybox-static command -v busybox
fi

if ((${#missing[@]} == 0)); then
  exit 0
fi
if ! command -v apt-get >/dev/null || [[ $(id -u) != 0 ]]; then
  echo "Missing: ${missing[*]}. Install them, for example: sudo apt-get install ${missing[*]}" >&2
  exit 1
fi
echo "Installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet=2
apt-get install --quiet=2 --yes --no-install-recommends "${missing[@]}" >/dev/null
