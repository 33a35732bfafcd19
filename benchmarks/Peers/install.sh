#!/usr/bin/env bash
# install.sh: what `./mlops bench serving` compares with and loads with, from Debian's own packages. Needs root.
set -euo pipefail
packages=(nghttp2-client wrk python3-flask gunicorn python3-fastapi uvicorn python3-uvloop python3-httptools python3-xgboost libxgboost0)
missing=()
for package in "${packages[@]}"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends "${missing[@]}"
