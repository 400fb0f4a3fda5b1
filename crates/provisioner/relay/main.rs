//! The relay: the only way in and out of a tool server's network namespace, which has nothing but
//! a loopback interface.
//!
//! It accepts connections on the addresses it is given and carries them over its standard input
//! and output to the platform, which alone decides where they lead. It also dials ports of its own
//! loopback when the platform asks. It knows no names, no addresses outside and no secrets, and
//! ends when its input does. One static program without dependencies, in an image of its own.

mod wire;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::exit;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use wire::{HEADER, Kind, MAX_PAYLOAD, WINDOW};

/// Streams open at once.
const MAX_STREAMS: usize = 64;
const STACK: usize = 64 * 1024;
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);

struct Stream {
    /// Bytes that the platform still takes.
    credit: Mutex<usize>,
    more: Condvar,
    socket: TcpStream,
    /// Bytes for the socket; at most a window of them. `None` ends them.
    incoming: Sender<Option<Vec<u8>>>,
}

#[derive(Default)]
struct Streams {
    open: HashMap<u32, Arc<Stream>>,
    last: u32,
}

#[derive(Clone)]
struct Relay {
    streams: Arc<Mutex<Streams>>,
    output: Arc<Mutex<File>>,
}

fn main() {
    let output = match io::stdout().as_fd().try_clone_to_owned() {
        Ok(output) => File::from(output),
        Err(_) => exit(1),
    };
    let relay = Relay {
        streams: Arc::default(),
        output: Arc::new(Mutex::new(output)),
    };
    for address in std::env::args().skip(1) {
        let listener = match TcpListener::bind(&address) {
            Ok(listener) => listener,
            Err(error) => {
                eprintln!("cannot listen on {address}: {error}");
                exit(1);
            }
        };
        let relay = relay.clone();
        spawn(move || relay.accept(listener, &address));
    }
    relay.send(Kind::Ready, 0, &[]);
    relay.read_frames(io::stdin().lock());
}

impl Relay {
    fn accept(&self, listener: TcpListener, address: &str) {
        for socket in listener.incoming() {
            let Ok(socket) = socket else {
                thread::sleep(Duration::from_millis(20));
                continue;
            };
            let id = {
                let mut streams = lock(&self.streams);
                // The platform's numbers are even.
                streams.last = (streams.last + 2) | 1;
                streams.last
            };
            self.send_opened(id, socket, address);
        }
    }

    fn send_opened(&self, id: u32, socket: TcpStream, address: &str) {
        if let Some((stream, incoming)) = self.register(id, socket) {
            self.send(Kind::Open, id, address.as_bytes());
            self.carry(id, stream, incoming);
        }
    }

    /// `None` when there are too many streams already; the socket is closed then.
    fn register(
        &self,
        id: u32,
        socket: TcpStream,
    ) -> Option<(Arc<Stream>, Receiver<Option<Vec<u8>>>)> {
        let (sender, incoming) = channel();
        let mut streams = lock(&self.streams);
        if streams.open.len() >= MAX_STREAMS {
            return None;
        }
        let _ = socket.set_nodelay(true);
        let stream = Arc::new(Stream {
            credit: Mutex::new(WINDOW),
            more: Condvar::new(),
            socket,
            incoming: sender,
        });
        streams.open.insert(id, Arc::clone(&stream));
        Some((stream, incoming))
    }

    /// Two threads: one for each direction.
    fn carry(&self, id: u32, stream: Arc<Stream>, incoming: Receiver<Option<Vec<u8>>>) {
        let (relay, reading) = (self.clone(), Arc::clone(&stream));
        let reader = spawn(move || relay.read_socket(id, &reading));
        let relay = self.clone();
        spawn(move || {
            relay.write_socket(id, &stream, &incoming);
            let _ = reader.join();
            lock(&relay.streams).open.remove(&id);
        });
    }

    fn read_socket(&self, id: u32, stream: &Stream) {
        let mut buffer = [0; MAX_PAYLOAD];
        loop {
            let mut credit = lock(&stream.credit);
            while *credit == 0 {
                credit = stream
                    .more
                    .wait(credit)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            let room = MAX_PAYLOAD.min(*credit);
            drop(credit);
            match (&stream.socket).read(&mut buffer[..room]) {
                Ok(0) => return self.send(Kind::End, id, &[]),
                Ok(length) => {
                    *lock(&stream.credit) -= length;
                    self.send(Kind::Data, id, &buffer[..length]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    let _ = stream.incoming.send(None);
                    return self.send(Kind::Reset, id, &[]);
                }
            }
        }
    }

    fn write_socket(&self, id: u32, stream: &Stream, incoming: &Receiver<Option<Vec<u8>>>) {
        while let Ok(Some(bytes)) = incoming.recv() {
            if (&stream.socket).write_all(&bytes).is_err() {
                self.send(Kind::Reset, id, &[]);
                close(stream);
                return;
            }
            let consumed = (bytes.len() as u32).to_be_bytes();
            self.send(Kind::Consumed, id, &consumed);
        }
        let _ = stream.socket.shutdown(Shutdown::Write);
    }

    fn read_frames(&self, mut input: impl Read) {
        let mut header = [0; HEADER];
        while input.read_exact(&mut header).is_ok() {
            let Ok((kind, id, length)) = wire::parse(header) else {
                exit(2);
            };
            let mut payload = vec![0; length];
            if input.read_exact(&mut payload).is_err() {
                return;
            }
            if kind == Kind::Open {
                let relay = self.clone();
                spawn(move || relay.dial(id, &payload));
                continue;
            }
            let stream = lock(&self.streams).open.get(&id).cloned();
            if let Some(stream) = stream {
                take(&stream, kind, payload);
            }
        }
    }

    fn dial(&self, id: u32, port: &[u8]) {
        let port = std::str::from_utf8(port).ok().and_then(|port| port.parse().ok());
        let socket = port.and_then(|port: u16| {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            TcpStream::connect_timeout(&address, DIAL_TIMEOUT).ok()
        });
        match socket.and_then(|socket| self.register(id, socket)) {
            Some((stream, incoming)) => {
                self.send(Kind::Open, id, &[]);
                self.carry(id, stream, incoming);
            }
            None => self.send(Kind::Reset, id, &[]),
        }
    }

    fn send(&self, kind: Kind, id: u32, payload: &[u8]) {
        let mut output = lock(&self.output);
        let frame = [&wire::header(kind, id, payload.len()), payload].concat();
        if output.write_all(&frame).is_err() {
            exit(0);
        }
    }
}

fn take(stream: &Stream, kind: Kind, payload: Vec<u8>) {
    match kind {
        Kind::Data => {
            let _ = stream.incoming.send(Some(payload));
        }
        Kind::Consumed => {
            *lock(&stream.credit) += wire::count(&payload);
            stream.more.notify_one();
        }
        Kind::End => {
            let _ = stream.incoming.send(None);
        }
        Kind::Reset => {
            let _ = stream.incoming.send(None);
            close(stream);
        }
        Kind::Ready | Kind::Open => {}
    }
}

/// Ends both directions, and a reader that waits for credit.
fn close(stream: &Stream) {
    let _ = stream.socket.shutdown(Shutdown::Both);
    *lock(&stream.credit) += WINDOW;
    stream.more.notify_one();
}

fn spawn(work: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    match thread::Builder::new().stack_size(STACK).spawn(work) {
        Ok(handle) => handle,
        Err(error) => {
            eprintln!("cannot start a thread: {error}");
            exit(3);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
