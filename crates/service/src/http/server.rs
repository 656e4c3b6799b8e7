//! Accepts connections and serves them, without patience for clients that send or take nothing.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt;

use crate::dev::HangUp;

/// How long to wait when no connection can be accepted, for instance because there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Times of a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// For the head of a request.
    pub(crate) header: Duration,
    /// Without a byte that the client takes.
    pub(crate) stall: Duration,
    /// For requests that there are when the server stops.
    pub(crate) stop: Duration,
}

/// Serves until it is told to stop.
pub(crate) async fn serve(listener: TcpListener, router: Router, times: Times, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let ended = stop.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(connection(stream, router.clone(), times, ended.clone()))),
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = stopped(&mut stop) => break,
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    // Those that take longer are cut when the set is dropped.
    let _ = tokio::time::timeout(times.stop, all).await;
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|is_stopped| *is_stopped).await;
}

/// Has the connection closed without an answer.
#[derive(Debug)]
struct NoAnswer;

impl fmt::Display for NoAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the request gets no answer")
    }
}

impl std::error::Error for NoAnswer {}

/// Serves one connection.
async fn connection(stream: TcpStream, router: Router, times: Times, mut stop: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(times.stall));
    let first = Arc::new(Notify::new());
    let told = Arc::clone(&first);
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        told.notify_one();
        let answer = router.clone().oneshot(request.map(Body::new));
        async move {
            let response = answer.await.unwrap_or_else(|never| match never {});
            match response.extensions().get::<HangUp>() {
                Some(_) => Err(NoAnswer),
                None => Ok(response),
            }
        }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(times.header);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(times.stall).keep_alive_timeout(times.header);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(Box::pin(stream)), service);
    let mut connection = std::pin::pin!(connection);
    // Before the version of HTTP is known, no other time limits the client.
    let silence = async {
        if tokio::time::timeout(times.header, first.notified()).await.is_ok() {
            std::future::pending::<()>().await;
        }
    };
    let served = async {
        tokio::select! {
            served = connection.as_mut() => return served,
            () = stopped(&mut stop) => {}
        }
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    tokio::select! {
        served = served => if let Err(error) = served {
            tracing::debug!(%error, "a connection has ended");
        },
        () = silence => tracing::debug!("a client has sent no request"),
    }
}
