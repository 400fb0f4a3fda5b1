//! A small internet: a name server, "public" addresses with certificates, and private ones that
//! nobody may reach.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use testkit::{Dns, TestDb, not_tested};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio_rustls::TlsAcceptor;

use crate::support::{Program, TestApp, eventually};

/// Says that the network is the test's own already.
const INSIDE: &str = "TEST_HAS_ITS_OWN_NETWORK";
/// Where names lead at first; nobody else has these addresses in here.
pub const PUBLIC: Ipv4Addr = Ipv4Addr::new(93, 184, 216, 34);
pub const OTHER_PUBLIC: Ipv4Addr = Ipv4Addr::new(93, 184, 216, 35);
/// Where they lead then.
pub const PRIVATE: [Ipv4Addr; 3] = [
    Ipv4Addr::new(10, 0, 0, 7),
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::LOCALHOST,
];

const SET_UP: &str = r#"set -eu
ip link set lo up
for address in 93.184.216.34 93.184.216.35 10.0.0.7 169.254.169.254; do
  ip address add $address/32 dev lo
done
printf 'nameserver 127.0.0.1\noptions timeout:2 attempts:1\n' >"$FOLDER/resolv.conf"
mount --bind "$FOLDER/resolv.conf" /etc/resolv.conf
exec "$@"
"#;

const CERTIFICATES: &str = r#"set -eu
cd "$1"
key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
openssl req -x509 $key -keyout ca-key.pem -out ca.pem -days 2 -subj /CN=authority
names=DNS:*.rebind.example,DNS:api.mistral.ai,DNS:acme.openai.azure.com
printf "subjectAltName=$names\nextendedKeyUsage=serverAuth\n" >extensions
openssl req $key -keyout key.pem -out server.csr -subj /CN=server
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 \
  -out cert.pem -extfile extensions
"#;

/// Runs the calling test again, by its name, in a network and with a name server of its own; `true`
/// inside of it. Where the machine gives nobody a network of his own, the test ends here.
pub fn is_inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let id = Command::new("id").arg("-u").output().expect("run id");
    let own: &[&str] = match id.stdout.starts_with(b"0\n") {
        true => &["--net", "--mount"],
        false => &["--map-current-user", "--keep-caps", "--net", "--mount"],
    };
    let can = Command::new("unshare").args(own).arg("true").output();
    if !can.is_ok_and(|output| output.status.success()) {
        not_tested("private networks: this machine gives nobody a network of his own");
        return false;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let status = Command::new("unshare")
        .args(own)
        .args(["sh", "-c", SET_UP, "inside"])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", test, "--nocapture"])
        .env("FOLDER", folder.path())
        .env(INSIDE, "1")
        .status();
    assert!(status.expect("run the test inside").success());
    false
}

/// What is there to be reached.
pub struct Network {
    pub dns: Dns,
    folder: tempfile::TempDir,
    canary: Arc<AtomicUsize>,
}

/// TLS at a public address in front of a server of this machine.
pub struct Front {
    connections: Arc<AtomicUsize>,
    hang_up: broadcast::Sender<()>,
}

impl Network {
    pub async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder");
        let mut make = Command::new("sh");
        make.args(["-c", CERTIFICATES, "make"]).arg(folder.path());
        let made = make.output().expect("run a shell");
        assert!(made.status.success(), "{made:?}");
        let canary: Arc<AtomicUsize> = Arc::default();
        for address in PRIVATE {
            let listener = TcpListener::bind((address, 443)).await.expect("a canary");
            let canary = canary.clone();
            tokio::spawn(async move {
                while listener.accept().await.is_ok() {
                    canary.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let dns = Dns::start(SocketAddr::from(([127, 0, 0, 1], 53))).await;
        Self {
            dns,
            folder,
            canary,
        }
    }

    /// The product, which believes the network's authority.
    pub async fn start_app(&self) -> (TestApp, TestDb) {
        let db = TestDb::create().await;
        let mut program = Program::new(Some(db.url()));
        let authority = self.folder.path().join("ca.pem");
        program.set("SSL_CERT_FILE", authority.to_str().expect("UTF-8"));
        (TestApp::on(program).await, db)
    }

    /// Connections to private addresses. Proves that none would go unseen.
    pub async fn private_connections(&self) -> usize {
        let before = self.canary.load(Ordering::Relaxed);
        for address in PRIVATE {
            let probe = TcpStream::connect((address, 443)).await;
            probe.expect("a canary that is there");
        }
        let seen = async || self.canary.load(Ordering::Relaxed) == before + PRIVATE.len();
        assert!(eventually(seen).await, "the canaries see nobody");
        before
    }

    /// Puts TLS at a public address in front of `host:port`.
    pub async fn front(&self, address: Ipv4Addr, server: &str) -> Front {
        let certificate = CertificateDer::from_pem_file(self.folder.path().join("cert.pem"));
        let key = PrivateKeyDer::from_pem_file(self.folder.path().join("key.pem"));
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.expect("PEM")], key.expect("PEM"));
        let acceptor = TlsAcceptor::from(Arc::new(config.expect("a pair")));
        let address = SocketAddrV4::new(address, 443);
        let listener = TcpListener::bind(address).await.expect("a free address");
        let connections: Arc<AtomicUsize> = Arc::default();
        let (hang_up, _) = broadcast::channel(1);
        let front = Front {
            connections: connections.clone(),
            hang_up: hang_up.clone(),
        };
        let server = server.to_owned();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::Relaxed);
                let (acceptor, server) = (acceptor.clone(), server.clone());
                let mut hung_up = hang_up.subscribe();
                tokio::spawn(async move {
                    let serving = async {
                        let mut outer = acceptor.accept(stream).await?;
                        let mut inner = TcpStream::connect(server).await?;
                        copy_bidirectional(&mut outer, &mut inner).await
                    };
                    tokio::select! {
                        _ = hung_up.recv() => {}
                        _ = serving => {}
                    }
                });
            }
        });
        front
    }
}

impl Front {
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Ends every connection, so that the next request has to ask for the address again.
    pub fn hang_up(&self) {
        let _ = self.hang_up.send(());
    }
}

/// Starts a server of one page, which ends each connection after it; gives its address.
pub async fn page() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let answer = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n\
                          content-length: 15\r\n\r\nthe public page";
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    address
}
