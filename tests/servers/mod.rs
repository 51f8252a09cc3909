//! Real database servers for the tests, started and stopped by them: on a free port of this
//! machine, in a directory of their own, with a CA of their own. A server that isn't installed
//! fails the test.

#![allow(dead_code)]

pub mod files;
pub mod mariadb;
pub mod postgres;
pub mod proxy;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lagoa::seed::{Target, Tls};

/// What the tests connect with.
pub const USER: &str = "seeder";
pub const PASSWORD: &str = "correct horse";
/// The name in the server's certificate.
pub const NAME: &str = "db.lagoa.test";

/// A server that runs as long as this test program, however that ends.
pub struct Server {
    /// The shell that keeps the server ends it when this pipe closes.
    _keeper: Child,
    pub root: PathBuf,
    pub port: u16,
}

/// Starts a server under a shell that stops it and removes its files when the tests are gone.
fn keep(server: &Command, root: &Path, signal: &str) -> Child {
    let script = r#"log=$1 root=$2 signal=$3; shift 3
        "$@" >"$log" 2>&1 </dev/null & server=$!
        read -r gone; kill -s "$signal" $server; wait $server; rm -rf "$root""#;
    let mut command = unprivileged(&program("sh", &["/bin"], "dash"));
    command.arg("-c").arg(script).arg("keeper").arg(root.join("log")).arg(root).arg(signal);
    command.arg(server.get_program()).args(server.get_args());
    command.stdin(Stdio::piped()).process_group(0).spawn().unwrap()
}

impl Server {
    /// Over plaintext, which loopback may.
    pub fn target(&self, database: &str) -> Target {
        Target {
            host: "127.0.0.1".to_owned(),
            hostaddr: None,
            port: self.port,
            database: database.to_owned(),
            user: USER.to_owned(),
            password: PASSWORD.into(),
            tls: Tls::Off,
            ca: None,
        }
    }

    /// As a production server is reached through a tunnel.
    pub fn secure(&self, database: &str) -> Target {
        Target {
            host: NAME.to_owned(),
            hostaddr: Some("127.0.0.1".parse().unwrap()),
            tls: Tls::VerifyFull,
            ca: Some(self.root.join("ca.pem")),
            ..self.target(database)
        }
    }
}

/// A program, on the PATH or in one of the places where it's usually installed.
fn program(name: &str, places: &[&str], package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(places.iter().map(PathBuf::from));
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    let found = folders.into_iter().map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed; install the package {package}"))
}

/// A command that doesn't run as root, which database servers refuse.
fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new(program);
    if is_root() {
        command.uid(65534).gid(65534);
    }
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// An empty directory that the server's user may write to.
fn directory(name: &str) -> PathBuf {
    let root = std::env::temp_dir().join(format!("lagoa-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(&root).unwrap();
    give(&root);
    root
}

/// Hands a file or directory over to the server's user.
fn give(path: &Path) {
    if is_root() {
        std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Runs a command to its end, and shows what it said if it fails.
fn succeed(command: &mut Command) {
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{command:?} failed: {said}");
}

/// Waits until something is true.
fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let started = Instant::now();
    while !ready() {
        assert!(started.elapsed() < Duration::from_secs(60), "gave up waiting until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A CA, another CA that nobody trusts, and a certificate for [`NAME`], as PEM files.
fn certificates(root: &Path) {
    let openssl = program("openssl", &[], "openssl");
    let run = |arguments: &str| {
        succeed(Command::new(&openssl).current_dir(root).args(arguments.split(' ')));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for ca in ["ca", "other-ca"] {
        run(&format!("req -x509 {key} -days 2 -subj /CN={ca} -keyout {ca}.key -out {ca}.pem"));
    }
    run(&format!("req {key} -subj /CN={NAME} -keyout server.key -out server.csr"));
    fs::write(root.join("names"), format!("subjectAltName=DNS:{NAME}\n")).unwrap();
    run(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem",
    );
    fs::set_permissions(root.join("server.key"), fs::Permissions::from_mode(0o600)).unwrap();
    for file in ["server.key", "server.pem", "ca.pem"] {
        give(&root.join(file));
    }
}
