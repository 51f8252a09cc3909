//! A proxy between lagoa and the sandbox that does with each call what a test says.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One API call on its way.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its place among all calls, from 0.
    pub number: usize,
    /// `s3`, `iam`, `rds`, …, from the signature.
    pub service: String,
    /// `RunJobFlow`, …, of services that name it in a header; else empty.
    pub operation: String,
}

/// What becomes of a call.
#[derive(Clone, Debug)]
pub enum Deed {
    /// It is served.
    Pass,
    /// The connection ends before the sandbox hears of it.
    Drop,
    /// It is served, but the answer is lost.
    Lose,
    /// It is answered with this status and body, and never served.
    Answer(u16, String),
    /// It is served late.
    Delay(Duration),
    /// It is served twice; the second answer counts.
    Twice,
}

/// Decides about each call.
pub type Judge = Box<dyn FnMut(&Call) -> Deed + Send>;

/// A proxy on a port of its own; it stops when it goes.
pub struct Proxy {
    pub endpoint: String,
    calls: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
}

impl Proxy {
    /// Stands before `target` (`http://host:port`).
    pub fn new(target: &str, judge: Judge) -> Self {
        let target = target.strip_prefix("http://").expect("plain HTTP").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let calls = Arc::new(AtomicUsize::new(0));
        let ended = Arc::new(AtomicBool::new(false));
        let judge = Arc::new(Mutex::new(judge));
        let (counter, end) = (Arc::clone(&calls), Arc::clone(&ended));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let (target, judge, counter) =
                    (target.clone(), Arc::clone(&judge), Arc::clone(&counter));
                std::thread::spawn(move || serve(client, &target, &judge, &counter));
            }
        });
        Self { endpoint, calls, ended }
    }

    /// How many calls came so far.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees that it is over.
        let _ = TcpStream::connect(self.endpoint.trim_start_matches("http://"));
    }
}

/// One call on one connection; whatever breaks here is a broken connection for lagoa too.
fn serve(
    mut client: TcpStream,
    target: &str,
    judge: &Mutex<Judge>,
    calls: &AtomicUsize,
) -> Option<()> {
    let request = read_message(&mut client)?;
    let number = calls.fetch_add(1, Ordering::SeqCst);
    let call = Call { number, service: service(&request), operation: operation(&request) };
    let deed = (judge.lock().ok()?)(&call);
    let answer = match deed {
        Deed::Drop => return None,
        Deed::Answer(status, body) => {
            let length = body.len();
            format!("HTTP/1.1 {status} Fault\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").into_bytes()
        }
        Deed::Pass => forward(target, &request)?,
        Deed::Lose => {
            forward(target, &request)?;
            return None;
        }
        Deed::Delay(time) => {
            std::thread::sleep(time);
            forward(target, &request)?
        }
        Deed::Twice => {
            forward(target, &request)?;
            forward(target, &request)?
        }
    };
    client.write_all(&answer).ok()?;
    client.shutdown(Shutdown::Write).ok()
}

/// The sandbox closes each connection after its answer.
fn forward(target: &str, request: &[u8]) -> Option<Vec<u8>> {
    let mut server = TcpStream::connect(target).ok()?;
    server.write_all(request).ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    Some(answer)
}

fn read_message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        let read = stream.read(&mut chunk).ok()?;
        bytes.extend_from_slice(&chunk[..read]);
        if let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let length =
                header(&bytes[..head], "content-length").and_then(|text| text.parse().ok());
            if bytes.len() >= head + 4 + length.unwrap_or(0) {
                return Some(bytes);
            }
        }
        if read == 0 {
            return None;
        }
    }
}

fn header(head: &[u8], name: &str) -> Option<String> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
}

/// The service that the call's signature is for: `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
fn service(request: &[u8]) -> String {
    let signed = header(request, "authorization").unwrap_or_default();
    let scope = signed.split("Credential=").nth(1).unwrap_or_default();
    scope.split('/').nth(3).unwrap_or_default().to_owned()
}

/// The operation in `X-Amz-Target: ElasticMapReduce.RunJobFlow`.
fn operation(request: &[u8]) -> String {
    let target = header(request, "x-amz-target").unwrap_or_default();
    target.rsplit('.').next().unwrap_or_default().to_owned()
}
