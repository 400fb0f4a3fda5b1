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
  # The relocations tell the splitter which function needs which.
  (use_wasm_rust && cargo rustc -p frontend --target wasm32-unknown-unknown --profile wasm-release \
    -- -C llvm-args=-inline-threshold=0 -C link-arg=--emit-relocs)

  local wasm=target/wasm32-unknown-unknown/wasm-release/frontend.wasm input
  input="$(cat "$wasm" package-lock.json scripts/build.sh scripts/lib.sh | sha256sum)"
  unchanged "$web/pkg.stamp" "$input" && return
  step "Browser half: parts, bindings and size optimisation"
  rm -rf "$web/pkg" "$web/split" "$web/pkg.stamp"
  # The folder's hash stands for all of its files, which name each other.
  local folder="$web/pkg/${input:0:16}"
  mkdir -p "$folder"
  wasm-split-cli --target web --out-name agentarea "$wasm" "$web/split"
  wasm-bindgen --target web --no-typescript --keep-lld-exports --no-demangle \
    --out-dir "$folder" --out-name agentarea "$web/split/agentarea.wasm"
  # The name that cargo-leptos gives it.
  mv "$folder/agentarea_bg.wasm" "$web/split/agentarea.wasm"
  cp "$web/split/"*.js "$folder/"
  local file
  for file in "$web/split/"*.wasm; do
    # The features rustc's WASM output uses; without them wasm-opt rejects the file.
    wasm-opt -Oz --converge --strip-producers --strip-target-features \
      --enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext --enable-mutable-globals \
      --enable-reference-types --enable-multivalue \
      "$file" -o "$folder/${file##*/}"
  done
  {
    echo "/pkg/${folder##*/}"
    files_of_parts "$folder/__wasm_split.js"
  } >"$web/browser.txt.new"
  mv "$web/browser.txt.new" "$web/browser.txt"
  note "$(wc -c <"$wasm") bytes compiled, $(cat "$folder/"*.wasm | wc -c) bytes to send"
  printf '%s\n' "$input" >"$web/pkg.stamp"
}

# A line for each part with its name and files, read from the splitter's loaders.
files_of_parts() {
  awk '
    match($0, /^(export )?const __(chunk_[0-9]+|wasm_split_load_[a-z]+) =/) {
      name = $0; sub(/^(export )?const __(wasm_split_load_)?/, "", name); sub(/ =.*/, "", name)
    }
    match($0, /"\.\/[a-z0-9_]+\.wasm"/) { files[name] = substr($0, RSTART + 3, RLENGTH - 4) }
    match($0, /\[(__chunk_[0-9]+(, )?)+\]/) { needs[name] = substr($0, RSTART + 1, RLENGTH - 2) }
    END {
      for (name in files) if (name !~ /^chunk_/) {
        line = name " " files[name]
        count = split(needs[name], chunks, ", ")
        for (i = 1; i <= count; i++) line = line " " files[substr(chunks[i], 3)]
        print line
      }
    }' "$1" | LC_ALL=C sort
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
