#!/usr/bin/env bash
# Builds target/release/agentarea: the browser half first, then the server that embeds it.
# Every stage is skipped when its input is the one it saw last.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

site=target/site
web=target/web # each stage's own result, before it is published to $site
mkdir -p "$web" "$site"

build_wasm() {
  step "Browser half: Rust to WASM"
  # The limit counts while everything is linked: what is inlined less compresses better.
  (use_wasm_rust && cargo rustc -p frontend --target wasm32-unknown-unknown --profile wasm-release \
    -- -C llvm-args=-inline-threshold=0)

  local wasm=target/wasm32-unknown-unknown/wasm-release/frontend.wasm input
  input="$(cat "$wasm" package-lock.json scripts/build.sh | sha256sum)"
  unchanged "$web/pkg.stamp" "$input" && return
  step "Browser half: bindings and size optimisation"
  rm -rf "$web/pkg" "$web/pkg.stamp"
  wasm-bindgen --target web --no-typescript --out-dir "$web/pkg" --out-name agentarea "$wasm"
  # The features rustc's WASM output uses; without them wasm-opt rejects the file.
  wasm-opt -Oz --enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext \
    --enable-mutable-globals --enable-reference-types --enable-multivalue \
    "$web/pkg/agentarea_bg.wasm" -o "$web/pkg/agentarea.wasm"
  # The name that cargo-leptos gives it.
  rm "$web/pkg/agentarea_bg.wasm"
  note "$(wc -c <"$wasm") bytes compiled, $(wc -c <"$web/pkg/agentarea.wasm") bytes to send"
  printf '%s\n' "$input" >"$web/pkg.stamp"
}

build_css() {
  local input
  input="$(hash_of style app/src package-lock.json scripts/build.sh)"
  unchanged "$web/css.stamp" "$input" && return
  step "Browser half: Tailwind CSS"
  # Class names are looked for below --cwd only, so words in other files make no rules.
  tailwindcss --cwd app --input "$root/style/tailwind.css" --output "$root/$web/agentarea.css" --minify
  printf '%s\n' "$input" >"$web/css.stamp"
}

# Makes $site equal to the results, touching only files whose content differs:
# a file with its old time does not make cargo embed everything again.
publish() {
  local staged="$web/site" path
  rm -rf "$staged"
  mkdir -p "$staged"
  cp -R public/. "$staged/"
  cp -R "$web/pkg" "$staged/pkg"
  cp "$web/agentarea.css" "$staged/pkg/"
  (cd "$staged" && find . -type f) | while read -r path; do
    cmp -s "$staged/$path" "$site/$path" && continue
    mkdir -p "$(dirname "$site/$path")"
    cp "$staged/$path" "$site/$path"
  done
  (cd "$site" && find . -type f) | while read -r path; do
    [[ -e "$staged/$path" ]] || rm "$site/$path"
  done
  rm -rf "$staged"
}

build_wasm
build_css
publish
step "Server"
cargo build --release -p server
