//! A way to a server that breaks after so many bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Forwards connections to a server. One of them it cuts.
pub struct Proxy {
    pub port: u16,
    /// How many bytes may still pass, both ways together.
    left: Arc<AtomicI64>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Proxy {
    /// A proxy that lets `bytes` pass, then cuts the connection, and from then on lets all pass.
    pub async fn start(server: u16, bytes: i64) -> Self {
        Self::accept(server, bytes, None, Duration::ZERO).await
    }

    /// A proxy that cuts the connection once, when a certain text goes to the server.
    pub async fn losing(server: u16, text: &'static [u8], loses: Loses) -> Self {
        Self::accept(server, i64::MAX, Some((text, loses)), Duration::ZERO).await
    }

    /// A proxy as far away as another continent.
    pub async fn far(server: u16, delay: Duration) -> Self {
        Self::accept(server, i64::MAX, None, delay).await
    }

    async fn accept(server: u16, bytes: i64, trap: Option<Trap>, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let left = Arc::new(AtomicI64::new(bytes));
        let shared = left.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let _ = near.set_nodelay(true);
                if let Ok(far) = TcpStream::connect(("127.0.0.1", server)).await {
                    let _ = far.set_nodelay(true);
                    tokio::spawn(forward(near, far, shared.clone(), trap, delay));
                }
            }
        });
        Self { port, left, accepting }
    }

    /// Whether the cut has happened.
    pub fn has_cut(&self) -> bool {
        self.left.load(Ordering::SeqCst) <= 0
    }
}

/// What gets lost when the connection is cut at a text.
#[derive(Clone, Copy, PartialEq)]
pub enum Loses {
    /// The text itself: the server never sees it.
    Question,
    /// What the server says to it.
    Answer,
}

type Trap = (&'static [u8], Loses);

async fn forward(
    mut near: TcpStream,
    mut far: TcpStream,
    left: Arc<AtomicI64>,
    trap: Option<Trap>,
    delay: Duration,
) {
    let before = left.load(Ordering::SeqCst) > 0;
    let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
    loop {
        let (read, upwards) = tokio::select! {
            read = near.read(&mut up) => (read, true),
            read = far.read(&mut down) => (read, false),
        };
        let Ok(read @ 1..) = read else { break };
        if let Some((text, loses)) = trap.filter(|_| before && upwards)
            && up[..read].windows(text.len()).any(|window| window == text)
        {
            left.store(0, Ordering::SeqCst);
            if loses == Loses::Answer {
                let _ = far.write_all(&up[..read]).await;
                let _ = far.read(&mut down).await;
            }
            break;
        }
        tokio::time::sleep(delay).await;
        let passed = if before {
            let still = left.fetch_sub(read as i64, Ordering::SeqCst);
            usize::try_from(still).unwrap_or(0).min(read)
        } else {
            read
        };
        let written = match upwards {
            true => far.write_all(&up[..passed]).await,
            false => near.write_all(&down[..passed]).await,
        };
        if written.is_err() || passed < read {
            break;
        }
    }
    // What has arrived on either side may still be worked on when the other learns of the cut.
    tokio::time::sleep(Duration::from_millis(1)).await;
}
