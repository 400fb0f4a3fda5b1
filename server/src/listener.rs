//! The accept loop.
//!
//! Our own, because axum's `serve` installs no timer and so never times out a client that sends
//! its headers slowly (axum pull request 3478). Clients who stall later are `stall.rs`'s.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use axum::routing::future::RouteFuture;
use futures::FutureExt;
use futures::future::{BoxFuture, Either};
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::client::TrustedProxies;
use crate::crowds::Crowds;
use crate::gateway::ShortWay;
use crate::stall::{BodyWatch, StallGuard};

/// How long a connection is kept between requests: longer than the proxies in front that keep theirs
/// longest by default (Caddy 120 s, Traefik 90 s, nginx and load balancers 60 s), so that none sends a
/// request into one that is being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(130);
/// Largest headers of a request; more is answered with 431.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// Most that is read ahead of a connection.
const MAX_BUFFER_BYTES: usize = 128 * 1024;
/// Connections at once; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 20_000;
/// Time for requests under way when the server stops.
const DRAIN: Duration = Duration::from_secs(10);

/// Who answers requests. Cheap to clone.
#[derive(Clone)]
pub struct Front {
    /// All routes.
    pub routes: Router,
    /// The short way to the gateway, where there is one.
    pub short_way: Option<ShortWay>,
}

/// Serves `front` until `stopping`, then lets requests under way end.
pub async fn serve(
    listener: TcpListener,
    front: Front,
    proxies: TrustedProxies,
    crowds: Crowds,
    stopping: CancellationToken,
) {
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let Ok(permit) = connections.clone().acquire_owned().await else {
            break;
        };
        let accepted = tokio::select! {
            () = stopping.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: give others time to close theirs.
                tracing::warn!(error = %error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(place) = crowds.enter(peer.ip()) else {
            // A reset, which costs neither side anything more.
            let _ = stream.set_zero_linger();
            continue;
        };
        let connection = connection(stream, peer.ip(), front.clone(), proxies.clone());
        // Not an `async` block, which would keep room for a connection twice.
        tokio::spawn(graceful.watch(connection).map(move |ended| {
            if let Err(error) = ended {
                tracing::debug!(error = %error, "connection ended");
            }
            drop((permit, place));
        }));
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not end in time");
    }
}

fn connection(
    stream: TcpStream,
    peer: IpAddr,
    front: Front,
    proxies: TrustedProxies,
) -> http1::Connection<TokioIo<StallGuard>, TowerToHyperService<Door>> {
    // Small frames of an answer must not wait for the ones before to be acknowledged.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = %error, "cannot set TCP_NODELAY");
    }
    let stream = StallGuard::new(stream);
    let door = Door {
        front,
        peer,
        proxies,
        bodies: stream.bodies(),
    };
    http1::Builder::new()
        .timer(TokioTimer::new())
        // From the request before on; headers that have begun are `stall.rs`'s.
        .header_read_timeout(IDLE_TIMEOUT)
        .max_header_size(MAX_HEADER_BYTES)
        .max_buf_size(MAX_BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(door))
}

/// Hands the requests of one connection on, and says where they come from.
#[derive(Clone)]
struct Door {
    front: Front,
    peer: IpAddr,
    proxies: TrustedProxies,
    bodies: BodyWatch,
}

impl Service<Request<Incoming>> for Door {
    type Response = Response;
    type Error = Infallible;
    type Future = Either<RouteFuture<Infallible>, BoxFuture<'static, Result<Response, Infallible>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, req: Request<Incoming>) -> Self::Future {
        let mut req = req.map(|body| self.bodies.watch(body));
        let client = self.proxies.client(self.peer, req.headers());
        req.extensions_mut().insert(client);
        match &self.front.short_way {
            Some(short_way) if short_way.takes(&req) => {
                Either::Right(short_way.clone().answer(req).map(Ok).boxed())
            }
            _ => Either::Left(self.front.routes.call(req)),
        }
    }
}
