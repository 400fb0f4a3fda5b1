//! What accepts connections recovers when there was no file descriptor left for them.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use provisioner::Provisioner;
use rustix::process::{Resource, getrlimit, setrlimit};
use testkit::{free_port, not_tested};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use crate::support::{Bench, spec};

#[path = "../../relay/wire.rs"]
#[expect(dead_code, reason = "the relay's whole protocol")]
mod wire;

use wire::{HEADER, Kind};

const RELAY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/relay"));
const PATIENCE: Duration = Duration::from_secs(10);
/// So long nobody answers who cannot.
const SILENCE: Duration = Duration::from_millis(300);

#[tokio::test]
async fn door_opens_again_when_the_process_has_descriptors_again() {
    let Some(bench) = Bench::start().await else {
        return;
    };
    let mut wanted = spec("doors");
    wanted.port = Some(3001);
    let session = bench.start_session(&wanted).await;
    let door = session.running.open_door(3001).unwrap();

    let mut all = Hoard::begin();
    all.take_until_none_comes_back().await;
    all.give_back_one();
    // The last one is for our own end.
    let near = std::os::unix::net::UnixStream::connect(door.path()).unwrap();
    all.take();
    near.set_nonblocking(true).unwrap();
    let mut near = UnixStream::from_std(near).unwrap();
    let mut byte = [0; 1];
    let waiting = tokio::time::timeout(SILENCE, near.read(&mut byte)).await;
    drop(all);
    // Nothing listens there, so whoever is let in is sent away.
    let told = tokio::time::timeout(PATIENCE, near.read(&mut byte)).await;

    assert!(waiting.is_err(), "let in without a descriptor: {waiting:?}");
    assert_eq!(told.expect("in time").unwrap(), 0);
    bench.docker.remove("doors", 1).await.unwrap();
}

#[test]
fn relay_lets_connections_in_that_waited_for_a_descriptor() {
    if RELAY.is_empty() {
        return not_tested("the relay of containers: it could not be linked (is libc.a missing?)");
    }
    let mut relay = Relay::start();
    assert_eq!(relay.next().0, Kind::Ready);

    let mut all: VecDeque<TcpStream> = (0..FEW).map(|_| relay.connect()).collect();
    relay.wait_until_none_is_left();
    // Whoever is let in is done, and makes room for the others.
    while !all.is_empty() {
        match relay.next() {
            (Kind::Open, _) => drop(all.pop_front()),
            (_, id) => relay.end(id),
        }
    }
}

/// Descriptors of the relay, some of which it needs for itself.
const FEW: usize = 12;

/// Every descriptor that the process may still have; free again when dropped.
struct Hoard {
    files: Vec<File>,
    before: rustix::process::Rlimit,
}

impl Hoard {
    fn begin() -> Self {
        let before = getrlimit(Resource::Nofile);
        let mut few = before;
        few.current = Some(256);
        setrlimit(Resource::Nofile, few).unwrap();
        let files = Vec::new();
        Self { files, before }
    }

    /// Tells whether there was one.
    fn take(&mut self) -> bool {
        let before = self.files.len();
        while let Ok(file) = File::open("/dev/null") {
            self.files.push(file);
        }
        self.files.len() > before
    }

    /// Connections to the engine that are no longer used give theirs back.
    async fn take_until_none_comes_back(&mut self) {
        let mut quiet = 0;
        while quiet < 10 {
            quiet = if self.take() { 0 } else { quiet + 1 };
            tokio::time::sleep(SILENCE / 3).await;
        }
    }

    fn give_back_one(&mut self) {
        self.files.pop();
    }
}

impl Drop for Hoard {
    fn drop(&mut self) {
        let _ = setrlimit(Resource::Nofile, self.before);
    }
}

/// The program that runs beside a server, on this machine and with few descriptors.
struct Relay {
    program: Child,
    input: ChildStdin,
    frames: Receiver<(Kind, u32)>,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Relay {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relay");
        let mut file = File::create(&path).unwrap();
        file.write_all(RELAY).unwrap();
        drop(file);
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let script = format!("chmod +x \"$0\"; ulimit -n {FEW}; exec \"$0\" {address}");
        let mut program = Command::new("/bin/sh")
            .args(["-c", &script])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = program.stdout.take().unwrap();
        let (sender, frames) = channel();
        std::thread::spawn(move || read_frames(output, &sender));
        Self {
            input: program.stdin.take().unwrap(),
            program,
            frames,
            address,
            _folder: folder,
        }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect_timeout(&self.address, PATIENCE).unwrap()
    }

    fn wait_until_none_is_left(&self) {
        let begun = Instant::now();
        let folder = format!("/proc/{}/fd", self.program.id());
        let is_taken = |fd: usize| {
            Path::new(&folder)
                .join(fd.to_string())
                .symlink_metadata()
                .is_ok()
        };
        while !(0..FEW).all(is_taken) {
            assert!(begun.elapsed() < PATIENCE, "some are left");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What it says next, and of which connection.
    fn next(&self) -> (Kind, u32) {
        self.frames.recv_timeout(PATIENCE).unwrap()
    }

    /// Lets it close its end of a connection, too.
    fn end(&mut self, id: u32) {
        let end = wire::header(Kind::End, id, 0);
        self.input.write_all(&end).unwrap();
    }
}

fn read_frames(mut output: ChildStdout, sender: &Sender<(Kind, u32)>) {
    let mut header = [0; HEADER];
    while output.read_exact(&mut header).is_ok() {
        let (kind, id, length) = wire::parse(header).unwrap();
        let mut payload = vec![0; length];
        output.read_exact(&mut payload).unwrap();
        let _ = sender.send((kind, id));
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
