//! Redirects are checked like the first address, before a byte is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use outbound::{FetchError, Outbound, Policy, Refused};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

/// A server of this machine; `answer` makes what it says of a path.
struct Site {
    port: u16,
    requests: Arc<AtomicUsize>,
}

impl Site {
    async fn start(answer: impl Fn(&str) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let requests = Arc::new(AtomicUsize::new(0));
        let count = requests.clone();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let Ok(read) = socket.read(&mut request).await else {
                    continue;
                };
                count.fetch_add(1, Ordering::SeqCst);
                let request = String::from_utf8_lossy(&request[..read]).into_owned();
                let path = request.split(' ').nth(1).unwrap_or_default();
                // The caller may hang up at any time.
                let _ = socket.write_all(answer(path).as_bytes()).await;
            }
        });
        Self { port, requests }
    }

    fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://127.0.0.1:{}{path}", self.port)).expect("a URL")
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn page(text: &str) -> String {
    let length = text.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}"
    )
}

fn redirect(to: &str) -> String {
    format!(
        "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
}

/// A client that reaches nothing private but one site.
fn reaching(site: &Site) -> Outbound {
    let entry = format!("127.0.0.1:{}", site.port)
        .parse()
        .expect("an entry");
    Outbound::new(Policy::new(Some(vec![entry]), false)).expect("a client")
}

#[tokio::test]
async fn redirects_to_what_may_not_be_reached_are_not_followed() {
    let inside = Site::start(|_| page("a secret")).await;
    let secret = inside.url("/").to_string();
    let targets = [
        secret.clone(),
        secret.replace("127.0.0.1", "localhost"),
        secret.replace("127.0.0.1", "[::ffff:127.0.0.1]"),
        secret.replace("127.0.0.1", "2130706433"),
        secret.replace("http://", "//"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "https://10.0.0.1/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "gopher://127.0.0.1:6379/".to_owned(),
        "http://user:word@127.0.0.1/".to_owned(),
    ];
    for target in targets {
        let to = target.clone();
        let site = Site::start(move |_| redirect(&to)).await;

        let fetched = reaching(&site).fetch(site.url("/"), 1_000).await;

        let error = fetched.map(|it| it.url).expect_err(&target);
        assert!(matches!(error, FetchError::Refused(_)), "{target}: {error}");
        assert_eq!(site.requests(), 1);
    }
    assert_eq!(inside.requests(), 0, "a byte was sent");
}

#[tokio::test]
async fn chain_is_refused_at_the_link_that_leads_inside() {
    let inside = Site::start(|_| page("a secret")).await;
    let secret = inside.url("/").to_string();
    let site = Site::start(move |path| match path {
        "/" => redirect("/second"),
        "/second" => redirect("third?a=b"),
        _ => redirect(&secret),
    })
    .await;

    let error = reaching(&site).fetch(site.url("/"), 1_000).await;

    let refused = matches!(error, Err(FetchError::Refused(Refused::Private { .. })));
    assert!(refused, "{:?}", error.map(|it| it.url));
    assert_eq!((site.requests(), inside.requests()), (3, 0));
}

#[tokio::test]
async fn redirects_within_reach_are_followed_and_circles_end() {
    let site = Site::start(|path| match path {
        "/" => redirect("/found"),
        "/found" => page("here it is"),
        "/nowhere" => redirect("http://["),
        _ => redirect("/circle"),
    })
    .await;
    let outbound = reaching(&site);

    let found = outbound.fetch(site.url("/"), 4).await.expect("a document");
    let circle = outbound.fetch(site.url("/circle"), 1_000).await;
    let nowhere = outbound.fetch(site.url("/nowhere"), 1_000).await;

    assert_eq!(found.url, site.url("/found"));
    assert_eq!(
        (found.body.as_slice(), found.is_cut),
        (b"here".as_slice(), true)
    );
    assert!(matches!(circle, Err(FetchError::TooManyRedirects)));
    assert!(matches!(nowhere, Err(FetchError::BadRedirect)));
}

#[tokio::test]
async fn name_that_leads_inside_is_refused_when_it_is_looked_up() {
    let inside = Site::start(|_| page("a secret")).await;
    let site = Site::start(|_| page("fine")).await;
    let outbound = reaching(&site);
    for host in ["localhost", "localhost."] {
        let url = format!("https://{host}:{}/", inside.port);

        let fetched = outbound
            .fetch(Url::parse(&url).expect("a URL"), 1_000)
            .await;

        let error = fetched.map(|it| it.url).expect_err(host);
        assert!(matches!(error, FetchError::Refused(_)), "{host}: {error}");
    }
    assert_eq!(inside.requests(), 0);
}
