//! A proxy between lagoa and the sandbox that does with each call what a test says.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// One API call on its way.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its place among all calls, from 0.
    pub number: usize,
    /// `s3`, `iam`, `rds`, …, from the signature.
    pub service: String,
    /// `CreateUser`; for services that speak REST the method and path, `GET /bucket?tagging`.
    pub operation: String,
    /// What it asks for, without what differs between two calls for the same.
    pub asks: String,
}

impl Call {
    /// Whether it changes nothing.
    pub fn reads(&self) -> bool {
        let reads = ["GET ", "HEAD ", "Get", "List", "Describe", "Head", "Search", "BatchGet"];
        reads.iter().any(|verb| self.operation.starts_with(verb))
    }
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
    /// The connection is reset before the sandbox hears of it.
    Reset,
    /// It is served, but the connection is reset instead of an answer.
    LoseReset,
    /// A read of something that was written within this time is answered as before the write;
    /// anything else is served.
    Stale(Duration),
}

/// What reads were answered, so that they can be answered so again.
#[derive(Default)]
struct Memory {
    answers: HashMap<String, Vec<(Instant, Vec<u8>)>>,
    written: HashMap<String, Instant>,
    /// How many answers were of the past.
    stale: usize,
}

impl Memory {
    /// What the same call was answered before the last write, if that was a moment ago.
    fn past(&mut self, call: &Call, moment: Duration) -> Option<Vec<u8>> {
        let written = *self.written.get(&call.service)?;
        if written.elapsed() > moment {
            return None;
        }
        let answers = self.answers.get(&call.asks)?;
        let (_, answer) = answers.iter().rev().find(|(when, _)| *when < written)?;
        self.stale += 1;
        Some(answer.clone())
    }

    /// `asked` is when the call came: what it was answered may be of before any later write.
    fn keep(&mut self, call: &Call, asked: Instant, answer: &[u8]) {
        if call.reads() {
            self.answers.entry(call.asks.clone()).or_default().push((asked, answer.to_vec()));
        }
    }
}

/// Decides about each call.
pub type Judge = Box<dyn FnMut(&Call) -> Deed + Send>;

/// A proxy on a port of its own; it stops when it goes.
pub struct Proxy {
    pub endpoint: String,
    calls: Arc<AtomicUsize>,
    serving: Arc<AtomicUsize>,
    memory: Arc<Mutex<Memory>>,
    ended: Arc<AtomicBool>,
}

impl Proxy {
    /// Stands before `target` (`http://host:port`).
    pub fn new(target: &str, judge: Judge) -> Self {
        let target = target.strip_prefix("http://").expect("plain HTTP").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let calls = Arc::new(AtomicUsize::new(0));
        let serving = Arc::new(AtomicUsize::new(0));
        let ended = Arc::new(AtomicBool::new(false));
        let judge = Arc::new(Mutex::new(judge));
        let (counter, end) = (Arc::clone(&calls), Arc::clone(&ended));
        let serves = Arc::clone(&serving);
        let memory = Arc::new(Mutex::new(Memory::default()));
        let remembers = Arc::clone(&memory);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let (target, judge, counter) =
                    (target.clone(), Arc::clone(&judge), Arc::clone(&counter));
                let serves = Arc::clone(&serves);
                let remembers = Arc::clone(&remembers);
                serves.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    serve(client, &target, &judge, &counter, &remembers);
                    serves.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { endpoint, calls, serving, memory, ended }
    }

    /// Waits until every call that came has been served or dropped.
    pub fn rest(&self) {
        while self.serving.load(Ordering::SeqCst) > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// How many reads were answered as of the past.
    pub fn stale(&self) -> usize {
        self.memory.lock().expect("a memory").stale
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
    memory: &Mutex<Memory>,
) -> Option<()> {
    let request = read_message(&mut client)?;
    if line(&request).contains(" /_lagoa/") {
        let answer = forward(target, &request)?;
        return client.write_all(&answer).ok();
    }
    let number = calls.fetch_add(1, Ordering::SeqCst);
    let operation = operation(&request);
    let call = Call { number, service: service(&request), asks: asks(&request), operation };
    let deed = (judge.lock().ok()?)(&call);
    let serve = || {
        let asked = Instant::now();
        let answer = forward(target, &request)?;
        let mut memory = memory.lock().ok()?;
        memory.keep(&call, asked, &answer);
        if !call.reads() {
            memory.written.insert(call.service.clone(), Instant::now());
        }
        Some(answer)
    };
    let answer = match deed {
        Deed::Drop => return None,
        Deed::Reset => return reset(&client),
        Deed::Answer(status, body) => {
            let length = body.len();
            format!("HTTP/1.1 {status} Fault\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").into_bytes()
        }
        Deed::Pass => serve()?,
        Deed::Lose => {
            serve()?;
            return None;
        }
        Deed::LoseReset => {
            serve()?;
            return reset(&client);
        }
        Deed::Delay(time) => {
            std::thread::sleep(time);
            serve()?
        }
        Deed::Twice => {
            serve()?;
            serve()?
        }
        Deed::Stale(moment) => {
            let past = memory.lock().ok()?.past(&call, moment);
            if let Some(past) = past { past } else { serve()? }
        }
    };
    client.write_all(&answer).ok()?;
    client.shutdown(Shutdown::Write).ok()
}

/// Closing without lingering sends a reset instead of a farewell.
fn reset(client: &TcpStream) -> Option<()> {
    let none = libc::linger { l_onoff: 1, l_linger: 0 };
    // SAFETY: the socket is open, and setsockopt reads as many bytes as it is told.
    let set = unsafe {
        libc::setsockopt(
            client.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const none).cast(),
            libc::socklen_t::try_from(size_of::<libc::linger>()).ok()?,
        )
    };
    assert_eq!(set, 0, "the socket takes the option");
    None
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

fn line(request: &[u8]) -> String {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    String::from_utf8_lossy(line).into_owned()
}

fn body(request: &[u8]) -> &[u8] {
    let head = request.windows(4).position(|four| four == b"\r\n\r\n");
    head.map_or(&[], |head| &request[head + 4..])
}

fn operation(request: &[u8]) -> String {
    if let Some(target) = header(request, "x-amz-target") {
        return target.rsplit('.').next().unwrap_or_default().to_owned();
    }
    let body = String::from_utf8_lossy(body(request));
    if let Some(action) = body.split('&').find_map(|pair| pair.strip_prefix("Action=")) {
        return action.to_owned();
    }
    line(request).trim_end_matches(" HTTP/1.1").to_owned()
}

fn asks(request: &[u8]) -> String {
    let target = header(request, "x-amz-target").unwrap_or_default();
    format!("{} {target} {}", line(request), String::from_utf8_lossy(body(request)))
}
