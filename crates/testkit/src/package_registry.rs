//! Mirrors of npm and PyPI with packages that bring programs of their own to their installation.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::file_server::FileServer;

/// A package of npm: a tool server that tells whether its script ran when it was installed.
pub const WITH_SCRIPT: &str = "with-script";
/// A package of PyPI: a tool server that is ready to be used.
pub const READY: &str = "ready-server";
/// A package of PyPI that has to be built, which runs what it brings.
pub const UNBUILT: &str = "unbuilt-server";
/// What names of packages of npm begin with that nobody ever gets.
pub const ENDLESS: &str = "endless";
/// The only version of each.
pub const VERSION: &str = "1.0.0";

/// Tells by its only tool, `told`, whether `installed` is there, which its script makes.
const NODE_SERVER: &str = r#"#!/usr/bin/env node
const isMarked = require("fs").existsSync(__dirname + "/installed");
const told = isMarked ? "a script ran" : "no script ran";
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) return;
  const results = {
    initialize: () => ({
      protocolVersion: params.protocolVersion,
      capabilities: { tools: {} },
      serverInfo: { name: "with-script", version: "1.0.0" },
    }),
    ping: () => ({}),
    "tools/list": () => ({ tools: [{ name: "told", inputSchema: { type: "object" } }] }),
    "tools/call": () => ({ content: [{ type: "text", text: told }] }),
  };
  const answer = results[method]
    ? { result: results[method]() }
    : { error: { code: -32601, message: "no such method" } };
  console.log(JSON.stringify({ jsonrpc: "2.0", id, ...answer }));
});
"#;

const PYTHON_SERVER: &str = r#"import json, sys

def main():
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue
        results = {
            "initialize": lambda: {
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "ready-server", "version": "1.0.0"},
            },
            "ping": dict,
            "tools/list": lambda: {"tools": [{"name": "told", "inputSchema": {"type": "object"}}]},
            "tools/call": lambda: {"content": [{"type": "text", "text": "from the mirror"}]},
        }
        found = results.get(message["method"])
        answer = {"result": found()} if found else {"error": {"code": -32601, "message": "none"}}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer}), flush=True)
"#;

/// A server of both. It goes with this value.
#[derive(Debug)]
pub struct PackageRegistry {
    files: FileServer,
}

impl PackageRegistry {
    /// Starts the server, on an address of this machine that is not excepted from proxies.
    ///
    /// # Panics
    /// If the machine has no Python, or no free port.
    pub async fn start() -> Self {
        let registry = Self {
            files: FileServer::start("127.0.0.2").await,
        };
        registry.files.hold(&format!("/npm/{ENDLESS}"));
        registry.add_npm();
        registry.add_pypi();
        registry
    }

    /// Its host and port.
    pub fn authority(&self) -> &str {
        self.files.authority()
    }

    /// Address of the npm registry.
    pub fn npm_url(&self) -> String {
        format!("http://{}/npm/", self.authority())
    }

    /// Address of PyPI's simple interface.
    pub fn pypi_url(&self) -> String {
        format!("http://{}/simple/", self.authority())
    }

    /// Every path that was asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        self.files.asked()
    }

    fn add_npm(&self) {
        let mut package = json!({
            "name": WITH_SCRIPT,
            "version": VERSION,
            "bin": {WITH_SCRIPT: "server.js"},
            "scripts": {"postinstall": "node -e \"require('fs').writeFileSync('installed', '')\""},
        });
        let archive = packed(&[
            ("package/package.json", &package.to_string()),
            ("package/server.js", NODE_SERVER),
        ]);
        package["hasInstallScript"] = true.into();
        package["dist"] =
            json!({"tarball": format!("{}{WITH_SCRIPT}-{VERSION}.tgz", self.npm_url())});
        let document = json!({
            "name": WITH_SCRIPT,
            "dist-tags": {"latest": VERSION},
            "versions": {VERSION: package},
        });
        let json = [("content-type", "application/json")];
        let path = format!("/npm/{WITH_SCRIPT}");
        self.files.put(&path, &json, document.to_string());
        self.files
            .put(&format!("{path}-{VERSION}.tgz"), &[], archive);
    }

    fn add_pypi(&self) {
        let wheel = format!("ready_server-{VERSION}-py3-none-any.whl");
        let source = format!("unbuilt_server-{VERSION}.tar.gz");
        let html = [("content-type", "text/html")];
        for (name, file) in [(READY, &wheel), (UNBUILT, &source)] {
            let page = format!("<!DOCTYPE html><a href=\"/files/{file}\">{file}</a>");
            self.files.put(&format!("/simple/{name}/"), &html, page);
        }
        self.files.put(&format!("/files/{wheel}"), &[], zipped());
        let folder = format!("unbuilt_server-{VERSION}");
        let about = format!("Metadata-Version: 2.1\nName: {UNBUILT}\nVersion: {VERSION}\n");
        let set_up =
            "from setuptools import setup\nsetup(name='unbuilt-server', version='1.0.0')\n";
        let source_files = packed(&[
            (&format!("{folder}/PKG-INFO"), &about),
            (&format!("{folder}/setup.py"), set_up),
        ]);
        self.files
            .put(&format!("/files/{source}"), &[], source_files);
    }
}

/// A tar archive, compressed.
fn packed(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        header.set_cksum();
        let added = archive.append_data(&mut header, name, content.as_bytes());
        added.expect("written to memory");
    }
    let packed = archive.into_inner().expect("written to memory");
    packed.finish().expect("written to memory")
}

/// The package that is ready to be used, as Python's installer takes it.
fn zipped() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let about = format!("ready_server-{VERSION}.dist-info");
    let files = [
        (
            "ready_server/__init__.py".to_owned(),
            PYTHON_SERVER.to_owned(),
        ),
        (
            format!("{about}/METADATA"),
            format!("Metadata-Version: 2.1\nName: {READY}\nVersion: {VERSION}\n"),
        ),
        (
            format!("{about}/WHEEL"),
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
                .to_owned(),
        ),
        (
            format!("{about}/entry_points.txt"),
            format!("[console_scripts]\n{READY} = ready_server:main\n"),
        ),
        (
            format!("{about}/RECORD"),
            format!("ready_server/__init__.py,,\n{about}/METADATA,,\n{about}/RECORD,,\n"),
        ),
    ];
    for (name, content) in files {
        let path = folder.path().join(name);
        let parent = path.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(parent).expect("make a folder");
        let mut file = std::fs::File::create(path).expect("make a file");
        file.write_all(content.as_bytes()).expect("write a file");
    }
    let status = Command::new("python3")
        .args(["-m", "zipfile", "-c", "out.whl", "ready_server", &about])
        .current_dir(folder.path())
        .status();
    assert!(status.is_ok_and(|status| status.success()), "python3 packs");
    std::fs::read(folder.path().join("out.whl")).expect("the archive")
}
