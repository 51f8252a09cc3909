//! A server that answers each call as a test says, and a gate before the sandbox that can hold one.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// A call as it came.
pub struct Request {
    /// `PUT /bucket?versioning HTTP/1.1`.
    pub line: String,
    pub body: String,
    bytes: Vec<u8>,
}

impl Request {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.bytes.split(|byte| *byte == b'\n').take_while(|line| line.len() > 1);
        head.filter_map(|line| std::str::from_utf8(line).ok()?.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
    }

    /// Passes it on, and gives the answer.
    pub fn forward(&self, target: &str) -> Option<Vec<u8>> {
        let mut server = TcpStream::connect(target.trim_start_matches("http://")).ok()?;
        server.write_all(&self.bytes).ok()?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).ok()?;
        Some(answer)
    }
}

type Answer = dyn Fn(&Request) -> Option<Vec<u8>> + Send + Sync;

/// A server on a port of its own; it stops when it goes.
pub struct Server {
    pub endpoint: String,
    ended: Arc<AtomicBool>,
}

impl Server {
    /// Answers every call with these bytes; with a broken connection where there are none.
    pub fn new(answer: impl Fn(&Request) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let ended = Arc::new(AtomicBool::new(false));
        let (answer, end): (Arc<Answer>, _) = (Arc::new(answer), Arc::clone(&ended));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let answer = Arc::clone(&answer);
                std::thread::spawn(move || serve(client, &*answer));
            }
        });
        Self { endpoint, ended }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees that it is over.
        let _ = TcpStream::connect(self.endpoint.trim_start_matches("http://"));
    }
}

/// One call on one connection.
fn serve(mut client: TcpStream, answer: &Answer) -> Option<()> {
    let request = read(&mut client)?;
    client.write_all(&answer(&request)?).ok()?;
    client.shutdown(Shutdown::Write).ok()
}

fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        let read = stream.read(&mut chunk).ok()?;
        bytes.extend_from_slice(&chunk[..read]);
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
            });
            if bytes.len() >= end + 4 + length.unwrap_or(0) {
                let line = head.lines().next().unwrap_or_default().to_owned();
                let body = String::from_utf8_lossy(&bytes[end + 4..]).into_owned();
                return Some(Request { line, body, bytes });
            }
        }
        if read == 0 {
            return None;
        }
    }
}

/// Where a held call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Stage {
    Awaited,
    Here,
    LetGo,
}

/// Holds the first call that a test waits for until the test lets it go; all others pass.
pub struct Gate {
    pub endpoint: String,
    stage: Arc<(Mutex<Stage>, Condvar)>,
    shut: Arc<AtomicBool>,
    _server: Server,
}

impl Gate {
    /// Stands before `target`, and holds the first call of which this is true.
    pub fn new(target: &str, holds: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Self {
        let target = target.to_owned();
        let stage = Arc::new((Mutex::new(Stage::Awaited), Condvar::new()));
        let shut = Arc::new(AtomicBool::new(false));
        let (inner, closed) = (Arc::clone(&stage), Arc::clone(&shut));
        let server = Server::new(move |request| {
            let (lock, told) = &*inner;
            let mut now = lock.lock().expect("nobody panics with it");
            if *now == Stage::Awaited && holds(request) {
                *now = Stage::Here;
                told.notify_all();
                now = told.wait_while(now, |now| *now != Stage::LetGo).expect("as above");
            }
            drop(now);
            while closed.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(50));
            }
            request.forward(&target)
        });
        Self { endpoint: server.endpoint.clone(), stage, shut, _server: server }
    }

    /// Whether the call has come.
    pub fn is_held(&self) -> bool {
        *self.stage.0.lock().expect("nobody panics with it") == Stage::Here
    }

    /// Waits until the call has come.
    #[track_caller]
    pub fn held(&self) {
        let (lock, told) = &*self.stage;
        let now = lock.lock().expect("nobody panics with it");
        let limit = Duration::from_secs(30);
        let waited = told.wait_timeout_while(now, limit, |now| *now == Stage::Awaited);
        let came = *waited.expect("as above").0 != Stage::Awaited;
        assert!(came, "the call never came");
    }

    /// Lets it go.
    pub fn open(&self) {
        let (lock, told) = &*self.stage;
        *lock.lock().expect("nobody panics with it") = Stage::LetGo;
        told.notify_all();
    }

    /// From now on no call gets through.
    pub fn shut(&self) {
        self.shut.store(true, Ordering::SeqCst);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.shut.store(false, Ordering::SeqCst);
        self.open();
    }
}
