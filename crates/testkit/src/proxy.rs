//! A bad network: a TCP proxy that delays, cuts and refuses, and counts to prove that it did.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::TestDb;

/// Pieces under way in one direction of one connection before the proxy stops reading.
const PIECES: usize = 1024;
/// Longest wait for something that should happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// Stands between a client and a server on a free loopback port. Dropping it cuts everything.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    network: Arc<Network>,
    acceptor: JoinHandle<()>,
}

/// Where the proxy leads.
#[derive(Clone, Debug)]
enum Target {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

#[derive(Debug, Default)]
struct Network {
    delay_us: AtomicU64,
    reply_delay_us: AtomicU64,
    replies: AtomicU64,
    is_refusing: AtomicBool,
    connections: AtomicU64,
    bytes_to_server: AtomicU64,
    bytes_to_client: AtomicU64,
    delayed_pieces: AtomicU64,
    cuts: watch::Sender<u64>,
    freezes: watch::Sender<u64>,
    open: watch::Sender<usize>,
}

impl Proxy {
    /// Leads to a TCP address.
    ///
    /// # Panics
    /// If no loopback port is free.
    pub async fn to_tcp(server: SocketAddr) -> Self {
        Self::start(Target::Tcp(server)).await
    }

    /// Leads to a Unix socket.
    ///
    /// # Panics
    /// If no loopback port is free.
    pub async fn to_unix(socket: impl Into<PathBuf>) -> Self {
        Self::start(Target::Unix(socket.into())).await
    }

    /// Leads to the server of a test database; see [`TestDb::url_through`].
    ///
    /// # Panics
    /// If no loopback port is free.
    pub async fn to_database(db: &TestDb) -> Self {
        Self::to_unix(db.socket_path()).await
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on holds everything a client sends for this long, so a round trip takes that much
    /// longer. Order is kept, and pieces wait side by side, not one after another.
    pub fn delay(&self, delay: Duration) {
        let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        self.network.delay_us.store(micros, Ordering::Relaxed);
    }

    /// From now on holds what the server sends for up to this long, each piece for another time,
    /// so that answers on several connections overtake one another.
    pub fn delay_replies(&self, up_to: Duration) {
        let micros = u64::try_from(up_to.as_micros()).unwrap_or(u64::MAX);
        self.network.reply_delay_us.store(micros, Ordering::Relaxed);
    }

    /// Drops every open connection, both ends, with what was under way. New ones are welcome.
    pub fn cut(&self) {
        self.network.cuts.send_modify(|n| *n += 1);
    }

    /// Loses everything that is sent on the connections that are open, both ways and for good, and
    /// tells nobody, as when a cable is pulled. New ones are welcome. Gives how many there are.
    pub fn freeze(&self) -> usize {
        self.network.freezes.send_modify(|n| *n += 1);
        self.open_connections()
    }

    /// Drops every open connection and each new one until [`Proxy::restore`].
    pub fn refuse(&self) {
        self.network.is_refusing.store(true, Ordering::Relaxed);
        self.cut();
    }

    /// Takes connections again.
    pub fn restore(&self) {
        self.network.is_refusing.store(false, Ordering::Relaxed);
    }

    /// Connections taken so far, refused ones included.
    pub fn connections(&self) -> u64 {
        self.network.connections.load(Ordering::Relaxed)
    }

    /// Connections open now.
    pub fn open_connections(&self) -> usize {
        *self.network.open.borrow()
    }

    /// Bytes handed to the server so far.
    pub fn bytes_to_server(&self) -> u64 {
        self.network.bytes_to_server.load(Ordering::Relaxed)
    }

    /// Bytes handed to clients so far.
    pub fn bytes_to_client(&self) -> u64 {
        self.network.bytes_to_client.load(Ordering::Relaxed)
    }

    /// Pieces that were held back so far: proof that a delay took effect.
    pub fn delayed_pieces(&self) -> u64 {
        self.network.delayed_pieces.load(Ordering::Relaxed)
    }

    /// Waits until exactly `count` connections are open.
    ///
    /// # Panics
    /// After 30 s.
    pub async fn wait_for_open_connections(&self, count: usize) {
        let mut open = self.network.open.subscribe();
        let reached = open.wait_for(|n| *n == count);
        if tokio::time::timeout(PATIENCE, reached).await.is_err() {
            panic!("open connections stayed at {}", self.open_connections());
        }
    }

    async fn start(target: Target) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a loopback port is free");
        let address = listener.local_addr().expect("a bound socket has a name");
        let network = Arc::new(Network::default());
        let acceptor = tokio::spawn(accept(listener, target, Arc::clone(&network)));
        Self {
            address,
            network,
            acceptor,
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

async fn accept(listener: TcpListener, target: Target, network: Arc<Network>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        network.connections.fetch_add(1, Ordering::Relaxed);
        // Subscribed here, so that a cut cannot slip in before the task runs.
        let cuts = network.cuts.subscribe();
        let freezes = network.freezes.subscribe();
        if network.is_refusing.load(Ordering::Relaxed) {
            continue;
        }
        let (target, network) = (target.clone(), Arc::clone(&network));
        connections.spawn(async move {
            network.open.send_modify(|n| *n += 1);
            let _open = OpenConnection(&network);
            // Either end may break off; that is what a proxy for faults is for.
            let _ended = connect(client, &target, &network, cuts, freezes).await;
        });
    }
}

/// Counts a connection as open while it lives.
struct OpenConnection<'a>(&'a Network);

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        self.0.open.send_modify(|n| *n -= 1);
    }
}

impl Network {
    /// Spread by a multiplicative hash of the piece's number.
    fn reply_delay(&self) -> Duration {
        let up_to = self.reply_delay_us.load(Ordering::Relaxed);
        let number = self.replies.fetch_add(1, Ordering::Relaxed);
        let hash = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
        Duration::from_micros(hash.checked_rem(up_to).unwrap_or(0))
    }
}

async fn connect(
    client: TcpStream,
    target: &Target,
    network: &Network,
    mut cuts: watch::Receiver<u64>,
    mut freezes: watch::Receiver<u64>,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let forward = async {
        match target {
            Target::Tcp(address) => {
                let server = TcpStream::connect(address).await?;
                server.set_nodelay(true)?;
                let (from_server, to_server) = server.into_split();
                both_ways(network, from_client, to_server, from_server, to_client).await
            }
            Target::Unix(path) => {
                let server = UnixStream::connect(path).await?;
                let (from_server, to_server) = server.into_split();
                both_ways(network, from_client, to_server, from_server, to_client).await
            }
        }
    };
    tokio::pin!(forward);
    tokio::select! {
        ended = &mut forward => return ended,
        _cut = cuts.changed() => return Ok(()),
        _frozen = freezes.changed() => {}
    }
    // Both ends stay open, and nothing is carried any more.
    let _cut = cuts.changed().await;
    Ok(())
}

async fn both_ways(
    network: &Network,
    from_client: impl AsyncRead + Unpin,
    to_server: impl AsyncWrite + Unpin,
    from_server: impl AsyncRead + Unpin,
    to_client: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let delay = || Duration::from_micros(network.delay_us.load(Ordering::Relaxed));
    let upward = one_way(
        network,
        from_client,
        to_server,
        delay,
        &network.bytes_to_server,
    );
    let downward = one_way(
        network,
        from_server,
        to_client,
        || network.reply_delay(),
        &network.bytes_to_client,
    );
    tokio::try_join!(upward, downward).map(|_| ())
}

/// Carries bytes until the source ends, each piece `delay` after it was read.
async fn one_way(
    network: &Network,
    mut source: impl AsyncRead + Unpin,
    mut sink: impl AsyncWrite + Unpin,
    delay: impl Fn() -> Duration,
    count: &AtomicU64,
) -> io::Result<()> {
    let (sender, mut receiver) = mpsc::channel::<(Option<Instant>, Bytes)>(PIECES);
    let read = async move {
        loop {
            let mut piece = BytesMut::with_capacity(16 * 1024);
            if source.read_buf(&mut piece).await? == 0 {
                return io::Result::Ok(());
            }
            let delay = delay();
            let due = (!delay.is_zero()).then(|| Instant::now() + delay);
            if sender.send((due, piece.freeze())).await.is_err() {
                return Ok(());
            }
        }
    };
    let write = async {
        while let Some((due, piece)) = receiver.recv().await {
            if let Some(due) = due {
                tokio::time::sleep_until(due).await;
                network.delayed_pieces.fetch_add(1, Ordering::Relaxed);
            }
            sink.write_all(&piece).await?;
            count.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
        sink.shutdown().await
    };
    tokio::try_join!(read, write).map(|_| ())
}
