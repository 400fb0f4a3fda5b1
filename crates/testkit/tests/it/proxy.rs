use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use testkit::{Proxy, ScriptedModel, TestDb};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn delay_is_added_to_each_round_trip_of_a_database() {
    let test_db = TestDb::create().await;
    let proxy = Proxy::to_database(&test_db).await;
    let url = test_db.url_through(&proxy);
    let mut db = PgConnection::connect(&url).await.unwrap();
    assert_eq!(proxy.delayed_pieces(), 0);

    proxy.delay(Duration::from_millis(20));
    let begun = Instant::now();
    sqlx::raw_sql("select 1").execute(&mut db).await.unwrap();

    assert!(begun.elapsed() >= Duration::from_millis(20));
    assert_eq!((proxy.connections(), proxy.delayed_pieces()), (1, 1));
    assert!(proxy.bytes_to_server() > 0 && proxy.bytes_to_client() > 0);
}

#[tokio::test]
async fn cut_ends_what_is_open_and_lets_new_ones_in() {
    let test_db = TestDb::create().await;
    let proxy = Proxy::to_database(&test_db).await;
    let url = test_db.url_through(&proxy);
    let mut db = PgConnection::connect(&url).await.unwrap();
    assert_eq!(proxy.open_connections(), 1);

    proxy.cut();
    proxy.wait_for_open_connections(0).await;

    assert!(sqlx::raw_sql("select 1").execute(&mut db).await.is_err());
    assert!(PgConnection::connect(&url).await.is_ok());
    assert_eq!(proxy.connections(), 2);
}

#[tokio::test]
async fn refused_connections_end_at_once_until_restored() {
    let model = ScriptedModel::start().await;
    let proxy = Proxy::to_tcp(model.host().parse().unwrap()).await;
    let get = "GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n";

    proxy.refuse();
    let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
    let end = refused.read(&mut [0]).await;
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    proxy.restore();
    let mut welcome = TcpStream::connect(proxy.address()).await.unwrap();
    welcome.write_all(get.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    welcome.read_exact(&mut answer).await.unwrap();

    assert_eq!(&answer, b"HTTP/1.1 200");
}
