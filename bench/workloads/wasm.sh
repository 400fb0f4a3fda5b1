# What a first visit loads of the browser half.

brotli='const z=require("zlib"),f=require("fs"),c=z.constants;let n=0;for(const p of process.argv.slice(1))
  n+=z.brotliCompressSync(f.readFileSync(p),{params:{[c.BROTLI_PARAM_QUALITY]:11,[c.BROTLI_PARAM_LGWIN]:24}}).length;
process.stdout.write(String(n))'
step "First visit"
{
  read -r pkg
  pkg="target/site$pkg"
  while read -r -a part; do
    files=("${part[@]:1}")
    size="$(node -e "$brotli" "$pkg/agentarea.wasm" "${files[@]/#/$pkg/}")"
    note "pages of ${part[0]}: $size bytes of WASM, brotli"
  done
} <target/web/browser.txt
