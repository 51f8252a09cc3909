//! The private key that `CreateKeyPair` answers is in no log, at any level, and in no error.
//!
//! This is a program of its own, because what `tracing` records depends on the other threads of
//! a process; and it talks to a real server, because a body that comes from the network is
//! logged differently from one that a test puts into memory.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use lagoa::aws::ec2::{Client, KeyFormat, KeyType, Tags};
use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const WHOLE: &str = "<CreateKeyPairResponse><keyName>k</keyName><keyFingerprint>1f:51</keyFingerprint><keyMaterial>-----BEGIN\nHUSH\nEND-----</keyMaterial><keyPairId>key-1</keyPairId></CreateKeyPairResponse>";

const BROKEN: &str =
    "<CreateKeyPairResponse><keyMaterial>HUSH</keyMaterial></CreateKeyPairResponse>";

/// Answers one connection after the other, and returns where.
async fn serve(bodies: &'static [&'static str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for body in bodies {
            let (mut socket, _) = listener.accept().await.unwrap();
            // One read is enough for a request this small.
            let _ = socket.read(&mut [0; 8192]).await.unwrap();
            let length = body.len();
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            socket.write_all((head + body).as_bytes()).await.unwrap();
        }
    });
    url
}

fn client(url: String) -> Client {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    let config = SdkConfig::builder()
        .region(Region::new("sa-east-1"))
        .endpoint_url(url)
        .http_client(http)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::disabled())
        .build();
    Client::new(&config)
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn key_material_is_in_no_log_and_no_error() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .init();

    let client = client(serve(&[WHOLE, BROKEN]).await);
    let tags = Tags::new();
    let create = || client.create_key_pair("k", KeyType::Ed25519, KeyFormat::Pem, &tags);

    let created = create().await.unwrap();
    assert_eq!(created.key_material.expose_secret(), "-----BEGIN\nHUSH\nEND-----");
    assert!(!format!("{created:?}").contains("HUSH"));

    let error = create().await.unwrap_err();
    assert!(matches!(error, SdkError::ResponseError(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("HUSH"), "{error:?}");

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("received response from service"), "nothing was recorded");
    assert!(!log.contains("HUSH"), "{log}");
}
