//! lagoa in the background: what it says while it runs, signals, a terminal of its own.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::support::Site;

/// lagoa in the background, and what it has said so far.
pub struct Running {
    pub child: Child,
    pub out: Arc<Mutex<String>>,
    pub err: Arc<Mutex<String>>,
}

pub fn collect(mut from: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let into = Arc::clone(&text);
    std::thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut chunk) {
            let words = String::from_utf8_lossy(&chunk[..read]).into_owned();
            into.lock().expect("nobody panics with it").push_str(&words);
        }
    });
    text
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("start lagoa");
        let out = collect(child.stdout.take().expect("its output"));
        let err = collect(child.stderr.take().expect("its errors"));
        Self { child, out, err }
    }

    /// A command that takes this endpoint for AWS.
    pub fn through(site: &Site, endpoint: &str, arguments: &[&str]) -> Self {
        let mut command = site.command(arguments);
        site.aws(&mut command, endpoint);
        Self::start(command)
    }

    /// The same at a terminal, which shows both what it prints and what it says.
    pub fn at_a_terminal(command: Command) -> (Self, File) {
        Self::at_a_terminal_of(command, WIDE)
    }

    /// The same at one of so many rows and columns.
    pub fn at_a_terminal_of(command: Command, size: (u16, u16)) -> (Self, File) {
        let (child, master) = seated(command, size);
        let screen = File::from(master);
        let err = collect(screen.try_clone().expect("another descriptor"));
        (Self { child, out: Arc::default(), err }, screen)
    }

    pub fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.child.id()).expect("a pid fits");
        // SAFETY: the child is ours and not waited for yet, so the pid is its.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0, "send a signal");
    }

    pub fn said(&self) -> String {
        self.err.lock().expect("nobody panics with it").clone()
    }

    pub fn says(&self, word: &str) {
        let since = Instant::now();
        while !self.said().contains(word) {
            assert!(since.elapsed() < Duration::from_secs(60), "no `{word}` in: {}", self.said());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Its exit code; `None` when a signal killed it or it didn't end in time.
    pub fn ends_within(&mut self, limit: Duration) -> Option<i32> {
        let since = Instant::now();
        while since.elapsed() < limit {
            if let Some(status) = self.child.try_wait().expect("ask for lagoa") {
                std::thread::sleep(Duration::from_millis(50));
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.child.kill().expect("kill lagoa");
        self.child.wait().expect("wait for lagoa");
        eprintln!("it didn't end: {}", self.said());
        None
    }

    pub fn printed(&self) -> String {
        self.out.lock().expect("nobody panics with it").clone()
    }
}

/// Rows and columns that lose nothing of what is said.
const WIDE: (u16, u16) = (50, 200);

/// A terminal of its own for a command: what is read from and written to it, and its other end.
fn terminal((rows, columns): (u16, u16)) -> (OwnedFd, OwnedFd) {
    let (mut master, mut slave) = (0, 0);
    let none: *mut libc::c_char = std::ptr::null_mut();
    let mut size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: openpty writes to the two places it is given, and gives descriptors that are ours.
    unsafe {
        let opened = libc::openpty(
            &raw mut master,
            &raw mut slave,
            none,
            std::ptr::null_mut(),
            &raw mut size,
        );
        assert_eq!(opened, 0, "open a terminal");
        libc::fcntl(master, libc::F_SETFD, libc::FD_CLOEXEC);
        (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave))
    }
}

/// Starts the command as the leader of a session at a terminal; gives the terminal's other end.
pub fn at_a_terminal(command: Command) -> (Child, OwnedFd) {
    seated(command, WIDE)
}

fn seated(mut command: Command, size: (u16, u16)) -> (Child, OwnedFd) {
    let (master, slave) = terminal(size);
    let copy = || Stdio::from(slave.try_clone().expect("another descriptor"));
    command.stdin(copy()).stdout(copy()).stderr(copy());
    let own = slave.as_raw_fd();
    // SAFETY: both calls are allowed between fork and exec.
    unsafe {
        command.pre_exec(move || {
            libc::setsid();
            libc::ioctl(own, libc::TIOCSCTTY, 0);
            Ok(())
        });
    }
    (command.spawn().expect("start lagoa"), master)
}
