//! A tool server for tests: one static program, so that an image of nothing else can run it.
//!
//! It speaks just enough MCP over standard input and output, and does harm when asked to:
//! `tools/call` of `echo`, `environment`, `account`, `connect`, `fetch`, `processes`, `memory`,
//! `write`, `noise`, `output`, `tell`, `later`, `silence` and `end`. Strings in requests are taken as they are, without escapes.

use std::fs;
use std::io::{self, BufRead, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

fn main() {
    let mode = std::env::args().nth(1).unwrap_or_default();
    match mode.as_str() {
        "sleep" => std::thread::sleep(Duration::from_secs(100_000)),
        "crash" => {
            eprintln!("configuration file not found");
            std::process::exit(7);
        }
        "gasp" => {
            eprint!("reading settings\nno such setting: color");
            std::process::exit(8);
        }
        _ => {}
    }
    eprintln!("tool server is listening");
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        let Some(id) = number(&line, "id") else {
            continue;
        };
        let result = match text(&line, "method").as_str() {
            "initialize" => initialized(&line),
            "ping" => "{}".to_owned(),
            "tools/list" => TOOLS.replace('\n', ""),
            "tools/call" if text(&line, "name") == "silence" => {
                let value = text(&line, "value");
                if !value.is_empty() {
                    // Whatever comes of it.
                    let _ = fetch(&value);
                }
                continue;
            }
            "tools/call" if text(&line, "name") == "later" => {
                std::thread::spawn(move || {
                    let pause = text(&line, "value").parse().unwrap_or(1);
                    std::thread::sleep(Duration::from_millis(pause));
                    let result = call(&line);
                    print(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#));
                });
                continue;
            }
            "tools/call" => call(&line),
            _ => {
                let error = r#"{"code":-32601,"message":"no such method"}"#;
                print(&format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#));
                continue;
            }
        };
        print(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#));
    }
}

fn initialized(line: &str) -> String {
    let version = text(line, "protocolVersion");
    let information = r#""capabilities":{"tools":{}},"serverInfo":{"name":"testkit","version":"1"}"#;
    format!(r#"{{"protocolVersion":"{version}",{information}}}"#)
}

fn call(line: &str) -> String {
    let value = text(line, "value");
    let (is_error, answer) = match run(&text(line, "name"), &value) {
        Ok(answer) => (false, answer),
        Err(error) => (true, error.to_string()),
    };
    let answer = escaped(&answer);
    format!(r#"{{"content":[{{"type":"text","text":"{answer}"}}],"isError":{is_error}}}"#)
}

fn run(tool: &str, value: &str) -> io::Result<String> {
    match tool {
        "echo" | "later" => Ok(value.to_owned()),
        "tell" => {
            eprintln!("told to say {}", std::env::var(value).unwrap_or_default());
            Ok(value.to_owned())
        }
        "environment" => Ok(std::env::var(value).unwrap_or_default()),
        "account" => fs::read_to_string("/proc/self/status"),
        "routes" => fs::read_to_string("/proc/net/route"),
        "connect" => connect(value),
        "fetch" => match value.strip_suffix(",end") {
            Some(target) => {
                let _ = fetch(target);
                std::process::exit(9)
            }
            None => fetch(value),
        },
        "fetch_opened" => fetch_opened(value),
        "tunnel" => tunnel(value),
        "hello" => hello(value),
        "processes" => Ok(processes(value.parse().unwrap_or(1000)).to_string()),
        "memory" => Ok(memory(value.parse().unwrap_or(1)).to_string()),
        "write" => fs::write(value, "written").map(|()| "written".to_owned()),
        "noise" => noise(value.parse().unwrap_or(1)),
        "output" => Ok("x".repeat(value.parse().unwrap_or(1))),
        "end" => std::process::exit(value.parse().unwrap_or(1)),
        _ => Err(io::Error::other("no such tool")),
    }
}

/// Whether a TCP connection to `host:port` can be made, and what the other side says first.
fn connect(target: &str) -> io::Result<String> {
    let mut last = io::Error::other("no address");
    for address in target.to_socket_addrs()? {
        match dial(address) {
            Ok(mut stream) => {
                stream.set_read_timeout(Some(Duration::from_secs(2)))?;
                let mut greeting = [0; 64];
                let length = stream.read(&mut greeting)?;
                return Ok(String::from_utf8_lossy(&greeting[..length]).into_owned());
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A plain request through the proxy of the environment; answers the whole response.
fn fetch(target: &str) -> io::Result<String> {
    proxied(&format!("GET http://{target}/ HTTP/1.1\r\nHost: {target}\r\n\r\n"))
}

/// The same for `https://`, as clients send it that leave TLS to their proxy.
fn fetch_opened(target: &str) -> io::Result<String> {
    proxied(&format!("GET https://{target}/ HTTP/1.1\r\nHost: {target}\r\n\r\n"))
}

/// A tunnel through the proxy of the environment, and what comes through it.
fn tunnel(target: &str) -> io::Result<String> {
    proxied(&format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n"))
}

/// The greeting of a TLS client, in two records, through a tunnel: `host:port,name`; without a name
/// it names nobody. Answers what comes through the tunnel.
fn hello(value: &str) -> io::Result<String> {
    let (target, name) = value.split_once(',').unwrap_or((value, ""));
    let vector = |width: usize, bytes: &[u8]| {
        let length = (bytes.len() as u32).to_be_bytes();
        [&length[4 - width..], bytes].concat()
    };
    let named = [&[0][..], &vector(2, name.as_bytes())].concat();
    let named = [&[0, 0][..], &vector(2, &vector(2, &named))].concat();
    let extensions = if name.is_empty() { Vec::new() } else { named };
    let start = [[3, 3].as_slice(), &[7; 32], &[0, 0, 2, 19, 1, 1, 0]].concat();
    let body = [start, vector(2, &extensions)].concat();
    let message = [&[1][..], &vector(3, &body)].concat();
    let (one, other) = message.split_at(9);
    let record = |part: &[u8]| [&[22, 3, 1][..], &vector(2, part)].concat();
    let mut stream = proxy()?;
    write!(stream, "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n")?;
    stream.write_all(&record(one))?;
    stream.write_all(&record(other))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn proxied(request: &str) -> io::Result<String> {
    let mut stream = proxy()?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn proxy() -> io::Result<TcpStream> {
    let proxy = std::env::var("HTTP_PROXY").map_err(|_| io::Error::other("no proxy"))?;
    let address = proxy.trim_start_matches("http://");
    let stream = dial(address.parse().map_err(io::Error::other)?)?;
    stream.set_read_timeout(Some(Duration::from_secs(15)))?;
    Ok(stream)
}

fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect_timeout(&address, Duration::from_secs(2))
}

/// Starts copies of this program until it cannot; answers how many.
fn processes(most: usize) -> usize {
    let program = std::env::current_exe().unwrap_or_default();
    let mut children = Vec::new();
    for _ in 0..most {
        match std::process::Command::new(&program).arg("sleep").spawn() {
            Ok(child) => children.push(child),
            Err(_) => break,
        }
    }
    let count = children.len();
    for mut child in children {
        let _ = child.kill();
        let _ = child.wait();
    }
    count
}

/// Touches so many MiB.
fn memory(mebibytes: usize) -> usize {
    let mut kept = Vec::new();
    for n in 0..mebibytes {
        kept.push(vec![(n % 251) as u8 + 1; 1 << 20]);
    }
    kept.iter().map(|block| usize::from(block[block.len() - 1] > 0)).sum()
}

/// Writes so many lines of 100 bytes to the error output.
fn noise(lines: usize) -> io::Result<String> {
    let mut errors = io::stderr().lock();
    for n in 0..lines {
        writeln!(errors, "{n:0>99}")?;
    }
    Ok(lines.to_string())
}

fn print(line: &str) {
    let mut output = io::stdout().lock();
    if writeln!(output, "{line}").and_then(|()| output.flush()).is_err() {
        std::process::exit(0);
    }
}

/// The string after `"key":"`.
fn text(line: &str, key: &str) -> String {
    let start = format!("\"{key}\":\"");
    let Some(at) = line.rfind(&start) else {
        return String::new();
    };
    let rest = &line[at + start.len()..];
    rest.split('"').next().unwrap_or_default().to_owned()
}

/// The number or string after `"key":`, as it stands.
fn number(line: &str, key: &str) -> Option<String> {
    let start = format!("\"{key}\":");
    let rest = &line[line.find(&start)? + start.len()..];
    Some(rest.split([',', '}']).next()?.trim().to_owned())
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\t' => escaped.push_str("\\t"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

const TOOLS: &str = r#"{"tools":[
{"name":"echo","description":"Says it again","inputSchema":{"type":"object","properties":{"value":{"type":"string"}},"required":["value"]},"annotations":{"readOnlyHint":true}},
{"name":"environment","description":"Reads a variable","inputSchema":{"type":"object","properties":{"value":{"type":"string"}},"required":["value"]},"annotations":{"readOnlyHint":true}},
{"name":"fetch","description":"Fetches through the proxy","inputSchema":{"type":"object","properties":{"value":{"type":"string"}},"required":["value"]},"annotations":{"readOnlyHint":true}},
{"name":"output","description":"Answers with so many bytes","inputSchema":{"type":"object","properties":{"value":{"type":"string"}},"required":["value"]}},
{"name":"tell","description":"Writes a variable into its log","inputSchema":{"type":"object","properties":{"value":{"type":"string"}},"required":["value"]}},
{"name":"later","description":"Answers after so many milliseconds","inputSchema":{"type":"object","properties":{"value":{"type":"string"}},"required":["value"]}},
{"name":"silence","description":"Never answers; tries to reach a host first, if one is given","inputSchema":{"type":"object","properties":{"value":{"type":"string"}},"required":["value"]}},
{"name":"end","description":"Ends the server with a code","inputSchema":{"type":"object","properties":{"value":{"type":"string"}},"required":["value"]}}
]}"#;
